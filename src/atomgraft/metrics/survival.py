"""Times to failure, of which some are known only to be longer than the run was."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import (  # pyright: ignore[reportMissingTypeStubs]
    CensoredData,
    ecdf,
    logrank,
)

from atomgraft.metrics.intervals import ROUNDING, mean_interval

FEWEST = 5
"""Runs below which a mean has no interval."""

CHANCE = 0.05
"""That an interval misses, for runs that all end alike."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SurvivalCurve:
    """The Kaplan-Meier estimate: steps down where something failed.

    Parameters
    ----------
    times
        Where the curve steps, zero first.
    survival
        Share that survives beyond each time.
    """

    times: Float[np.ndarray, " steps"]
    survival: Float[np.ndarray, " steps"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RestrictedMean:
    """The mean time to failure, none counted beyond a horizon.

    Parameters
    ----------
    value
        The area under the survival curve up to the horizon.
    interval
        95 %; none for fewer than `FEWEST` runs.
    """

    value: float
    interval: tuple[float, float] | None


def kaplan_meier(
    times: Float[np.ndarray, " runs"], has_failed: Bool[np.ndarray, " runs"]
) -> SurvivalCurve:
    """Return the share of runs that survive, over time.

    Parameters
    ----------
    times
        When each run failed, or ended without failure.
    has_failed
        Whether it failed; the others are right-censored.

    Examples
    --------
    >>> curve = kaplan_meier(
    ...     np.array([1.0, 2.0, 3.0, 3.0]), np.array([True, False, True, False])
    ... )
    >>> curve.times.tolist(), curve.survival.tolist()
    ([0.0, 1.0, 3.0], [1.0, 0.75, 0.375])
    """
    _check(times, has_failed)
    found = ecdf(_censored(times, has_failed)).sf
    steps = np.isin(found.quantiles, times[has_failed])
    return SurvivalCurve(
        times=np.concatenate([[0.0], found.quantiles[steps]]),
        survival=np.concatenate([[1.0], found.probabilities[steps]]),
    )


def restricted_mean(
    times: Float[np.ndarray, " runs"],
    has_failed: Bool[np.ndarray, " runs"],
    horizon: float,
) -> RestrictedMean:
    """Return the mean time to failure up to a horizon, with its interval.

    Each run counts with its pseudo-value, n times the mean of all minus n-1 times that
    of the others (Andersen, Hansen & Klein, Lifetime Data Anal. 10, 335, 2004): its own
    time where none was censored early. Their mean has the interval of any other mean,
    cut at zero and at the horizon; of five runs of an exponential law it covers 95 % or
    more. Where all runs end alike (none fails, or all fail at once) there is no
    spread. Then the share of runs that end so is at least ``0.05**(1/n)``, and the
    others may end anywhere.

    Where failures are known only at the ends of windows, the mean is late by up to one
    window, half of one on average (``benchmarks/results/survival_coverage.md``).

    Parameters
    ----------
    times
        When each run failed, or ended without failure.
    has_failed
        Whether it failed.
    horizon
        Not beyond the longest run, unless the last of them failed.

    Examples
    --------
    >>> found = restricted_mean(np.full(5, 10.0), np.zeros(5, dtype=bool), 10.0)
    >>> found.value, [round(end, 2) for end in found.interval]
    (10.0, [5.49, 10.0])
    """
    _check(times, has_failed)
    value, n = _area(times, has_failed, horizon), len(times)
    if n < FEWEST:
        return RestrictedMean(value=value, interval=None)
    others = [np.arange(n) != i for i in range(n)]
    without = [_area(times[rest], has_failed[rest], horizon) for rest in others]
    pseudo = n * value - (n - 1) * np.array(without)
    if np.ptp(pseudo) <= ROUNDING * horizon * n:
        alike = CHANCE ** (1 / n)
        low, high = alike * value, alike * value + (1 - alike) * horizon
        return RestrictedMean(value=value, interval=(low, high))
    is_signed = bool((pseudo <= 0).any())
    found = mean_interval(pseudo, np.ones(n), is_signed=is_signed).interval
    if found is None:
        return RestrictedMean(value=value, interval=None)
    return RestrictedMean(
        value=value, interval=(max(0.0, found[0]), min(horizon, found[1]))
    )


def log_rank(
    one: tuple[Float[np.ndarray, " runs"], Bool[np.ndarray, " runs"]],
    other: tuple[Float[np.ndarray, " others"], Bool[np.ndarray, " others"]],
) -> float | None:
    """Return the p-value of the log-rank test that two groups survive alike.

    Parameters
    ----------
    one, other
        Times, and whether they are failures.

    Returns
    -------
    :
        Two-sided; none where nothing failed, or all failed at one time.

    Examples
    --------
    >>> early = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    >>> p = log_rank((early, early > 0), (early + 10, early > 0))
    >>> bool(p < 0.01)
    True
    """
    for times, has_failed in (one, other):
        _check(times, has_failed)
    times = np.concatenate([one[0], other[0]])
    failed = np.concatenate([one[1], other[1]])
    if not failed.any() or (times >= times[failed].min()).sum() < 2:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        found = float(logrank(_censored(*one), _censored(*other)).pvalue)
    return found if np.isfinite(found) else None


def _area(
    times: Float[np.ndarray, " runs"],
    has_failed: Bool[np.ndarray, " runs"],
    horizon: float,
) -> float:
    """Return the area under the survival curve up to a horizon."""
    curve = kaplan_meier(times, has_failed)
    edges = np.minimum(np.concatenate([curve.times, [np.inf]]), horizon)
    return float((np.diff(edges) * curve.survival).sum())


def _censored(
    times: Float[np.ndarray, " runs"], has_failed: Bool[np.ndarray, " runs"]
) -> CensoredData:
    return CensoredData(uncensored=times[has_failed], right=times[~has_failed])


def _check(
    times: Float[np.ndarray, " runs"], has_failed: Bool[np.ndarray, " runs"]
) -> None:
    if len(times) == 0 or len(times) != len(has_failed):
        raise ValueError("one time and one word for each of at least one run")
