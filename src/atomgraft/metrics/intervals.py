"""Bootstrap intervals over structures, the unit that was drawn independently."""

import numpy as np
from jaxtyping import Float


def bootstrap_interval(
    sums: Float[np.ndarray, " frames"],
    counts: Float[np.ndarray, " frames"],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    is_squared: bool = False,
) -> tuple[float, float]:
    """Return the percentile interval of sum(sums)/sum(counts) over resampled frames.

    Components of one structure are correlated, so whole structures are drawn
    (the cluster bootstrap; Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, ch. 8).

    Parameters
    ----------
    sums
        Sum of the (squared) errors of each structure.
    counts
        Number of components of each structure.
    rng
        Source of the resamples.
    level
        Coverage of the interval.
    n_resamples
        Number of resamples.
    is_squared
        Take the root of each resampled mean, for an RMSE.

    Raises
    ------
    ValueError
        No structure was given.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> low, high = bootstrap_interval(np.ones(5), np.ones(5), rng)
    >>> float(low), float(high)
    (1.0, 1.0)
    """
    if len(sums) == 0:
        raise ValueError("an interval needs at least one structure")
    drawn = rng.integers(len(sums), size=(n_resamples, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    if is_squared:
        means = np.sqrt(means)
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def paired_bootstrap_interval(
    before: Float[np.ndarray, " frames"],
    after: Float[np.ndarray, " frames"],
    counts: Float[np.ndarray, " frames"],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
) -> tuple[float, float]:
    """Return the interval of the change of a mean error on the same structures.

    Two models stumble over the same hard structures. Resampling both together
    removes that common part, so the interval of the change says whether one model
    is better, where the intervals of the two errors may overlap.

    Parameters
    ----------
    before
        Sum of the absolute errors of each structure, first model.
    after
        The same, second model.
    counts
        Number of components of each structure.
    rng
        Source of the resamples.
    level
        Coverage of the interval.
    n_resamples
        Number of resamples.

    Returns
    -------
    :
        Bounds of mean(after) - mean(before); both negative where the second model
        is better.

    Examples
    --------
    >>> before, counts = np.array([1.0, 9.0, 4.0]), np.ones(3)
    >>> rng = np.random.default_rng(0)
    >>> paired_bootstrap_interval(before, before - 0.5, counts, rng)
    (-0.5, -0.5)
    """
    return bootstrap_interval(
        after - before, counts, rng, level=level, n_resamples=n_resamples
    )


def median_interval(
    values: Float[np.ndarray, " frames"],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a median.

    Parameters
    ----------
    values
        One for each independent thing.
    rng
        Source of the resamples.
    level
        Coverage of the interval.
    n_resamples
        Number of resamples.

    Raises
    ------
    ValueError
        No value was given.

    Examples
    --------
    >>> low, high = median_interval(np.full(5, 0.25), np.random.default_rng(0))
    >>> float(low), float(high)
    (0.25, 0.25)
    """
    if len(values) == 0:
        raise ValueError("an interval needs at least one value")
    drawn = rng.integers(len(values), size=(n_resamples, len(values)))
    medians = np.median(values[drawn], axis=1)
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(medians, [tail, 100 - tail])
    return float(low), float(high)
