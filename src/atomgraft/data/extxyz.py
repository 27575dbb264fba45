"""Extended XYZ files: frames are counted and checked here, parsed by ASE."""

import io
import re
from collections.abc import Iterator
from itertools import islice

import ase.io
from ase import Atoms
from ase.io.extxyz import key_val_str_to_dict

from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import MAX_BYTES, is_compressed, read_lines
from atomgraft.data.sources import Source

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
                f"{place} claims {n_atoms} atoms, and the whole file has"
                f" {n_bytes} bytes.",
                "The first line of a frame is its number of atoms.",
                "Correct that line, or copy the file again if it was cut off.",
            )
        body = list(islice(lines, n_atoms + 1))
        if len(body) < n_atoms + 1:
            raise BadInputError(
                f"{place} is cut off: it claims {n_atoms} atoms and the file ends"
                f" after {max(0, len(body) - 1)}.",
                "A comment line and one line for each atom are needed.",
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
        "Check that the frame before it has as many lines as it claims, or that"
        " this is an extended XYZ file at all.",
    )


def _parse(lines: list[str], place: str) -> Atoms:
    lines, six = _without_six(lines)
    _check_columns(lines, place)
    try:
        frames = ase.io.read(io.StringIO("".join(lines)), format="extxyz", index=":")
    except KeyError as error:
        raise BadInputError(
            f"{place} has an atom of an unknown element, {error}.",
            "Chemical symbols of elements are needed in the species column.",
            "Correct the symbol; types of a force field must become elements.",
        ) from error
    except Exception as error:
        raise _refused(place, f"{type(error).__name__}: {error}") from error
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
        reason = f"the comment line has an error ({error})"
        raise _refused(place, reason) from error
    if "pos" not in fields[::3] or not {"species", "Z"} & set(fields[::3]):
        raise _refused(place, f"Properties={layout} has no pos, or no species")
    for i, line in enumerate(lines[2:]):
        if len(line.split()) != n_columns:
            raise BadInputError(
                f"{place}: the line of atom {i} has {len(line.split())} columns.",
                f"Properties={layout} needs {n_columns}.",
                "Correct the line or the Properties entry.",
            )


def _refused(place: str, reason: str) -> BadInputError:
    return BadInputError(
        f"{place} cannot be parsed: {reason[:200]}.",
        "Extended XYZ is needed: the number of atoms, a line with Lattice, Properties"
        " and labels, and one line for each atom.",
        "Correct the frame, or write the file again with ase.io.write.",
    )
