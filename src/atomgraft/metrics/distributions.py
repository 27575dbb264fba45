"""Distances, angles and displacements of atoms in motion, as distributions."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage as _ndimage  # pyright: ignore[reportMissingTypeStubs]
from scipy import signal as _signal  # pyright: ignore[reportMissingTypeStubs]

ndimage: Any = _ndimage
signal: Any = _signal

SMOOTHING = 0.1
"""Å, by which g(r) is smoothed before its peaks and minima are sought."""

PROMINENCE = 0.15
"""Of a peak of g(r), above the minima beside it: less is noise."""

FIRST_PEAK = 0.5
"""Height of the first peak over that of the highest one, at least."""

FLAT = 1e-3
"""Share of the first peak's height up to which g(r) is at its minimum."""

FIT_START, FIT_END = 0.1, 0.5
"""Shares of a run between which the mean square displacement is fitted: shorter times
are ballistic, longer ones have few independent origins."""

CM2_PER_S = 0.1
"""1 Å²/fs in cm²/s."""


def radial_distribution(
    counts: Float[np.ndarray, "*more bins"],
    edges: Float[np.ndarray, " edges"],
    n_pairs: float,
    volume: float,
) -> Float[np.ndarray, "*more bins"]:
    """Return g(r) of one kind of pair.

    The number of neighbours over that at a uniform density, as in ASE: it is the same
    for cells of a crystal of all sizes. An ideal gas of N atoms has 1 - 1/N.

    Parameters
    ----------
    counts
        Pairs in each bin, means over configurations, each pair counted once.
    edges
        Of the bins, Å; one more than there are bins.
    n_pairs
        Of this kind at a uniform density: N²/2, of like atoms n_a²/2 and of unlike ones
        n_a n_b. Divided by N(N-1)/2, g(r) of a crystal would depend on the cell.
    volume
        Of the cell, Å³.

    Examples
    --------
    >>> edges = np.array([1.0, 2.0])
    >>> shell = 4 / 3 * np.pi * 7
    >>> found = radial_distribution(np.array([10 * shell / 100]), edges, 10.0, 100.0)
    >>> round(float(found[0]), 6)
    1.0
    """
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    return counts * volume / (n_pairs * shells)


def peaks_of(
    g: Float[np.ndarray, " bins"], width: float
) -> tuple[Float[np.ndarray, " bins"], Int[np.ndarray, " peaks"]]:
    """Return the smoothed g(r) and the bins of its peaks.

    Parameters
    ----------
    g
        At equal distances.
    width
        Of a bin, Å.
    """
    smooth = np.asarray(
        ndimage.gaussian_filter1d(g, SMOOTHING / width, mode="constant")
    )
    found = signal.find_peaks(np.append(smooth, 0.0), prominence=PROMINENCE)[0]
    return smooth, np.asarray(found, dtype=np.int64)


def first_peak(g: Float[np.ndarray, " bins"], width: float) -> float | None:
    """Return the position of the first peak of g(r), Å; none where there is no peak.

    The vertex of the parabola through the highest bin of the smoothed g(r) and its
    neighbours. Peaks below half of the highest one are not the first shell.

    Parameters
    ----------
    g
        In bins from zero on.
    width
        Of a bin, Å.

    Examples
    --------
    >>> r = 0.05 * (np.arange(100) + 0.5)
    >>> round(first_peak(5 * np.exp(-(((r - 2.35) / 0.1) ** 2)), 0.05), 3)
    2.35
    """
    smooth, found = peaks_of(g, width)
    if len(found) == 0:
        return None
    k = int(found[smooth[found] >= FIRST_PEAK * smooth[found].max()][0])
    if k in {0, len(g) - 1}:
        return width * (k + 0.5)
    below, top, above = smooth[k - 1 : k + 2]
    shift = 0.5 * (below - above) / (below - 2 * top + above)
    return float(width * (k + 0.5 + shift))


