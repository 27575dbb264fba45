"""Which file, which frames and which dataset of it: ``file.extxyz@0:10``."""

import dataclasses
import os
import re
from pathlib import Path

from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import check_file
from atomgraft.core.storage import is_file, is_folder
from atomgraft.data.file_kinds import kind_of_folder
from atomgraft.data.shipped import PREFIX, shipped_path

_SLICE = re.compile(r"^(-?\d*)(:(-?\d*))?(:(-?\d*))?$")

MAX_DIGITS = 18
"""Of a frame's number; more is no number of a frame."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A file and the part of it that was asked for.

    Parameters
    ----------
    path
        The file.
    frames
        Frames wanted, counted from zero.
    selection
        The same as it was typed; empty for all.
    dataset
        Named part of a phonopy file (``phonon_dataset``), or none.
    """

    path: Path
    frames: slice
    selection: str = ""
    dataset: str | None = None

    def frame(self, i: int) -> str:
        """Return the name of a frame for messages; the first is 0."""
        place = f"{self.path}#{self.dataset}" if self.dataset else str(self.path)
        return f"{place}, frame {i}"


def parse_source(text: Path | str) -> Source:
    """Split a file name from the frames and the dataset behind it.

    ``shipped:si-train`` stands for a set inside the package.

    Parameters
    ----------
    text
        ``file``, ``file@start:stop:step``, ``file@i`` or ``file#dataset``; a file
        that has exactly this name is taken as it is.

    Raises
    ------
    BadInputError
        There is no such file, or the frames are not a slice.

    Examples
    --------
    >>> parse_source(__file__ + "@:20").frames
    slice(None, 20, None)
    """
    whole = Path(text)
    if is_file(whole):
        return Source(path=whole, frames=slice(None))
    name, at, selection = str(text).rpartition("@")
    if not at:
        name, selection = str(text), ""
    frames = parse_frames(selection, str(text)) if at else slice(None)
    if name.startswith(PREFIX):
        path = shipped_path(name.removeprefix(PREFIX))
        return Source(path=path, frames=frames, selection=selection)
    if not is_file(Path(name)) and "#" in name:
        name, _, dataset = name.rpartition("#")
    else:
        dataset = None
    path = Path(name)
    if not is_file(path):
        raise _no_file(path)
    return Source(path=path, frames=frames, selection=selection, dataset=dataset)


def _no_file(path: Path) -> BadInputError:
    kind = kind_of_folder(path) if is_folder(path) else None
    if kind is not None:
        return BadInputError(
            f"{path} looks like: {kind.name}, which is not read.",
            "A file with labelled structures is needed.",
            kind.remedy.replace("FOLDER", str(path)),
        )
    if os.path.lexists(path) and not is_folder(path):
        check_file(path)  # says what it is instead
    what = "a folder" if is_folder(path) else "not there"
    return BadInputError(
        f"{path} is {what}.",
        "A file with structures is needed.",
        "Check the path; frames are chosen by FILE@START:STOP.",
    )


def parse_frames(selection: str, whole: str) -> slice:
    """Return the slice that a text such as ``0:10``, ``::2`` or ``5`` means.

    Parameters
    ----------
    selection
        The text behind ``@``.
    whole
        All that was typed, for the message.

    Raises
    ------
    BadInputError
        It is no slice, or its step is not positive.

    Examples
    --------
    >>> parse_frames("-1", "")
    slice(-1, None, None)
    """
    match = _SLICE.match(selection)
    parts = selection.split(":") if match and selection else []
    if not parts or "-" in parts or parts[2:3] == ["0"]:
        raise _bad_selection(selection, whole)
    if any(len(part) > MAX_DIGITS for part in parts):
        raise _bad_selection(selection[:60], whole[:200])
    numbers = [int(part) if part else None for part in parts]
    if len(numbers) == 1:
        i = numbers[0]
        assert i is not None  # an empty selection was refused above
        return slice(i, None if i == -1 else i + 1)
    if len(numbers) == 3 and numbers[2] is not None and numbers[2] < 1:
        raise _bad_selection(selection, whole)
    return slice(*numbers)


def _bad_selection(selection: str, whole: str) -> BadInputError:
    return BadInputError(
        f"'{selection}' behind '@' in {whole} does not name frames.",
        "A slice with a positive step, or one number, is needed; the first frame is 0.",
        "Write for example file.extxyz@0:10, file.extxyz@::2 or file.extxyz@5.",
    )
