"""Whether a framework stayed together while its ions moved."""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np
from ase import Atoms, units
from jaxtyping import Bool, Float

MOBILE = frozenset({"H", "Li", "Na", "K", "Rb", "Cs", "Cu", "Ag"})
"""Monovalent cations, which move where anything does."""

PART = 5
"""Positions are averaged over a fifth of the run at each end."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Displacements:
    """How far atoms have moved.

    Parameters
    ----------
    mobile
        Elements that do not belong to the framework.
    framework
        Mean square displacement of the framework, Å²; none where there is none.
    by_element
        The same by element.
    """

    mobile: tuple[str, ...]
    framework: float | None
    by_element: dict[str, float]

    def is_molten(self, limit: float) -> bool:
        """Tell whether no element of the framework stayed where it was.

        A crystal whose anions turn or hop on a rigid lattice of cations is not molten.

        Parameters
        ----------
        limit
            Å²
        """
        rest = [v for one, v in self.by_element.items() if one not in self.mobile]
        return bool(rest) and min(rest) > limit


def displacements(
    atoms: Atoms,
    positions: Float[np.ndarray, "frames atoms 3"],
    mobile: Collection[str] = (),
) -> Displacements:
    """Return how far atoms have moved between the ends of a run.

    Displacements are those between mean positions, of the first and of the last fifth
    of the frames: vibrations are averaged out. The mean displacement of the framework,
    weighted by mass, is removed from all.

    Parameters
    ----------
    atoms
        Elements and masses.
    positions
        Å, unwrapped.
    mobile
        Elements that do not belong to the framework; none: those in `MOBILE`. Where
        nothing else is there, all atoms are the framework.

    Examples
    --------
    >>> atoms = Atoms("LiO")
    >>> frames = np.zeros((10, 2, 3))
    >>> frames[5:, 0, 0] = 3.0
    >>> found = displacements(atoms, frames)
    >>> found.by_element, found.framework
    ({'Li': 9.0, 'O': 0.0}, 0.0)
    """
    symbols = np.array(atoms.get_chemical_symbols())
    named = tuple(sorted(set(symbols) & set(mobile or MOBILE)))
    is_framework = ~np.isin(symbols, named)
    if not is_framework.any():
        named, is_framework = (), ~is_framework
    n_part = max(1, len(positions) // PART)
    moved = positions[-n_part:].mean(axis=0) - positions[:n_part].mean(axis=0)
    masses = atoms.get_masses() * is_framework
    moved = moved - (masses[:, None] * moved).sum(axis=0) / masses.sum()
    squares = (moved**2).sum(axis=1)
    return Displacements(
        mobile=named,
        framework=float(squares[is_framework].mean()),
        by_element=_means(symbols, squares),
    )


def _means(
    symbols: np.ndarray | Sequence[str], squares: Float[np.ndarray, " atoms"]
) -> dict[str, float]:
    array = np.asarray(symbols)

    def of(element: str) -> Bool[np.ndarray, " atoms"]:
        return array == element

    return {str(one): float(squares[of(str(one))].mean()) for one in sorted(set(array))}


def density_of(atoms: Atoms) -> float | None:
    """Return the density, g/cm³; none without a volume.

    Examples
    --------
    >>> from ase.build import bulk
    >>> round(density_of(bulk("MgO", "rocksalt", a=4.212)), 2)
    3.58
    """
    if atoms.cell.rank < 3:
        return None
    grams = atoms.get_masses().sum() * units._amu * 1e3  # noqa: SLF001 - ASE's u in kg
    return float(grams / (atoms.get_volume() * 1e-24))