def first_minimum(g: Float[np.ndarray, " bins"], width: float) -> float | None:
    """Return where the first shell ends, Å: the first minimum of g(r) after its peak.

    Between two shells of a crystal g(r) is zero over a range; its middle counts. None
    where g(r) has no second peak.

    Parameters
    ----------
    g
        In bins from zero on.
    width
        Of a bin, Å.

    Examples
    --------
    >>> r = 0.05 * (np.arange(120) + 0.5)
    >>> shells = [5 * np.exp(-(((r - at) / 0.1) ** 2)) for at in (2.0, 4.0)]
    >>> round(first_minimum(sum(shells), 0.05), 2)
    3.0
    """
    smooth, found = peaks_of(g, width)
    position = first_peak(g, width)
    if position is None:
        return None
    first = int(position / width)
    later = found[found > first + 1]
    if len(later) == 0:
        return None
    between = smooth[first : int(later[0]) + 1]
    low = float(between.min())
    flat = np.flatnonzero(between <= low + FLAT * smooth[first])
    return float(width * (first + (flat[0] + flat[-1]) / 2 + 0.5))


def bond_angles(
    centres: Int[np.ndarray, " neighbours"], vectors: Float[np.ndarray, "neighbours 3"]
) -> Float[np.ndarray, " angles"]:
    """Return the angles between all pairs of neighbours of each atom, degrees.

    Parameters
    ----------
    centres
        The atom of which each is a neighbour.
    vectors
        From the atom to its neighbour, Å.

    Examples
    --------
    >>> bond_angles(np.zeros(2, dtype=int), np.array([[1.0, 0, 0], [0, 2.0, 0]]))
    array([90.])
    """
    order = np.argsort(centres, kind="stable")
    centres, vectors = centres[order], vectors[order]
    units = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    _, starts, sizes = np.unique(centres, return_index=True, return_counts=True)
    most = int(sizes.max(initial=0))
    slots = np.arange(len(centres)) - np.repeat(starts, sizes)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    padded = np.full((len(sizes), most, 3), np.nan)
    padded[rows, slots] = units
    one, other = np.triu_indices(most, 1)
    cosines = (padded[:, one] * padded[:, other]).sum(axis=2)
    return np.degrees(np.arccos(np.clip(cosines[np.isfinite(cosines)], -1, 1)))


def density(
    counts: Float[np.ndarray, "*more bins"], width: float
) -> Float[np.ndarray, "*more bins"]:
    """Return counts as densities whose integral is 1; zero where nothing was counted.

    Examples
    --------
    >>> density(np.array([1.0, 3.0]), 2.0).tolist()
    [0.125, 0.375]
    """
    total = counts.sum(axis=-1, keepdims=True) * width
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)


def square_displacements(
    positions: Float[np.ndarray, "times atoms 3"],
    masses: Float[np.ndarray, " atoms"],
) -> Float[np.ndarray, " lags"]:
    """Return the mean square displacement over times, mean over atoms and origins, Å².

    The motion of the centre of mass is taken off.

    Parameters
    ----------
    positions
        At equal times, Å, not wrapped into the cell.
    masses
        u

    Returns
    -------
    :
        From zero to one time less than there are.

    Examples
    --------
    >>> away = np.zeros((3, 2, 3))
    >>> away[:, 0, 0], away[:, 1, 0] = [0, 1, 2], [0, -1, -2]
    >>> square_displacements(away, np.ones(2)).tolist()
    [0.0, 1.0, 4.0]
    """
    centre = np.einsum("tax,a->tx", positions, masses / masses.sum())
    relative = positions - centre[:, None]
    n = len(relative)
    return np.array(
        [
            float(((relative[lag:] - relative[: n - lag]) ** 2).sum(axis=2).mean())
            for lag in range(n)
        ]
    )


def diffusion_coefficient(
    displacements: Float[np.ndarray, " lags"], interval: float
) -> float:
    """Return the coefficient of self-diffusion, cm²/s.

    A sixth of the slope of the mean square displacement (Einstein), between 10 and 50 %
    of the length of the run. Below zero by chance where atoms only vibrate.

    Parameters
    ----------
    displacements
        Mean square displacements, Å², from time zero.
    interval
        Between two of them, fs.

    Examples
    --------
    >>> round(diffusion_coefficient(6e-3 * np.arange(20.0), 1.0), 9)
    0.0001
    """
    n = len(displacements)
    start = max(1, round(FIT_START * n))
    end = max(start + 2, round(FIT_END * n))
    times = interval * np.arange(n)[start:end]
    slope = float(np.polyfit(times, displacements[start:end], 1)[0])
    return CM2_PER_S * slope / 6
