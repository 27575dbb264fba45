"""A crystal from a file of any format that ASE reads."""

import itertools
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import iread, read

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.reading import expanded
from atomgraft.data.geometry import check_crystal
from atomgraft.data.sources import Source

MAX_BYTES = 512 * 1024**2
"""Of a file with one crystal; outputs of programs may be as long."""

SHORTEST = 6
"""Bytes of an atom in a POSCAR: three numbers and their ends."""

POSCARS = ("poscar", "contcar", "vasp")
"""How names of such files begin or end."""

WHOLE = 1e-3
"""Distance from full occupancy that is rounding."""


def read_frames(path: Path, frames: slice) -> list[Atoms]:
    """Read structures of any format that ASE tells from name and content.

    Parameters
    ----------
    path
        Plain or compressed.
    frames
        Which of them.

    Raises
    ------
    BadInputError
        The file cannot be read.
    """
    with expanded(path, max_bytes=MAX_BYTES) as plain, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of readers that guess at details
        try:
            _refuse_endless(plain)
            found = read(plain, index=frames)
        except Exception as error:
            raise _unreadable(path, error) from error
    structures = found if isinstance(found, list) else [found]
    if not all(isinstance(one, Atoms) for one in structures):
        raise _unreadable(path, TypeError("it holds no structures"))
    return structures


def iterate_frames(path: Path) -> Iterator[Atoms]:
    """Yield structures of any format that ASE tells from name and content.

    Parameters
    ----------
    path
        Plain or compressed; a trajectory is read frame by frame.

    Raises
    ------
    BadInputError
        The file cannot be read.
    """
    with expanded(path, max_bytes=MAX_BYTES) as plain:
        try:
            _refuse_endless(plain)
        except Exception as error:
            raise _unreadable(path, error) from error
        frames = _of_ase(iread(plain, index=":"))
        while True:
            try:
                found = next(frames, None)
            except Exception as error:
                raise _unreadable(path, error) from error
            if found is None:
                return
            if not isinstance(found, Atoms):
                raise _unreadable(path, TypeError("it holds no structures"))
            yield found


def _refuse_endless(plain: Path) -> None:
    """Check that a POSCAR has room for the atoms that it counts: ASE makes them first.

    Raises
    ------
    ValueError
        It has not.
    """
    name = plain.name.lower()
    is_named = name.startswith(POSCARS) or name.endswith(
        tuple(f".{s}" for s in POSCARS)
    )
    if not plain.is_file() or not is_named:
        return
    with plain.open(errors="replace") as lines:
        head = [line.split() for line in itertools.islice(lines, 7)]
    for words in head[5:]:
        if words and all(word.isdecimal() for word in words):
            n_atoms = sum(map(int, words))
            if SHORTEST * n_atoms > plain.stat().st_size:
                raise ValueError(f"it counts {n_atoms} atoms and is too short for them")
            return


def _of_ase(frames: Iterator[Any]) -> Iterator[Any]:
    """Silence ASE's readers, which guess at details, but not who uses the frames."""
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = next(frames)
            except StopIteration:
                return
        yield found


def read_structure(source: Source, *, moves_as: str = "") -> Atoms:
    """Read one crystal, without labels and constraints.

    Parameters
    ----------
    source
        A file, and which of its frames where there are several.
    moves_as
        The option that names a crystal all of whose atoms will move, for messages: a
        file that holds some fixed is refused. Empty drops what holds them.

    Raises
    ------
    BadInputError
        The file cannot be read, or holds several structures, no crystal or partial
        occupancies, or fixed atoms that will move.
    """
    path = source.path
    structures = read_frames(path, source.frames)
    if not structures:
        raise _unreadable(path, IndexError("it holds no such frame"))
    if len(structures) > 1:
        raise BadInputError(
            f"{path} holds {len(structures)} structures"
            f"{f' behind @{source.selection}' if source.selection else ''}.",
            "Expected one crystal, or frames of one supercell, the first undisplaced.",
            f"Choose one: {path}@0 is the first, {path}@-1 the last.",
        )
    found = structures[0]
    if reason := disorder_in(found):
        raise BadInputError(
            f"{path} is no ordered structure: {reason}.",
            "Expected every site to be filled by one element.",
            "Make ordered examples first: see 'Partial occupancies' in the page on data"
            " of the documentation (reference/data).",
        )
    check_crystal(found, str(path))
    if moves_as and (kinds := constraints_in(found)):
        raise BadInputError(
            f"{path} holds atoms fixed (selective dynamics; ASE: {', '.join(kinds)}).",
            "In molecular dynamics all atoms move; none can be held fixed.",
            "If all may move, give a file without it: "
            f"ase convert {shlex.quote(str(path))} free.cif, then --set "
            f"{moves_as}=free.cif",
        )
    atoms = Atoms(found.numbers, found.positions, cell=found.cell, pbc=found.pbc)
    if found.has("initial_magmoms"):
        atoms.set_initial_magnetic_moments(found.get_initial_magnetic_moments())
    return atoms


def constraints_in(atoms: Atoms) -> list[str]:
    """Return the kinds of constraints of ASE that keep atoms from moving freely.

    A fixed centre of mass keeps none from it.

    Examples
    --------
    >>> from ase.constraints import FixAtoms
    >>> constraints_in(Atoms("LiO", constraint=FixAtoms([0])))
    ['FixAtoms']
    """
    kinds = {type(one).__name__ for one in atoms.constraints}
    return sorted(kinds - {"FixCom"})


def disorder_in(atoms: Atoms) -> str | None:
    """Return why a structure as ASE read it from CIF is no ordered one, or none.

    ASE puts the first element of a shared site there as a whole.

    Examples
    --------
    >>> disorder_in(Atoms("LiO", info={"occupancy": {"0": {"Li": 0.5}}}))
    'it has partial occupancies'
    """
    occupancy = atoms.info.get("occupancy", {})
    for site in occupancy.values():
        try:
            total = sum(float(share) for share in site.values())
        except (TypeError, ValueError):
            return "its occupancies are no numbers"
        if len(site) > 1 or not np.isclose(total, 1.0, atol=WHOLE):
            return "it has partial occupancies"
    return None


def _unreadable(path: Path, error: Exception) -> BadInputError:
    reason = reason_of(error, with_kind=True)
    return BadInputError(
        f"{path} cannot be read as a structure: {reason}.",
        "Expected a file of one crystal (POSCAR, CIF, extended XYZ ...), or a "
        "phonopy calculation.",
        "Check that the file name matches the content.",
    )
