"""The Pareto front: what nothing else beats on both counts."""

import numpy as np
from jaxtyping import Bool, Float


def pareto_front(points: Float[np.ndarray, "points 2"]) -> Bool[np.ndarray, " points"]:
    """Tell which points no other point dominates; smaller is better in both columns.

    A point dominates another if it is no worse in both columns and better in one
    (Pareto's order; Miettinen, Nonlinear Multiobjective Optimization, 1999, def.
    2.2.1). Equal points do not dominate each other. A point with NaN is on no front
    and dominates nothing.

    Parameters
    ----------
    points
        One row each, in any units.

    Examples
    --------
    >>> pareto_front(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 2.5]])).tolist()
    [True, True, False]
    """
    is_on_front = np.zeros(len(points), dtype=bool)
    known = np.flatnonzero(~np.isnan(points).any(axis=1))
    # by the first column, ties by the second: only what came before can dominate
    order = known[np.lexsort((points[known, 1], points[known, 0]))]
    lowest, holder = np.inf, np.inf
    for i in order:
        first, second = points[i]
        is_on_front[i] = second < lowest or (second == lowest and first == holder)
        if second < lowest:
            lowest, holder = second, first
    return is_on_front
