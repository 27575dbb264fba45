"""Error against labels as a power law, with intervals over seeds and its limits.

The law is ``error(n) = amplitude * n**-exponent + floor`` (Hestness et al.,
arXiv:1712.00409). Errors are fitted in their logarithm, so that a ten per cent miss
weighs the same at every size. How sure it is comes from leaving one seed out at a
time; why not from resampling is said at :func:`jackknife_interval`.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import optimize as _untyped  # pyright: ignore[reportMissingTypeStubs]

from atomgraft.metrics.intervals import student_quantile

optimize: Any = _untyped

MIN_SIZES = 3
"""Two sizes always lie on a power law: nothing is tested."""

SIZES_FOR_FLOOR = 4
"""Three sizes always lie on a power law with a floor."""

FLOOR_GAIN = 2.0
"""How much lower the corrected Akaike criterion has to be before a floor is believed
(Burnham and Anderson, Model Selection, 2002, p. 70)."""

EXPONENTS = (0.02, 4.0)
"""Searched where there is a floor; steeper is no learning curve."""

FAR = 10.0
"""Times the largest size that was measured: beyond it nothing is predicted."""

LARGEST_SHARE = 0.999
"""Of the floor in the error at the largest size."""

FEWEST_SEEDS = 3
"""An interval over two covers too, but says nothing: Student's factor is 12.7."""

_STARTS = tuple(itertools.product((0.2, 0.7, 2.0), (0.05, 0.7)))
"""Exponents and shares to start from: the two trade against each other along a narrow
curved valley, and one start of 300 simulated curves ended in the wrong part of it."""

_PRECISION = {"xtol": 1e-10, "ftol": 1e-12, "gtol": 1e-12}

