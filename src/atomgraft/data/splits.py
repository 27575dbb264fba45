"""Validation splits, and nested subsets of the remaining structures."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.data.checks.findings import is_isolated_atom
from atomgraft.data.labels import ENERGY, STRESS
from atomgraft.data.partners import (
    Mode,
    Partner,
    find_partners,
    is_undisplaced,
    opposites,
)

GROUP_KEYS = ("trajectory", "group", "run")
"""Entries of ``info`` that say which frames belong together; the first counts."""

MIN_STRUCTURES = 5
"""Fewer structures are all trained on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """Two parts of the data.

    Parameters
    ----------
    kept
        What is left to train on, in the order given.
    split_off
        The other part, in the order given; may be empty. Undisplaced cells that its
        frames are compared with stand behind, with their forces alone.
    note
        What was done, in words.
    """

    kept: tuple[Atoms, ...]
    split_off: tuple[Atoms, ...]
    note: str


def split_off(
    structures: Sequence[Atoms],
    fraction: float,
    rng: np.random.Generator,
    *,
    differences: Mode = "auto",
) -> Split:
    """Split a fraction off at random, whole groups at a time.

    Frames with the same ``info["trajectory"]`` (or ``group``, ``run``) stay
    together, and so do frames at opposite displacements. Lone atoms and undisplaced
    cells are never split off; frames that have no other partner for a force difference
    bring a copy of theirs along. Fewer than `MIN_STRUCTURES`
    structures, or a single group, are not split, and the note says so.

    Parameters
    ----------
    structures
        The data.
    fraction
        Of the structures, at least 0 and below 1.
    rng
        Source of the choice.
    differences
        Which frames train as force differences.

    Raises
    ------
    BadInputError
        The fraction is out of range.

    Examples
    --------
    >>> split = split_off([Atoms("H2")] * 10, 0.2, np.random.default_rng(0))
    >>> len(split.kept), len(split.split_off)
    (8, 2)
    """
    if not 0 <= fraction < 1:
        raise BadInputError(
            f"The validation fraction is {fraction}.",
            "Expected at least 0 and less than 1.",
            "Give for example 0.1.",
        )
    partners = find_partners(structures, differences)
    groups = _groups(structures, partners)
    n_structures = sum(map(len, groups))
    if fraction == 0:
        return _nothing(structures, "No validation set was requested.")
    if n_structures < MIN_STRUCTURES:
        return _nothing(
            structures,
            f"{n_structures} structures are too few to split; none are split off.",
        )
    if len(groups) == 1:
        return _nothing(
            structures, "All structures belong to one group; none are split off."
        )
    wanted = max(1, round(fraction * n_structures))
    chosen = _choose(groups, wanted, rng)
    return Split(
        kept=tuple(one for i, one in enumerate(structures) if i not in chosen),
        split_off=(
            *(structures[i] for i in sorted(chosen)),
            *_cells_at_rest(structures, partners, chosen),
        ),
        note=f"{len(chosen)} of {n_structures} structures were split off,"
        f" in whole groups ({len(groups)} in all).",
    )


def _nothing(structures: Sequence[Atoms], note: str) -> Split:
    return Split(kept=tuple(structures), split_off=(), note=note)


def _cells_at_rest(
    structures: Sequence[Atoms],
    partners: Sequence[Partner | None],
    chosen: Iterable[int],
) -> Iterator[Atoms]:
    """Yield the undisplaced cells of chosen frames, without what would be judged."""
    found = [partners[i] for i in sorted(chosen)]
    is_needed = {one.index for one in found if one and one.kind == "undisplaced"}
    for i in sorted(is_needed):
        atoms = structures[i].copy()
        atoms.info.pop(ENERGY, None)
        atoms.info.pop(STRESS, None)
        yield atoms


def _groups(
    structures: Sequence[Atoms], partners: Sequence[Partner | None]
) -> list[list[int]]:
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    other = opposites(structures)
    for i, (atoms, partner) in enumerate(zip(structures, partners, strict=True)):
        is_at_rest = is_undisplaced(atoms) or (partner and partner.kind == "reference")
        if is_isolated_atom(atoms) or is_at_rest:
            continue
        key = next((key for key in GROUP_KEYS if key in atoms.info), None)
        name = (
            ("frame", str(min(i, other.get(i, i))))
            if key is None
            else (key, str(atoms.info[key]))
        )
        groups[name].append(i)
    return list(groups.values())


def _choose(
    groups: Sequence[list[int]], wanted: int, rng: np.random.Generator
) -> set[int]:
    """Take groups in random order while they fit; the smallest if none does."""
    chosen: set[int] = set()
    for j in rng.permutation(len(groups)):
        if len(chosen) + len(groups[j]) <= wanted:
            chosen.update(groups[j])
    return chosen or set(min(groups, key=len))


N_SIZES = 4
"""Sizes chosen where the user names none."""

SMALLEST = 2
"""Structures below which nothing is chosen without being asked."""

CHOOSING_SHARE = 0.2
"""Of a pool, kept aside to choose between models. A mean error over a fifth scatters by
about twice what one over four fifths does, and a comparison asks for factors."""

MIN_CHOOSING = 5
"""Structures below which a mean error chooses by luck."""


def share_to_choose(n_pool: int) -> float:
    """Return the share of a pool that is kept aside to choose between models.

    Parameters
    ----------
    n_pool
        Structures there are.

    Returns
    -------
    :
        Zero for a pool of which less than half would be left to train on.

    Examples
    --------
    >>> [round(n * share_to_choose(n)) for n in (8, 10, 25, 100)]
    [0, 5, 5, 20]
    """
    if n_pool < 2 * MIN_CHOOSING:
        return 0.0
    return max(CHOOSING_SHARE, MIN_CHOOSING / n_pool)


def geometric_sizes(n_pool: int) -> tuple[int, ...]:
    """Return sizes that double up to the whole pool, at most `N_SIZES` of them.

    Equal steps in the logarithm are what a power law is read from.

    Parameters
    ----------
    n_pool
        Structures there are.

    Examples
    --------
    >>> geometric_sizes(100), geometric_sizes(5)
    ((12, 25, 50, 100), (2, 5))
    """
    halved = {n_pool // 2**i for i in range(N_SIZES)}
    return tuple(sorted(one for one in halved if one >= SMALLEST)) or (n_pool,)


def nested_order(n_pool: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Return the pool in random order; its first *n* are the subset of size *n*.

    Parameters
    ----------
    n_pool
        Structures there are.
    rng
        Decides the order.

    Examples
    --------
    >>> order = nested_order(6, np.random.default_rng(0))
    >>> sorted(order)
    [0, 1, 2, 3, 4, 5]
    """
    return tuple(int(i) for i in rng.permutation(n_pool))


def require_sizes(sizes: tuple[int, ...], n_pool: int, *, n_aside: int = 0) -> None:
    """Check that every size can be drawn from the pool.

    Parameters
    ----------
    sizes
        Numbers of structures.
    n_pool
        Structures there are to draw from.
    n_aside
        Structures of the same files that are kept aside for validation.

    Raises
    ------
    BadInputError
        One is larger than the pool.
    """
    if max(sizes) > n_pool:
        aside = (
            f"; {n_aside} more are used for validation, unless --validation names "
            "others"
            if n_aside
            else ""
        )
        raise BadInputError(
            f"The largest training set has {max(sizes)} structures, and the pool "
            f"has {n_pool}.",
            "A size is at most the number of structures in the training files, "
            "without isolated atoms.",
            f"Leave the size out, or give more files with --train{aside}.",
        )
