"""Student's interval of a mean: honest where there are three seeds, not thirty."""

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


def student_quantile(n_free: int) -> float:
    """Return the 97.5 % point of Student's distribution.

    Above 30 degrees of freedom, the first two terms of the expansion in their inverse
    are used (Abramowitz and Stegun, 26.7.5), which is right to four figures there.

    Parameters
    ----------
    n_free
        Degrees of freedom, at least one.

    Raises
    ------
    ValueError
        There are none.

    Examples
    --------
    >>> student_quantile(2), round(student_quantile(60), 3)
    (4.3027, 2.0)
    """
    if n_free < 1:
        raise ValueError("an interval needs at least one degree of freedom")
    if n_free <= len(TWO_SIDED_95):
        return TWO_SIDED_95[n_free - 1]
    z = NORMAL_95
    return z + (z**3 + z) / (4 * n_free)


def student_interval(values: Float[np.ndarray, " draws"]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean of independent draws, or none for one draw.

    Resampling three seeds can only give ten different means and covers far too
    little; Student's distribution knows that the spread itself is known badly.

    Parameters
    ----------
    values
        One for each draw, for instance the logarithm of an error for each seed.

    Examples
    --------
    >>> low, high = student_interval(np.array([1.0, 2.0, 3.0]))
    >>> round(low, 2), round(high, 2)
    (-0.48, 4.48)
    """
    n = len(values)
    if n < 2:
        return None
    half = student_quantile(n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)
    middle = float(np.mean(values))
    return middle - half, middle + half
