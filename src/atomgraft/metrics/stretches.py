"""How many independent stretches a series of correlated errors holds."""

import dataclasses

import numpy as np
from jaxtyping import Float

N_STRETCHES = (20, 16, 13, 10, 8, 6, 5)
"""Numbers of stretches that are tried, the most first. From 10 to 30 the variance is
known well enough, and more only shortens them (Schmeiser, Oper. Res. 30, 556, 1982)."""

SHORTEST = 5
"""Frames of a stretch; over fewer, a correlation time cannot be told from chance."""

PER_TIME = 2.0
"""Correlation times that a stretch covers at least."""

ONE_SIDED_95 = 1.645
"""Standard errors above the estimate at which the correlation time is taken."""

LARGEST_CORRELATION = 0.4
"""Between neighbouring stretches, one standard error above its estimate."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stretches:
    """A series in parts that may be taken for independent.

    Parameters
    ----------
    bounds
        Where each part begins, and the end of the last; none where fewer than five
        independent parts could be made.
    n_independent
        How many parts these are, or how many at most could be told to be independent.
    """

    bounds: tuple[int, ...] | None
    n_independent: int


def independent_stretches(series: Float[np.ndarray, " frames"]) -> Stretches:
    """Cut a series into the most stretches whose means are not correlated.

    The variance of a mean over a correlated series is that of the means of its
    stretches (batch means; Law and Kelton, Simulation Modeling and Analysis, 2000,
    ch. 9.5.3), if these are longer than the memory of the series. Two conditions
    ask for that. First, a stretch holds two integrated correlation times,
    (1 + r) / (1 - r) for the lag-one correlation r (Sokal, in Functional Integration,
    1997, eq. 2.14), taken at the upper end of what r may be. Second, the means of
    neighbouring stretches are uncorrelated to within their standard error, which
    finds slow parts beneath fast noise. Estimates of r from short series are too
    small by (1 + 3r) / n (Kendall, Biometrika 41, 403, 1954), which is put back.

    Parameters
    ----------
    series
        Errors in order of time.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> len(independent_stretches(rng.normal(size=200)).bounds)
    21
    >>> independent_stretches(np.cumsum(rng.normal(size=200))).bounds is None
    True
    """
    n = len(series)
    if n < 2:
        return Stretches(bounds=None, n_independent=n)
    shortest = max(SHORTEST, PER_TIME * _time(_correlation(series, ONE_SIDED_95)))
    for n_stretches in N_STRETCHES:
        if n_stretches * shortest > n:
            continue
        bounds = np.arange(n_stretches + 1) * n // n_stretches
        means = np.add.reduceat(series, bounds[:-1]) / np.diff(bounds)
        if _correlation(means, 1.0) <= LARGEST_CORRELATION:
            return Stretches(bounds=tuple(bounds.tolist()), n_independent=n_stretches)
    most = min(int(n // shortest), N_STRETCHES[-1] - 1)
    return Stretches(bounds=None, n_independent=max(most, 1))


def _time(correlation: float) -> float:
    """Return the integrated correlation time of an autoregressive series, in steps."""
    return max(1.0, (1 + correlation) / (1 - correlation))


def _correlation(series: Float[np.ndarray, " frames"], n_errors: float) -> float:
    """Return the lag-one correlation, unbiased, so many standard errors up.

    The standard error is that of an autoregressive series, sqrt((1 - r²) / n)
    (Bartlett, J. R. Stat. Soc. Suppl. 8, 27, 1946).
    """
    moves, n = series - series.mean(), len(series)
    square = float(moves @ moves)
    if square == 0:
        return 0.0
    found = float(moves[1:] @ moves[:-1]) / square
    unbiased = min((n * found + 1) / max(n - 3, 1), 0.9999)
    error = np.sqrt(max(1 - unbiased**2, 1 / n) / n)
    return float(min(unbiased + n_errors * error, 0.9999))
