"""Whether atoms diffuse, how fast, and what can be said where they do not."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats

from atomgraft.core.seeding import numpy_generator
from atomgraft.transport.diffusivity.kinisi_fit import kinisi_samples
from atomgraft.transport.diffusivity.regression import (
    LINEAR_P,
    Line,
    Regression,
    slope_samples,
)
from atomgraft.transport.diffusivity.spec import DiffusivitySpec
from atomgraft.transport.diffusivity.windows import Displacements

A2_PER_PS_IN_CM2_PER_S = 1e-4
"""1 Å²/ps in cm²/s."""

SMALLEST_EXPONENT = 0.7
"""Of the MSD over time at long windows; one is diffusion, zero a cage."""

LARGEST_EXPONENT = 1.3
"""More is ballistic motion or a flow."""

LARGEST_ERROR = 0.4
"""Relative standard error above which there is no number."""

LATE_SHARE = 0.25
"""Of the longest window, from which on the exponent is taken."""

HOP_LENGTH = 3.0
"""Å; of the hops that may have been missed where none was seen."""

UNSEEN = 3.0
"""Mean number of events that is excluded with 95 % where none was seen."""

CERTAINTY = 0.95
"""Of an upper limit."""

Z95 = 1.96


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """A diffusivity, or an upper limit.

    Parameters
    ----------
    samples
        cm²/s; of the posterior. None where the particles do not diffuse.
    limit
        cm²/s; the diffusivity is below it with a probability of 95 %. None where there
        are samples.
    reason
        Why there is no number.
    exponent, exponent_error
        Of the MSD over time at long windows, and its standard error.
    line
        Fitted to the MSD; none where it is nowhere straight.
    notes
        What must be known of the number.
    """

    samples: Float[np.ndarray, " samples"] | None
    limit: float | None
    reason: str
    exponent: float
    exponent_error: float
    line: Line | None
    notes: tuple[str, ...] = ()

    @property
    def is_diffusive(self) -> bool:
        """Whether there is a number."""
        return self.samples is not None


def judged(
    regression: Regression,
    spec: DiffusivitySpec,
    *purpose: str | int,
    n_axes: int = 3,
    earliest: int = 0,
    smallest_msd: float | None = None,
) -> Estimate:
    """Return the diffusivity of some particles.

    Parameters
    ----------
    regression
        Of their MSD.
    spec
        Limits, estimator, seed.
    purpose
        Tells the random numbers of this estimate from those of others.
    n_axes
        Along how many axes the MSD is taken.
    earliest
        Position of the shortest window that may be used.
    smallest_msd
        Å²; what diffusion must add to the MSD. None takes that of the spec.
    """
    data = regression.data
    line = _line(regression, spec, earliest)
    exponent, error = _exponent(regression, line)
    least = spec.smallest_msd if smallest_msd is None else smallest_msd
    reason = _reason(data, line, exponent, error, least)
    shared = {
        "reason": reason,
        "exponent": exponent,
        "exponent_error": error,
        "line": line,
    }
    if reason or line is None:
        limit = upper_limit(regression, n_axes)
        return Estimate(samples=None, limit=limit, **shared)
    generator = numpy_generator(spec.seed, *purpose)
    if spec.estimator == "kinisi":
        slopes = kinisi_samples(data, line.first, spec.n_samples, generator)
    else:
        slopes = slope_samples(line, spec.n_samples, generator)
    samples = slopes / (2 * n_axes) * A2_PER_PS_IN_CM2_PER_S
    return Estimate(samples=samples, limit=None, notes=_notes(line), **shared)


def _line(regression: Regression, spec: DiffusivitySpec, earliest: int) -> Line | None:
    if spec.start is None:
        return regression.first_linear(earliest)
    first = int(np.searchsorted(regression.data.times, spec.start - 1e-9))
    if first > len(regression.data.windows) - 3:
        return None
    line = regression.line(first)
    return line if line.slope > 0 else None


def _notes(line: Line) -> tuple[str, ...]:
    notes: list[str] = []
    if line.is_by_particle:
        notes.append(
            "Ions differ in how far they move by more than chance; the interval is "
            "from the scatter between ions."
        )
    if line.p_linear <= LINEAR_P:
        notes.append(
            "The MSD is not a straight line from the given start on "
            f"(p = {line.p_linear:.1g})."
        )
    return tuple(notes)


def _reason(
    data: Displacements,
    line: Line | None,
    exponent: float,
    error: float,
    smallest_msd: float,
) -> str:
    """Return why there is no number; empty where there is one."""
    if exponent + Z95 * error < SMALLEST_EXPONENT:
        return (
            f"the MSD grows as time to the power {exponent:z.2f}: ions move in cages "
            "or hop back"
        )
    if exponent - Z95 * error > LARGEST_EXPONENT:
        return (
            f"the MSD grows as time to the power {exponent:z.2f}: faster than diffusion"
        )
    if line is None:
        return "the MSD has no straight part within half the trajectory"
    growth = line.slope * data.times[-1]
    if growth < smallest_msd:
        return (
            f"diffusion adds {growth:.2g} Å² to the MSD within "
            f"{data.times[-1]:.3g} ps; {smallest_msd:g} Å² are needed"
        )
    if line.relative_error > LARGEST_ERROR:
        return (
            f"the standard error of the slope is {100 * line.relative_error:.0f} %: "
            "too few independent hops"
        )
    return ""


def _exponent(regression: Regression, line: Line | None) -> tuple[float, float]:
    """Return the exponent of the MSD at long windows, and its standard error."""
    data = regression.data
    first = int(np.searchsorted(data.times, LATE_SHARE * data.times[-1]))
    first = max(0, min(first, len(data.windows) - 3))
    kept = slice(first, None)
    times, mean = np.log(data.times[kept]), data.mean[kept]
    if mean.min() <= 0:
        return 0.0, 0.0
    slope, intercept = (
        _rough(data, first)
        if line is None
        else (
            line.slope,
            line.intercept,
        )
    )
    covariance = regression.covariance(slope, intercept, first)[kept, kept]
    weights = times - times.mean()
    weights /= weights @ weights
    relative = covariance / np.outer(mean, mean)
    error = float(np.sqrt(weights @ relative @ weights))
    return float(weights @ np.log(mean)), error


def _rough(data: Displacements, first: int) -> tuple[float, float]:
    """Return slope and intercept through the first and the last of long windows."""
    times, mean = data.times[first:], data.mean[first:]
    slope = max(0.0, float((mean[-1] - mean[0]) / (times[-1] - times[0])))
    return slope, float(mean[-1] - slope * times[-1])


def upper_limit(regression: Regression, n_axes: int) -> float:
    """Return what the diffusivity is below with a probability of 95 %, cm²/s.

    All of the MSD at the longest window is taken for diffusion, and no less than the
    hops that may have been missed.

    Parameters
    ----------
    regression
        Of the MSD.
    n_axes
        Along how many axes it is taken.
    """
    data = regression.data
    time, msd = float(data.times[-1]), float(data.mean[-1])
    covariance = regression.covariance(msd / time, 0.0, len(data.windows) - 1)
    n_free = 2 * msd**2 / float(covariance[-1, -1]) if msd > 0 else np.inf
    seen = msd / time
    if np.isfinite(n_free):
        seen *= n_free / float(stats.chi2.ppf(1 - CERTAINTY, n_free))
    observed = sum(
        n * (length - 1) * data.step
        for n, length in zip(data.n_particles, data.n_frames, strict=True)
    )
    unseen = UNSEEN * HOP_LENGTH**2 / observed
    return max(seen, unseen) / (2 * n_axes) * A2_PER_PS_IN_CM2_PER_S


def tensor_of(data: Displacements, line: Line) -> Float[np.ndarray, "3 3"]:
    """Return the diffusion tensor, cm²/s, along the axes of the coordinates.

    Parameters
    ----------
    data
        What was measured.
    line
        Fitted to its MSD.
    """
    slopes = np.einsum("t,tab->ab", line.weights, data.tensor[line.first :])
    return slopes / 2 * A2_PER_PS_IN_CM2_PER_S


def scatter_p(estimates: Sequence[Estimate]) -> float | None:
    """Return the probability that runs scatter as much, were they equal but for chance.

    Parameters
    ----------
    estimates
        Of runs at one temperature.

    Returns
    -------
    :
        None where fewer than two runs have a number.
    """
    lines = [one.line for one in estimates if one.is_diffusive and one.line]
    if len(lines) < 2:
        return None
    logs = np.log([one.slope for one in lines])
    weights = np.array([one.relative_error for one in lines]) ** -2.0
    mean = weights @ logs / weights.sum()
    chi2 = float(weights @ (logs - mean) ** 2)
    return float(stats.chi2.sf(chi2, len(lines) - 1))
