"""Checks that outputs do not overwrite inputs or existing files."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from atomgraft.core.errors import BadInputError

Input = str | Path
"""A file, a folder, or the name of something that is neither."""

APART = "What is read and what is written must not touch each other."

_PART = re.compile(r"[@#]")


def refuse_inputs(
    folder: Path,
    inputs: Iterable[Input | None],
    ours: Sequence[Path],
    *,
    may_be_inside: bool = False,
) -> None:
    """Check that no input lies in a folder that is written.

    Parameters
    ----------
    folder
        Is written; need not be there.
    inputs
        What is read; names that are no paths are passed over.
    ours
        Files that may be replaced or removed.
    may_be_inside
        An input may lie in the folder as long as it is none of ours.

    Raises
    ------
    BadInputError
        One does.
    """
    place = folder.resolve()
    numbers = {_number(path) for path in ours}
    for one in (path for given in inputs for path in _paths(given)):
        real = one.resolve()
        if one.is_file() and _number(one) in numbers:
            raise _touching(one, f"one of the files that atomgraft wrote in {folder}")
        if not may_be_inside and place in {real, *real.parents}:
            raise _touching(one, f"in {folder}, which would be written")


def _paths(given: Input | None) -> list[Path]:
    """Return the paths that an input may name: frames and data sets are cut off."""
    if given is None:
        return []
    text = str(given)
    names = [text] + [text[: match.start()] for match in _PART.finditer(text)]
    return [Path(name) for name in names if name and _exists(name)]


def _exists(name: str) -> bool:
    try:
        return os.path.exists(name)  # noqa: PTH110 - says no to any name, and raises not
    except ValueError:
        return False


def _number(path: Path) -> tuple[int, int]:
    """Return device and inode: the same for every name of a file."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _touching(path: Path, where: str) -> BadInputError:
    return BadInputError(
        f"{path} is an input, and it is {where}.",
        APART,
        "Give another folder with --out, or move the input.",
    )


def refuse_taken_file(
    path: Path, *, overwrite: bool, inputs: Iterable[Input | None] = ()
) -> None:
    """Check that a single file may be written.

    Parameters
    ----------
    path
        The file.
    overwrite
        One that is there may be replaced.
    inputs
        What was read, which is never replaced; a folder stands for all in it.

    Raises
    ------
    BadInputError
        It may not.
    """
    if not os.path.lexists(path):
        if not path.parent.is_dir():
            raise BadInputError(
                f"{path} cannot be written: {path.parent} does not exist.",
                "Expected an existing folder.",
                "Make it, or give another name.",
            )
        return
    if not path.is_file():
        raise BadInputError(
            f"{path} is there and is no file.",
            "Expected the name of a file to write.",
            "Give another name.",
        )
    for one in (there for given in inputs for there in _paths(given)):
        is_same = one.is_file() and _number(one) == _number(path)
        if is_same or (one.is_dir() and one.resolve() in path.resolve().parents):
            raise BadInputError(
                f"{path} is an input, or part of one ({one}).",
                APART,
                "Give another name.",
            )
    if not overwrite:
        raise BadInputError(
            f"{path} already exists.",
            "atomgraft does not replace files without --overwrite.",
            "Give another name, or add --overwrite.",
        )
