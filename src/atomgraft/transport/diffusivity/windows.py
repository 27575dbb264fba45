"""Mean-squared displacements over overlapping windows, and their covariance.

For a process with independent increments, two squared displacements covary by the
variance of the squared displacement over the time that both windows share. Counting
these overlaps gives the covariance of two means over overlapping windows exactly, for
Brownian motion and for hops alike.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

N_WINDOWS = 24
"""Lengths of windows, in geometric order; more carry no further information."""

LONGEST_SHARE = 0.5
"""Of the trajectory; longer windows have hardly two independent samples."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Displacements:
    """Mean-squared displacements of one kind of particle.

    Parameters
    ----------
    windows
        Frames in each window.
    step
        ps between frames.
    by_particle
        Å²; mean over the windows of each particle.
    spread
        Å⁴; variance of the squared displacement, over windows and particles.
    tensor
        Å²; mean of the products of displacements along two axes.
    n_frames, n_particles
        Of each run; particles of different runs are different particles.
    """

    windows: Int[np.ndarray, " windows"]
    step: float
    by_particle: Float[np.ndarray, "windows particles"]
    spread: Float[np.ndarray, " windows"]
    tensor: Float[np.ndarray, "windows 3 3"]
    n_frames: tuple[int, ...]
    n_particles: tuple[int, ...]

    @property
    def times(self) -> Float[np.ndarray, " windows"]:
        """Length of each window, ps."""
        return self.windows * self.step

    @property
    def mean(self) -> Float[np.ndarray, " windows"]:
        """MSD, Å²."""
        return np.trace(self.tensor, axis1=1, axis2=2)


def window_lengths(n_frames: int) -> Int[np.ndarray, " windows"]:
    """Return the lengths of windows for a run, in frames.

    Parameters
    ----------
    n_frames
        Of the shortest run.

    Examples
    --------
    >>> window_lengths(501)[[0, 1, -1]].tolist()
    [1, 2, 250]
    """
    longest = max(1, int((n_frames - 1) * LONGEST_SHARE))
    return np.unique(np.geomspace(1, longest, N_WINDOWS).round().astype(int))


def displacements_of(
    runs: Sequence[Float[np.ndarray, "_frames _particles 3"]],
    step: float,
    *,
    axis: int | None = None,
) -> Displacements:
    """Return the mean-squared displacements of particles in one run or several.

    Parameters
    ----------
    runs
        Å; unwrapped positions.
    step
        ps between frames.
    axis
        Of this axis alone; none takes all three.
    """
    windows = window_lengths(min(len(one) for one in runs))
    parts = [_one_run(one, windows, axis) for one in runs]
    weights = np.array([len(one) * one.shape[1] for one in runs], dtype=float)
    weights /= weights.sum()
    mean = sum(w * part[1] for w, part in zip(weights, parts, strict=True))
    second = sum(w * part[2] for w, part in zip(weights, parts, strict=True))
    tensor = sum(w * part[3] for w, part in zip(weights, parts, strict=True))
    return Displacements(
        windows=windows,
        step=step,
        by_particle=np.concatenate([part[0] for part in parts], axis=1),
        spread=np.asarray(second) - np.asarray(mean) ** 2,
        tensor=np.asarray(tensor),
        n_frames=tuple(len(one) for one in runs),
        n_particles=tuple(one.shape[1] for one in runs),
    )


def _one_run(
    positions: Float[np.ndarray, "_frames _particles 3"],
    windows: Int[np.ndarray, " windows"],
    axis: int | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return squared displacements: by particle, mean, mean square, and as tensor."""
    kept = slice(None) if axis is None else slice(axis, axis + 1)
    alone = np.zeros_like(positions)
    alone[..., kept] = positions[..., kept]
    by_particle, second, tensor = [], [], []
    for n in windows:
        moves = alone[n:] - alone[:-n]
        squares = (moves**2).sum(axis=2)
        by_particle.append(squares.mean(axis=0))
        second.append((squares**2).mean())
        flat = moves.reshape(-1, 3)
        tensor.append(flat.T @ flat / len(flat))
    return (
        np.array(by_particle),
        np.mean(by_particle, axis=1),
        np.array(second),
        np.array(tensor),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Overlaps:
    """How much the windows of one run share, for each pair of lengths.

    Parameters
    ----------
    squares
        Mean over all pairs of windows of the square of the shared length, frames².
    lengths
        Mean of the shared length, frames.
    ends
        Mean number of frames at which both begin, or both end, or one begins where
        the other ends, each with its sign and weighted by the shared length.
    corners
        Mean of the squares of those numbers.
    """

    squares: Float[np.ndarray, "windows windows"]
    lengths: Float[np.ndarray, "windows windows"]
    ends: Float[np.ndarray, "windows windows"]
    corners: Float[np.ndarray, "windows windows"]


def overlaps(windows: Int[np.ndarray, " windows"], n_frames: int) -> Overlaps:
    """Return the overlaps of all windows that fit into a run.

    Parameters
    ----------
    windows
        Frames in each.
    n_frames
        Of the run.

    Examples
    --------
    >>> overlaps(np.array([1]), 11).squares.tolist()
    [[0.1]]
    """
    return _overlaps(tuple(windows.tolist()), n_frames)


@functools.lru_cache(maxsize=16)  # one run is asked for each ion and axis
def _overlaps(windows: tuple[int, ...], n_frames: int) -> Overlaps:
    k = len(windows)
    found = np.zeros((4, k, k))
    for i, n in enumerate(windows):
        for j in range(i, k):
            found[:, i, j] = found[:, j, i] = _pair(n, windows[j], n_frames)
    return Overlaps(squares=found[0], lengths=found[1], ends=found[2], corners=found[3])


def _pair(n: int, m: int, n_frames: int) -> tuple[float, float, float, float]:
    """Return the overlaps of windows of two lengths, in the order of `Overlaps`."""
    n_first, n_second = n_frames - n, n_frames - m
    later = np.arange(-m, n + 1)  # begin of the second after that of the first
    shared = np.clip(np.minimum(n, later + m) - np.maximum(0, later), 0, None)
    highest = np.minimum(n_first, n_second - later)
    count = np.clip(highest - np.maximum(0, -later), 0, None)
    ends = (later == 0).astype(float) + (later == n - m) - (later == n) - (later == -m)
    n_pairs = n_first * n_second
    parts = (shared**2.0, shared, ends * shared, ends**2)
    return tuple(float((count * one).sum() / n_pairs) for one in parts)  # pyright: ignore[reportReturnType]
