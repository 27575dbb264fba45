"""Files that ASE parses: extended XYZ, its own databases, and outputs of programs."""

import contextlib
import importlib.resources
import io
import re
import warnings
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import ase.db
import ase.io
from ase import Atoms
from ase.io.extxyz import key_val_str_to_dict

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.reading import (
    MAX_BYTES,
    expanded,
    format_suffix,
    is_compressed,
    read_lines,
)
from atomgraft.data.canonical import UNCONVERGED
from atomgraft.data.sources import Source

SQLITE_MAGIC = b"SQLite format 3\0"

ROWS = 100
"""Of a database that are in memory at a time."""


def packaged_crystals(package: str) -> list[Atoms]:
    """Return the structures of ``crystals.extxyz`` beside a package of ours.

    Parameters
    ----------
    package
        Its full name.
    """
    text = (importlib.resources.files(package) / "crystals.extxyz").read_text()
    return list(ase.io.iread(io.StringIO(text), format="extxyz"))


def read_database(source: Source) -> Iterator[tuple[int, Atoms]]:
    """Yield number and content of the rows of an ASE database (.db or .json).

    Raises
    ------
    BadInputError
        The file is no ASE database.
    """
    with expanded(source.path) as plain, _of_database(source.path):
        rows = list(_connected(plain, source.path).select())
        frames = [row.toatoms() for row in rows]
    for atoms, row in zip(frames, rows, strict=True):
        atoms.info.update({**row.data, **row.key_value_pairs})
    numbered = list(enumerate(frames))
    yield from numbered[source.frames]


def iterate_database(path: Path) -> Iterator[Atoms]:
    """Yield the structures of an ASE database, few rows in memory at a time.

    Parameters
    ----------
    path
        Of a .db, of which only what is asked for is read, or of a .json.

    Raises
    ------
    BadInputError
        The file is no ASE database.
    """
    with expanded(path) as plain:
        with _of_database(path):
            database = _connected(plain, path)
        last = 0
        while True:
            with _of_database(path):
                rows = list(database.select(f"id>{last}", sort="id", limit=ROWS))
                frames = [row.toatoms() for row in rows]
            if not rows:
                return
            yield from frames
            last = int(rows[-1].id)


def _connected(plain: Path, path: Path) -> Any:  # noqa: ANN401 - without types
    kind = format_suffix(path).removeprefix(".")
    if kind == "db" and not _begins_with(plain, SQLITE_MAGIC):
        raise _refused(path, "ASE database", "it does not begin as SQLite does")
    return ase.db.connect(plain, type=kind, use_lock_file=False)


@contextlib.contextmanager
def _of_database(path: Path) -> Generator[None]:
    """Refuse the file where ASE cannot read it; our own errors pass."""
    try:
        yield
    except BadInputError:
        raise
    except Exception as error:
        reason = reason_of(error, with_kind=True)
        raise _refused(path, "ASE database", reason) from error


def read_output(source: Source, file_format: str) -> Iterator[tuple[int, Atoms]]:
    """Yield number and content of the ionic steps of a calculation.

    Parameters
    ----------
    source
        The output.
    file_format
        ASE's name: ``vasp-out``, ``vasp-xml``, ``espresso-out``, ``traj`` ...

    Raises
    ------
    BadInputError
        ASE cannot read the file.
    """
    with expanded(source.path) as plain, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing label is found by the checks
        try:
            frames = ase.io.read(plain, index=":", format=file_format)
        except Exception as error:
            raise _refused(
                source.path, file_format, reason_of(error, with_kind=True)
            ) from error
        with plain.open(encoding="latin-1") as stream:
            reasons = unconverged_steps(stream, file_format)
    numbered = [(i, one) for i, one in enumerate(frames) if isinstance(one, Atoms)]
    for i, atoms in numbered:
        if i in reasons:
            atoms.info[UNCONVERGED] = reasons[i]
    yield from numbered[source.frames]


def _begins_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(magic)) == magic


def _refused(path: Path, kind: str, reason: str) -> BadInputError:
    return BadInputError(
        f"{path} cannot be read as {kind}: {reason}.",
        "Expected a complete, undamaged file.",
        "Check that the calculation finished and that the name fits the content,"
        " or convert it: ase convert FILE train.extxyz.",
    )


_NELM = re.compile(r"\bNELM\b[^\d]*(\d{1,9})\b")


