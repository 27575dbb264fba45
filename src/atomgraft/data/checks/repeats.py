"""Checks for duplicates and for related structures on both sides of a split."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from ase import Atoms

from atomgraft.data.checks.findings import Finding, is_isolated_atom, named, place_of
from atomgraft.data.similarity import (
    Kind,
    close_pairs,
    cosines,
    group_kinds,
    patterns,
)

SAME = 1e-3
"""Å; no atom of a duplicate moves by more, after the common translation."""

SIBLING = 0.5
"""Cosine of displacement patterns beyond which two frames share a trajectory ..."""

CHANCE = 4.0
"""... and so many standard deviations of independent patterns, 1/√(3N)."""

TRAIN = "train"
"""Name of the split that the others are compared with."""

MIN_MEMBERS = 4
"""Fewer structures of a kind do not tell where their sites are."""

MIN_RMS = 1e-3
"""Å; a displacement pattern below it is noise of printing."""


def check_repeats(splits: Mapping[str, Sequence[Atoms]]) -> Iterator[Finding]:
    """Find duplicates within and across splits, and siblings across splits.

    Parameters
    ----------
    splits
        Structures by the name of their split, ``train`` first. Siblings are looked
        for among periodic structures only: a molecule that turns has no sites.
    """
    structures: list[Atoms] = []
    owner: list[str] = []
    for name, members in splits.items():
        kept = [atoms for atoms in members if not is_isolated_atom(atoms)]
        structures.extend(kept)
        owner.extend([name] * len(kept))
    within: list[tuple[int, int]] = []
    across: list[tuple[int, int]] = []
    siblings: dict[int, tuple[int, float]] = {}
    for kind in group_kinds(structures):
        if len(kind.members) > 1:
            for a, b in close_pairs(kind, SAME):
                (within if owner[a] == owner[b] else across).append((a, b))
            siblings.update(_siblings(kind, owner))
    twins = {b for _, b in across}
    siblings = {b: found for b, found in siblings.items() if b not in twins}
    yield from _duplicates(structures, within)
    yield from _leaked(structures, across, owner)
    yield from _related(structures, siblings, owner)


def _siblings(kind: Kind, owner: Sequence[str]) -> dict[int, tuple[int, float]]:
    """Return the nearest relative, in the first split, of each later structure."""
    n_coordinates = kind.displacements.shape[1]
    if len(kind.members) < MIN_MEMBERS or not kind.is_periodic:
        return {}
    moves = patterns(kind)
    has_moved = np.sqrt((moves**2).mean(axis=1)) > MIN_RMS
    is_first = np.array([owner[i] == TRAIN for i in kind.members.tolist()])
    rows = np.flatnonzero(~is_first & has_moved)
    columns = np.flatnonzero(is_first & has_moved)
    if not len(rows) or not len(columns):
        return {}
    alike = cosines(moves[rows], moves[columns])
    limit = max(SIBLING, CHANCE / np.sqrt(n_coordinates))
    return {
        int(kind.members[row]): (int(kind.members[columns[j]]), float(alike[k, j]))
        for k, (row, j) in enumerate(zip(rows, alike.argmax(axis=1), strict=True))
        if alike[k, j] > limit
    }


def _duplicates(
    structures: Sequence[Atoms], pairs: Sequence[tuple[int, int]]
) -> Iterator[Finding]:
    if not pairs:
        return
    repeated = sorted({b for _, b in pairs})
    frames = tuple(place_of(structures[b]) for b in repeated)
    a, b = pairs[0]
    yield Finding(
        severity="warning",
        code="duplicates",
        message=f"{len(repeated)} structures repeat an earlier one to within {SAME:g} Å"
        f" ({place_of(structures[b])} is {place_of(structures[a])} again).",
        remedy="Remove the repeats; they count twice and add no information.",
        frames=frames,
        number=len(repeated),
    )


def _leaked(
    structures: Sequence[Atoms], pairs: Sequence[tuple[int, int]], owner: Sequence[str]
) -> Iterator[Finding]:
    if not pairs:
        return
    repeated = sorted({b for _, b in pairs})
    frames = tuple(place_of(structures[b]) for b in repeated)
    a, b = pairs[0]
    yield Finding(
        severity="error",
        code="split-leak",
        message=f"{len(repeated)} structures are on both sides of a split "
        f"({place_of(structures[b])}, {owner[b]}, is "
        f"{place_of(structures[a])}, {owner[a]}, to within {SAME:g} Å).",
        remedy="Remove them from one side; errors on them do not hold for new "
        "structures.",
        frames=frames,
        number=len(repeated),
    )


def _related(
    structures: Sequence[Atoms],
    siblings: Mapping[int, tuple[int, float]],
    owner: Sequence[str],
) -> Iterator[Finding]:
    if not siblings:
        return
    closest = max(siblings, key=lambda b: siblings[b][1])
    a, cosine = siblings[closest]
    frames = tuple(place_of(structures[b]) for b in siblings)
    yield Finding(
        severity="warning",
        code="trajectory-leak",
        message=f"{len(siblings)} held-out structures look like neighbours of training"
        f" structures in one trajectory ({named(frames)}): the displacements of"
        f" {place_of(structures[closest])} ({owner[closest]}) and"
        f" {place_of(structures[a])} have a cosine of {cosine:.2f}, where independent"
        " ones have about 0.",
        remedy="Split by trajectory or temperature and not by frame; otherwise "
        "errors look too small.",
        frames=frames,
        number=cosine,
    )
