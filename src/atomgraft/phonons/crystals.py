"""A crystal to be shaken: a structure, or a calculation to compare with."""

import dataclasses
from pathlib import Path

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import format_suffix
from atomgraft.data.force_sets import is_phonopy_calculation
from atomgraft.data.geometry import check_crystal
from atomgraft.data.sources import PREFIX, parse_source
from atomgraft.data.structure_files import read_frames, read_structure
from atomgraft.lattice.reference import PhononReference, read_reference

LABELLED = (".extxyz", ".xyz", ".traj", ".db")
"""Formats that may hold several frames of one supercell."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crystal:
    """One crystal.

    Parameters
    ----------
    name
        For files and headings.
    atoms
        Its unit cell.
    reference
        What DFT makes of its vibrations; none for a structure alone.
    is_phono3py
        The reference has displacements of third order as well.
    """

    name: str
    atoms: Atoms
    reference: PhononReference | None = None
    is_phono3py: bool = False


def read_crystal(
    path: str,
    *,
    outputs: tuple[str, ...] = (),
    born: str | None = None,
    symprec: float = 1e-5,
) -> Crystal:
    """Read a structure, or a calculation with forces on displaced supercells.

    Parameters
    ----------
    path
        Any structure that ASE reads, a calculation of phonopy or phono3py, or frames of
        one supercell of which the first is undisplaced.
    outputs
        FORCE_SETS or outputs, where a calculation's file has no forces.
    born
        phonopy's BORN file.
    symprec
        Å

    Raises
    ------
    BadInputError
        It cannot be read.
    """
    if _is_reference(path):
        found = read_reference(
            path,
            outputs=outputs,
            born=None if born is None else Path(born),
            symprec=symprec,
        )
        check_crystal(found.sets.unit_cell, path)
        return Crystal(
            name=found.sets.name,
            atoms=found.sets.unit_cell,
            reference=found,
            is_phono3py=found.sets.is_phono3py,
        )
    if outputs:
        raise BadInputError(
            f"Forces were given ({outputs[0]}), and {path} has no displacements.",
            "Forces need the displaced supercells of phonopy_disp.yaml.",
            "Give that file instead of the structure.",
        )
    source = parse_source(path)
    atoms = read_structure(source)
    return Crystal(name=source.path.stem.partition(".")[0], atoms=atoms)


def _is_reference(path: str) -> bool:
    if is_phonopy_calculation(path):
        return True
    if path.startswith(PREFIX):
        return path.partition("@")[0].endswith("phonons")
    source = parse_source(path)
    if format_suffix(source.path) not in LABELLED or source.selection:
        return False
    return len(read_frames(source.path, slice(0, 2))) == 2
