"""Errors between two arrays of the same shape."""

import numpy as np
from jaxtyping import Float

Array = Float[np.ndarray, "..."]


def mean_absolute_error(predicted: Array, reference: Array) -> float:
    """Return the mean of the absolute differences, in the unit of the input.

    Examples
    --------
    >>> mean_absolute_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    1.0
    """
    return float(np.mean(np.abs(predicted - reference)))


def root_mean_square_error(predicted: Array, reference: Array) -> float:
    """Return the root of the mean squared difference, in the unit of the input.

    Examples
    --------
    >>> root_mean_square_error(np.array([0.0, 0.0]), np.array([3.0, 3.0]))
    3.0
    """
    return float(np.sqrt(np.mean((predicted - reference) ** 2)))
