"""Text files of bounded size, plain or compressed, as lines."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from atomgraft.core.errors import BadInputError

MAX_BYTES = 2 * 1024**3
"""Largest amount of text that is read from one file without being told which part."""

MAX_LINE = 1024**2
"""Longest line, in bytes; a longer one means that the file is not text."""

_OPENERS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".xz": lzma.open,
    ".bz2": bz2.open,
}

_BROKEN = (OSError, EOFError, lzma.LZMAError, zlib.error)


def format_suffix(path: Path) -> str:
    """Return the suffix that tells the format, compression left out, lower case.

    Examples
    --------
    >>> format_suffix(Path("phonopy.yaml.xz"))
    '.yaml'
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in _OPENERS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def is_compressed(path: Path) -> bool:
    """Tell whether the name says that the file is compressed."""
    return path.suffix.lower() in _OPENERS


def read_lines(path: Path, *, max_bytes: int | None = MAX_BYTES) -> Iterator[str]:
    """Yield the lines of a text file, their ends included.

    Parameters
    ----------
    path
        Plain, or compressed if it ends in .gz, .xz or .bz2.
    max_bytes
        Refuse to read more than this; none is for a caller who stops in time.

    Raises
    ------
    BadInputError
        The file is empty, too large, no text, or cannot be decompressed.
    """
    n_read = 0
    for line in _raw_lines(path):
        n_read += len(line)
        if max_bytes is not None and n_read > max_bytes:
            raise too_large(path, max_bytes)
        if len(line) > MAX_LINE or b"\0" in line:
            raise _not_text(path, "a line longer than 1 MiB or a zero byte")
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _not_text(path, f"byte {error.object[error.start]:#x}") from error
    if not n_read:
        raise empty(path)


def read_text(path: Path, *, max_bytes: int = MAX_BYTES) -> str:
    """Return a whole text file, with the checks of `read_lines`."""
    return "".join(read_lines(path, max_bytes=max_bytes))


def _open_plain(path: Path) -> IO[bytes]:
    return path.open("rb")


def _raw_lines(path: Path) -> Iterator[bytes]:
    opener = _OPENERS.get(path.suffix.lower(), _open_plain)
    try:
        with opener(path) as stream:
            while line := stream.readline(MAX_LINE + 1):
                yield line
    except _BROKEN as error:
        raise BadInputError(
            f"{path} cannot be read: {error}.",
            "A readable file is needed, whole if it is compressed.",
            "Copy the file again, or check who may read it (ls -l).",
        ) from error


def empty(path: Path) -> BadInputError:
    """Return the error for a file without content."""
    return BadInputError(
        f"{path} is empty (0 bytes).",
        "At least one labelled structure is needed.",
        "Write the file again, or check the path.",
    )


def too_large(path: Path, max_bytes: int) -> BadInputError:
    """Return the error for a file that would not fit in memory."""
    return BadInputError(
        f"{path} holds more than {max_bytes / 1024**3:.2g} GiB of text.",
        "Structures are held in memory, so a file is read up to that size.",
        f"Choose a part of it ({path}@0:1000), or split the file.",
    )


def _not_text(path: Path, reason: str) -> BadInputError:
    return BadInputError(
        f"{path} is not a text file: it holds {reason}.",
        "A file whose content fits its name is needed.",
        "Check the path; if the file is compressed, its name must end in .gz or .xz.",
    )
