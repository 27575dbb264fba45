"""Files that ASE reads: its own databases, and outputs of programs."""

import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import ase.db
import ase.io
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import expanded, format_suffix
from atomgraft.data.canonical import UNCONVERGED
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
