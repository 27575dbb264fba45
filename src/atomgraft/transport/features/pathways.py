"""How wide the ways through a crystal are.

A field on a grid of points, such as the room between an ion and the framework, decides
where an ion may be. Its percolation threshold is the largest value v such that points
with at least v join a point with its own image in another cell. A maximum spanning tree
of the grid gives it exactly: every edge that is not in the tree closes a loop whose
lowest value is its own, and the loop leads to another cell where the shifts along it
do not cancel.
"""

import functools
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from scipy.spatial import KDTree

from atomgraft.transport.features.elements import (
    SOFTNESS,
    anions_of,
    bond_length,
    charge,
    ionic_radius,
)
from atomgraft.transport.features.images import images_of
from atomgraft.transport.materials import Material

SPACING = 0.4
"""Å; largest distance between neighbours on the grid."""

LARGEST_GRID = 60_000
"""Points; larger cells get a coarser grid."""

WIDEST = 4.0
"""Å; larger clearances count as this."""

BOND_REACH = 4.5
"""Å; bonds of larger length have no valence."""

N_BONDS = 8
"""Nearest anions of each element that a point is bonded to."""

FIELDS = ("clearance", "bond valence mismatch")

PATHWAYS = tuple(
    f"{field}, {what}"
    for field in FIELDS
    for what in (
        "open in one direction",
        "open in two directions",
        "open in three directions",
        "best point",
        "upper quarter",
    )
)
"""Å, and e with the sign changed, so that larger is easier for both."""


def pathways(material: Material) -> Float[np.ndarray, " features"]:
    """Return thresholds of percolation, in the order of PATHWAYS; NaN where unknown.

    Mobile ions are no obstacles. The mean over the structures of the material.
    """
    rows = []
    number = atomic_numbers[material.mobile]
    for atoms in material.structures:
        framework = atoms[np.flatnonzero(atoms.numbers != number)]
        if len(framework) == 0:
            continue
        shape = grid_of(atoms)
        row: list[float] = []
        for field in fields(framework, material.mobile, shape):
            row += [*thresholds(field), float(field.max())]
            row.append(float(np.quantile(field, 0.75)))
        rows.append(row)
    return np.mean(rows, axis=0) if rows else np.full(len(PATHWAYS), np.nan)


def grid_of(atoms: Atoms) -> tuple[int, int, int]:
    """Return the number of points along each cell vector."""
    lengths = np.asarray(atoms.cell.lengths())
    spacing = SPACING
    n_points = np.prod(np.ceil(lengths / spacing))
    if n_points > LARGEST_GRID:
        spacing *= float((n_points / LARGEST_GRID) ** (1 / 3)) * 1.02
    a, b, c = (max(3, int(one)) for one in np.ceil(lengths / spacing))
    return a, b, c


def fields(
    framework: Atoms, ion: str, shape: tuple[int, int, int]
) -> tuple[Float[np.ndarray, "a b c"], Float[np.ndarray, "a b c"]]:
    """Return clearance, Å, and minus the mismatch of bond valence, e.

    Clearance is the distance to the surface of the nearest ion of the framework, less
    the radius of the ion itself. The mismatch is the absolute difference of the sum of
    bond valences and the charge (Adams, Solid State Ion. 177, 1625 (2006)).

    Parameters
    ----------
    framework
        All atoms but the mobile ones.
    ion
        Symbol of the mobile ion.
    shape
        Points along the cell vectors.
    """
    symbols = np.array(framework.get_chemical_symbols())
    anions = anions_of({*symbols.tolist(), ion})
    own = ionic_radius(ion)
    places = np.stack(
        np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), axis=-1
    ).reshape(-1, 3)
    points = places @ framework.cell.array
    room = np.full(len(points), WIDEST)
    valence = np.zeros(len(points))
    for symbol in sorted(set(symbols.tolist())):
        is_anion = symbol in anions
        reach = max(WIDEST + ionic_radius(symbol) + own, BOND_REACH)
        tree = KDTree(images_of(framework[symbols == symbol], reach)[0])
        nearest: Any = range(1, N_BONDS + 1) if is_anion else [1]
        apart = tree.query(points, k=nearest, distance_upper_bound=reach)[0]
        room = np.minimum(room, apart[:, 0] - ionic_radius(symbol) - own)
        if is_anion:
            bonded = np.where(apart < BOND_REACH, apart, np.inf)
            length = bond_length(ion, symbol)
            valence += np.exp((length - bonded) / SOFTNESS).sum(axis=1)
    mismatch = -np.abs(valence - abs(charge(ion)))
    return room.reshape(shape), mismatch.reshape(shape)


