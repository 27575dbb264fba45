"""Space groups from spglib; failures give no result."""

import warnings
from typing import Any

import numpy as np
from ase import Atoms

LEAST_VOLUME = 1e-6
"""Å³ per atom; spglib crashes on cells that are flatter."""

Operations = tuple[np.ndarray, np.ndarray]
"""Rotations (operations 3 3), whole numbers, and translations (operations 3)."""


def cell_of(atoms: Atoms) -> Any:  # noqa: ANN401 - spglib's tuple
    """Return a structure as spglib takes it, its moments left out."""
    return atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers


def searched(search: str, cell: Any, symprec: float, **options: bool) -> Any:  # noqa: ANN401 - spglib's own
    """Return what one of spglib's searches finds, or none.

    Parameters
    ----------
    search
        Name of the function of spglib.
    cell
        Lattice, scaled positions, numbers, and moments where they count.
    symprec
        Å
    options
        Further ones of that function.

    Examples
    --------
    >>> from ase.build import bulk
    >>> searched("get_spacegroup", cell_of(bulk("Si")), 1e-3)
    'Fd-3m (227)'
    """
    import spglib

    if not all(np.isfinite(np.asarray(part, dtype=float)).all() for part in cell):
        return None
    if not abs(np.linalg.det(cell[0])) > LEAST_VOLUME * len(cell[2]):
        return None
    # before 2.7 it returns nothing, with a warning, instead
    failure = getattr(spglib, "SpglibError", ValueError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return getattr(spglib, search)(cell, symprec=symprec, **options)
        except failure:
            return None


def dataset_of(atoms: Atoms, symprec: float) -> Any:  # noqa: ANN401 - spglib's own
    """Return spglib's data set of a structure; with moments, the magnetic one."""
    cell, moments = cell_of(atoms), atoms.get_initial_magnetic_moments()
    if moments.any():
        cell = (*cell, moments)
        return searched("get_magnetic_symmetry_dataset", cell, symprec)
    return searched("get_symmetry_dataset", cell, symprec)


def space_group(atoms: Atoms, symprec: float) -> Operations:
    """Return the space group; with magnetic moments, the magnetic one.

    An operation that turns every moment over counts with time reversal, which forces do
    not see. None where the cell is not periodic, or no group is found.

    Parameters
    ----------
    atoms
        A crystal.
    symprec
        Å
    """
    found = dataset_of(atoms, symprec) if atoms.pbc.all() else None
    if found is None:
        return np.zeros((0, 3, 3), dtype=np.int64), np.zeros((0, 3))
    return np.asarray(found.rotations), np.asarray(found.translations)