WIDEST_EXPONENT = 2.0
"""Width of an exponent's interval above which the seeds tell nothing about it: errors
fall as n^-0.5 to n^-1, so that such an interval allows rising errors as well."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """One learning curve.

    Parameters
    ----------
    amplitude
        In the unit of the error.
    exponent
        Positive where the error falls with labels.
    floor
        What no number of labels removes, in the unit of the error; often zero.

    Examples
    --------
    >>> law = PowerLaw(amplitude=20.0, exponent=0.5, floor=1.0)
    >>> law.error(100.0)
    3.0
    >>> round(law.labels_for(3.0), 6)
    100.0
    """

    amplitude: float
    exponent: float
    floor: float = 0.0

    def error(self, n: float) -> float:
        """Return the error at a number of labels."""
        return self.amplitude * n**-self.exponent + self.floor

    def gain(self, n: float, more: float) -> float:
        """Return the share of the error that more labels take away.

        Parameters
        ----------
        n
            Labels there are.
        more
            Labels to come.
        """
        return 1 - self.error(n + more) / self.error(n)

    def labels_for(self, error: float) -> float:
        """Return the number of labels at which the error is reached; perhaps infinite.

        Parameters
        ----------
        error
            Above zero, in the unit of the fit.
        """
        if error <= self.floor or self.exponent <= 0:
            return math.inf
        exponent = math.log(self.amplitude / (error - self.floor)) / self.exponent
        return math.exp(exponent) if exponent < 700 else math.inf

    def last_worthwhile(self, more: float, share: float) -> float:
        """Return up to how many labels `more` of them still gain at least `share`.

        Parameters
        ----------
        more
            Labels in one batch of labelling.
        share
            Of the error, between zero and one.
        """
        low, high = 1e-9, 1.0
        if self.exponent <= 0 or self.gain(low, more) < share:
            return 0.0
        while self.gain(high, more) >= share:  # falls with n, to zero
            low, high = high, 2 * high

        def surplus(n: float) -> float:
            return self.gain(n, more) - share

        return optimize.brentq(surplus, low, high)


def is_known_exponent(interval: tuple[float, float]) -> bool:
    """Tell whether the interval of an exponent is narrow enough to be shown.

    Examples
    --------
    >>> is_known_exponent((0.3, 0.9)), is_known_exponent((-30.0, 31.0))
    (True, False)
    """
    return interval[1] - interval[0] <= WIDEST_EXPONENT


def fit_power_law(
    sizes: Float[np.ndarray, " points"],
    errors: Float[np.ndarray, " points"],
    *,
    floor: bool = False,
) -> PowerLaw:
    """Fit a power law to errors by least squares in their logarithm.

    Without a floor this is a straight line in logarithms. With one, exponent and
    floor are fitted from several starts, and the amplitude follows in closed form.

    Parameters
    ----------
    sizes
        Numbers of labels, above zero; two different ones at least.
    errors
        Above zero, one for each size; several of one size are several seeds.
    floor
        Fit one, at least zero.

    Raises
    ------
    ValueError
        Fewer than two sizes, or a number that is not above zero.

    Examples
    --------
    >>> n = np.array([5.0, 10.0, 20.0])
    >>> law = fit_power_law(n, 8.0 * n**-0.7)
    >>> round(law.amplitude, 9), round(law.exponent, 9)
    (8.0, 0.7)
    """
    if len(np.unique(sizes)) < 2:
        raise ValueError("a power law needs at least two sizes")
    if not (np.all(sizes > 0) and np.all(errors > 0)):
        raise ValueError("a power law needs sizes and errors above zero")
    x, y = np.log(sizes), np.log(errors)
    if not floor:
        slope = float(((x - x.mean()) * y).sum() / ((x - x.mean()) ** 2).sum())
        return PowerLaw(
            amplitude=math.exp(float(y.mean()) - slope * float(x.mean())),
            exponent=-slope,
        )
    return _fit_with_floor(x, y)


def _fit_with_floor(
    x: Float[np.ndarray, " points"], y: Float[np.ndarray, " points"]
) -> PowerLaw:
    """Fit the exponent and the share of the floor in the error at the largest size."""
    places = x - x.max()

    def scatter(law: Float[np.ndarray, "2"]) -> Float[np.ndarray, " points"]:
        left = y - _shape(places, *law)
        return left - left.mean()

    ends = np.array(
        [(math.log(EXPONENTS[0]), 0.0), (math.log(EXPONENTS[1]), LARGEST_SHARE)]
    )
    found: Any = min(
        (
            optimize.least_squares(
                scatter,
                (math.log(exponent), share),
                bounds=ends,
                method="dogbox",
                **_PRECISION,
            )
            for exponent, share in _STARTS
        ),
        key=lambda one: one.cost,
    )
    log_exponent, share = found.x
    exponent = math.exp(log_exponent)
    scale = math.exp(float((y - _shape(places, log_exponent, share)).mean()))
    return PowerLaw(
        amplitude=scale * (1 - share) * math.exp(float(x.max()) * exponent),
        exponent=exponent,
        floor=scale * share,
    )


def _shape(
    places: Float[np.ndarray, " points"], log_exponent: float, share: float
) -> Float[np.ndarray, " points"]:
    """Return log errors of the law that is one at the largest size."""
    return np.log((1 - share) * np.exp(-math.exp(log_exponent) * places) + share)


def is_floor_supported(
    sizes: Float[np.ndarray, " points"], errors: Float[np.ndarray, " points"]
) -> bool:
    """Tell whether the corrected Akaike criterion supports a floor.

    AICc = N ln(RSS / N) + 2k + 2k(k + 1) / (N - k - 1), where k counts the variance
    too (Hurvich and Tsai, Biometrika 76, 297, 1989).

    Parameters
    ----------
    sizes
        As for :func:`fit_power_law`.
    errors
        As for :func:`fit_power_law`.

    Examples
    --------
    >>> n = np.tile([5.0, 10.0, 20.0, 40.0, 80.0], 3)
    >>> is_floor_supported(n, 30.0 / n + 2.0 + 0.02 * np.sin(np.arange(15)))
    True
    >>> is_floor_supported(n, 30.0 / n * (1 + 0.02 * np.sin(np.arange(15))))
    False
    """
    n_points = len(sizes)
    if len(np.unique(sizes)) < SIZES_FOR_FLOOR or n_points < 6:
        return False
    criteria: list[float] = []
    for floor, k in ((False, 3), (True, 4)):
        law = fit_power_law(sizes, errors, floor=floor)
        misses = np.log(errors) - np.log([law.error(n) for n in sizes])
        scatter = max(float((misses**2).mean()), 1e-24)
        correction = 2 * k + 2 * k * (k + 1) / (n_points - k - 1)
        criteria.append(n_points * math.log(scatter) + correction)
    return criteria[1] < criteria[0] - FLOOR_GAIN


def jackknife_interval(
    estimate: Callable[[Float[np.ndarray, "seeds sizes"]], float],
    errors: Float[np.ndarray, "seeds sizes"],
) -> tuple[float, float] | None:
    """Return the 95 % interval of an estimate by leaving one seed out at a time.

    The seeds are what was drawn independently; the sizes of one seed share their
    structures. The variance is ``(m - 1) / m * sum((e_i - mean(e))**2)`` over the m
    estimates (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, eq.
    11.5), and the factor is Student's for m - 1 degrees of freedom. Resampling a few
    seeds instead gives intervals that hold the truth too rarely.

    Parameters
    ----------
    estimate
        Of errors, "seeds sizes"; NaN where it has none.
    errors
        Rows are seeds.

    Returns
    -------
    :
        None for fewer than three seeds, or where an estimate has no value.
    """
    m = len(errors)
    if m < FEWEST_SEEDS:
        return None
    left_out = np.array([estimate(np.delete(errors, i, axis=0)) for i in range(m)])
    whole = estimate(errors)
    if not (np.isfinite(left_out).all() and math.isfinite(whole)):
        return None
    variance = (m - 1) / m * float(((left_out - left_out.mean()) ** 2).sum())
    half = student_quantile(m - 1) * math.sqrt(variance)
    return whole - half, whole + half


def line_interval(
    x: Float[np.ndarray, " points"],
    y: Float[np.ndarray, " points"],
    weights: Float[np.ndarray, "2"],
    *,
    n_lines: int = 1,
) -> tuple[float, float] | None:
    """Return the 95 % interval of a combination of a line's level and slope.

    What is left for a few seeds: the scatter around the line, with n - 2 degrees of
    freedom (ordinary least squares), one less for each further level taken out of `y`.

    Parameters
    ----------
    x
        Logarithms of sizes.
    y
        Logarithms of errors.
    weights
        Of the line at x = 0 and of its slope; ``[0, 1]`` is the slope itself and
        ``[1, x]`` the line at x.
    n_lines
        Parallel lines, one a seed, whose levels were taken out of `y`.

    Returns
    -------
    :
        None where no point is left over.
    """
    n_free = len(x) - 1 - n_lines
    if n_free < 1:
        return None
    design = np.stack([np.ones_like(x), x], axis=1)
    inverse = np.linalg.inv(design.T @ design)
    line = inverse @ design.T @ y
    variance = float(((y - design @ line) ** 2).sum()) / n_free
    half = student_quantile(n_free) * math.sqrt(variance * weights @ inverse @ weights)
    middle = float(weights @ line)
    return middle - half, middle + half
