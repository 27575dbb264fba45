"""Student's distribution, and the interval of the mean of a handful of draws."""

import math

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

FEWEST = 5
"""Independent draws below which no interval is given.

Student's factor is 12.7 for two draws and 4.3 for three, on a spread that is itself
hardly known: such an interval covers, and says nothing."""


def student_quantile(n_free: int | float, share: float = 0.975) -> float:
    """Return a point of Student's distribution, the 97.5 % one unless told otherwise.

    Parameters
    ----------
    n_free
        Degrees of freedom, at least one; a fraction where they were estimated.
    share
        Of the distribution that lies below.

    Raises
    ------
    ValueError
        There are none.

    Examples
    --------
    >>> round(student_quantile(2), 3), round(student_quantile(60), 3)
    (4.303, 2.0)
    """
    if not n_free >= 1:
        raise ValueError("an interval needs at least one degree of freedom")
    return float(stdtrit(n_free, share))


def student_interval(values: Float[np.ndarray, " draws"]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean of independent draws, or none for a few.

    Resampling a few seeds can only give a few different means and covers far too
    little; Student's distribution knows that the spread itself is known badly.

    Parameters
    ----------
    values
        One for each draw, for instance the logarithm of an error for each seed.

    Returns
    -------
    :
        None for fewer than `FEWEST` draws: show the draws, or their range.

    Examples
    --------
    >>> low, high = student_interval(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    >>> round(low, 2), round(high, 2)
    (1.04, 4.96)
    >>> student_interval(np.array([1.0, 2.0, 3.0])) is None
    True
    """
    n = len(values)
    if n < FEWEST:
        return None
    half = student_quantile(n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)
    middle = float(np.mean(values))
    return middle - half, middle + half
