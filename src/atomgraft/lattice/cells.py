"""Structures of ASE as phonopy keeps them."""

from typing import TYPE_CHECKING

from ase import Atoms

if TYPE_CHECKING:
    from phonopy import Phonopy as Phonopy  # for those who may not import it
    from phonopy.structure.atoms import PhonopyAtoms


def to_phonopy(atoms: Atoms) -> "PhonopyAtoms":
    """Return a structure as phonopy keeps it, with ASE's masses.

    Magnetic moments, of numbers or of vectors, lower the symmetry that phonopy finds;
    where all are zero there are none.

    Parameters
    ----------
    atoms
        Periodic in all directions.

    Examples
    --------
    >>> from ase.build import bulk
    >>> len(to_phonopy(bulk("Si")))
    2
    """
    from phonopy.structure.atoms import PhonopyAtoms

    moments = atoms.get_initial_magnetic_moments()
    return PhonopyAtoms(
        numbers=atoms.numbers,
        cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(wrap=False),
        masses=atoms.get_masses(),
        magnetic_moments=moments if moments.any() else None,
    )
