"""Files that ASE reads: its own databases, and outputs of programs."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import ase.db
import ase.io
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import expanded, format_suffix
from atomgraft.data.canonical import UNCONVERGED
from atomgraft.data.convergence import unconverged_steps
from atomgraft.data.sources import Source

SQLITE_MAGIC = b"SQLite format 3\0"


def read_database(source: Source) -> Iterator[tuple[int, Atoms]]:
    """Yield number and content of the rows of an ASE database (.db or .json).

    Raises
    ------
    BadInputError
        The file is no ASE database.
    """
    kind = format_suffix(source.path).removeprefix(".")
    with expanded(source.path) as plain:
        if kind == "db" and not _begins_with(plain, SQLITE_MAGIC):
            reason = "it does not begin as SQLite does"
            raise _refused(source.path, "ASE database", reason)
        try:
            database = ase.db.connect(plain, type=kind, use_lock_file=False)
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
    with expanded(source.path) as plain, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing label is found by the checks
        try:
            frames = ase.io.read(plain, index=":", format=file_format)
        except Exception as error:
            raise _refused(source.path, file_format, _reason(error)) from error
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


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200].rstrip(". ")


def _refused(path: Path, kind: str, reason: str) -> BadInputError:
    return BadInputError(
        f"{path} cannot be read as {kind}: {reason}.",
        "A complete, undamaged file is needed.",
        "Check that the calculation finished and that the name fits the content,"
        " or convert it: ase convert FILE train.extxyz.",
    )
