"""One thing that was found in the data: how bad, where, how much, what to do."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Literal

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.data.canonical import SOURCE

Severity = Literal["error", "warning", "note"]

ISOLATED = frozenset({"isolatedatom", "isolated_atom", "isolated atom"})
"""Values of ``config_type``, in lower case, that mark the energy of a lone atom."""

MAX_NAMED = 3
"""Frames that a message names; `Finding.frames` has them all."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found in the data.

    Parameters
    ----------
    severity
        ``error``: training on it would be wrong; ``warning``: look at it;
        ``note``: good to know.
    code
        What kind of finding it is, for programs.
    message
        What was found, with its numbers.
    remedy
        What to do.
    frames
        Where: file and frame, counted from 0.
    number
        The number that decided, or none.
    unit
        Unit of `number`; none if it has none.
    """

    severity: Severity
    code: str
    message: str
    remedy: str
    frames: tuple[str, ...] = ()
    number: int | float | None = None
    unit: str | None = None


def place_of(atoms: Atoms) -> str:
    """Return file and frame of a structure, as the reader noted them."""
    return str(atoms.info.get(SOURCE, "a structure without a source"))


def places(structures: Iterable[Atoms]) -> tuple[str, ...]:
    """Return file and frame of each structure."""
    return tuple(place_of(atoms) for atoms in structures)


def named(frames: Sequence[str]) -> str:
    """Return the first few frames as text, and how many more there are.

    Examples
    --------
    >>> named(["a.xyz, frame 0", "a.xyz, frame 2"])
    'a.xyz, frames 0, 2'
    """
    first = frames[:MAX_NAMED]
    files = {frame.rpartition(", frame ")[0] for frame in first}
    if len(files) == 1 and len(first) > 1 and "" not in files:
        numbers = ", ".join(frame.rpartition(", frame ")[2] for frame in first)
        text = f"{files.pop()}, frames {numbers}"
    else:
        text = "; ".join(first)
    more = len(frames) - MAX_NAMED
    return f"{text} and {more} more" if more > 0 else text


def is_isolated_atom(atoms: Atoms) -> bool:
    """Tell whether a frame gives the energy of a lone atom."""
    return (
        len(atoms) == 1 and str(atoms.info.get("config_type", "")).lower() in ISOLATED
    )


def refuse_errors(findings: Sequence[Finding]) -> None:
    """Raise the first finding that is an error.

    Parameters
    ----------
    findings
        As the checks returned them.

    Raises
    ------
    BadInputError
        One of them is an error.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        more = f" ({len(errors) - 1} more errors.)" if len(errors) > 1 else ""
        raise BadInputError(
            errors[0].message,
            f"Data without errors is needed.{more}",
            errors[0].remedy,
        )
