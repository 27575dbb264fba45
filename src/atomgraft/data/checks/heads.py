"""Check for frames with a level of theory (``head=``) unknown to the run."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ase import Atoms

from atomgraft.core.registry import nearest
from atomgraft.data.checks.findings import Finding, named, places

HEAD = "head"
"""Entry of ``info`` that names the level of theory of a frame, as MACE reads it."""

LIKE_HEAD = frozenset({"head", "heads", "headname", "macehead"})
"""Letters, in lower case, of keys that are not read and were meant for `HEAD`."""

OF_TARGET = frozenset({"target", "default"})
"""Names, in lower case, of the level of theory that a run is made for."""

LOOKS_LIKE = 0.8
"""Share of letters in common from which a name may be another one misspelt."""


def check_heads(structures: Sequence[Atoms], heads: Sequence[str]) -> Iterator[Finding]:
    """Find frames whose ``head`` the run ignores, sends elsewhere or cannot read.

    Parameters
    ----------
    structures
        Those that train or judge the target: frames of a run's heads are not among
        them.
    heads
        Further levels of theory of the run.
    """
    yield from _miswritten_keys(structures, heads)
    holders: dict[str, list[Atoms]] = defaultdict(list)
    for atoms in structures:
        holders[str(atoms.info.get(HEAD, ""))].append(atoms)
    names = {
        name: frames
        for name, frames in holders.items()
        if name and name.lower() not in OF_TARGET
    }
    if not names:
        return
    if not heads:
        yield _ignored(names, n_bare=len(structures) - sum(map(len, names.values())))
        return
    yield from _unknown(names, heads)


def _miswritten_keys(
    structures: Sequence[Atoms], heads: Sequence[str]
) -> Iterator[Finding]:
    """Find keys that differ from `HEAD` by capitals or the like."""
    holders: dict[str, dict[str, list[Atoms]]] = {}
    for atoms in structures:
        for key, value in atoms.info.items():
            letters = "".join(filter(str.isalpha, key)).lower()
            is_meant = key != HEAD and letters in LIKE_HEAD
            if is_meant and str(value).lower() not in OF_TARGET:
                names = holders.setdefault(key, defaultdict(list))
                names[str(value)].append(atoms)
    for key, names in holders.items():
        frames = [atoms for one in names.values() for atoms in one]
        is_mixed = len(names) > 1 or len(frames) < len(structures)
        severity = "error" if heads else "warning" if is_mixed else "note"
        yield Finding(
            severity=severity,
            code="unknown-head" if heads else "heads-ignored",
            message=f"{len(frames)} of {len(structures)} frames carry {key} ="
            f" {_counts(names)} ({named(places(frames))}), which is not read: the key"
            f" of a level of theory is {HEAD}, in small letters.",
            remedy=f"Write {HEAD}= in these frames, in extended XYZ for example with"
            f" sed 's/\\b{key}=/{HEAD}=/' FILE > NEW.",
            frames=places(frames),
            number=len(frames),
            unit="frames",
        )


def _counts(names: Mapping[str, Sequence[Atoms]]) -> str:
    return ", ".join(f"{name} ({len(frames)})" for name, frames in names.items())


def _ignored(names: Mapping[str, Sequence[Atoms]], n_bare: int) -> Finding:
    is_mixed = len(names) > 1 or n_bare > 0
    bare = f", {n_bare} frames carry none" if n_bare else ""
    frames = places(atoms for one in names.values() for atoms in one)
    first = next(iter(names))
    return Finding(
        severity="warning" if is_mixed else "note",
        code="heads-ignored",
        message=f"Frames carry head = {_counts(names)}{bare}, and no heads are defined:"
        " all of them count as one level of theory.",
        remedy="Nothing to do if they have one level of theory."
        if not is_mixed
        else f"Define heads in the run file (heads: {{{first}: {{}}}}), or give the"
        " frames of one level of theory alone.",
        frames=frames,
        number=len(names),
        unit="heads",
    )


def _unknown(
    names: Mapping[str, Sequence[Atoms]], heads: Sequence[str]
) -> Iterator[Finding]:
    known = {head.lower(): head for head in heads}
    listed = ", ".join(heads)
    miswritten = {name: one for name, one in names.items() if name.lower() in known}
    for name, found in miswritten.items():
        yield _error(
            f"{len(found)} frames name the head {name}, which the run does not "
            f"have; it has {listed} (names are case-sensitive; "
            f"{named(places(found))}).",
            f"Write head={known[name.lower()]} in these frames, or call the head of"
            f" the run {name}.",
            found,
        )
    others = {name: one for name, one in names.items() if name not in miswritten}
    if len(others) > 1:
        yield _error(
            f"Frames name the heads {_counts(others)}, which the run has not: it has"
            f" {listed}, and one further name for what it is made for.",
            f"Define the missing heads under heads:, or leave their frames out"
            f" ({', '.join(others)}).",
            [atoms for one in others.values() for atoms in one],
        )
    elif others:
        [(name, found)] = others.items()
        yield _of_target(name, found, heads)


def _error(message: str, remedy: str, frames: Sequence[Atoms]) -> Finding:
    return Finding(
        severity="error",
        code="unknown-head",
        message=message,
        remedy=remedy,
        frames=places(frames),
        number=len(frames),
        unit="frames",
    )


def _of_target(name: str, frames: Sequence[Atoms], heads: Sequence[str]) -> Finding:
    close = nearest(name, heads, alike=LOOKS_LIKE)
    return Finding(
        severity="warning" if close else "note",
        code="head-of-target",
        message=f"{len(frames)} frames with head = {name} count as the level of theory"
        f" that the run is made for; its further heads are {', '.join(heads)}.",
        remedy=f"If {close} was meant, correct the name."
        if close
        else "Nothing to do if this is intended.",
        frames=places(frames),
        number=len(frames),
        unit="frames",
    )
