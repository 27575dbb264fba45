"""The straight line in a mean-squared displacement, and the posterior of its slope.

Slope and intercept follow by generalised least squares with the covariance of
overlapping windows. Brownian motion fixes that covariance by the slope itself; hops
add a part that is linear in time (their fourth cumulant), vibrations one at the ends of
windows. The posterior of the slope is that of a scale with a flat prior of its
logarithm.
"""

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy import stats
from scipy.linalg import cho_factor, cho_solve

from atomgraft.transport.diffusivity.windows import Displacements, Overlaps, overlaps

FEWEST_WINDOWS = 5
"""In a fit; two of them determine the line."""

LINEAR_P = 0.01
"""A line is refused where deviations as large have a smaller probability."""

UNEQUAL_P = 0.001
"""The scatter between particles replaces the computed error where it is larger and a
difference as large has a smaller probability."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
    """A straight line through the MSD.

    Parameters
    ----------
    slope
        Å²/ps
    error
        Standard error of the slope, Å²/ps.
    intercept
        Å²
    first
        Position of the shortest window that is used.
    p_linear
        Probability of deviations at least as large, were the MSD a line.
    weights
        1/ps; the slope is the sum of weights times MSD.
    covariance
        Å⁴; of the MSD of the windows that are used.
    is_by_particle
        The error is the scatter between particles, which move unlike one another.
    """

    slope: float
    error: float
    intercept: float
    first: int
    p_linear: float
    weights: Float[np.ndarray, " windows"]
    covariance: Float[np.ndarray, "windows windows"]
    is_by_particle: bool = False

    @property
    def relative_error(self) -> float:
        """Of the slope; infinite where it is not positive."""
        return self.error / self.slope if self.slope > 0 else np.inf


class Regression:
    """Fits lines to the MSD of some particles, from any window on.

    Parameters
    ----------
    data
        What was measured.
    """

    def __init__(self, data: Displacements) -> None:
        self.data = data
        self.shares = _shares(data)
        self._overlaps = {n: overlaps(data.windows, n) for n in set(data.n_frames)}

    def line(self, first: int) -> Line:
        """Fit a line to the windows from one on.

        Parameters
        ----------
        first
            Position of the shortest window.
        """
        kept = slice(first, None)
        times, mean = self.data.times[kept], self.data.mean[kept]
        slope, intercept = np.polyfit(times, mean, 1, w=1 / np.maximum(mean, 1e-12))
        rough = self.covariance(slope, intercept, first)[kept, kept]
        slope, intercept, *_ = _least_squares(times, mean, rough)
        covariance = self.covariance(slope, intercept, first)[kept, kept]
        found = _least_squares(times, mean, covariance)
        slope, intercept, error, weights, chi2 = found
        line = Line(
            slope=float(slope),
            error=float(error),
            intercept=float(intercept),
            first=first,
            p_linear=min(
                float(stats.chi2.sf(chi2, len(times) - 2)),
                _p_bent(times, mean, covariance),
            ),
            weights=weights,
            covariance=covariance,
        )
        return self._checked(line)

    def first_linear(self, earliest: int = 0) -> Line | None:
        """Return the line from the shortest window on from which the MSD is straight.

        Where shorter windows were bent, what bent them may go on unseen. Windows begin
        twice as late then, by which time an exponential rest has fallen to its square.

        Parameters
        ----------
        earliest
            Position of the shortest window that may be taken.

        Returns
        -------
        :
            None where the MSD is nowhere straight.
        """
        n = len(self.data.windows) - FEWEST_WINDOWS
        for first in range(earliest, n + 1):
            line = self.line(first)
            if line.p_linear > LINEAR_P and line.slope > 0:
                break
        else:
            return None
        if first == earliest:
            return line
        later = int(np.searchsorted(self.data.windows, 2 * self.data.windows[first]))
        after = self.line(min(later, n))
        return after if after.p_linear > LINEAR_P and after.slope > 0 else line

    def covariance(
        self, slope: float, intercept: float, first: int
    ) -> Float[np.ndarray, "windows windows"]:
        """Return the covariance of the MSD of all windows, Å⁴.

        Parameters
        ----------
        slope, intercept
            Of the line, Å²/ps and Å².
        first
            Position of the shortest window from which cumulants are taken.
        """
        data = self.data
        frame = max(slope, 1e-12) * data.step  # Å² in a frame
        shape = _shape(data.tensor[first])
        noise = max(intercept, 0.0) / 2
        hops = self._excess(shape, first)
        found = np.zeros((len(data.windows),) * 2)
        for share, n in zip(self.shares, data.n_frames, strict=True):
            one = self._overlaps[n]
            found += share * (shape * _brownian(one, frame, noise) + hops * one.lengths)
        return found

    def _excess(self, shape: float, first: int) -> float:
        """Return the fourth cumulant of hops in a frame, Å⁴."""
        kept = slice(first, None)
        n = self.data.windows[kept]
        mean = np.maximum(self.data.mean[kept], 1e-12)
        beyond = self.data.spread[kept] - shape * mean**2
        weights = n / mean**4  # inverse variances of what follows
        return max(0.0, float(weights @ (beyond / n) / weights.sum()))

    def _checked(self, line: Line) -> Line:
        """Return a line whose error covers the scatter between particles."""
        by_particle = line.weights @ self.data.by_particle[line.first :]
        n = len(by_particle)
        if n < 3:
            return line
        scatter = by_particle.std(ddof=1) / np.sqrt(n)
        ratio = (scatter / line.error) ** 2
        if stats.chi2.sf(ratio * (n - 1), n - 1) > UNEQUAL_P:
            return line
        return dataclasses.replace(line, error=float(scatter), is_by_particle=True)


def _shares(data: Displacements) -> list[float]:
    """Return by what the covariance of one particle of each run is multiplied."""
    counts = np.array(data.n_particles, dtype=float)
    weights = counts * np.array(data.n_frames)
    weights /= weights.sum()
    return [float(w**2 / n) for w, n in zip(weights, counts, strict=True)]


def _shape(tensor: Float[np.ndarray, "3 3"]) -> float:
    """Return the variance of a squared Gaussian displacement over its mean squared.

    Examples
    --------
    >>> round(_shape(np.eye(3)), 4), _shape(np.diag([1.0, 0.0, 0.0]))
    (0.6667, 2.0)
    """
    trace = float(np.trace(tensor))
    return 2 * float((tensor**2).sum()) / trace**2 if trace > 0 else 2.0


def _brownian(
    one: Overlaps, frame: float, noise: float
) -> Float[np.ndarray, "windows windows"]:
    """Return the mean squared covariance of displacements along all axes together."""
    return (
        frame**2 * one.squares + 2 * frame * noise * one.ends + noise**2 * one.corners
    )


def _least_squares(
    times: Float[np.ndarray, " kept"],
    mean: Float[np.ndarray, " kept"],
    covariance: Float[np.ndarray, "kept kept"],
) -> tuple[float, float, float, np.ndarray, float]:
    """Return slope, intercept, error of the slope, its weights, and chi-squared."""
    scale = np.sqrt(np.diag(covariance))
    inner = covariance / np.outer(scale, scale) + 1e-9 * np.eye(len(times))
    factor = cho_factor(inner)
    design = np.stack([times, np.ones_like(times)], axis=1) / scale[:, None]
    solved = cho_solve(factor, design)
    inverse = np.linalg.inv(design.T @ solved)
    weights = (inverse @ solved.T) / scale
    slope, intercept = weights @ mean
    rest = (mean - slope * times - intercept) / scale
    chi2 = float(rest @ cho_solve(factor, rest))
    return slope, intercept, float(np.sqrt(inverse[0, 0])), weights[0], chi2


def _p_bent(
    times: Float[np.ndarray, " kept"],
    mean: Float[np.ndarray, " kept"],
    covariance: Float[np.ndarray, "kept kept"],
) -> float:
    """Return the probability of as large a part that falls as the inverse of time.

    One number that bends short windows is seen earlier than any deviation at all.
    """
    scale = np.sqrt(np.diag(covariance))
    inner = covariance / np.outer(scale, scale) + 1e-9 * np.eye(len(times))
    design = np.stack([times, np.ones_like(times), times[0] / times], axis=1)
    design /= scale[:, None]
    solved = cho_solve(cho_factor(inner), design)
    inverse = np.linalg.inv(design.T @ solved)
    found = inverse @ solved.T @ (mean / scale)
    return float(2 * stats.norm.sf(abs(found[2]) / np.sqrt(inverse[2, 2])))


def slope_samples(
    line: Line, n_samples: int, generator: np.random.Generator
) -> Float[np.ndarray, " samples"]:
    """Return samples of the posterior of a slope, Å²/ps; all are positive.

    Parameters
    ----------
    line
        With a positive slope.
    n_samples
        How many.
    generator
        Of random numbers.
    """
    return line.slope * np.exp(
        line.relative_error * generator.standard_normal(n_samples)
    )
