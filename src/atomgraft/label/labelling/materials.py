"""Structures to compute, from files and folders; what cannot be used is counted."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import plain_name
from atomgraft.core.storage import is_folder
from atomgraft.data.disorder.cif_files import iterate_cif
from atomgraft.data.disorder.ordering import ordered
from atomgraft.data.geometry import check_crystal, check_geometry
from atomgraft.data.sources import Source, parse_source
from atomgraft.data.structure_files import constraints_in, disorder_in, read_frames
from atomgraft.label.engines.base import MOMENTS, MULTIPLICITY

CHARGE = ("charge", "total_charge")
SPIN = (MULTIPLICITY, "spin_multiplicity", "spin")
"""Keys of extended XYZ; ``spin`` is 2S + 1, as in the sets of molecules of the field
(OMol25)."""

_STRANGE = re.compile(r"[^\w.+-]+")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Material:
    """One structure.

    Parameters
    ----------
    name
        Unique, and the name of a file.
    file
        Its name, with the frame where there are several.
    atoms
        Numbers, positions, cell, and magnetic moments where its file gives them.
    reason
        Why it cannot be used; none if it can.
    has_fixed
        Its file holds atoms fixed, which no engine does.
    charge
        e, as its file gives it; none if it does not.
    multiplicity
        2S + 1, as its file gives it; none if it does not.
    """

    name: str
    file: str
    atoms: Atoms
    reason: str | None = None
    has_fixed: bool = False
    charge: float | None = None
    multiplicity: float | None = None


def read_materials(sources: Sequence[str], representatives: int = 0) -> list[Material]:
    """Read the structures of files and folders.

    Parameters
    ----------
    sources
        Files, with ``@START:STOP`` for some of their frames, and folders. A file of a
        folder that cannot be read is left out with its reason; one that was named
        itself is refused.
    representatives
        Ordered structures drawn for one with partial occupancies; zero leaves it out.

    Raises
    ------
    BadInputError
        A named file cannot be read, or there is no structure at all.
    MissingExtraError
        A structure has partial occupancies, examples were asked for, and gemmi is not
        installed.
    """
    found: list[Material] = []
    for source in sources:
        if is_folder(Path(source)):
            found += _of_folder(Path(source), representatives)
        else:
            found += _of_file(parse_source(source), representatives)
    if not found:
        raise BadInputError(
            f"{', '.join(sources)} holds no structures.",
            "Expected at least one file of a structure.",
            "Check the path.",
        )
    return _with_unique_names(found)


def _of_folder(folder: Path, representatives: int) -> Iterator[Material]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            yield from _of_file(parse_source(path), representatives)
        except BadInputError as error:
            name = plain_name(path)
            yield Material(
                name=_name(path), file=name, atoms=Atoms(), reason=error.came
            )


def _of_file(source: Source, representatives: int) -> Iterator[Material]:
    frames = read_frames(source.path, source.frames)
    if representatives and any(disorder_in(one) for one in frames):
        yield from _examples(source, representatives)
        return
    for i, one in enumerate(frames):
        number = f"-{i}" if len(frames) > 1 else ""
        atoms = Atoms(one.numbers, one.positions, cell=one.cell, pbc=one.pbc)
        if one.has(MOMENTS) and np.any(one.arrays[MOMENTS]):
            atoms.arrays[MOMENTS] = one.arrays[MOMENTS].copy()
        place = f"{source.path}{f'@{i}' if number else ''}"
        yield Material(
            name=_name(source.path) + number,
            file=f"{source.path.name}{f'@{i}' if number else ''}",
            atoms=atoms,
            reason=disorder_in(one) or _broken(atoms, place),
            has_fixed=bool(constraints_in(one)),
            charge=_number(one.info, CHARGE),
            multiplicity=_number(one.info, SPIN),
        )


def _number(info: dict[str, Any], keys: Sequence[str]) -> float | None:
    """Return the first of some numbers that a frame holds; none without any."""
    found = (info[key] for key in keys if isinstance(info.get(key), Real))
    return next((float(one) for one in found), None)


def _examples(source: Source, n: int) -> Iterator[Material]:
    """Yield ordered examples of the structures of a CIF, or why there are none."""
    blocks = iterate_cif(source.path)
    for one in [*blocks][source.frames]:
        name = _name(source.path)
        if isinstance(one, BadInputError):
            file = source.path.name
            yield Material(name=name, file=file, atoms=Atoms(), reason=one.came)
            continue
        file = plain_name(Path(one.name))
        found = ordered(one, n)
        if found.exclusion is not None:
            reason = str(found.exclusion)
            yield Material(name=name, file=file, atoms=Atoms(), reason=reason)
        for i, atoms in enumerate(found.structures):
            number = f", example {i + 1}" if len(found.structures) > 1 else ""
            yield Material(
                name=name,
                file=f"{file}{number}",
                atoms=atoms,
                reason=_broken(atoms, one.name),
            )


def _broken(atoms: Atoms, place: str) -> str | None:
    try:
        (check_crystal if atoms.pbc.all() else check_geometry)(atoms, place)
    except BadInputError as error:
        return error.came
    return None


def _name(path: Path) -> str:
    name = plain_name(path)
    stem = name.rpartition(".")[0] if "." in name.strip(".") else name
    return _STRANGE.sub("-", stem).strip("-") or "structure"


def _with_unique_names(materials: Sequence[Material]) -> list[Material]:
    counts = Counter(one.name.casefold() for one in materials)
    seen: Counter[str] = Counter()
    found: list[Material] = []
    for one in materials:
        key = one.name.casefold()
        name = one.name
        if counts[key] > 1:
            seen[key] += 1
            name = f"{one.name}-{seen[key]}"
        found.append(dataclasses.replace(one, name=name))
    return found


def repeats_for(atoms: Atoms, n_atoms: int) -> tuple[int, int, int]:
    """Return repeats that give at least so many atoms, in a compact supercell.

    The shortest of the three heights is repeated, one step after the other; open
    directions never.

    Parameters
    ----------
    atoms
        The structure.
    n_atoms
        At least.

    Examples
    --------
    >>> from ase.build import bulk
    >>> repeats_for(bulk("MgO", "rocksalt", a=4.2, cubic=True), 200)
    (3, 3, 3)
    """
    repeats = np.ones(3, dtype=int)
    if not atoms.pbc.any():
        return 1, 1, 1
    cell = atoms.cell.complete().array
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    heights[~atoms.pbc] = np.inf
    while len(atoms) * repeats.prod() < n_atoms:
        repeats[np.argmin(heights * repeats)] += 1
    x, y, z = repeats.tolist()
    return x, y, z
