"""Reading files that a user names: kind, size and compression are limited.

Every file from outside is opened here. Pipes and devices, which would keep a reader
waiting for ever, are refused; so is a compressed file that expands to more than data
do. A library that reads by name gets a plain copy (`expanded`).
"""

import bz2
import contextlib
import gzip
import lzma
import os
import stat
import tempfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import IO, Any

from atomgraft.core.errors import BadInputError, reason_of

MAX_BYTES = 2 * 1024**3
"""Largest amount of text that is read from one file without being told which part."""

MAX_LINE = 1024**2
"""Longest line, in bytes; a longer one means that the file is not text."""

MAX_RATIO = 100
"""Bytes that one compressed byte may become. Numbers as text shrink three to ten times,
tables of zeros forty times; files made to fill a memory, a thousand times and more."""

ALWAYS_EXPANDED = 32 * 1024**2
"""Bytes up to which a small file may expand by any ratio; read in a few seconds."""

CHUNK = 1024**2

_OPENERS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".xz": lzma.open,
    ".bz2": bz2.open,
}

_BROKEN = (OSError, EOFError, lzma.LZMAError, zlib.error)

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def format_suffix(path: Path) -> str:
    """Return the suffix that tells the format, compression left out, lower case.

    Examples
    --------
    >>> format_suffix(Path("phonopy.yaml.xz"))
    '.yaml'
    """
    return Path(plain_name(path)).suffix.lower()


def plain_name(path: Path) -> str:
    """Return the name that a file has once it is expanded.

    Examples
    --------
    >>> plain_name(Path("run/OUTCAR.gz"))
    'OUTCAR'
    """
    name = Path(path.name)
    while is_compressed(name):
        name = name.with_suffix("")
    return str(name)


def is_compressed(path: Path) -> bool:
    """Tell whether the name says that the file is compressed."""
    return path.suffix.lower() in _OPENERS


def check_file(path: Path) -> int:
    """Return the size of an ordinary file that this user may read, in bytes.

    Raises
    ------
    BadInputError
        It is not there, may not be read, or is a folder, a pipe, a socket or a device.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        raise unreadable(path, error) from error
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise BadInputError(
            f"{path} is {_KINDS.get(kind, 'no ordinary file')}.",
            "Expected an ordinary file.",
            "Give the file itself; save the output of a pipe first.",
        )
    if not os.access(path, os.R_OK):
        raise unreadable(path, PermissionError("this user may not read it"))
    return found.st_size


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
        The file is empty, too large, no text, or cannot be opened or expanded.
    """
    is_empty = True
    for line in _pieces(path, max_bytes, lambda stream: stream.readline(MAX_LINE + 1)):
        is_empty = False
        if len(line) > MAX_LINE:
            raise _not_text(path, "a line longer than 1 MiB")
        yield _decoded(path, line)
    if is_empty:
        raise empty(path)


def read_text(path: Path, *, max_bytes: int = MAX_BYTES) -> str:
    """Return a whole text file, lines of any length.

    Parameters
    ----------
    path
        Plain, or compressed if it ends in .gz, .xz or .bz2.
    max_bytes
        Refuse to read more than this.

    Raises
    ------
    BadInputError
        The file is empty, too large, no text, or cannot be opened or expanded.
    """
    content = b"".join(_pieces(path, max_bytes, lambda stream: stream.read(CHUNK)))
    if not content:
        raise empty(path)
    return _decoded(path, content)


def read_log(path: Path) -> list[str]:
    """Return the lines of a log that a crash may have cut; what is no text is marked.

    Raises
    ------
    BadInputError
        The file is too large, or cannot be opened.
    """
    pieces = _pieces(path, MAX_BYTES, lambda stream: stream.read(CHUNK))
    return b"".join(pieces).decode("utf-8", "replace").splitlines()


