"""Scales on which a property is fitted."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

Scale = Literal["plain", "log", "sqrt"]


@dataclasses.dataclass(frozen=True)
class ThereAndBack:
    """A function and its inverse, by element.

    Parameters
    ----------
    there
        From the property to what is fitted.
    back
        From what is predicted to the property.
    """

    there: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray]


SCALES: Mapping[Scale, ThereAndBack] = {
    "plain": ThereAndBack(np.asarray, np.asarray),
    "log": ThereAndBack(np.log, np.exp),
    "sqrt": ThereAndBack(np.sqrt, lambda value: np.maximum(value, 0.0) ** 2),
}
