"""Differences of distributions that are known from a few independent runs each."""

import dataclasses
import itertools
import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from atomgraft.metrics.intervals import FEWEST, student_quantile

PERCENT = 100.0

MOST_SPLITS = 500
"""Of which a test or a noise is the mean; all of them where there are no more."""

CHANCE = 0.05
"""Share of divisions by chance with a difference as large, from which on two
distributions are not distinguishable."""

Rows = Float[np.ndarray, "_ bins"]

Distance = Callable[[np.ndarray, np.ndarray], float]
"""Between two distributions, %."""


def overlap_error(
    one: Float[np.ndarray, " bins"], other: Float[np.ndarray, " bins"]
) -> float:
    """Return the part of two densities that does not overlap, %.

    Half of the integral of |p - q|, the total variation distance: 0 for the same, 100
    for densities apart, nan for what is no number. Densities at equal distances,
    normalised here.

    Examples
    --------
    >>> overlap_error(np.array([1.0, 1.0]), np.array([1.0, 3.0]))
    25.0
    """
    if not np.isfinite(one.sum() + other.sum()):
        return float(np.nan)
    if not (one.sum() > 0 and other.sum() > 0):
        return 0.0 if one.sum() == other.sum() else PERCENT
    return PERCENT * 0.5 * float(np.abs(one / one.sum() - other / other.sum()).sum())


def radial_error(
    one: Float[np.ndarray, " bins"], other: Float[np.ndarray, " bins"]
) -> float:
    """Return the relative difference of two radial distribution functions, %.

    The integral of |g - g0| over the sum of their integrals (Schran et al., Proc. Natl.
    Acad. Sci. 118, e2110077118, 2021, who give 100 % less this as a score; Fu et al.,
    arXiv:2210.07237, give the mean of |g - g0|): 0 for the same, 100 without overlap.

    Examples
    --------
    >>> radial_error(np.array([1.0, 1.0]), np.array([0.0, 2.0]))
    50.0
    """
    total = float(np.abs(one).sum() + np.abs(other).sum())
    return PERCENT * float(np.abs(one - other).sum()) / total if total else 0.0


def relative_error(
    one: Float[np.ndarray, " bins"], other: Float[np.ndarray, " bins"]
) -> float:
    """Return the difference of two numbers in % of the second.

    Examples
    --------
    >>> relative_error(np.array([3.0]), np.array([4.0]))
    25.0
    """
    apart, beside = float(np.abs(one - other).sum()), float(np.abs(other).sum())
    return PERCENT * apart / beside if beside else (PERCENT if apart else 0.0)


def absolute_error(
    one: Float[np.ndarray, " bins"], other: Float[np.ndarray, " bins"]
) -> float:
    """Return the difference of two numbers, in their unit.

    Examples
    --------
    >>> absolute_error(np.array([3.0]), np.array([4.0]))
    1.0
    """
    return float(np.abs(one - other).sum())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Difference:
    """How far one distribution is from another, all %.

    Parameters
    ----------
    value
        Distance of the mean distributions.
    interval
        95 %; none for fewer than five runs of either.
    noise
        Distance that two sets of runs of the other distribution have by chance.
    p
        Share of the divisions of all runs into two sets whose means are as far apart;
        none for fewer than five runs of either.
    """

    value: float
    interval: tuple[float, float] | None
    noise: float
    p: float | None

    @property
    def is_distinguishable(self) -> bool | None:
        """Whether it is more than chance; none where that cannot be told."""
        return None if self.p is None else self.p < CHANCE


def difference(one: Rows, other: Rows, distance: Distance) -> Difference:
    """Compare the means of two sets of independent runs.

    The interval is that of the jackknife: each run is left out once, of either set
    (Efron & Stein, Ann. Stat. 9, 586, 1981), with Student's factor for the smaller
    set. Noise makes a distance of means of a few runs too large. So the lower end also
    takes off the jackknife's estimate of this bias (Quenouille, Biometrika 43, 353,
    1956), and it is zero where the difference is not distinguishable from chance. In
    simulations it contains the true distance in 90 to 99 of 100 cases, least often
    where that is as small as the noise (``benchmarks/results/differences.md``).

    Parameters
    ----------
    one
        A distribution of each run.
    other
        Of the reference; its own runs.
    distance
        Between two distributions.

    Examples
    --------
    >>> runs = np.random.default_rng(0).normal(10.0, 0.1, size=(10, 1))
    >>> found = difference(runs[:5], 2 * runs[5:], relative_error)
    >>> round(found.value), found.is_distinguishable
    (50, True)
    """
    means = one.mean(axis=0), other.mean(axis=0)
    value, noise = distance(*means), own_noise(other, distance)
    n = min(len(one), len(other))
    if n < FEWEST:
        return Difference(value=value, interval=None, noise=noise, p=None)
    p = chance_of(one, other, distance)
    own = [distance(a, means[1]) for a in _without(one)]
    theirs = [distance(means[0], b) for b in _without(other)]
    variance = jackknife_variance(own) + jackknife_variance(theirs)
    half = student_quantile(n - 1) * math.sqrt(variance)
    bias = (len(one) - 1) * (float(np.mean(own)) - value)
    bias += (len(other) - 1) * (float(np.mean(theirs)) - value)
    low = 0.0 if p >= CHANCE else max(0.0, value - half - max(bias, 0.0))
    return Difference(value=value, interval=(low, value + half), noise=noise, p=p)