_ITERATION = re.compile(r"Iteration\s+\d+\(\s*(\d{1,9})\)")


_QE_STARTS = ("Program PWSCF", "ATOMIC_POSITIONS")


_QE_RESULTS = (
    "!    total energy",
    "Forces acting on atoms",
    "total   stress",
    "Magnetic moment per site",
    "End of band structure calculation",
)
"""What ASE takes for the beginning of a structure and for a result of it."""


def unconverged_steps(lines: Iterable[str], file_format: str) -> dict[int, str]:
    """Return the steps whose electrons did not converge, each with the reason.

    Parameters
    ----------
    lines
        Of the output.
    file_format
        ASE's name for it.

    Returns
    -------
    dict[int, str]
        By number of the step as ASE counts, from 0; empty for formats of which
        nothing is known.

    Examples
    --------
    >>> lines = ['<i name="NELM"> 2</i>', "<calculation>", "<scstep>", "<scstep>"]
    >>> unconverged_steps([*lines, "</calculation>"], "vasp-xml")
    {0: 'NELM = 2 reached'}
    """
    scan = {
        "vasp-xml": _of_vasprun,
        "vasp-out": _of_outcar,
        "espresso-out": _of_espresso,
    }.get(file_format)
    return {} if scan is None else dict(scan(lines))


