"""Frequencies, bands, density of states and thermal curves of a harmonic crystal.

Frequencies are in THz, imaginary ones negative. Bands follow the path that seekpath
suggests (Hinuma et al., Comput. Mater. Sci. 128, 140 (2017)).
"""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from atomgraft.core.errors import BadInputError, foreign
from atomgraft.lattice.harmonic import Harmonic

MESH = (20, 20, 20)
"""q-points along the reciprocal vectors of the primitive cell."""

N_BAND_POINTS = 51
"""q-points on the longest leg of the path; shorter legs have fewer."""

N_DOS_POINTS = 401

TEMPERATURES = tuple(float(T) for T in range(0, 1001, 20))
"""K"""

LOWEST = 0.01
"""THz; modes below it, the acoustic ones at Γ and imaginary ones, have no place in
thermal sums."""

KJ_PER_MOL_IN_MEV = 10.364269656262175
"""1 kJ/mol in meV."""

ANGSTROM_THZ_IN_KM_PER_S = 0.1
"""1 Å THz in km/s."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshFrequencies:
    """Frequencies on the irreducible points of a mesh.

    Parameters
    ----------
    q_points
        In reciprocal vectors of the primitive cell.
    weights
        How many points of the mesh each stands for.
    frequencies
        THz, ascending for each q.
    """

    q_points: Float[np.ndarray, "q 3"]
    weights: Float[np.ndarray, " q"]
    frequencies: Float[np.ndarray, "q bands"]


def mesh_frequencies(harmonic: Harmonic, mesh: Sequence[int] = MESH) -> MeshFrequencies:
    """Return the frequencies on a mesh that holds Γ.

    Parameters
    ----------
    harmonic
        A crystal with force constants.
    mesh
        Points along each reciprocal vector.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.lattice.harmonic import harmonic_of
    >>> from atomgraft.lattice.supercells import prepare
    >>> from atomgraft.models.pair import stillinger_weber
    >>> phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([2, 2, 2]))
    >>> silicon = harmonic_of(stillinger_weber(["Si"]), phonon)
    >>> found = mesh_frequencies(silicon, (4, 4, 4))
    >>> float(found.weights.sum()), round(float(found.frequencies.max()))
    (64.0, 18)
    """
    result = harmonic.phonon.run_mesh(list(mesh), is_gamma_center=True)
    return MeshFrequencies(
        q_points=np.array(result.qpoints, dtype=float),
        weights=np.array(result.weights, dtype=float),
        frequencies=np.sort(np.array(result.frequencies, dtype=float), axis=1),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BandPath:
    """The path through the Brillouin zone, and where it breaks.

    Parameters
    ----------
    legs
        q-points of each straight leg, in reciprocal vectors of the primitive cell.
    labels
        Names of the ends of each leg.
    """

    legs: tuple[Float[np.ndarray, "_ 3"], ...]
    labels: tuple[tuple[str, str], ...]


def named_points(harmonic: Harmonic) -> dict[str, Any]:
    """Return seekpath's path for the primitive cell as it is, and its named points.

    Parameters
    ----------
    harmonic
        A crystal with force constants.

    Raises
    ------
    BadInputError
        seekpath finds no path in this cell.
    """
    import seekpath

    phonon = harmonic.phonon
    with (
        foreign(
            lambda reason: BadInputError(
                f"No path of q-points is known for {phonon.primitive.formula} "
                f"({reason}).",
                "Expected a cell whose symmetry seekpath finds.",
                "Check the structure, or choose another --symprec.",
            )
        ),
        warnings.catch_warnings(),
    ):
        # a magnetic cell may be several cells of the lattice, whose path this is then
        warnings.simplefilter("ignore", seekpath.SupercellWarning)
        return seekpath.get_path_orig_cell(
            phonon.primitive.totuple()[:3], symprec=phonon.symmetry.tolerance
        )


def band_path(harmonic: Harmonic, n_points: int = N_BAND_POINTS) -> BandPath:
    """Return seekpath's path for the primitive cell as it is.

    Parameters
    ----------
    harmonic
        A crystal with force constants.
    n_points
        Points on the longest leg.
    """
    primitive = harmonic.phonon.primitive
    found = named_points(harmonic)
    points = {name: np.array(q) for name, q in found["point_coords"].items()}
    reciprocal = np.linalg.inv(primitive.cell)
    ends = [(points[a], points[b]) for a, b in found["path"]]
    lengths = [float(np.linalg.norm(reciprocal @ (b - a))) for a, b in ends]
    legs = []
    for (start, end), length in zip(ends, lengths, strict=True):
        count = max(2, round(n_points * length / max(lengths)))
        legs.append(np.linspace(start, end, count))
    return BandPath(
        legs=tuple(legs),
        labels=tuple((_greek(a), _greek(b)) for a, b in found["path"]),
    )


def _greek(label: str) -> str:
    return label.replace("GAMMA", "Γ").replace("SIGMA", "Σ").replace("DELTA", "Δ")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Leg:
    """Bands along one straight leg.

    Parameters
    ----------
    labels
        Names of the two ends.
    distances
        Along the path from its start, 1/Å without 2π.
    frequencies
        THz
    speeds
        Lengths of the group velocities, km/s.
    """

    labels: tuple[str, str]
    distances: Float[np.ndarray, " q"]
    frequencies: Float[np.ndarray, "q bands"]
    speeds: Float[np.ndarray, "q bands"]


def bands(harmonic: Harmonic, path: BandPath | None = None) -> tuple[Leg, ...]:
    """Return the band structure with group velocities.

    Parameters
    ----------
    harmonic
        A crystal with force constants.
    path
        None takes seekpath's; give one and the same for crystals to be compared.
    """
    path = path or band_path(harmonic)
    result = harmonic.phonon.run_band_structure(
        list(path.legs), with_group_velocities=True
    )
    velocities = result.group_velocities
    assert velocities is not None
    return tuple(
        Leg(
            labels=names,
            distances=np.array(distances, dtype=float),
            frequencies=np.array(frequencies, dtype=float),
            speeds=np.linalg.norm(velocity, axis=-1) * ANGSTROM_THZ_IN_KM_PER_S,
        )
        for names, distances, frequencies, velocity in zip(
            path.labels,
            result.distances,
            result.frequencies,
            velocities,
            strict=True,
        )
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Density:
    """The phonon density of states.

    Parameters
    ----------
    frequencies
        THz
    densities
        States per THz and primitive cell; integrates to the number of bands.
    """

    frequencies: Float[np.ndarray, " points"]
    densities: Float[np.ndarray, " points"]


def density_of_states(
    harmonic: Harmonic,
    mesh: Sequence[int] = MESH,
    *,
    limits: tuple[float, float] | None = None,
) -> Density:
    """Return the density of states by the tetrahedron method.

    Parameters
    ----------
    harmonic
        A crystal with force constants.
    mesh
        Points along each reciprocal vector.
    limits
        Lowest and highest frequency of the curve, THz; none spans the spectrum.
    """
    found = mesh_frequencies(harmonic, mesh)
    low, high = limits or spectrum_limits([found])
    result = harmonic.phonon.run_total_dos(
        freq_min=low, freq_max=high, freq_pitch=(high - low) / (N_DOS_POINTS - 1)
    )
    return Density(
        frequencies=np.array(result.frequency_points, dtype=float),
        densities=np.array(result.dos, dtype=float),
    )


def spectrum_limits(spectra: Sequence[MeshFrequencies]) -> tuple[float, float]:
    """Return limits that hold every frequency of some spectra with a margin, THz."""
    low = min(float(one.frequencies.min()) for one in spectra)
    high = max(float(one.frequencies.max()) for one in spectra)
    margin = 0.03 * (high - low) + 1e-3
    return low - margin, high + margin


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thermal:
    """Thermal curves in the harmonic approximation, per atom.

    Parameters
    ----------
    temperatures
        K
    free_energy
        Vibrational, zero-point energy included, meV/atom.
    entropy
        J/K per mole of atoms.
    heat_capacity
        At constant volume, J/K per mole of atoms.
    share_left_out
        Of the modes on the mesh, those below 0.01 THz: the acoustic ones at Γ and
        imaginary ones. Where it is more than the former, the curves are of a crystal
        that is not there.
    """

    temperatures: Float[np.ndarray, " points"]
    free_energy: Float[np.ndarray, " points"]
    entropy: Float[np.ndarray, " points"]
    heat_capacity: Float[np.ndarray, " points"]
    share_left_out: float


def thermal_curves(
    harmonic: Harmonic,
    mesh: Sequence[int] = MESH,
    temperatures: Sequence[float] = TEMPERATURES,
) -> Thermal:
    """Return free energy, entropy and heat capacity over temperature.

    Parameters
    ----------
    harmonic
        A crystal with force constants.
    mesh
        Points along each reciprocal vector.
    temperatures
        K
    """
    found = mesh_frequencies(harmonic, mesh)
    curves = harmonic.phonon.run_thermal_properties(
        temperatures=list(temperatures), cutoff_frequency=LOWEST
    )
    n_atoms = len(harmonic.phonon.primitive)
    is_left_out = (found.frequencies < LOWEST).mean(axis=1)
    return Thermal(
        temperatures=np.array(curves.temperatures, dtype=float),
        free_energy=np.array(curves.free_energy) * KJ_PER_MOL_IN_MEV / n_atoms,
        entropy=np.array(curves.entropy) / n_atoms,
        heat_capacity=np.array(curves.heat_capacity) / n_atoms,
        share_left_out=float(np.average(is_left_out, weights=found.weights)),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mode:
    """One normal mode at one q-point.

    Parameters
    ----------
    q
        In reciprocal vectors of the primitive cell.
    band
        Counted from zero, ascending.
    frequency
        THz
    eigenvector
        Of the dynamical matrix, by primitive atom.
    """

    q: Float[np.ndarray, "3"]
    band: int
    frequency: float
    eigenvector: Complex[np.ndarray, "atoms 3"]


def commensurate_modes(harmonic: Harmonic) -> tuple[Mode, ...]:
    """Return every mode of the q-points whose waves fit into the supercell.

    Only there are frequencies those of the forces; between them they are
    interpolated.

    Parameters
    ----------
    harmonic
        A crystal with force constants.
    """
    from phonopy.harmonic.dynmat_to_fc import get_commensurate_points

    phonon = harmonic.phonon
    matrix = np.linalg.inv(phonon.primitive.primitive_matrix)  # of the supercell
    points = get_commensurate_points(np.rint(matrix).astype(int))
    result = phonon.run_qpoints(points, with_eigenvectors=True)
    assert result.eigenvectors is not None
    return tuple(
        Mode(
            q=np.array(q, dtype=float),
            band=band,
            frequency=float(frequencies[band]),
            eigenvector=np.array(vectors[:, band]).reshape(-1, 3),
        )
        for q, frequencies, vectors in zip(
            points, result.frequencies, result.eigenvectors, strict=True
        )
        for band in range(len(frequencies))
    )
