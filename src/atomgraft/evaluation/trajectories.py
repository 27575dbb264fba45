"""Groups of related structures: named trajectories, or recognised by geometry.

Neighbours in time make the same errors. Frames that carry one of `GROUP_KEYS` say so
themselves. Among the others, frames of one composition and kind are a trajectory where
their order in the file matters: the way from frame to frame is shorter than in any
other order (or longer, where frames are half a vibration apart). What is left is
related where displacement patterns are alike, whatever the order: repeats, opposite
displacements, one pattern at several amplitudes.
"""

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Literal

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float

from atomgraft.core.seeding import numpy_generator
from atomgraft.data.similarity import (
    Kind,
    cell_difference,
    close_pairs,
    cosines,
    displacement,
    group_kinds,
    patterns,
)
from atomgraft.data.splits import GROUP_KEYS

Unit = Literal["structures", "trajectories", "groups"]

WINDOW = 64
"""Frames whose mutual distances are looked at, at a time ..."""

N_WINDOWS = 8
"""... and so many times, evenly spread over a long file."""

N_ORDERS = 999
"""Random orders that the order of the file is compared with; all of them up to
`FEW` frames."""

FEW = 6

RARE = 0.005
"""Share of orders with a way as short, or as long, that is taken for no chance."""

UNUSUAL, SHORT = 0.05, 0.7
"""Five frames have 60 different ways; a way that is among the shortest twentieth, and
shorter than the mean by so much, counts too."""

CELL_JUMP, LEAP = 10.0, 5.0
"""Times the neighbouring changes of the cell (and of the square displacement), beyond
which another trajectory begins."""

SAME_CELL = 1e-4
"""Relative change of the cell that printing explains."""

SAME = 1e-3
"""Å; no atom of a repeat moves by more."""

ALIKE, CHANCE = 0.8, 4.0
"""Cosine beyond which two patterns are one, and standard deviations of independent
patterns, 1/√(3N), that it has to exceed as well."""

RELATED = 0.5
"""Cosine between any two of a group of one pattern; in a trajectory the ends differ."""

MIN_MEMBERS = 4
"""Fewer structures of a kind do not tell where their sites are."""

MIN_RMS = 1e-3
"""Å; a displacement pattern below it is noise of printing."""

MAX_COMPARED = 1000
"""Structures that are compared with each other, whatever their order; more would take
minutes."""

