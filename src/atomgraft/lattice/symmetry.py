"""Space groups and standard cells from spglib, and the effect of moments."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from atomgraft.core.errors import BadInputError
from atomgraft.data.space_groups import cell_of, dataset_of, searched

if TYPE_CHECKING:
    from phono3py import Phono3py
    from phonopy import Phonopy

EVEN_MOMENTS = 1e-3
"""Relative; moments that add up to less are those of an antiferromagnet."""

EXACT_SYMPREC = 1e-3
"""Å; for crystals that are symmetric to the last digit, or broken by more than this."""


def raise_errors_of_spglib() -> None:
    """Let spglib raise its errors; phonopy chooses so for all where it is imported."""
    import phonopy.structure.symmetry  # noqa: F401


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
    found = searched("standardize_cell", cell_of(atoms), symprec, **options)
    if found is None:
        raise _no_symmetry(atoms)
    lattice, places, numbers = found
    return Atoms(numbers, cell=lattice, scaled_positions=places, pbc=True)


def _no_symmetry(atoms: Atoms) -> BadInputError:
    return BadInputError(
        f"The symmetry of {atoms.get_chemical_formula()} cannot be found.",
        "Expected atoms at distinct positions, in a cell with a volume.",
        "Check the structure.",
    )


def images_of_atoms(atoms: Atoms, symprec: float) -> Int[np.ndarray, " atoms"]:
    """Return how many atoms of a cell are images of each by symmetry, itself included.

    Operations that turn magnetic moments over count with time reversal, as in phonopy.
    Where no symmetry is found, every atom is its own image alone.

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
    classes = _classes(atoms, symprec)
    return np.bincount(classes)[classes]


def distinct_atoms(atoms: Atoms, symprec: float) -> list[int]:
    """Return the first atom of each set of images by symmetry.

    Parameters
    ----------
    atoms
        Periodic in all directions.
    symprec
        Å

    Examples
    --------
    >>> from ase.build import bulk
    >>> distinct_atoms(bulk("NaCl", "rocksalt", a=5.6), 1e-3)
    [0, 1]
    """
    return np.unique(_classes(atoms, symprec)).tolist()


def _classes(atoms: Atoms, symprec: float) -> Int[np.ndarray, " atoms"]:
    found = dataset_of(atoms, symprec)
    return np.arange(len(atoms)) if found is None else np.array(found.equivalent_atoms)


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
    found = searched("get_spacegroup", cell_of(atoms), symprec)
    if found is None:
        return "P1", 1
    symbol, _, number = str(found).partition(" ")
    return symbol, int(number.strip("()"))


def magnetic_order(moments: Float[np.ndarray, "..."]) -> str | None:
    """Return the order of magnetic moments in a word; none where all are zero.

    Parameters
    ----------
    moments
        A number or a vector for each atom, Bohr magnetons.

    Examples
    --------
    >>> magnetic_order(np.array([2.0, -2.0, 0.0]))
    'antiferromagnetic'
    """
    if not np.any(moments):
        return None
    if moments.ndim > 1:
        return "non-collinear"
    if (moments >= 0).all() or (moments <= 0).all():
        return "ferromagnetic"
    is_even = abs(moments.sum()) < EVEN_MOMENTS * np.abs(moments).sum()
    return "antiferromagnetic" if is_even else "ferrimagnetic"


def named_group(phonon: "Phonopy", symprec: float) -> str:
    """Return the space group of a crystal without moments, and its magnetic order.

    Parameters
    ----------
    phonon
        The crystal.
    symprec
        Å
    """
    cell = phonon.unitcell
    atoms = Atoms(
        cell.numbers, cell=cell.cell, scaled_positions=cell.scaled_positions, pbc=True
    )
    symbol, number = spglib_group(atoms, symprec)
    order = None
    if cell.magnetic_moments is not None:
        order = magnetic_order(np.asarray(cell.magnetic_moments))
    return f"{symbol} ({number})" + (f", {order}" if order else "")


def symmetry_notices(phonon: "Phonopy | Phono3py") -> Iterator[str]:
    """Yield what a reader must know of the symmetry that force constants have.

    Parameters
    ----------
    phonon
        The crystal, its supercell and its primitive cell.
    """
    moments = phonon.unitcell.magnetic_moments
    if moments is not None and (order := magnetic_order(np.asarray(moments))):
        yield from _of_moments(phonon, order)
    full, own = phonon.primitive_symmetry, phonon.symmetry
    if has_unlike_supercell(phonon):
        yield (
            f"The supercell has the point group {own.pointgroup_symbol}, the "
            f"primitive cell {full.pointgroup_symbol}: the force constants have a "
            "lower symmetry than the crystal, and equivalent q-points have "
            "different frequencies. Use a supercell of the same shape, such as 2 2 "
            "2."
        )


def has_unlike_supercell(phonon: "Phonopy | Phono3py") -> bool:
    """Tell whether supercell and primitive cell have different point groups.

    Parameters
    ----------
    phonon
        The crystal.
    """
    full, own = phonon.primitive_symmetry, phonon.symmetry
    return len(own.pointgroup_operations) != len(full.pointgroup_operations)


def _of_moments(phonon: "Phonopy | Phono3py", order: str) -> Iterator[str]:
    """Say what magnetic moments do to the symmetry of a crystal, if anything."""
    import spglib

    with_moments = phonon.symmetry
    cell: Any = phonon.supercell.totuple()[:3]
    found = searched("get_symmetry_dataset", cell, with_moments.tolerance)
    without = "1" if found is None else found.pointgroup.strip()
    bns = ""
    number = getattr(with_moments.dataset, "uni_number", None)
    if number is not None and (kind := spglib.get_magnetic_spacegroup_type(number)):
        bns = f", magnetic space group {kind.bns_number} (BNS)"
    has_fewer = found is not None and len(with_moments.pointgroup_operations) < len(
        np.unique(found.rotations, axis=0)
    )
    effect = (
        f"symmetry lowered by moments, point group {with_moments.pointgroup_symbol} in "
        f"place of {without}"
        if has_fewer
        else f"moments keep the point group {with_moments.pointgroup_symbol}"
    )
    if order == "ferromagnetic" and not has_fewer:
        return
    yield (
        f"The crystal is {order}: {effect}{bns}. Displacements and force constants "
        "have the symmetry with moments, as in phonopy. Models do not use moments, "
        "so splittings caused only by moments are missing."
    )
