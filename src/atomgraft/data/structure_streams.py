"""Structures of many files, one after the other, in a memory that does not grow.

What cannot be used is counted, with its reason, and the stream goes on.
"""

import collections
import dataclasses
import enum
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import format_suffix, plain_name
from atomgraft.core.storage import is_folder
from atomgraft.data.ase_files import iterate_database, read_extxyz
from atomgraft.data.disorder.average import AverageStructure, average_of
from atomgraft.data.disorder.cif_files import iterate_cif, require_gemmi
from atomgraft.data.geometry import check_crystal
from atomgraft.data.sources import Source, parse_source
from atomgraft.data.structure_files import iterate_frames, read_frames

CIF = frozenset({".cif"})
DATABASES = frozenset({".db", ".json"})
EXTXYZ = frozenset({".extxyz", ".xyz"})
BY_ASE = frozenset({".vasp", ".poscar", ".contcar", ".traj", ".xsf", ".res", ".gen"})
"""Endings by which files of a folder are known; also names that begin as `VASP`."""

VASP = ("POSCAR", "CONTCAR")

MAX_EXAMPLES = 5
"""Of each reason that are kept with what was said."""


class NotUsed(enum.StrEnum):
    """Why a file or a structure does not take part."""

    OTHER_FILE = "not a file of structures, by its name"
    UNREADABLE = "cannot be read"
    NO_CRYSTAL = "no crystal: no cell, or atoms at impossible places"


@dataclasses.dataclass
class Exclusions:
    """What did not take part, counted by reason, with a few examples.

    Examples
    --------
    >>> left_out = Exclusions()
    >>> left_out.add(NotUsed.UNREADABLE, "a.cif", "a.cif is empty.")
    >>> left_out.counts["cannot be read"], left_out.total
    (1, 1)
    """

    counts: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter[str]
    )
    examples: dict[str, list[tuple[str, str]]] = dataclasses.field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many did not take part."""
        return self.counts.total()

    def add(self, reason: str, name: str, detail: str) -> None:
        """Count one.

        Parameters
        ----------
        reason
            Why, from a short list.
        name
            File, and frame or block.
        detail
            What was found.
        """
        self.counts[str(reason)] += 1
        examples = self.examples.setdefault(str(reason), [])
        if len(examples) < MAX_EXAMPLES:
            examples.append((name, detail))


class Named(NamedTuple):
    """A structure and where it came from.

    Parameters
    ----------
    name
        File, and frame or block where it holds several.
    structure
        Ordered or not.
    """

    name: str
    structure: AverageStructure


def structures_of(
    paths: Iterable[Path | str], exclusions: Exclusions
) -> Iterator[Named]:
    """Yield the structures of files and folders, in the order of their names.

    Of a folder, all files are read whose names say that they hold structures (CIF,
    POSCAR, extended XYZ, ASE databases and trajectories, plain or compressed), and
    those of folders in it. A file given by its name is read whatever that is.

    Parameters
    ----------
    paths
        ``file@0:10`` chooses frames of a file.
    exclusions
        Gets what could not be used.

    Raises
    ------
    BadInputError
        A path does not exist, before any is read.
    MissingExtraError
        A CIF is among them, and gemmi is not installed.

    Examples
    --------
    >>> left_out = Exclusions()
    >>> named = next(structures_of(["shipped:si-test@0"], left_out))
    >>> named.structure.composition, left_out.total
    ({'Si': 8.0}, 0)
    """
    given = [Path(one) if is_folder(Path(one)) else parse_source(one) for one in paths]
    if not given:
        raise BadInputError(
            "No file was given.",
            "Expected files or folders with structures.",
            "Name at least one.",
        )
    return _stream(given, exclusions)


def _stream(given: list[Path | Source], exclusions: Exclusions) -> Iterator[Named]:
    for one in given:
        if isinstance(one, Source):
            yield from _usable(one, exclusions)
            continue
        for path in _files(one):
            if _is_known(path):
                source = Source(path=path, frames=slice(None))
                yield from _usable(source, exclusions)
            else:
                exclusions.add(NotUsed.OTHER_FILE, str(path), "it was not opened")


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder; hidden ones are left out, links not followed."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(place) / name


def _is_known(path: Path) -> bool:
    suffixes = CIF | DATABASES | EXTXYZ | BY_ASE
    return format_suffix(path) in suffixes or plain_name(path).startswith(VASP)


def _usable(source: Source, exclusions: Exclusions) -> Iterator[Named]:
    """Yield the structures of a file, and count what cannot be used."""
    if format_suffix(source.path) in CIF:
        require_gemmi()
    found = _structures(source)
    while True:
        try:
            one = next(found, None)
        except BadInputError as error:
            exclusions.add(NotUsed.UNREADABLE, str(source.path), str(error))
            return
        if one is None:
            return
        if isinstance(one, BadInputError):
            exclusions.add(NotUsed.UNREADABLE, str(source.path), str(one))
            continue
        name, structure = one
        try:
            yield Named(name, _checked(structure, name))
        except BadInputError as error:
            exclusions.add(NotUsed.NO_CRYSTAL, name, str(error))


def _checked(structure: AverageStructure | Atoms, name: str) -> AverageStructure:
    if isinstance(structure, Atoms):
        check_crystal(structure, name)
        return average_of(structure, name)
    if structure.is_ordered:
        check_crystal(structure.atoms(), name)
    return structure


def _structures(
    source: Source,
) -> Iterator[tuple[str, AverageStructure | Atoms] | BadInputError]:
    path, suffix = source.path, format_suffix(source.path)
    if suffix in CIF:
        blocks = iterate_cif(path)
        for one in [*blocks][source.frames] if source.selection else blocks:
            yield one if isinstance(one, BadInputError) else (one.name, one)
        return
    if suffix in EXTXYZ:
        for i, atoms in read_extxyz(source):
            yield source.frame(i), atoms
        return
    if source.selection:
        frames = iter(read_frames(path, source.frames))
    elif suffix in DATABASES:
        frames = iterate_database(path)
    else:
        frames = iterate_frames(path)
    for i, atoms in enumerate(frames):
        yield source.frame(i), atoms
