"""Files that ASE reads: its own databases, and outputs of programs."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import ase.db
import ase.io
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.data.canonical import UNCONVERGED
from atomgraft.data.convergence import unconverged_steps
from atomgraft.data.sources import Source
from atomgraft.data.streams import (
    MAX_BYTES,
    empty,
    is_compressed,
    read_lines,
    too_large,
)

SQLITE_MAGIC = b"SQLite format 3\0"


def read_database(source: Source) -> Iterator[tuple[int, Atoms]]:
    """Yield number and content of the rows of an ASE database (.db or .json).

    Raises
    ------
    BadInputError
        The file is no ASE database.
    """
    _check_size(source.path)
    if source.path.suffix == ".db" and not _begins_with(source.path, SQLITE_MAGIC):
        raise _refused(source.path, "ASE database", "it does not begin as SQLite does")
    kind = source.path.suffix.removeprefix(".")
    try:
        database = ase.db.connect(source.path, type=kind, use_lock_file=False)
        rows = list(database.select())
        frames = [row.toatoms() for row in rows]
    except Exception as error:
        raise _refused(source.path, "ASE database", _reason(error)) from error
    for atoms, row in zip(frames, rows, strict=True):
        atoms.info.update({**row.data, **row.key_value_pairs})
    numbered = list(enumerate(frames))
    yield from numbered[source.frames]


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
    _check_size(source.path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a missing label is found by the checks
            frames = ase.io.read(source.path, index=":", format=file_format)
    except Exception as error:
        raise _refused(source.path, file_format, _reason(error)) from error
    numbered = [(i, one) for i, one in enumerate(frames) if isinstance(one, Atoms)]
    reasons = _unconverged(source.path, file_format)
    for i, atoms in numbered:
        if i in reasons:
            atoms.info[UNCONVERGED] = reasons[i]
    yield from numbered[source.frames]


def _unconverged(path: Path, file_format: str) -> dict[int, str]:
    if is_compressed(path):
        return unconverged_steps(read_lines(path), file_format)
    with path.open(encoding="latin-1") as stream:
        return unconverged_steps(stream, file_format)


def _check_size(path: Path) -> None:
    n_bytes = path.stat().st_size
    if n_bytes == 0:
        raise empty(path)
    if n_bytes > MAX_BYTES:
        raise too_large(path, MAX_BYTES)


def _begins_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(magic)) == magic


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200].rstrip(". ")


def _refused(path: Path, kind: str, reason: str) -> BadInputError:
    return BadInputError(
        f"{path} cannot be read as {kind}: {reason}.",
        "A complete, undamaged file is needed.",
        "Check that the calculation finished and that the name fits the content,"
        " or convert it: ase convert FILE train.extxyz.",
    )
