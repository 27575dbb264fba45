"""Whole numbers of atoms on the sites of a supercell, nearest to given occupancies."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import optimize

_HIGHS: Any = optimize  # its types allow one number as the bound of all

EMPTY = -1
"""Stands for a vacancy where species have numbers."""

WHOLE = 1e-3
"""Atoms; a number this near to a whole one is meant to be it."""

CHARGE_WEIGHT = 10.0
"""Atoms that may differ from the nearest number for one e less of charge."""

SITE_WEIGHT = 0.01
"""Of the numbers on each set of sites, against those of the cell."""


@dataclasses.dataclass(frozen=True)
class Shares:
    """A set of equal sites and the share of each species on them.

    Parameters
    ----------
    n_sites
        Of a cell.
    shares
        By number of the species, `EMPTY` for vacancies; they add up to 1.
    """

    n_sites: int
    shares: Mapping[int, float]


@dataclasses.dataclass(frozen=True)
class WholeCounts:
    """Whole numbers of atoms.

    Parameters
    ----------
    counts
        For each set of sites, by number of the species, vacancies included.
    totals
        Atoms of each species.
    wanted
        The same, as the occupancies say.
    """

    counts: tuple[dict[int, int], ...]
    totals: tuple[int, ...]
    wanted: tuple[float, ...]


def whole_counts(
    sets: Sequence[Shares],
    multiple: int,
    n_species: int,
    charges: Float[np.ndarray, "species"] | None = None,
) -> WholeCounts:
    """Return the whole numbers nearest to the occupancies.

    Every number is rounded down or up, on each set of sites and in total, so that sites
    are filled as they should be and, in this order, the charge is least, the atoms of
    each species are nearest, and so are those on each set of sites: a linear programme
    in whole numbers (HiGHS).

    Parameters
    ----------
    sets
        All sets of sites.
    multiple
        Cells of the supercell.
    n_species
        Species are numbered from 0.
    charges
        Of the species, e; none is to leave the charge as it comes.

    Examples
    --------
    >>> found = whole_counts([Shares(4, {0: 0.3, EMPTY: 0.7})], 1, 1)
    >>> found.counts, found.wanted
    (({0: 1, -1: 3},), (1.2,))
    """
    keys = [(k, s) for k, one in enumerate(sets) for s in one.shares]
    wanted = np.array([multiple * sets[k].n_sites * sets[k].shares[s] for k, s in keys])
    low, high = np.floor(wanted + WHOLE), np.ceil(wanted - WHOLE)
    rows = np.array([[k == i for k, _ in keys] for i in range(len(sets))], dtype=float)
    columns = np.array(
        [[s == i for _, s in keys] for i in range(n_species)], dtype=float
    )
    numbers = low
    if (high > low).any():
        aims = columns if charges is None else np.vstack([columns, charges @ columns])
        goals = aims @ wanted
        weights = np.ones(len(aims))
        slack = min(0.4, WHOLE * len(keys))  # of the whole numbers they are made of
        limits = np.floor(goals + slack), np.ceil(goals - slack)
        if charges is not None:
            goals[-1], weights[-1] = 0.0, CHARGE_WEIGHT
            limits[0][-1], limits[1][-1] = -np.inf, np.inf
        filled = (rows, np.array([multiple * one.n_sites for one in sets], dtype=float))
        numbers = _solved(wanted, (low, high), filled, (aims, goals, weights), limits)
    counts: tuple[dict[int, int], ...] = tuple({} for _ in sets)
    for (k, s), n in zip(keys, numbers, strict=True):
        counts[k][s] = round(float(n))
    return WholeCounts(
        counts,
        tuple(round(float(n)) for n in columns @ numbers),
        tuple(round(float(n), 9) for n in columns @ wanted),
    )


Rows = Float[np.ndarray, "_ keys"]
Values = Float[np.ndarray, "_"]


def _solved(
    wanted: Float[np.ndarray, "keys"],
    bounds: tuple[Float[np.ndarray, "keys"], Float[np.ndarray, "keys"]],
    filled: tuple[Rows, Values],
    aims: tuple[Rows, Values, Values],
    limits: tuple[Values, Values],
) -> Float[np.ndarray, "keys"]:
    """Return the numbers of lowest cost; a slack variable measures how far each aim is.

    Parameters
    ----------
    wanted, bounds
        What the occupancies say, and what it may be rounded to.
    filled
        Rows that add up the numbers on each set of sites, and the sites there are.
    aims
        Rows, what they should add up to, and what a difference costs.
    limits
        Of what they add up to.
    """
    rows, goals, weights = aims
    low, room = bounds[0], bounds[1] - bounds[0]  # 0 or 1 is decided, not the number
    n, m = len(wanted), len(goals)
    costs = np.concatenate([SITE_WEIGHT * (1 - 2 * (wanted - low)), weights])
    sites = np.hstack([filled[0], np.zeros((len(filled[1]), m))])
    left, shift = filled[1] - filled[0] @ low, rows @ low
    goals = goals - shift
    padded = np.hstack([rows, np.zeros((m, m))])
    constraints = [
        _HIGHS.LinearConstraint(sites, left, left),
        _HIGHS.LinearConstraint(np.hstack([rows, -np.eye(m)]), -np.inf, goals),
        _HIGHS.LinearConstraint(np.hstack([rows, np.eye(m)]), goals, np.inf),
    ]
    is_whole = np.concatenate([np.ones(n), np.zeros(m)])
    limit = _HIGHS.LinearConstraint(padded, limits[0] - shift, limits[1] - shift)
    for presolve, others in ((True, [limit]), (False, [limit]), (False, [])):
        found = _HIGHS.milp(  # presolve fails now and then
            costs,
            integrality=is_whole,
            bounds=_HIGHS.Bounds(
                np.zeros(n + m), np.concatenate([room, np.full(m, np.inf)])
            ),
            constraints=[*constraints, *others],
            options={"presolve": presolve},
        )
        if found.x is not None:
            return low + np.round(found.x[:n])
    raise ArithmeticError(f"no whole numbers near {wanted.tolist()}: {found.message}")
