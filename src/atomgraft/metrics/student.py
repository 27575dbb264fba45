"""Student's distribution, and the interval of the mean of a handful of draws."""

import math

import numpy as np
from jaxtyping import Float

TWO_SIDED_95 = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip
"""97.5 % points of Student's distribution with 1, 2, ... 30 degrees of freedom."""

NORMAL_95 = 1.959964
"""The same of the normal distribution."""

FEWEST = 5
"""Independent draws below which no interval is given.

Student's factor is 12.7 for two draws and 4.3 for three, on a spread that is itself
hardly known: such an interval covers, and says nothing."""


def student_quantile(n_free: int | float) -> float:
    """Return the 97.5 % point of Student's distribution.

    Between whole numbers it is interpolated in their inverse, right to 2 % from
    two degrees of freedom. Above 30, the first two terms of the expansion in their
    inverse are used (Abramowitz and Stegun, 26.7.5), right to four figures there.

    Parameters
    ----------
    n_free
        Degrees of freedom, at least one; a fraction where they were estimated.

    Raises
    ------
    ValueError
        There are none.

    Examples
    --------
    >>> student_quantile(2), round(student_quantile(60), 3)
    (4.3027, 2.0)
    """
    if not n_free >= 1:
        raise ValueError("an interval needs at least one degree of freedom")
    if n_free <= len(TWO_SIDED_95):
        whole = np.arange(len(TWO_SIDED_95), 0, -1)
        return float(np.interp(1 / n_free, 1 / whole, TWO_SIDED_95[::-1]))
    z = NORMAL_95
    return z + (z**3 + z) / (4 * n_free)


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
