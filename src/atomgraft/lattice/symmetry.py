"""Space groups and standard cells, as spglib finds them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Int

from atomgraft.core.errors import BadInputError

EXACT_SYMPREC = 1e-3
"""Å; for crystals that are symmetric to the last digit, or broken by more than this."""


def raise_errors_of_spglib() -> None:
    """Let spglib raise its errors; phonopy chooses so for all where it is imported."""
    import phonopy.structure.symmetry  # noqa: F401


def _failure() -> type[Exception]:
    """Return what spglib raises; before 2.7 it returned nothing instead."""
    import spglib

    return getattr(spglib, "SpglibError", ValueError)


def _cell(atoms: Atoms) -> Any:  # noqa: ANN401 - spglib's tuple
    return atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers


def primitive_of(atoms: Atoms, symprec: float = EXACT_SYMPREC) -> Atoms:
    """Return the primitive cell, not turned, its atoms where they are.

    Parameters
    ----------
    atoms
        Periodic in all directions.
    symprec
        Å
    """
    return _standard(atoms, symprec, to_primitive=True, no_idealize=True)


def standardised(atoms: Atoms, symprec: float) -> Atoms:
    """Return the primitive cell in spglib's standard setting, exactly symmetric.

    Parameters
    ----------
    atoms
        Periodic in all directions.
    symprec
        Å
    """
    return _standard(atoms, symprec, to_primitive=True)


def conventional(atoms: Atoms, symprec: float) -> Atoms:
    """Return the conventional cell in spglib's standard setting, exactly symmetric.

    Parameters
    ----------
    atoms
        Periodic in all directions.
    symprec
        Å
    """
    return _standard(atoms, symprec, to_primitive=False)


def _standard(atoms: Atoms, symprec: float, **options: bool) -> Atoms:
    """Return one of spglib's cells.

    Raises
    ------
    BadInputError
        spglib finds no symmetry, not even that of the lattice.
    """
    import spglib

    raise_errors_of_spglib()
    try:
        found = spglib.standardize_cell(_cell(atoms), symprec=symprec, **options)
    except _failure() as error:
        raise _no_symmetry(atoms) from error
    if found is None:
        raise _no_symmetry(atoms)
    lattice, places, numbers = found
    return Atoms(numbers, cell=lattice, scaled_positions=places, pbc=True)


def _no_symmetry(atoms: Atoms) -> BadInputError:
    return BadInputError(
        f"The symmetry of {atoms.get_chemical_formula()} cannot be found.",
        "Atoms at places of their own, in a cell that is not flat, are needed.",
        "Look at the structure.",
    )


def _searched(search: Callable[..., Any], cell: Any, symprec: float) -> Any:  # noqa: ANN401 - spglib's own
    """Return what a search of spglib finds, or none."""
    raise_errors_of_spglib()
    try:
        return search(cell, symprec=symprec)
    except _failure():
        return None


def images_of_atoms(atoms: Atoms, symprec: float) -> Int[np.ndarray, " atoms"]:
    """Return how many atoms of a cell are images of each by symmetry, itself included.

    Atoms of different magnetic moments are no images of each other; where moments are
    vectors, and where no symmetry is found, every atom is its own alone.

    Parameters
    ----------
    atoms
        Periodic in all directions.
    symprec
        Å

    Examples
    --------
    >>> from ase.build import bulk
    >>> images_of_atoms(bulk("NaCl", "rocksalt", a=5.6, cubic=True), 1e-3).tolist()
    [4, 4, 4, 4, 4, 4, 4, 4]
    """
    import spglib

    alone = np.ones(len(atoms), dtype=int)
    moments = atoms.get_initial_magnetic_moments()
    if moments.ndim > 1:
        return alone
    both = np.stack([atoms.numbers, moments])
    kinds = np.unique(both, axis=1, return_inverse=True)[1].ravel()
    cell: Any = (atoms.cell.array, atoms.get_scaled_positions(), kinds)
    found = _searched(spglib.get_symmetry_dataset, cell, symprec)
    if found is None:
        return alone
    classes = np.asarray(found.equivalent_atoms)
    return np.bincount(classes)[classes]


def spglib_group(atoms: Atoms, symprec: float) -> tuple[str, int]:
    """Return symbol and number of the space group; P1 where none is found.

    Parameters
    ----------
    atoms
        Periodic in all directions.
    symprec
        Å

    Examples
    --------
    >>> from ase.build import bulk
    >>> spglib_group(bulk("Si"), 1e-3)
    ('Fd-3m', 227)
    """
    import spglib

    found = _searched(spglib.get_spacegroup, _cell(atoms), symprec)
    if found is None:
        return "P1", 1
    symbol, _, number = str(found).partition(" ")
    return symbol, int(number.strip("()"))
