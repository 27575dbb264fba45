"""Writing files completely or not at all, and locks."""

import contextlib
import os
import re
import secrets
import shlex
import shutil
import stat
from collections.abc import Generator
from pathlib import Path
from typing import Protocol, runtime_checkable

from atomgraft.core.errors import BadInputError, StorageError

LOCK = ".lock"

ELSEWHERE = "Wait for it, stop it, or choose another folder with --out."
"""What to do where another process works in a run folder."""
LOCK_PAUSE = 0.2
"""Seconds between two tries to hold a folder."""


@runtime_checkable
class Guard(Protocol):
    """Knows which files of a folder are ours to replace."""

    def claim(self, name: str, content: bytes | str | None) -> bool:
        """Allow a file to be written and remember it, or tell that it need not be."""
        ...


_guards: dict[Path, tuple[int, Guard]] = {}
"""Folders that this process holds, with its number: a fork holds none of them."""


@contextlib.contextmanager
def guarded(folder: Path, guard: Guard) -> Generator[None]:
    """Ask a guard before anything is written in a folder.

    Parameters
    ----------
    folder
        It exists and is held by this process.
    guard
        Is asked for every file below it that has no nearer guard.
    """
    key = folder.resolve()
    _guards[key] = (os.getpid(), guard)
    try:
        yield
    finally:
        del _guards[key]


def guard_of(path: Path) -> tuple[Guard, str] | None:
    """Return the nearest guard of a file or folder, and its path below the guard's.

    Links below the guard's folder are not followed: what they point to counts as
    inside, so that the guard sees them.
    """
    whole = path.absolute()
    for parent in whole.parents:
        name = whole.relative_to(parent)
        number, guard = _guards.get(parent.resolve(), (0, None))
        if guard is not None and number == os.getpid() and ".." not in name.parts:
            return guard, name.as_posix()
    return None


def _may_write(path: Path, content: bytes | str | None) -> bool:
    found = guard_of(path)
    return found is None or found[0].claim(found[1], content)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace `path` by `content` in one step: temporary file, fsync, rename.

    In a folder that this process holds, only what atomgraft wrote there is replaced.
    Text that somebody has changed since is not; bytes are not compared.

    Raises
    ------
    BadInputError
        `path` is not ours to replace.
    StorageError
        The disk is full or the folder cannot be written; `path` is as it was.
    """
    if _may_write(path, content):
        data = content.encode() if isinstance(content, str) else content
        replace_file(path, data)


def replace_file(path: Path, data: bytes) -> None:
    """Replace `path` by `data` in one step, and ask no guard.

    Raises
    ------
    StorageError
        The disk is full or the folder cannot be written; `path` is as it was.
    """
    own = f".atomgraft-{os.getpid()}-{secrets.token_hex(4)}.part"
    temporary = path.with_name(own)
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _failure(path, error, left=_left_behind(temporary)) from error


def _left_behind(temporary: Path) -> str:
    """Remove a temporary file of ours; say so where it stays."""
    try:
        if os.path.lexists(temporary):
            temporary.unlink()
    except OSError as error:
        return f"; {temporary} stays behind ({error.strerror or error})"
    return ""


_LEFTOVER = re.compile(r"\.atomgraft-\d+-[0-9a-f]{8}\.part")


def is_leftover(path: Path) -> bool:
    """Tell whether a file is named as our temporary files are.

    Examples
    --------
    >>> is_leftover(Path(".atomgraft-12-0123abcd.part")), is_leftover(Path(".big.part"))
    (True, False)
    """
    return _LEFTOVER.fullmatch(path.name) is not None


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of a process of ours that died while it wrote.

    Parameters
    ----------
    folder
        No other process may be writing into it.

    Raises
    ------
    StorageError
        The folder cannot be written.
    """
    with _told(folder):
        for path in folder.glob(".atomgraft-*.part"):
            if is_leftover(path) and path.is_file() and not path.is_symlink():
                path.unlink()


def remove_file(path: Path) -> None:
    """Remove a file that is there.

    Raises
    ------
    StorageError
        It cannot be removed.
    """
    with _told(path):
        path.unlink()


def is_file(path: Path) -> bool:
    """Tell whether a path is a file; a name that no disk can hold is none.

    Examples
    --------
    >>> is_file(Path("x" * 5000))
    False
    """
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; a name that no disk can hold is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False


def with_ending(path: Path, ending: str) -> Path:
    """Return a path that ends as a file format asks, whatever dots its name has.

    Examples
    --------
    >>> with_ending(Path("model.v2"), ".pth").name
    'model.v2.pth'
    """
    if path.suffix == ending or not path.name:  # "." and "/" are told apart later
        return path
    return path.with_name(path.name + ending)


def append_line(path: Path, line: str) -> None:
    """Append one line to a log.

    Raises
    ------
    BadInputError
        `path` is not ours to change.
    StorageError
        The disk is full or the folder cannot be written.
    """
    if _may_write(path, None):
        with _told(path), path.open("a") as stream:
            stream.write(line + "\n")


def append_after(path: Path, n_bytes: int, content: bytes) -> None:
    """Append to a file behind its first bytes; what stood behind them is cut off.

    Parameters
    ----------
    path
        Made if it is not there.
    n_bytes
        What stays of it.
    content
        What follows; on the disk when this returns.

    Raises
    ------
    BadInputError
        `path` is not ours to change.
    StorageError
        The disk is full or the folder cannot be written.
    """
    if not _may_write(path, None):
        return
    try:
        with path.open("r+b" if is_file(path) else "xb") as stream:
            stream.truncate(n_bytes)
            stream.seek(n_bytes)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
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
    with _told(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise _taken(path) from error


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
    with _told(path), contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if (risk := exposure(path)) is not None:
        raise BadInputError(
            f"{path} {risk}.",
            "Its content is executed or read as yours, so only you may have write "
            "access.",
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
        f"{path} cannot be created: part of the path is a file.",
        "Expected an existing folder, or one that can be created.",
        "Give another folder.",
    )


def remove_folder(path: Path) -> None:
    """Remove a folder and all that is in it.

    Raises
    ------
    StorageError
        Something in it cannot be removed.
    """
    with _told(path):
        shutil.rmtree(path)


def remove_empty(folder: Path) -> None:
    """Remove a folder if it is there, no link, and nothing is in it.

    Raises
    ------
    StorageError
        It cannot be removed.
    """
    with _told(folder):
        if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
            folder.rmdir()


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
    from filelock import FileLock, Timeout

    path = folder / LOCK
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        raise BadInputError(
            f"{path} is a link, a folder or a device.",
            "atomgraft makes its lock files itself, as plain files.",
            "Remove it, or give another folder.",
        )
    try:
        folder.stat()  # a folder that is not there would be made
        held = FileLock(path, timeout=patience, poll_interval=LOCK_PAUSE).acquire()
    except Timeout as error:
        raise BadInputError(
            f"{folder} is in use by another atomgraft process.",
            "Only one process at a time can use a folder.",
            remedy,
        ) from error
    except OSError as error:
        raise _failure(folder, error) from error
    with held:
        yield


@contextlib.contextmanager
def _told(path: Path) -> Generator[None]:
    """Say in a paragraph what the system refuses."""
    try:
        yield
    except OSError as error:
        raise _failure(path, error) from error


def _failure(path: Path, error: OSError, left: str = "") -> StorageError:
    return StorageError(
        f"Cannot write {path}: {error.strerror or error}{left}.",
        "Expected a folder on a disk with free space, which this user may write.",
        "Free some space or give another folder; what was there before is unchanged.",
    )