ORDERED = 0.85
"""Way through frames of different patterns, over the mean way, above which only the
patterns follow each other and no time."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Relatives:
    """Structures in groups that are independent of each other.

    Parameters
    ----------
    groups
        Places of the structures of each group.
    unit
        What a group is called: ``trajectories`` where all of several frames are,
        ``structures`` where none has several.
    """

    groups: tuple[tuple[int, ...], ...]
    unit: Unit

    def of(self, frames: Sequence[int]) -> "list[list[int]]":
        """Return the groups of some of the structures, as places in `frames`."""
        places = {frame: i for i, frame in enumerate(frames)}
        found = [[places[i] for i in one if i in places] for one in self.groups]
        return [one for one in found if one]


def find_relatives(structures: Sequence[Atoms]) -> Relatives:
    """Sort structures into groups that may be taken for independent.

    Parameters
    ----------
    structures
        In the order of their files.

    Examples
    --------
    >>> named = [Atoms("H", info={"trajectory": i // 2}) for i in range(4)]
    >>> found = find_relatives(named)
    >>> found.groups, found.unit
    (((0, 1), (2, 3)), 'trajectories')
    >>> find_relatives([Atoms("H"), Atoms("O")]).unit
    'structures'
    """
    named = _named(structures)
    known = {i for group in named for i in group}
    others = [i for i in range(len(structures)) if i not in known]
    alike, shuffled = _alike(structures, others)
    chains = list(_chains(structures, others, alike))
    chained = {i for chain in chains for i in chain}
    trajectories = [*named, *chains, *_apart(shuffled, chained)]
    alike = _apart(alike, chained)
    groups = sorted((tuple(one) for one in [*trajectories, *alike]), key=min)
    return Relatives(groups=tuple(groups), unit=_unit(trajectories, alike))


def _apart(groups: Sequence[list[int]], taken: Collection[int]) -> list[list[int]]:
    """Return what is left of groups once some structures have their place."""
    left = [[i for i in group if i not in taken] for group in groups]
    return [group for group in left if group]


def _unit(
    trajectories: Collection[Collection[int]], alike: Collection[Collection[int]]
) -> Unit:
    if any(len(one) > 1 for one in alike) or (trajectories and alike):
        return "groups"
    return "trajectories" if trajectories else "structures"


def _named(structures: Sequence[Atoms]) -> list[list[int]]:
    """Return the groups that frames say they belong to, the first key counts."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, atoms in enumerate(structures):
        key = next((key for key in GROUP_KEYS if key in atoms.info), None)
        if key is not None:
            groups[key, str(atoms.info[key])].append(i)
    return list(groups.values())


def _chains(
    structures: Sequence[Atoms],
    places: Sequence[int],
    alike: Sequence[Sequence[int]],
) -> Iterator[list[int]]:
    """Yield runs of frames in order of time, for every composition that has any.

    Frames of one pattern that follow each other make the way short, too; there the
    order of the patterns has to matter, and not only that of the frames.
    """
    repeats = {i for group in alike for i in group[1:]}
    kinds: dict[tuple[bytes, bytes, str], list[int]] = defaultdict(list)
    for i in places:
        atoms = structures[i]
        kind = str(atoms.info.get("config_type", ""))
        kinds[atoms.numbers.tobytes(), atoms.pbc.tobytes(), kind].append(i)
    for members in kinds.values():
        chains = list(_unbroken(structures, members))
        if _is_in_order(_ways_through(structures, chains)):
            first = [[i for i in chain if i not in repeats] for chain in chains]
            ways = _ways_through(structures, first)
            if first == chains or _is_in_order(ways, enough=ORDERED):
                yield from chains


def _unbroken(
    structures: Sequence[Atoms], members: Sequence[int]
) -> Iterator[list[int]]:
    """Yield members between jumps of the cell or of the positions."""
    pairs = list(itertools.pairwise(members))
    cells = [
        cell_difference(structures[a].cell.array, structures[b].cell.array)
        for a, b in pairs
    ]
    steps = [_square(structures[a], structures[b]) for a, b in pairs]
    is_break = _jumps(cells, CELL_JUMP, SAME_CELL) | _jumps(steps, LEAP, MIN_RMS**2)
    bounds = [0, *(np.flatnonzero(is_break) + 1).tolist(), len(members)]
    for start, end in itertools.pairwise(bounds):
        yield list(members[start:end])


def _jumps(
    steps: Sequence[float], times: float, noise: float
) -> Bool[np.ndarray, " steps"]:
    """Return which steps stand out of the steps before and after them."""
    if not steps:
        return np.zeros(0, dtype=bool)
    padded = np.concatenate([[0.0], steps, [0.0]])
    return np.array(steps) > times * np.maximum(padded[:-2], padded[2:]) + noise


def _windows(chain: Sequence[int]) -> Iterator[Sequence[int]]:
    starts = range(0, len(chain), WINDOW)
    for start in starts[:: -(-len(starts) // N_WINDOWS)]:
        yield chain[start : start + WINDOW]


def _square(one: Atoms, other: Atoms) -> float:
    """Return the mean square displacement of the atoms, Å²."""
    return float((displacement(one, other) ** 2).sum(axis=1).mean())


def _ways_through(
    structures: Sequence[Atoms], chains: Sequence[Sequence[int]]
) -> Float[np.ndarray, " orders"] | None:
    """Return the length of the way from frame to frame, and of ways by chance.

    All chains together; none where they are too short to have another order.
    """
    rng = numpy_generator(0, "order of frames")
    windows = [part for chain in chains for part in _windows(chain) if len(part) > 2]
    found = [_ways(_distances(structures, part), rng) for part in windows]
    ways = np.sum(found, axis=0) if found else np.zeros(1)
    return ways if ways.any() else None


def _distances(
    structures: Sequence[Atoms], members: Sequence[int]
) -> Float[np.ndarray, "members members"]:
    found = np.zeros((len(members), len(members)))
    for (i, a), (j, b) in itertools.combinations(enumerate(members), 2):
        found[i, j] = found[j, i] = _square(structures[a], structures[b])
    return found


def _is_in_order(
    ways: Float[np.ndarray, " orders"] | None, *, enough: float = 0.0
) -> bool:
    """Tell whether the first way is shorter, or longer, than ways by chance.

    A permutation test of the ratio of successive to mean square differences (von
    Neumann, Ann. Math. Stat. 12, 367, 1941). A ratio below `enough` needs no test.
    """
    if ways is None:
        return False
    slack = 1e-9 * ways[0]
    shorter = float(np.mean(ways <= ways[0] + slack))
    longer = float(np.mean(ways >= ways[0] - slack))
    ratio = float(ways[0] / ways[1:].mean())
    is_short = ratio < enough or (shorter <= UNUSUAL and ratio < SHORT)
    return is_short or min(shorter, longer) <= RARE


def _ways(
    table: Float[np.ndarray, "members members"], rng: np.random.Generator
) -> Float[np.ndarray, " orders"]:
    """Return the lengths of ways through a window: in order, then in other orders."""
    n = len(table)
    orders = np.array([rng.permutation(n) for _ in range(N_ORDERS)])
    if n <= FEW:
        every = np.array(list(itertools.permutations(range(n))))
        orders = every[np.arange(N_ORDERS) % len(every)]
        orders = rng.permutation(orders)
    orders = np.vstack([np.arange(n), orders])
    return table[orders[:, :-1], orders[:, 1:]].sum(axis=1)


def _alike(
    structures: Sequence[Atoms], places: Sequence[int]
) -> tuple[list[list[int]], list[list[int]]]:
    """Return groups of one displacement pattern, and trajectories in another order.

    Most structures stand alone. Members that are related only through others, as
    neighbours of neighbours, are frames of a trajectory: then all of the kind are.
    """
    if len(places) > MAX_COMPARED:
        return [[i] for i in places], []
    groups: list[list[int]] = []
    shuffled: list[list[int]] = []
    for kind in group_kinds([structures[i] for i in places]):
        alike = _likeness(kind)
        is_linked = _links(kind, alike)
        found = _connected(is_linked)
        is_related = is_linked | (np.abs(alike) > RELATED)
        if all(is_related[np.ix_(one, one)].all() for one in found):
            groups += [[places[kind.members[i]] for i in one] for one in found]
        else:
            shuffled.append([places[i] for i in kind.members])
    return groups, shuffled


def _likeness(kind: Kind) -> Float[np.ndarray, "members members"]:
    """Return the cosines between displacement patterns, zero where none can be told."""
    found = np.zeros((len(kind.members),) * 2)
    if len(kind.members) >= MIN_MEMBERS and kind.is_periodic:
        moves = patterns(kind)
        moved = np.flatnonzero(np.sqrt((moves**2).mean(axis=1)) > MIN_RMS)
        found[np.ix_(moved, moved)] = cosines(moves[moved], moves[moved])
    return found


def _links(
    kind: Kind, alike: Float[np.ndarray, "members members"]
) -> Bool[np.ndarray, "members members"]:
    """Return which members repeat each other, or move along one pattern."""
    limit = max(ALIKE, CHANCE / np.sqrt(kind.displacements.shape[1]))
    found = np.abs(alike) > limit
    places = {int(member): i for i, member in enumerate(kind.members)}
    for a, b in close_pairs(kind, SAME):
        found[places[a], places[b]] = found[places[b], places[a]] = True
    np.fill_diagonal(found, val=True)
    return found


def _connected(is_linked: Bool[np.ndarray, "members members"]) -> list[list[int]]:
    groups: list[list[int]] = []
    left = set(range(len(is_linked)))
    while left:
        found = open_ends = {min(left)}
        while open_ends:
            near = is_linked[sorted(open_ends)].any(axis=0)
            open_ends = set(np.flatnonzero(near).tolist()) - found
            found = found | open_ends
        groups.append(sorted(found))
        left -= found
    return groups
