"""Elastic constants from the energies of strained crystals, by fits to labels alone.

The strained germanium cells of the data folder have one Green-Lagrange strain η each:
along an axis (uniaxial) or between two (shear), atoms not relaxed. The energy over the
volume of the cubic cell is τ η + C11 η² / 2 + ... under a uniaxial strain, and
2 C44 η² + ... under a shear, where only even orders occur: energies at η and -η are
equal by symmetry, and count as one. C44 is that of clamped
atoms; how fast forces rise with the shear is its own property. Uniaxial strains alone
determine neither C12 nor the bulk modulus.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from ase import Atoms

from atomgraft.core.units import EV_PER_A3_IN_GPA
from atomgraft.metrics.intervals import student_quantile

GROUP = "Elastic"
"""Of the frames that are strained crystals."""

NO_STRAIN = 1e-5
"""Green-Lagrange strains below it are zero."""

LIMIT, ORDER = 0.06, 4
"""Largest strain and order of the fit."""

OTHER_FIT = (0.08, 6)
"""Its distance is the least uncertainty of a fit."""


@dataclasses.dataclass(frozen=True)
class Strained:
    """A strained frame.

    Parameters
    ----------
    atoms
        With labels, or not.
    is_shear
        Else uniaxial.
    strain
        Green-Lagrange, tensor component.
    """

    atoms: Atoms
    is_shear: bool
    strain: float


def green(atoms: Atoms, edge: float) -> np.ndarray:
    """Return the Green-Lagrange strain of a cell that was a cube."""
    cell = atoms.cell.array / edge
    return (cell @ cell.T - np.eye(3)) / 2


def strained_frames(
    frames: Sequence[Atoms], limit: float = LIMIT
) -> tuple[list[Strained], float]:
    """Return one frame of each strain up to a limit, and the edge of the cube, Å.

    The frame without strain is among the uniaxial ones.
    """
    edge = float(np.median([one.cell.lengths() for one in frames]))
    found: dict[tuple[bool, float], Strained] = {}
    for atoms in frames:
        strain = green(atoms, edge)
        shears = strain[np.triu_indices(3, 1)]
        is_shear = bool(np.abs(shears).max() > NO_STRAIN)
        parts = shears if is_shear else strain.diagonal()
        size = round(float(parts[np.abs(parts).argmax()]), 5)
        if abs(size) <= limit + NO_STRAIN:
            found.setdefault((is_shear, size), Strained(atoms, is_shear, size))
    return [found[key] for key in sorted(found)], edge


def fitted(
    strains: np.ndarray, energies: np.ndarray, powers: Sequence[int], power: int
) -> tuple[float, float]:
    """Return one coefficient of a polynomial, and half of its 95 % interval."""
    matrix = np.stack([strains**p for p in powers], axis=1)
    found, *_ = np.linalg.lstsq(matrix, energies, rcond=None)
    n_free = len(strains) - len(powers)
    variance = ((energies - matrix @ found) ** 2).sum() / n_free
    errors = np.sqrt(np.diag(np.linalg.inv(matrix.T @ matrix)) * variance)
    k = list(powers).index(power)
    return float(found[k]), student_quantile(n_free) * float(errors[k])


def without_signs(
    strains: np.ndarray, energies: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return sizes of strains, and the mean energy of each."""
    sizes = np.abs(strains).round(5)
    distinct = np.unique(sizes)
    return distinct, np.array([energies[sizes == one].mean() for one in distinct])


def constants(
    frames: Sequence[Strained],
    energies: Sequence[float],
    forces: Sequence[np.ndarray],
    volume: float,
    order: int = ORDER,
) -> dict[str, tuple[float, float]]:
    """Return constants with half of their 95 % intervals.

    Parameters
    ----------
    frames
        Of one window of strains, with the one without strain.
    energies
        eV, of the same frames.
    forces
        eV/Å, likewise.
    volume
        Of the cube, Å³.
    order
        Of the polynomial.

    Returns
    -------
    :
        ``stress`` (of the cube, along an axis), ``C11`` and ``C44_clamped`` in GPa;
        ``shear_force``: force on an atom over the smallest tensor shear, eV/Å; without
        an interval, for both signs are one measurement.
    """
    unit = EV_PER_A3_IN_GPA / volume
    eta = np.array([one.strain for one in frames])
    E = np.array(energies)
    is_shear = np.array([one.is_shear for one in frames])
    is_cube = (~is_shear) & (np.abs(eta) < NO_STRAIN)
    E = E - E[is_cube][0]
    along, across = ~is_shear, is_shear | is_cube
    powers = range(order + 1)
    even = range(0, order + 1, 2)
    shears = without_signs(eta[across], E[across])
    smallest = np.abs(eta[is_shear]).min()
    sizes = [
        np.linalg.norm(force, axis=1).mean() / smallest
        for one, force in zip(frames, forces, strict=True)
        if one.is_shear and abs(one.strain) < smallest + NO_STRAIN
    ]

    def scaled(fit: tuple[float, float], factor: float) -> tuple[float, float]:
        return factor * unit * fit[0], factor * unit * fit[1]

    return {
        "stress": scaled(fitted(eta[along], E[along], powers, 1), 1),
        "C11": scaled(fitted(eta[along], E[along], powers, 2), 2),
        "C44_clamped": scaled(fitted(*shears, even, 2), 0.5),
        "shear_force": (float(np.mean(sizes)), 0.0),
    }


def of_labels(frames: Sequence[Atoms]) -> dict[str, tuple[float, float]]:
    """Return constants of labels with half of a 95 % interval.

    That is no less than the distance to a fit of wider window and higher order.
    """

    def one(limit: float, order: int) -> dict[str, tuple[float, float]]:
        kept, edge = strained_frames(frames, limit)
        return constants(
            kept,
            [each.atoms.info["REF_energy"] for each in kept],
            [each.atoms.arrays["REF_forces"] for each in kept],
            edge**3,
            order,
        )

    own, other = one(LIMIT, ORDER), one(*OTHER_FIT)
    return {
        name: (value, max(half, abs(other[name][0] - value)))
        for name, (value, half) in own.items()
    }
