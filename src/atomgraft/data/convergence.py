"""Which steps of a calculation ended before their electrons had converged."""

import re
from collections.abc import Iterable, Iterator

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
