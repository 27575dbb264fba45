"""Known materials, read from tables or from frames that carry a property."""

import csv
import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.formula import Formula

from atomgraft.core.errors import BadInputError
from atomgraft.core.registry import unknown
from atomgraft.data.disorder.ordering import ordered
from atomgraft.data.sources import parse_source
from atomgraft.data.space_groups import dataset_of
from atomgraft.data.structure_files import read_frames
from atomgraft.data.structure_streams import Exclusions, structures_of
from atomgraft.transport.distil.spec import DistilSpec
from atomgraft.transport.distil.trajectories import (
    JOB_FILE,
    MEASURED,
    Run,
    is_runs,
    read_run,
    rows_of_runs,
)
from atomgraft.transport.features.motion import COLUMNS
from atomgraft.transport.materials import Hop, Material

HOP_ATOM, HOP_PATH = "hop_atom", "hop_path"
"""Keys of a frame with a given hop: the place of the atom that moves, and its
positions along the way, three numbers for each."""

FOLDER = " folder"
"""Key of a row, which no table has: where the file is."""

SAME_PLACE = 0.1
"""Å; a hop starts within it from its atom."""

SYMPREC = 0.01
"""Å; tolerance of space groups."""

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Known:
    """A material and its property.

    Parameters
    ----------
    material
        What is known of it.
    value
        The property; of a limit, the limit.
    is_limit
        The property is at most the value.
    keys
        What groups it with others.
    """

    material: Material
    value: float
    is_limit: bool
    keys: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Collection:
    """Materials that can be learned from, and those that cannot.

    Parameters
    ----------
    known
        In the order of the files.
    left_out
        Reasons by name.
    bare
        Materials whose structure cannot be used and that are described by their
        formula: reasons by name.
    """

    known: tuple[Known, ...]
    left_out: Mapping[str, str]
    bare: Mapping[str, str] = dataclasses.field(default_factory=dict)


def collected(files: Sequence[str], spec: DistilSpec) -> Collection:
    """Read materials.

    Parameters
    ----------
    files
        Tables or frames.
    spec
        What columns and keys mean.

    Raises
    ------
    BadInputError
        A file cannot be read, a column is absent, or nothing is left.
    """
    known: list[Known] = []
    left_out: dict[str, str] = {}
    bare: dict[str, str] = {}
    for file in files:
        for name, row, structures in _rows(file, spec, bare, left_out):
            try:
                known.append(_known(name, row, structures, spec, bare))
            except _LeftOutError as reason:
                left_out[name] = str(reason)
    if not known:
        first = [": ".join(one) for one in left_out.items()]
        raise BadInputError(
            f"No material of {', '.join(files)} can be used: "
            f"{[*first, 'it holds none'][0]}.",
            f"Expected a number under {spec.target!r} and a structure or a formula.",
            "Check the names of columns or keys.",
        )
    return Collection(known=tuple(known), left_out=left_out, bare=bare)


class _LeftOutError(Exception):
    """Why a material is not used."""


def _rows(
    file: str, spec: DistilSpec, bare: dict[str, str], left_out: dict[str, str]
) -> Iterator[tuple[str, Row, tuple[Atoms, ...]]]:
    path = Path(file.partition("@")[0])
    if is_runs(path):
        yield from rows_of_runs(path, left_out)
        return
    if path.suffix.lower() != ".csv":
        source = parse_source(file)
        for index, atoms in enumerate(read_frames(source.path, source.frames)):
            row = dict(atoms.info)
            name = str(row.get(spec.name, f"{path.name}@{index}"))
            yield name, {FOLDER: str(path.parent), **row}, (atoms,)
        return
    rows = _table(path)
    wanted = [spec.target, *spec.lattice, *spec.group]
    wanted += [one for one in (spec.space_group, spec.temperature) if one]
    wanted += [*spec.privileged]
    if spec.trajectory and spec.target in MEASURED:
        wanted.remove(spec.target)
    columns = [*rows[0]]
    if missing := [one for one in wanted if one not in columns]:
        raise unknown(f"column of {path}", missing[0], columns)
    for index, row in enumerate(rows):
        name = str(row.get(spec.name) or f"{path.name}:{index + 2}")
        row = {FOLDER: str(path.parent), **row}
        yield name, row, _structures(name, row, path.parent, spec, bare)


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(
            f"{path} cannot be read as a table: {error}.",
            "Expected comma-separated values in UTF-8, with a line of column names.",
            "Check the path and the file.",
        ) from error
    if not rows:
        raise BadInputError(
            f"{path} holds no rows.",
            "Expected a line of column names and a line for each material.",
            "Check the file.",
        )
    return rows


def _structures(
    name: str, row: Row, folder: Path, spec: DistilSpec, bare: dict[str, str]
) -> tuple[Atoms, ...]:
    """Return ordered structures of a row; none where it has no file."""
    if not spec.structures:
        return ()
    try:
        path = folder / spec.structures.format_map(row)
    except (KeyError, ValueError, IndexError) as error:
        raise BadInputError(
            f"structures: {spec.structures!r} names a column that is not in the table: "
            f"{error}.",
            f"Expected columns of the table in braces: {', '.join(row)}.",
            "For example: structures: cifs/{ID}.cif",
        ) from error
    if not path.is_file():
        return ()
    return representatives(path, spec, name, bare)


