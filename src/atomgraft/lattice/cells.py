"""Structures of ASE and of phonopy, one into the other."""

from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

if TYPE_CHECKING:
    from phonopy import Phonopy as Phonopy  # for those who may not import it
    from phonopy.structure.atoms import PhonopyAtoms


def to_phonopy(atoms: Atoms) -> "PhonopyAtoms":
    """Return a structure as phonopy keeps it, with ASE's masses.

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

    return PhonopyAtoms(
        numbers=atoms.numbers,
        cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(wrap=False),
        masses=atoms.get_masses(),
    )


def to_ase(cell: "PhonopyAtoms") -> Atoms:
    """Return a structure of phonopy as ASE keeps it, in the same order of atoms.

    Parameters
    ----------
    cell
        Unit cell, primitive cell or supercell.

    Examples
    --------
    >>> from ase.build import bulk
    >>> bool(to_ase(to_phonopy(bulk("Si"))) == bulk("Si"))
    True
    """
    return Atoms(
        numbers=np.asarray(cell.numbers),
        cell=np.asarray(cell.cell),
        scaled_positions=np.asarray(cell.scaled_positions),
        pbc=True,
    )
