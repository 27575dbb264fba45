"""Writing that either happens whole or leaves what was there."""

import contextlib
import errno
import fcntl
import os
import shlex
import shutil
import stat
import time
from collections.abc import Generator
from pathlib import Path
from typing import IO

from atomgraft.core.errors import BadInputError, StorageError

LOCK = ".lock"

ELSEWHERE = "Wait for it, stop it, or give another folder with --out."
"""What to do where another process works in a run folder."""
LOCK_PAUSE = 0.2
"""Seconds between two tries to hold a folder."""


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace `path` by `content` in one step: temporary file, fsync, rename.

    Raises
    ------
    StorageError
        The disk is full or the folder cannot be written; `path` is as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise _failure(path, error) from error


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of a process that died while it wrote.

    Parameters
    ----------
    folder
        No other process may be writing into it.

    Raises
    ------
    StorageError
        The folder cannot be written.
    """
    try:
        for path in folder.glob(".*.part"):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise _failure(folder, error) from error


def is_file(path: Path) -> bool:
    """Tell whether a path is a file; a name too long for the disk is none.

    Examples
    --------
    >>> is_file(Path("x" * 5000))
    False
    """
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; a name too long for the disk is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def with_ending(path: Path, ending: str) -> Path:
    """Return a path that ends as a file format asks, whatever dots its name has.

    Examples
    --------
    >>> with_ending(Path("model.v2"), ".pth").name
    'model.v2.pth'
    """
    return path if path.suffix == ending else path.with_name(path.name + ending)


def append_line(path: Path, line: str) -> None:
    """Append one line to a log.

    Raises
    ------
    StorageError
        The disk is full or the folder cannot be written.
    """
    try:
        with path.open("a") as stream:
            stream.write(line + "\n")
    except OSError as error:
        raise _failure(path, error) from error


def make_folder(path: Path) -> None:
    """Create a folder and its parents.

    Raises
    ------
    BadInputError
        The name is taken by a file.
    StorageError
        A parent cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise _taken(path) from error
    except OSError as error:
        raise _failure(path, error) from error


def make_private_folder(path: Path) -> None:
    """Create a folder that only this user can write, or check that it is one.

    Parameters
    ----------
    path
        The folder; its parents are created as any others.

    Raises
    ------
    BadInputError
        The name is taken by a file, or others can write into the folder.
    StorageError
        A parent cannot be written.
    """
    make_folder(path.parent)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise _failure(path, error) from error
    if (risk := exposure(path)) is not None:
        raise BadInputError(
            f"{path} {risk}.",
            "What lies in it is run or read as yours, so nobody else may write it.",
            f"If it is yours: chmod go-w {shlex.quote(str(path))}",
        )


def exposure(path: Path) -> str | None:
    """Return how another user could have put this here, or none if nobody could.

    Parameters
    ----------
    path
        A file or folder that exists; a link is not followed.

    Examples
    --------
    >>> exposure(Path("/"))
    """
    try:
        found = path.lstat()
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"
    if stat.S_ISLNK(found.st_mode):
        return "is a link"
    if found.st_uid not in {os.geteuid(), 0}:
        return "belongs to another user"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written by other users"
    return None


def refuse_taken_name(path: Path) -> None:
    """Check that no file is in the way of a folder that will be made later.

    Raises
    ------
    BadInputError
        There is one.
    """
    if any(is_file(one) for one in (path, *path.parents)):
        raise _taken(path)


def _taken(path: Path) -> BadInputError:
    return BadInputError(
        f"{path} cannot be made: there is a file of that name on the way.",
        "A folder that is there, or that can be made, is needed.",
        "Give another folder.",
    )


def remove_folder(path: Path) -> None:
    """Remove a folder and all that is in it.

    Raises
    ------
    StorageError
        Something in it cannot be removed.
    """
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise _failure(path, error) from error


@contextlib.contextmanager
def locked(
    folder: Path, *, remedy: str = ELSEWHERE, patience: float = 0.0
) -> Generator[None]:
    """Hold a folder for this process; the lock ends with the process.

    Parameters
    ----------
    folder
        It exists.
    remedy
        What to do where another process holds it.
    patience
        Seconds to wait for that process.

    Raises
    ------
    BadInputError
        Another process holds it.
    StorageError
        The folder cannot be written.
    """
    with _lock_file(folder / LOCK) as stream:
        deadline = time.monotonic() + patience
        while not _takes(stream):
            if time.monotonic() >= deadline:
                raise BadInputError(
                    f"{folder} is in use by another atomgraft process.",
                    "Such a folder belongs to one process at a time.",
                    remedy,
                )
            time.sleep(LOCK_PAUSE)
        yield


def _lock_file(path: Path) -> IO[str]:
    """Open a lock file, or make it; what is no file of its own is no lock."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise _no_lock(path) from error
        raise _failure(path.parent, error) from error
    stream = os.fdopen(descriptor, "a")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        stream.close()
        raise _no_lock(path)
    return stream


def _no_lock(path: Path) -> BadInputError:
    return BadInputError(
        f"{path} is a link, a folder or a device.",
        "atomgraft makes its lock files itself, as plain files.",
        "Remove it, or give another folder.",
    )


def _takes(stream: IO[str]) -> bool:
    """Take the lock, or tell that another process has it."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _failure(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"Cannot write {path}: {error.strerror or error}.",
        "A folder on a disk with free space, which this user may write, is needed.",
        "Free some space or give another folder; what was there before is unchanged.",
    )