def representatives(
    path: Path, spec: DistilSpec, name: str, bare: dict[str, str]
) -> tuple[Atoms, ...]:
    """Return ordered structures that stand for a file.

    Parameters
    ----------
    path
        With one structure, or several of which the first is taken.
    spec
        How many, and how large.
    name
        Of the material.
    bare
        Gets the reason where there are none.
    """
    left_out = Exclusions()
    first = next(structures_of([path], left_out), None)
    if first is None:
        [examples] = left_out.examples.values() or [[("", "it holds no structure")]]
        bare[name] = examples[0][1]
        return ()
    found = ordered(first.structure, spec.representatives, spec.seed, spec.max_atoms)
    if found.exclusion is not None:
        bare[name] = str(found.exclusion)
    return found.structures


def _known(
    name: str,
    row: Row,
    structures: tuple[Atoms, ...],
    spec: DistilSpec,
    bare: dict[str, str],
) -> Known:
    amounts = _amounts(row, structures, spec)
    mobile = str(row.get(spec.mobile, spec.mobile))
    if mobile not in amounts:
        raise _LeftOutError(f"it has no {mobile}")
    if any(mobile not in one.get_chemical_symbols() for one in structures):
        bare[name] = f"in whole numbers of atoms, no {mobile} is left"
        structures = ()
    temperature = _temperature(row, spec)
    run = _run(row, spec, mobile, temperature)
    given = row.get(spec.target)
    if run is not None and spec.target in MEASURED and given in {None, ""}:
        given = run.measured(spec.target)
    value, is_limit = _value(given, spec.target)
    if spec.decades:
        if value <= 0:
            raise _LeftOutError(f"{spec.target} is {value:g}, which has no logarithm")
        value = math.log10(value)
    material = Material(
        name=name,
        amounts=amounts,
        mobile=mobile,
        cell=_cell(row, structures, spec),
        space_group=_space_group(row, structures, spec),
        structures=structures,
        hop=_hop(row, structures),
        temperature=temperature,
        motion=_motion(row, spec, structures, run),
    )
    keys = tuple(str(row.get(one, "")) for one in spec.group)
    return Known(
        material=material,
        value=value,
        is_limit=is_limit,
        keys=keys or ("-".join(sorted(amounts)),),
    )


def _temperature(row: Row, spec: DistilSpec) -> float | None:
    key = spec.temperature or ("temperature" if JOB_FILE in row else "")
    if not key:
        return None
    found = _number(row.get(key))
    if found is None or not 0 < found < math.inf:
        raise _LeftOutError(f"its temperature is {str(row.get(key, ''))[:40]!r}")
    return found


def _run(
    row: Row, spec: DistilSpec, mobile: str, temperature: float | None
) -> Run | None:
    """Return the trajectory of a material; none where it was not simulated."""
    path = _trajectory(row, spec)
    if path is None or temperature is None:
        return None
    try:
        return read_run(
            path,
            mobile,
            temperature,
            step=spec.step,
            # engines of atomgraft label follow atoms across boundaries
            is_unwrapped=spec.unwrapped or JOB_FILE in row,
        )
    except BadInputError as error:
        raise _LeftOutError(error.came.rstrip(".")) from error


def _trajectory(row: Row, spec: DistilSpec) -> Path | None:
    if JOB_FILE in row:
        return Path(row[JOB_FILE])
    if not spec.trajectory:
        return None
    try:
        name = spec.trajectory.format_map(row).strip()
    except KeyError:
        return None  # a frame without the key
    except (ValueError, IndexError) as error:
        raise BadInputError(
            f"trajectory: {spec.trajectory!r} is no path: {error}.",
            "Expected a path with columns or keys in braces.",
            "For example: trajectory: runs/{ID}.extxyz",
        ) from error
    path = Path(row[FOLDER]) / name
    if not name:
        return None
    if not path.is_file():
        # a pattern fits all rows, and not all were simulated; a name is meant
        is_named = spec.trajectory.startswith("{") and spec.trajectory.endswith("}")
        if is_named:
            raise _LeftOutError(f"its trajectory {name} is not there")
        return None
    return path


def _motion(
    row: Row, spec: DistilSpec, structures: tuple[Atoms, ...], run: Run | None
) -> np.ndarray | None:
    """Return what a teacher sees of each ion; none where nothing is known."""
    parts: list[np.ndarray] = []
    if spec.privileged:
        found = [_number(row.get(one)) for one in spec.privileged]
        parts.append(np.array([[np.nan if one is None else one for one in found]]))
    if spec.trajectory or JOB_FILE in row:
        parts.append(_moved(spec, structures, run))
    n = max((len(one) for one in parts), default=0)
    if not n:
        return None
    whole = np.concatenate([np.resize(one, (n, one.shape[1])) for one in parts], axis=1)
    return whole if np.isfinite(whole).any() else None