def change_interval(
    one: Rows, base: Rows, other: Rows, distance: Distance
) -> tuple[float, float] | None:
    """Return the 95 % interval of how much farther from a reference one is than a base.

    The jackknife of :func:`difference`. Runs of both models with one seed are left out
    together, because noise that they share is none of the change.

    Parameters
    ----------
    one, base
        A distribution of each run of both models, in the same order of seeds.
    other
        Of the reference.
    distance
        Between two distributions.

    Returns
    -------
    :
        %, below zero where `one` is nearer; none where numbers of runs differ or are
        fewer than five.

    Examples
    --------
    >>> runs = np.random.default_rng(0).normal(10.0, 0.1, size=(10, 1))
    >>> low, high = change_interval(runs[:5], 2 * runs[:5], runs[5:], relative_error)
    >>> low < high < 0
    True
    """
    n = min(len(one), len(other))
    if len(one) != len(base) or n < FEWEST:
        return None
    means = one.mean(axis=0), base.mean(axis=0), other.mean(axis=0)
    value = distance(means[0], means[2]) - distance(means[1], means[2])
    own = [
        distance(a, means[2]) - distance(b, means[2])
        for a, b in zip(_without(one), _without(base), strict=True)
    ]
    theirs = [distance(means[0], c) - distance(means[1], c) for c in _without(other)]
    variance = jackknife_variance(own) + jackknife_variance(theirs)
    half = student_quantile(n - 1) * math.sqrt(variance)
    return value - half, value + half


def _without(rows: Rows) -> Float[np.ndarray, "_ bins"]:
    """Return the means in which each run is left out once."""
    return (rows.sum(axis=0) - rows) / (len(rows) - 1)


def jackknife_variance(values: list[float]) -> float:
    """Return the variance of what leaving out each run gives.

    Examples
    --------
    >>> round(jackknife_variance([1.0, 2.0, 3.0]), 3)
    1.333
    """
    n = len(values)
    return (n - 1) / n * float(np.sum((np.array(values) - np.mean(values)) ** 2))


def own_noise(rows: Rows, distance: Distance) -> float:
    """Return the distance that two sets of as many runs have by chance, %.

    The runs are split in halves in all ways. Halves are noisier than two full sets of
    n runs, and their mean distance is scaled to these: variances of means go with one
    over the number of runs. Zero where there are fewer than two runs.

    Parameters
    ----------
    rows
        A distribution of each run.
    distance
        Between two distributions.
    """
    n = len(rows)
    if n < 2:
        return 0.0
    size = n // 2
    found = [distance(a.mean(axis=0), b.mean(axis=0)) for a, b in _splits(rows, size)]
    scale = math.sqrt((2 / n) / (1 / size + 1 / (n - size)))
    return scale * float(np.mean(found))


def chance_of(one: Rows, other: Rows, distance: Distance) -> float:
    """Return the share of divisions of all runs in two sets that are as far apart.

    A permutation test: exact where runs are independent and, without a difference, of
    one distribution. Five runs and five have 126 divisions. Numbers are compared by
    their absolute difference: relative to the second, a division and the same one with
    both sets exchanged would not be as far apart.

    Parameters
    ----------
    one, other
        A distribution of each run.
    distance
        Between two distributions.
    """
    apart = absolute_error if distance is relative_error else distance
    seen = apart(one.mean(axis=0), other.mean(axis=0))
    every = np.concatenate([one, other])
    found = [
        apart(a.mean(axis=0), b.mean(axis=0))
        for a, b in _splits(every, len(one), is_symmetric=len(one) == len(other))
    ]
    return float(np.mean([value >= seen * (1 - 1e-9) for value in found]))


def _splits(
    rows: Rows, size: int, *, is_symmetric: bool = False
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return divisions into a part of `size` and the others: the first as they are.

    All of them, or as many as `MOST_SPLITS` evenly from their list.
    """
    n = len(rows)
    count = math.comb(n, size)
    if count > 20 * MOST_SPLITS:
        rng = np.random.default_rng(n)
        chosen = [np.arange(size), *_drawn(rng, n, size)]
    else:
        ways = [np.array(way) for way in itertools.combinations(range(n), size)]
        chosen = ways[: count // 2] if is_symmetric else ways
        chosen = chosen[:: -(-len(chosen) // MOST_SPLITS)]
    parts = [np.isin(np.arange(n), way) for way in chosen]
    return [(rows[part], rows[~part]) for part in parts]


def _drawn(rng: np.random.Generator, n: int, size: int) -> list[np.ndarray]:
    return [rng.permutation(n)[:size] for _ in range(MOST_SPLITS - 1)]