@contextlib.contextmanager
def expanded(path: Path, *, max_bytes: int = MAX_BYTES) -> Generator[Path]:
    """Give a file to a library that reads by name; the copy is gone afterwards.

    Parameters
    ----------
    path
        Given as it is if it is plain, else as a copy under the name without .gz,
        .xz or .bz2.
    max_bytes
        Refuse a file that is larger, or becomes larger.

    Raises
    ------
    BadInputError
        The file is empty, too large, or cannot be opened or expanded.
    """
    n_bytes = check_file(path)
    if n_bytes == 0:
        raise empty(path)
    if n_bytes > max_bytes:
        raise too_large(path, max_bytes)
    if not is_compressed(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="atomgraft-") as folder:
        copy = Path(folder) / (plain_name(path) or "content")
        with copy.open("wb") as stream:
            for piece in _pieces(path, max_bytes, lambda one: one.read(CHUNK)):
                stream.write(piece)
        yield copy


def _open_plain(path: Path) -> IO[bytes]:
    return path.open("rb")


def _pieces(
    path: Path, max_bytes: int | None, read: Callable[[Any], bytes]
) -> Iterator[bytes]:
    """Yield what comes out of a file piece by piece, up to its limit."""
    size = check_file(path)
    opener = _OPENERS.get(path.suffix.lower(), _open_plain)
    ratio_limit = max(ALWAYS_EXPANDED, MAX_RATIO * size)
    n_read = 0
    try:
        with opener(path) as stream:
            while piece := read(stream):
                n_read += len(piece)
                if max_bytes is not None and n_read > max_bytes:
                    raise too_large(path, max_bytes)
                if n_read > ratio_limit and is_compressed(path):
                    raise _expands_too_much(path, size, ratio_limit)
                yield piece
    except _BROKEN as error:
        raise unreadable(path, error) from error


def _decoded(path: Path, content: bytes) -> str:
    if b"\0" in content:
        raise _not_text(path, "a zero byte")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_text(path, f"byte {error.object[error.start]:#x}") from error


def unreadable(path: Path, error: Exception) -> BadInputError:
    """Return the error for a file that cannot be opened or expanded."""
    reason = getattr(error, "strerror", None) or reason_of(error)
    name = " ".join(repr(str(path)).strip("'").split())
    shown = name if len(name) <= 200 else f"{name[:200]}..."
    if isinstance(error, FileNotFoundError):
        return BadInputError(
            f"{shown} does not exist.", "Expected a readable file.", "Check the path."
        )
    return BadInputError(
        f"{shown} cannot be read: {reason}.",
        "Expected a readable file, complete if it is compressed.",
        "Check the path, copy the file again, or check who may read it (ls -l).",
    )


def empty(path: Path) -> BadInputError:
    """Return the error for a file without content."""
    return BadInputError(
        f"{path} is empty (0 bytes).",
        "Expected a file with content.",
        "Write the file again, or check the path.",
    )


def too_large(path: Path, max_bytes: int) -> BadInputError:
    """Return the error for a file that would not fit in memory."""
    is_small = max_bytes < 1024**3
    size, unit = (
        (max_bytes / 1024**2, "MiB") if is_small else (max_bytes / 1024**3, "GiB")
    )
    return BadInputError(
        f"{path} holds more than {size:.4g} {unit}.",
        "Files are read into memory, up to that size.",
        f"Choose a part of it (for structures {path}@0:1000), or split the file.",
    )


def _expands_too_much(path: Path, size: int, limit: int) -> BadInputError:
    return BadInputError(
        f"{path} has {size / 1024:.0f} KiB and expands to more than"
        f" {limit / 1024**2:.0f} MiB, at least {limit // max(1, size)} times its size.",
        f"Up to {MAX_RATIO} times, or {ALWAYS_EXPANDED // 1024**2} MiB, is expected.",
        "If the file is correct, expand it yourself and give the result.",
    )


def _not_text(path: Path, reason: str) -> BadInputError:
    return BadInputError(
        f"{path} is not a text file: it holds {reason}.",
        "Expected a file whose content matches its name.",
        "Check the path; a compressed file must end in .gz, .xz or .bz2.",
    )