def _moved(
    spec: DistilSpec, structures: tuple[Atoms, ...], run: Run | None
) -> np.ndarray:
    if run is None:
        return np.full((1, len(COLUMNS[spec.motion])), np.nan)
    if len(structures) != 1:
        raise _LeftOutError(
            f"it has a trajectory and {len(structures)} structures, not one"
        )
    try:
        return run.features(structures[0], spec.motion)
    except BadInputError as error:
        raise _LeftOutError(error.came.rstrip(".")) from error


def _value(given: object, column: str) -> tuple[float, bool]:
    """Return a number, and whether it is an upper limit ("<1e-10")."""
    text = str(given if given is not None else "").strip()
    is_limit = text.startswith("<")
    try:
        value = float(text.lstrip("< ").replace("E", "e"))
    except ValueError:
        raise _LeftOutError(f"{column} is {text[:40]!r}, no number") from None
    if not math.isfinite(value):
        raise _LeftOutError(f"{column} is {text[:40]!r}, not finite")
    return value, is_limit


def _amounts(
    row: Row, structures: tuple[Atoms, ...], spec: DistilSpec
) -> dict[str, float]:
    """Return amounts of elements: of the formula, else of the structures."""
    formula = str(row.get(spec.composition) or "").strip()
    if formula:
        return amounts_of(formula)
    if not structures:
        raise _LeftOutError("it has neither a structure nor a formula")
    counts = Counter(
        one for atoms in structures for one in atoms.get_chemical_symbols()
    )
    return {one: n / len(structures) for one, n in sorted(counts.items())}


def amounts_of(formula: str) -> dict[str, float]:
    """Return amounts of elements in a formula, which may have decimals.

    Raises
    ------
    BadInputError
        It is no formula.

    Examples
    --------
    >>> amounts_of("Li7.1Bi0.5O6")
    {'Li': 7.1, 'Bi': 0.5, 'O': 6.0}
    """
    try:
        return {one: float(n) for one, n in Formula(formula).count().items()}
    except ValueError:
        pass
    parts = re.findall(r"([A-Z][a-z]?)(\d*\.?\d*)", formula)
    if "".join(symbol + n for symbol, n in parts) != formula.replace(" ", ""):
        raise _LeftOutError(f"{formula[:40]!r} is no formula")
    found: dict[str, float] = {}
    for symbol, n in parts:
        found[symbol] = found.get(symbol, 0.0) + float(n or 1)
    return {one: n for one, n in found.items() if n > 0}


def _cell(
    row: Row, structures: tuple[Atoms, ...], spec: DistilSpec
) -> tuple[float, float, float, float, float, float] | None:
    if spec.lattice:
        values = [_number(row.get(one)) for one in spec.lattice]
    elif structures and HOP_PATH not in row:
        values = structures[0].cell.cellpar().tolist()
    else:
        return None
    if any(one is None or not one > 0 for one in values):
        return None
    a, b, c, alpha, beta, gamma = (float(one) for one in values if one is not None)
    return a, b, c, alpha, beta, gamma


def _number(given: object) -> float | None:
    try:
        return float(str(given))
    except ValueError:
        return None


def _space_group(
    row: Row, structures: tuple[Atoms, ...], spec: DistilSpec
) -> int | None:
    if spec.space_group:
        found = _number(row.get(spec.space_group))
        return int(found) if found is not None and 1 <= found <= 230 else None
    if structures and HOP_PATH not in row:
        found = dataset_of(structures[0], SYMPREC)
        return None if found is None else int(found.number)
    return None


def _hop(row: Row, structures: tuple[Atoms, ...]) -> Hop | None:
    """Return the hop of a frame; none where none is given."""
    if HOP_PATH not in row:
        return None
    path = np.asarray(row[HOP_PATH], dtype=float)
    if path.size < 6 or path.size % 3 or not np.isfinite(path).all():
        raise _LeftOutError(
            f"{HOP_PATH} has {path.size} numbers, not three for each point"
        )
    atom = row.get(HOP_ATOM)
    if not isinstance(atom, int | np.integer) or not 0 <= atom < len(structures[0]):
        raise _LeftOutError(f"{HOP_ATOM} is {atom!r}, not the place of an atom")
    path = path.reshape(-1, 3)
    start = structures[0].positions[int(atom)]
    if np.linalg.norm(path[0] - start) > SAME_PLACE:
        raise _LeftOutError(f"its hop does not start where atom {atom} is")
    return Hop(atom=int(atom), path=path)


def groups_of(known: Iterable[Known]) -> np.ndarray:
    """Return the number of the group of each material.

    Materials that agree in any key, at the same place, are of one group, and so are
    those that are joined by others. Empty keys join nothing.
    """
    owners: dict[tuple[int, str], int] = {}
    parent: list[int] = []

    def root(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    for index, one in enumerate(known):
        parent.append(index)
        for key in enumerate(one.keys):
            if key[1]:
                parent[root(index)] = root(owners.setdefault(key, index))
    roots = np.array([root(index) for index in range(len(parent))])
    return np.unique(roots, return_inverse=True)[1]
