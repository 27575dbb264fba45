"""A crystal to be shaken: a structure, or a calculation to compare with."""

import dataclasses
import warnings
from pathlib import Path

from ase import Atoms
from ase.io import read

from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import expanded, format_suffix
from atomgraft.data.force_sets import is_phonopy_calculation
from atomgraft.data.geometry import check_crystal
from atomgraft.data.sources import PREFIX, Source, parse_source
from atomgraft.lattice.reference import PhononReference, read_reference

MAX_BYTES = 512 * 1024**2
"""Of a file with one crystal; outputs of programs may be as long."""

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
            "Forces belong to the displaced supercells of phonopy_disp.yaml.",
            "Give that file in place of the structure.",
        )
    source = parse_source(path)
    atoms = _structure(source)
    return Crystal(name=source.path.stem.partition(".")[0], atoms=atoms)


def _is_reference(path: str) -> bool:
    if is_phonopy_calculation(path):
        return True
    if path.startswith(PREFIX):
        return path.partition("@")[0].endswith("phonons")
    source = parse_source(path)
    if format_suffix(source.path) not in LABELLED or source.selection:
        return False
    return len(_frames(source.path, slice(0, 2))) == 2


def _frames(path: Path, frames: slice) -> list[Atoms]:
    """Read structures of any format that ASE tells from name and content."""
    with expanded(path, max_bytes=MAX_BYTES) as plain, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of readers that guess at details
        try:
            found = read(plain, index=frames)
        except Exception as error:
            raise _unreadable(path, error) from error
    structures = found if isinstance(found, list) else [found]
    if not all(isinstance(one, Atoms) for one in structures):
        raise _unreadable(path, TypeError("it holds no structures"))
    return structures


def _structure(source: Source) -> Atoms:
    path = source.path
    structures = _frames(path, source.frames)
    if not structures:
        raise _unreadable(path, IndexError("it holds no such frame"))
    if len(structures) > 1:
        raise BadInputError(
            f"{path} holds {len(structures)} structures"
            f"{f' behind @{source.selection}' if source.selection else ''}.",
            "One crystal is needed, or frames of one supercell of which the first is "
            "undisplaced.",
            f"Choose one: {path}@0 is the first, {path}@-1 the last.",
        )
    found = structures[0]
    check_crystal(found, str(path))
    atoms = Atoms(found.numbers, found.positions, cell=found.cell, pbc=found.pbc)
    if found.has("initial_magmoms"):
        atoms.set_initial_magnetic_moments(found.get_initial_magnetic_moments())
    return atoms


def _unreadable(path: Path, error: Exception) -> BadInputError:
    reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
    return BadInputError(
        f"{path} cannot be read as a structure: {reason}.",
        "A file of one crystal is needed (POSCAR, CIF, extended XYZ ...), or a "
        "calculation of phonopy.",
        "Check that its name fits its content.",
    )
