"""Findings: severity, place, size and remedy of a problem in the data."""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.data.canonical import SOURCE

Severity = Literal["error", "warning", "note"]

ISOLATED = frozenset(
    {
        "atom",
        "atomref",
        "e",  # E0
        "freeatom",
        "isolated",
        "isolatedatom",
        "isolatedatoms",
        "singleatom",
    }
)
"""Values of `KIND_KEYS`, letters alone and in lower case, of the energy of an atom."""

KIND_KEYS = ("config_type", "config_name", "config", "type", "label", "name")
"""Entries of ``info``, in lower case, that may mark a lone atom."""

ALONE = 6.5
"""Å; an atom without an image within it is alone: potentials end there, and crystals of
one atom per cell are closer (caesium: 5.3 Å)."""

CHANGES_WHAT_IS_LEARNED = frozenset(
    {
        "charged-frames",
        "conflicting-labels",
        "forces-disagrees",
        "free-energy-differs",
        "head-of-target",
        "heads-ignored",
        "mixed-keys",
        "not-converged",
        "not-periodic",
        "other-label-fits",
        "placeholder-energy",
        "placeholder-forces",
        "placeholder-stress",
        "several-engines",
        "stress-disagrees",
        "unread-label",
        "zero-forces",
    }
)
"""Warnings at which training stops until they are accepted."""

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
    """Tell whether a frame gives the energy of a lone atom, marked or not.

    Parameters
    ----------
    atoms
        Marked by one of `KIND_KEYS`, or a single atom without an image within `ALONE`.

    Examples
    --------
    >>> is_isolated_atom(Atoms("H", cell=[20, 20, 20], pbc=True))
    True
    >>> is_isolated_atom(Atoms("Si", cell=[2.3, 2.3, 2.3], pbc=True))
    False
    """
    return len(atoms) == 1 and (is_marked_isolated(atoms) or _is_alone(atoms))


def is_marked_isolated(atoms: Atoms) -> bool:
    """Tell whether a frame says that it is a lone atom."""
    entries = atoms.info.items()
    marks = [str(value) for key, value in entries if key.lower() in KIND_KEYS]
    marks += [key for key, value in entries if value is True]
    words = ("".join(filter(str.isalpha, mark)).lower() for mark in marks)
    return any(word in ISOLATED or word.startswith("isolatedatom") for word in words)


def _is_alone(atoms: Atoms) -> bool:
    """Tell whether a single atom is far from all of its periodic images."""
    vectors = atoms.cell.array[atoms.pbc]
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=len(vectors))))
    lengths = np.linalg.norm(steps @ vectors, axis=1) if len(vectors) else np.zeros(1)
    return not ((lengths > 0) & (lengths < ALONE)).any()


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
        raise BadInputError(
            errors[0].message,
            f"Data without errors are needed.{_more(errors, 'error')}",
            errors[0].remedy,
        )


def refuse_unaccepted(findings: Sequence[Finding], accepted: Sequence[str]) -> None:
    """Raise errors, and warnings that change what is learned and were not accepted.

    Parameters
    ----------
    findings
        As the checks returned them.
    accepted
        Codes of warnings that the user has accepted.

    Raises
    ------
    BadInputError
        One of them stops the training.
    """
    unknown = sorted(set(accepted) - CHANGES_WHAT_IS_LEARNED)
    if unknown:
        raise BadInputError(
            f"'{unknown[0]}' is not a finding that can be accepted.",
            f"Known: {', '.join(sorted(CHANGES_WHAT_IS_LEARNED))}.",
            "Choose one of them; other warnings and notes do not stop a run.",
        )
    refuse_errors(findings)
    open_ = [
        finding
        for finding in findings
        if finding.severity == "warning"
        and finding.code in CHANGES_WHAT_IS_LEARNED
        and finding.code not in accepted
    ]
    if open_:
        options = " ".join(f"--accept {code}" for code in dict.fromkeys(_codes(open_)))
        raise BadInputError(
            f"{open_[0].code}: {open_[0].message}",
            "These labels are probably not what they seem to "
            f"be.{_more(open_, 'warning')}",
            f"{open_[0].remedy} To train on them as they are: {options}",
        )


def _codes(findings: Sequence[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def _more(findings: Sequence[Finding], kind: str) -> str:
    """Return that there are more findings than the first, with their codes."""
    others = _codes(findings[1:])
    return f" (Further {kind}s: {', '.join(others)}.)" if others else ""
