"""What is kept of the motion of an ion: numbers that do not depend on the frame.

Positions are relative to the framework. Amplitudes, mean square displacements and
moments of displacements are norms over the three axes: they do not change where all is
turned, shifted or taken in another order. Columns have fixed periods and times, so that
runs of other lengths and intervals fit into one table; what a run cannot tell is NaN.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Float

MotionChoice = Literal["spectrum", "msd", "all"]

PERIODS = 0.2 * 2.0 ** np.arange(13)
"""ps; bounds of the bands of periods, octaves."""

LAGS = 0.1 * 2.0 ** np.arange(13)
"""ps; lengths of windows."""

LONGEST = 0.5
"""Of a run; the longest window."""

SMALLEST = 1e-6
"""Å²; added before logarithms."""

SPECTRUM = tuple(
    f"log amplitude at periods of {low:g} to {2 * low:g} ps" for low in PERIODS[:-1]
)
MSD = tuple(f"log MSD after {lag:g} ps" for lag in LAGS)
MOMENTS = tuple(f"log of fourth moment over Gaussian after {lag:g} ps" for lag in LAGS)

COLUMNS: Mapping[MotionChoice, tuple[str, ...]] = {
    "spectrum": SPECTRUM,
    "msd": (*MSD, *MOMENTS),
    "all": (*SPECTRUM, *MSD, *MOMENTS),
}
"""Names of the features of each choice."""


def motion_features(
    positions: Float[np.ndarray, "frames copies ions 3"],
    step: float,
    choice: MotionChoice = "all",
) -> Float[np.ndarray, "ions features"]:
    """Return features of the motion of ions.

    Powers are averaged over copies, frequencies of a band and windows before their
    logarithms are taken. With r the position less its mean, the amplitude is
    sqrt(sum over axes of |rFFT r|² dt/n), Å ps^½; the fourth moment is
    3 <d⁴> / (5 <d²>²) with d the displacement, one for Gaussian displacements (Rahman,
    Phys. Rev. 136, A405 (1964)).

    Parameters
    ----------
    positions
        Å; unwrapped, relative to the framework; copies of an ion are those that stand
        for it in a larger cell.
    step
        ps between frames.
    choice
        Which features.

    Examples
    --------
    >>> walk = np.cumsum(np.random.default_rng(0).normal(size=(200, 5, 2, 3)), axis=0)
    >>> motion_features(walk, 0.1, "msd").shape
    (2, 26)
    """
    parts = []
    if choice in {"spectrum", "all"}:
        parts.append(_spectrum(positions, step))
    if choice in {"msd", "all"}:
        parts += _moments(positions, step)
    return np.concatenate(parts, axis=1)


def _spectrum(
    positions: Float[np.ndarray, "frames copies ions 3"], step: float
) -> Float[np.ndarray, "ions bands"]:
    n = len(positions)
    transformed = np.fft.rfft(positions - positions.mean(axis=0), axis=0)[1:]
    power = (np.abs(transformed) ** 2).sum(axis=-1).mean(axis=1) * step / n
    period = n * step / np.arange(1, len(power) + 1)
    # a period on the bound of two bands belongs to the slower one
    band = np.searchsorted(PERIODS, period * (1 + 1e-9)) - 1
    found = np.full((positions.shape[2], len(SPECTRUM)), np.nan)
    for k in range(len(SPECTRUM)):
        if (band == k).any():
            found[:, k] = 0.5 * np.log10(power[band == k].mean(axis=0) + SMALLEST)
    return found


def _moments(
    positions: Float[np.ndarray, "frames copies ions 3"], step: float
) -> list[Float[np.ndarray, "ions lags"]]:
    """Return logarithms of mean square displacements, and of fourth moments."""
    n_ions = positions.shape[2]
    squares, moments = (np.full((n_ions, len(LAGS)), np.nan) for _ in range(2))
    for k, lag in enumerate(LAGS):
        n = round(lag / step)
        if n < 1 or abs(n * step - lag) > 0.25 * lag or n > LONGEST * len(positions):
            continue
        moved = ((positions[n:] - positions[:-n]) ** 2).sum(axis=-1)
        second = moved.mean(axis=(0, 1)) + SMALLEST
        fourth = (moved**2).mean(axis=(0, 1)) + SMALLEST**2
        squares[:, k] = np.log10(second)
        moments[:, k] = np.log10(3 * fourth / (5 * second**2))
    return [squares, moments]
