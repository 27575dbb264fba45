"""What the posterior of force constants says of frequencies and free energies.

To first order an eigenvalue λ of the dynamical matrix follows the force constants by
what its eigenvector e sees of them (the theorem of Hellmann and Feynman),

    ∂λ/∂Φ_sα,jβ = Re(e*_sα e_s(j)β ⟨exp(2πi q·R_sj)⟩) / √(m_s m_s(j)),

with ⟨⟩ the mean over the shortest vectors from atom s to the images of atom j. So a
Gaussian posterior of the force constants gives every frequency a variance.
"""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from ase.units import _e, _hplanck, kB
from jaxtyping import Complex, Float
from scipy.special import ndtr

from atomgraft.lattice.harmonic import Harmonic
from atomgraft.lattice.posterior import Posterior
from atomgraft.lattice.spectra import LOWEST, MeshFrequencies
from atomgraft.lattice.symmetric_basis import atoms_of_primitive

if TYPE_CHECKING:
    from phonopy import Phonopy

QUANTUM = _hplanck / _e * 1e15
"""Energy of a quantum of 1 THz, meV."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """Of the vibrations of a crystal.

    Parameters
    ----------
    frequencies
        Standard deviation of each frequency on the mesh, THz.
    free_energy
        Standard deviation at the temperature asked for, meV/atom; modes that are
        imaginary in the mean play no part.
    instability
        Largest probability of a mode on the mesh to be imaginary; at Γ translations
        are not counted.
    """

    frequencies: Float[np.ndarray, "q bands"]
    free_energy: float
    instability: float


def uncertainty(
    harmonic: Harmonic,
    posterior: Posterior,
    mesh: MeshFrequencies,
    *,
    temperature: float,
) -> Uncertainty:
    """Return the uncertainty of frequencies, free energy and stability.

    Parameters
    ----------
    harmonic
        The crystal with the posterior's mean force constants.
    posterior
        Of these force constants.
    mesh
        q-points and their weights.
    temperature
        K
    """
    phonon = harmonic.phonon
    deviations, chances = [], [0.0]
    slope = np.zeros(posterior.factor.shape[1])
    for i, (values, seen) in enumerate(_modes(phonon, posterior, mesh.q_points)):
        sigma = np.linalg.norm(seen, axis=1)
        deviations.append(deviation_of_frequency(values, sigma))
        moves = sigma > NEGLIGIBLE * max(1.0, float(np.abs(values).max()))
        chances += list(ndtr(-values[moves] / sigma[moves]))
        slope += mesh.weights[i] * _thermal_slope(values, temperature) @ seen
    n = mesh.weights.sum() * len(phonon.primitive)
    return Uncertainty(
        frequencies=np.array(deviations),
        free_energy=float(np.linalg.norm(slope / n)),
        instability=float(max(chances)),
    )


NEGLIGIBLE = 1e-9
"""Of the largest eigenvalue at a q-point: deviations below are those of translations,
which nothing can move."""


def frequency_deviations(
    harmonic: Harmonic, posterior: Posterior, q_points: Float[np.ndarray, "q 3"]
) -> Float[np.ndarray, "q bands"]:
    """Return the standard deviation of every frequency, THz.

    Parameters
    ----------
    harmonic
        The crystal with the posterior's mean force constants.
    posterior
        Of these force constants.
    q_points
        In reciprocal vectors of the primitive cell.
    """
    return np.array(
        [
            deviation_of_frequency(values, np.linalg.norm(seen, axis=1))
            for values, seen in _modes(harmonic.phonon, posterior, q_points)
        ]
    )


def seen_by_modes(
    harmonic: Harmonic, posterior: Posterior, q_points: Float[np.ndarray, "q 3"]
) -> tuple[Float[np.ndarray, "q bands"], Float[np.ndarray, "q bands latents"]]:
    """Return squared frequencies, THz², and what they see of the posterior's latents.

    The norm of what a mode sees is the standard deviation of its squared frequency.

    Parameters
    ----------
    harmonic
        The crystal with the posterior's mean force constants.
    posterior
        Of these force constants.
    q_points
        In reciprocal vectors of the primitive cell.
    """
    values, seen = zip(*_modes(harmonic.phonon, posterior, q_points), strict=True)
    return np.array(values), np.array(seen)


def deviation_of_frequency(
    values: Float[np.ndarray, "*modes"], sigma: Float[np.ndarray, "*modes"]
) -> Float[np.ndarray, "*modes"]:
    """Return deviations of frequencies from those of their squares, THz.

    That is σ/2ν where the frequency is well known, and √σ where it is about zero.

    Parameters
    ----------
    values
        Squared frequencies, THz².
    sigma
        Their standard deviations, THz².
    """
    nu = np.sqrt(np.abs(values))
    scale = nu + np.sqrt(np.abs(values) + sigma)
    return np.divide(sigma, scale, out=np.zeros_like(sigma), where=scale > 0)


def _thermal_slope(
    values: Float[np.ndarray, " bands"], temperature: float
) -> Float[np.ndarray, " bands"]:
    """Return the derivative of the free energy by squared frequencies, meV/THz²."""
    found = np.zeros(len(values))
    real = values > LOWEST**2
    nu = np.sqrt(values[real])
    thermal = 1000 * kB * temperature
    filled = (
        0.0 if thermal == 0 else 1 / np.expm1(np.minimum(QUANTUM * nu / thermal, 700))
    )
    found[real] = QUANTUM * (0.5 + filled) / (2 * nu)
    return found


def _modes(
    phonon: "Phonopy", posterior: Posterior, q_points: Float[np.ndarray, "q 3"]
) -> Iterator[tuple[Float[np.ndarray, " bands"], Float[np.ndarray, "bands latents"]]]:
    """Yield squared frequencies, THz², and what they see of the posterior's latents."""
    result = phonon.run_qpoints(q_points, with_eigenvectors=True)
    assert result.eigenvectors is not None
    unit = phonon.unit_conversion_factor**2
    primitive = phonon.primitive
    to_primitive = atoms_of_primitive(phonon)
    masses = np.asarray(primitive.masses)
    root = np.sqrt(masses[:, None] * masses[to_primitive][None, :])
    for q, frequencies, vectors in zip(
        np.asarray(q_points), result.frequencies, result.eigenvectors, strict=True
    ):
        phases = _phases(phonon, q) / root
        e = np.asarray(vectors).T.reshape(len(frequencies), -1, 3)
        derivative = np.einsum(
            "msa,sj,mjb->msjab", e.conj(), phases, e[:, to_primitive], optimize=True
        ).real
        gradient = posterior.basis.gradients(derivative)
        signed = np.sign(frequencies) * np.asarray(frequencies) ** 2
        yield signed, unit * gradient @ posterior.factor


def _phases(
    phonon: "Phonopy", q: Float[np.ndarray, "3"]
) -> Complex[np.ndarray, "primitive atoms"]:
    """Return ⟨exp(2πi q·R)⟩ from every atom of the primitive cell to every atom."""
    vectors, places = phonon.primitive.get_smallest_vectors()
    phases = np.exp(2j * np.pi * (np.asarray(vectors) @ q))
    counts, starts = np.moveaxis(np.asarray(places), -1, 0)
    sums = np.concatenate([[0], np.cumsum(phases)])
    return ((sums[starts + counts] - sums[starts]) / counts).T