def thresholds(field: Float[np.ndarray, "a b c"]) -> tuple[float, float, float]:
    """Return up to which value a field percolates in one, two and three directions.

    Parameters
    ----------
    field
        On a periodic grid, at least three points along each vector; points are
        neighbours of the six next to them.

    Examples
    --------
    >>> field = np.zeros((3, 3, 3))
    >>> field[:, 1, 1] = 2.0  # a channel along the first vector
    >>> thresholds(field)
    (2.0, 0.0, 0.0)
    """
    start, end, turn = _edges(field.shape)
    flat = field.ravel()
    weight = np.minimum(flat[start], flat[end])
    cost = flat.max() - weight + 1.0  # at least one: zeros are no edges
    graph = coo_array((cost, (start, end)), shape=(len(flat), len(flat)))
    tree = minimum_spanning_tree(graph.tocsr())
    offset = _offsets(tree, field.shape)
    winding = offset[start] + turn - offset[end]
    is_loop = winding.any(axis=1)
    return _by_rank(winding[is_loop], weight[is_loop])


@functools.lru_cache(maxsize=2)
def _edges(
    shape: tuple[int, ...],
) -> tuple[Int[np.ndarray, " edges"], Int[np.ndarray, " edges"], np.ndarray]:
    """Return both ends of every edge, and the cell that it leads to."""
    index = np.arange(np.prod(shape)).reshape(shape)
    ends, turns = [], []
    for axis in range(3):
        ends.append(np.roll(index, -1, axis=axis).ravel())
        turn = np.zeros((*shape, 3), dtype=np.int64)
        last = tuple(-1 if k == axis else slice(None) for k in range(3))
        turn[(*last, axis)] = 1
        turns.append(turn.reshape(-1, 3))
    return np.tile(index.ravel(), 3), np.concatenate(ends), np.concatenate(turns)


def _offsets(tree: object, shape: tuple[int, ...]) -> Int[np.ndarray, "points 3"]:
    """Return the cell in which a tree, that starts in one cell, reaches each point."""
    order, before = breadth_first_order(tree, 0, directed=False)
    before[order[0]] = order[0]
    here = np.stack(np.unravel_index(np.arange(len(before)), shape), axis=1)
    step = here - here[before]
    offset = np.where(step < -1, 1, np.where(step > 1, -1, 0))
    while (before != before[before]).any():  # twice as far up the tree each time
        offset = offset + offset[before]
        before = before[before]
    return offset


def _by_rank(
    winding: Int[np.ndarray, "loops 3"], weight: Float[np.ndarray, " loops"]
) -> tuple[float, float, float]:
    """Return the largest weight at which loops span one, two and three directions."""
    widest = int(np.abs(winding).max(initial=0))
    base = 2 * widest + 1
    digits = np.array([base**2, base, 1])
    # a number for each kind of loop: sorting numbers is faster than sorting rows
    numbers, first, which = np.unique(
        (winding + widest) @ digits, return_index=True, return_inverse=True
    )
    kinds = winding[first]
    best = np.full(len(numbers), -np.inf)
    np.maximum.at(best, which, weight)
    found: list[float] = []
    taken = np.zeros((0, 3))
    for k in np.argsort(-best, kind="stable"):
        grown = np.vstack([taken, kinds[k]])
        if np.linalg.matrix_rank(grown) > len(taken):
            taken = grown
            found.append(float(best[k]))
    return found[0], found[1], found[2]
