"""Straight lines of logarithms: one error against another.

The law is ``log y = log amplitude + slope log x``. Where another cause limits y, the
errors follow ``y = amplitude x**slope + floor`` instead; points of which the floor is
the larger part are left out of the line.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import fdtrc  # pyright: ignore[reportMissingTypeStubs]

from atomgraft.metrics.intervals import student_quantile
from atomgraft.metrics.power_law import (
    fit_power_law,
    is_floor_supported,
    line_interval,
)

FEWEST_POINTS = 3
"""Two points always lie on a line."""

AT_FLOOR = 0.5
"""Share of the floor in a value from which on the floor limits it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogLine:
    """A line, and how well it holds.

    Parameters
    ----------
    slope, amplitude
        Of the law.
    slope_interval
        95 %, from the scatter around the line; none for fewer than three points.
    r_squared
        Of the logarithms.
    """

    slope: float
    amplitude: float
    slope_interval: tuple[float, float] | None
    r_squared: float


def fit_log_line(
    x: Float[np.ndarray, " points"], y: Float[np.ndarray, " points"]
) -> LogLine:
    """Fit a line to logarithms by least squares.

    Parameters
    ----------
    x, y
        Above zero; at least two different x.

    Raises
    ------
    ValueError
        Fewer than two different x, or a number that is not above zero.

    Examples
    --------
    >>> line = fit_log_line(np.array([1.0, 10.0, 100.0]), np.array([2.0, 6.0, 20.0]))
    >>> round(line.slope, 3), round(line.amplitude, 3), round(line.r_squared, 3)
    (0.5, 1.965, 0.999)
    """
    law = fit_power_law(x, y)
    logs = np.log(x), np.log(y)
    left = logs[1] - math.log(law.amplitude) + law.exponent * logs[0]
    whole = float(((logs[1] - logs[1].mean()) ** 2).sum())
    return LogLine(
        slope=-law.exponent,
        amplitude=law.amplitude,
        slope_interval=line_interval(*logs, np.array([0.0, 1.0])),
        r_squared=1.0 - float((left**2).sum()) / whole if whole else 1.0,
    )


def points_at_floor(
    x: Float[np.ndarray, " points"], y: Float[np.ndarray, " points"]
) -> Bool[np.ndarray, " points"]:
    """Tell which points a floor limits: it is the larger part of their y.

    None where the corrected Akaike criterion does not support a floor.

    Parameters
    ----------
    x, y
        Above zero.

    Examples
    --------
    >>> x = np.geomspace(1.0, 100.0, 8)
    >>> points_at_floor(x, 0.5 * x + 4.0).tolist()
    [True, True, True, True, False, False, False, False]
    >>> bool(points_at_floor(x, 0.5 * x).any())
    False
    """
    if not is_floor_supported(1 / x, y):
        return np.zeros(len(x), dtype=bool)
    law = fit_power_law(1 / x, y, floor=True)
    return np.array([law.floor > AT_FLOOR * law.error(1 / float(one)) for one in x])


@dataclasses.dataclass(frozen=True, kw_only=True)
class LineTest:
    """Whether groups of points have one line.

    Parameters
    ----------
    chance
        That groups on one line differ by as much as these do.
    widest
        Half of the widest 95 % interval of a group's offset, of logarithms: what could
        have been missed.
    """

    chance: float
    widest: float


def compare_lines(
    x: Float[np.ndarray, " points"],
    y: Float[np.ndarray, " points"],
    groups: Sequence[str],
    blocks: Sequence[str],
) -> LineTest | None:
    """Compare lines of groups with one line, by the F test of nested models.

    Groups have offsets of their own, and slopes of their own where points are left
    over; blocks have offsets in both models (Draper and Smith, Applied Regression
    Analysis, 1998, ch. 14).

    Parameters
    ----------
    x, y
        Above zero.
    groups
        To which group each point belongs.
    blocks
        To which block it belongs, in which groups are compared.

    Returns
    -------
    :
        None for a single group, or where no point is left over.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 4.0, 1.0, 2.0, 4.0])
    >>> y = x**0.5 * np.array([1.0, 1.02, 1.0, 1.5, 1.52, 1.5])
    >>> compare_lines(x, y, ["a"] * 3 + ["b"] * 3, ["one"] * 6).chance < 0.01
    True
    """
    if len(set(groups)) < 2:
        return None
    logs = np.log(x) - np.log(x).mean(), np.log(y)
    one_line = np.hstack([_members(blocks), logs[0][:, None]])
    offsets = _members(groups)
    slopes = offsets * logs[0][:, None]
    for more in (np.hstack([offsets, slopes]), offsets):
        full = np.hstack([one_line, more])
        n_free = len(x) - int(np.linalg.matrix_rank(full))
        if n_free >= 1:
            break
    else:
        return None
    n_more = int(np.linalg.matrix_rank(full)) - int(np.linalg.matrix_rank(one_line))
    left = [_left(design, logs[1]) for design in (one_line, full)]
    scatter = max(left[1] / n_free, 1e-24)
    chance = float(fdtrc(n_more, n_free, max(left[0] - left[1], 0) / n_more / scatter))
    fewest = min(groups.count(name) for name in set(groups))
    widest = student_quantile(n_free) * math.sqrt(scatter / fewest)
    return LineTest(chance=chance, widest=widest)


def _members(names: Sequence[str]) -> Float[np.ndarray, "points names"]:
    known = sorted(set(names))
    return np.array([[float(one == name) for name in known] for one in names])


def _left(
    design: Float[np.ndarray, "points columns"], y: Float[np.ndarray, " points"]
) -> float:
    """Return the sum of squares that a design leaves."""
    return float(((y - design @ np.linalg.lstsq(design, y)[0]) ** 2).sum())