def _of_vasprun(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    limit, step, n_cycles = None, -1, 0
    for line in lines:
        if step < 0 and 'name="NELM"' in line:
            found = re.search(r">\s*(\d{1,9})\s*<", line)
            limit = int(found[1]) if found else limit
        if "<calculation" in line:
            step, n_cycles = step + 1, 0
        n_cycles += line.count("<scstep")
        if "</calculation" in line and limit is not None and n_cycles >= limit:
            yield step, f"NELM = {limit} reached"


def _of_outcar(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    limit, step, n_cycles, is_reached = None, 0, 0, False
    for line in lines:
        if limit is None and "NELM" in line and (found := _NELM.search(line)):
            limit = int(found[1])
        elif found := _ITERATION.search(line):
            n_cycles = int(found[1])
        elif "EDIFF is reached" in line:
            is_reached = True
        elif "EDIFF was not reached" in line:
            n_cycles, is_reached = limit or n_cycles, False
        elif "FREE ENERGIE OF THE ION-ELECTRON SYSTEM" in line:
            if limit is not None and n_cycles >= limit and not is_reached:
                yield step, f"NELM = {limit} reached"
            step, n_cycles, is_reached = step + 1, 0, False


def _of_espresso(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    step, has_result, is_unconverged = 0, False, False
    for line in lines:
        if any(start in line for start in _QE_STARTS):
            if has_result and is_unconverged:
                yield step, "convergence NOT achieved"
            step += has_result
            has_result, is_unconverged = False, False
        has_result |= any(result in line for result in _QE_RESULTS)
        is_unconverged |= "convergence NOT achieved" in line
    if has_result and is_unconverged:
        yield step, "convergence NOT achieved"


BYTES_PER_ATOM = 8
"""The shortest line of an atom, ``H 0 0 0``, with its end."""

SIX = 6
"""Numbers of a symmetric tensor."""

_TENSOR = re.compile(
    r"""(?:^|(?<=\s))(?P<key>stress|virial)=["'\[{](?P<values>[^"'\]}]*)["'\]}]"""
)
"""The entries of a comment line of which ASE makes 3x3 matrices."""


def read_extxyz(source: Source) -> Iterator[tuple[int, Atoms]]:
    """Yield number and content of the frames that were asked for.

    Parameters
    ----------
    source
        A part of a file is read without parsing the rest.

    Raises
    ------
    BadInputError
        A frame is cut off or cannot be parsed.
    """
    wanted = source.frames
    needs_count = any(n is not None and n < 0 for n in (wanted.start, wanted.stop))
    if needs_count:
        n_frames = sum(1 for _ in _chunks(source))
        wanted = slice(*wanted.indices(n_frames))
    stops = wanted.stop is not None
    chunks = _chunks(source, max_bytes=None if stops else MAX_BYTES)
    for i, lines in islice(
        enumerate(chunks), wanted.start or 0, wanted.stop, wanted.step or 1
    ):
        yield i, _parse(lines, source.frame(i))


def _chunks(source: Source, max_bytes: int | None = MAX_BYTES) -> Iterator[list[str]]:
    """Yield the lines of each frame."""
    lines = read_lines(source.path, max_bytes=max_bytes)
    n_bytes = None if is_compressed(source.path) else source.path.stat().st_size
    for i, header in enumerate(_headers(lines)):
        place = source.frame(i)
        n_atoms = _atom_count(header, place)
        if n_bytes is not None and n_atoms * BYTES_PER_ATOM > n_bytes:
            raise BadInputError(
                f"{place} states {n_atoms} atoms, but the whole file has {n_bytes} "
                "bytes.",
                "The first line of a frame is its number of atoms.",
                "Correct that line, or copy the file again if it was cut off.",
            )
        body = list(islice(lines, n_atoms + 1))
        if len(body) < n_atoms + 1:
            raise BadInputError(
                f"{place} is cut off: it states {n_atoms} atoms and the file ends "
                f"after {max(0, len(body) - 1)}.",
                "Expected a comment line and one line for each atom.",
                "Copy the file again"
                + (f", or use the frames before it: {source.path}@:{i}." if i else "."),
            )
        yield [header, *body]


def _headers(lines: Iterator[str]) -> Iterator[str]:
    """Yield the first line of each frame; blank lines may end a file."""
    blank = ""
    for line in lines:
        if line.strip():
            yield blank + line
        else:
            blank = "\n"


def _atom_count(header: str, place: str) -> int:
    text = header.strip()
    if header.startswith("\n"):
        raise BadInputError(
            f"A blank line stands before {place}.",
            "Frames follow each other without blank lines.",
            "Remove the blank line, or complete the frame before it.",
        )
    if text.isascii() and text.isdigit() and len(text) <= 12 and int(text) > 0:
        return int(text)
    raise BadInputError(
        f"{place} begins with {text[:60]!r}.",
        "A frame begins with its number of atoms, at least 1, alone on a line.",
        "Check that the frame before it has as many lines as it states, and that "
        "this is an extended XYZ file.",
    )


def _parse(lines: list[str], place: str) -> Atoms:
    lines, six = _without_six(lines)
    _check_columns(lines, place)
    try:
        frames = ase.io.read(io.StringIO("".join(lines)), format="extxyz", index=":")
    except KeyError as error:
        raise BadInputError(
            f"{place} has an atom of an unknown element, {error}.",
            "Expected chemical symbols in the species column.",
            "Correct the symbol; atom types of a force field must be replaced by "
            "elements.",
        ) from error
    except Exception as error:
        raise _refused_frame(place, reason_of(error, with_kind=True)) from error
    [atoms] = frames
    assert isinstance(atoms, Atoms)
    atoms.info.update(six)
    return atoms


def _without_six(lines: list[str]) -> tuple[list[str], dict[str, list[float]]]:
    """Take tensors of six numbers out of the comment line: ASE wants nine."""
    found: dict[str, list[float]] = {}
    comment = lines[1]
    for match in _TENSOR.finditer(lines[1]):
        values = match["values"].replace(",", " ").split()
        if len(values) == SIX:
            try:
                found[match["key"]] = [float(one) for one in values]
            except ValueError:
                continue
            comment = comment.replace(match[0], " ", 1)
    return [lines[0], comment, *lines[2:]], found


def _check_columns(lines: list[str], place: str) -> None:
    """Check what ASE passes over in silence: columns too many, no positions."""
    try:
        layout = key_val_str_to_dict(lines[1].strip()).get("Properties")
        if layout is None:
            return
        fields = str(layout).split(":")
        n_columns = sum(int(n) for n in fields[2::3])
    except (ValueError, IndexError) as error:
        reason = f"the comment line has an error ({reason_of(error)})"
        raise _refused_frame(place, reason) from error
    if "pos" not in fields[::3] or not {"species", "Z"} & set(fields[::3]):
        raise _refused_frame(place, f"Properties={layout} has no pos, or no species")
    for i, line in enumerate(lines[2:]):
        if len(line.split()) != n_columns:
            raise BadInputError(
                f"{place}: the line of atom {i} has {len(line.split())} columns.",
                f"Properties={layout} needs {n_columns}.",
                "Correct the line or the Properties entry.",
            )


def _refused_frame(place: str, reason: str) -> BadInputError:
    return BadInputError(
        f"{place} cannot be parsed: {reason[:200]}.",
        "Expected extended XYZ: the number of atoms, a line with Lattice, "
        "Properties and labels, and one line for each atom.",
        "Correct the frame, or write the file again with ase.io.write.",
    )
