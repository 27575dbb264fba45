"""Error by labels of the target and of a source: a law, fitted with its uncertainty.

With n labels of the target and N of the source::

    error(n, N) = amplitude * n**-alpha * (1 + N / (rate * n**power))**-gamma

Without a source it is the power law of the target alone (Hestness et al.,
arXiv:1712.00409). `power` is 1 where what counts is how many labels of the source there
are for each of the target: `rate` of them are worth as much as one. It is 0 where their
number alone counts. Which of the two holds is decided by leaving settings out.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import optimize as _untyped  # pyright: ignore[reportMissingTypeStubs]

from atomgraft.metrics.intervals import student_quantile

optimize: Any = _untyped

POWERS = (1.0, 0.0)

N_LAW = 4
"""Parameters of the law with a source."""

N_ALONE = 2
"""Parameters of the law of the target alone."""

_BOUNDS = {"alpha": (0.0, 4.0), "rate": (-10.0, 20.0), "gamma": (0.0, 4.0)}
"""Searched; of the rate its logarithm."""

_STARTS = tuple((alpha, rate) for alpha in (0.2, 0.6) for rate in (0.0, 2.0, 4.0))

_WIDTHS = np.array([10.0, 2.0, 2.0, 4.0])
"""Standard deviations of the parameters before anything is measured: where the pilot
does not determine one, it is not known."""

SMALLEST_SCATTER = 1e-3
"""Of logarithms: no pilot is known better."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """A measured error.

    Parameters
    ----------
    n, n_source
        Labels of the target, and of the source.
    error
        Geometric mean over the seeds.
    n_seeds
        How many there are.
    """

    n: int
    n_source: int
    error: float
    n_seeds: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Law:
    """A law with its uncertainty.

    Parameters
    ----------
    parameters
        Logarithm of the amplitude, alpha; with a source also gamma and the logarithm
        of the rate.
    power
        Of n beside the rate.
    covariance
        Of the parameters.
    n_free
        Settings more than parameters, at least one.
    scatter
        Of the logarithms of settings around the law.
    left_out
        Root mean square miss of settings that were left out, of logarithms.
    """

    parameters: Float[np.ndarray, " parameters"]
    power: float
    covariance: Float[np.ndarray, "parameters parameters"]
    n_free: int
    scatter: float
    left_out: float

    def logs(
        self, n: Float[np.ndarray, " places"], n_source: Float[np.ndarray, " places"]
    ) -> Float[np.ndarray, " places"]:
        """Return logarithms of errors."""
        return log_errors(self.parameters, self.power, n, n_source)

    def slopes(
        self, n: Float[np.ndarray, " places"], n_source: Float[np.ndarray, " places"]
    ) -> Float[np.ndarray, "places parameters"]:
        """Return how logarithms of errors change with the parameters."""
        return jacobian(self.parameters, self.power, n, n_source)

    def factor(self) -> float:
        """Return Student's factor of a 95 % interval."""
        return student_quantile(self.n_free)


def log_errors(
    parameters: Float[np.ndarray, " parameters"],
    power: float,
    n: Float[np.ndarray, " places"],
    n_source: Float[np.ndarray, " places"],
) -> Float[np.ndarray, " places"]:
    """Return logarithms of errors of a law.

    Parameters
    ----------
    parameters, power
        See `Law`.
    n, n_source
        Labels of the target, above zero, and of the source.

    Examples
    --------
    >>> law = np.array([0.0, 0.5, 0.5, np.log(10.0)])
    >>> errors = np.exp(
    ...     log_errors(law, 1.0, np.full(2, 100.0), np.array([0.0, 3000.0]))
    ... )
    >>> errors.round(6).tolist()
    [0.1, 0.05]
    """
    level = parameters[0] - parameters[1] * np.log(n)
    if len(parameters) == N_ALONE:
        return level
    share = n_source / (math.exp(parameters[3]) * n**power)
    return level - parameters[2] * np.log1p(share)


def jacobian(
    parameters: Float[np.ndarray, " parameters"],
    power: float,
    n: Float[np.ndarray, " places"],
    n_source: Float[np.ndarray, " places"],
) -> Float[np.ndarray, "places parameters"]:
    """Return derivatives of :func:`log_errors` with respect to the parameters."""
    columns = [np.ones_like(n), -np.log(n)]
    if len(parameters) == N_LAW:
        share = n_source / (math.exp(parameters[3]) * n**power)
        columns += [-np.log1p(share), parameters[2] * share / (1 + share)]
    return np.stack(columns, axis=1)


def fit_law(settings: Sequence[Setting]) -> Law | None:
    """Return the law of settings, or none where there are too few.

    A law needs one setting more than it has parameters, two numbers of labels of the
    target, and with a source two numbers of its labels besides none and two of the
    target's beside them.

    Parameters
    ----------
    settings
        With ``n_source`` zero for the target alone.

    Examples
    --------
    >>> law = np.array([5.0, 0.5, 0.4, 2.0])
    >>> n = np.repeat([10.0, 30.0, 100.0], 3)
    >>> n_source = np.tile([0.0, 100.0, 1000.0], 3)
    >>> errors = np.exp(log_errors(law, 1.0, n, n_source))
    >>> settings = [
    ...     Setting(n=int(a), n_source=int(b), error=float(error), n_seeds=3)
    ...     for a, b, error in zip(n, n_source, errors, strict=True)
    ... ]
    >>> found = fit_law(settings)
    >>> found.power, found.parameters.round(4).tolist()
    (1.0, [5.0, 0.5, 0.4, 2.0])
    """
    sizes = {one.n_source for one in settings if one.n_source}
    n_parameters = N_LAW if sizes else N_ALONE
    is_enough = len(settings) > n_parameters and len({one.n for one in settings}) > 1
    with_source = {one.n for one in settings if one.n_source}
    if not is_enough or (sizes and min(len(sizes), len(with_source)) < 2):
        return None
    powers = POWERS if sizes else POWERS[:1]
    laws = [_fitted(settings, power, n_parameters) for power in powers]
    return min(laws, key=lambda law: law.left_out)


def _fitted(settings: Sequence[Setting], power: float, n_parameters: int) -> Law:
    n, n_source, logs = _arrays(settings)
    starts = [
        np.array([logs.mean(), alpha, 0.3, rate])[:n_parameters]
        for alpha, rate in _STARTS[: None if n_parameters == N_LAW else 1]
    ]
    best = _least_squares(n, n_source, logs, power, starts)
    misses: list[float] = []
    for i in range(len(settings)):
        kept = np.arange(len(settings)) != i
        if len(set(n[kept].tolist())) < 2:
            continue
        law = _least_squares(n[kept], n_source[kept], logs[kept], power, [best])
        told = log_errors(law, power, n[i : i + 1], n_source[i : i + 1])[0]
        misses.append(float(told - logs[i]))
    left = logs - log_errors(best, power, n, n_source)
    n_free = max(len(settings) - n_parameters, 1)
    scatter = max(math.sqrt(float((left**2).sum()) / n_free), SMALLEST_SCATTER)
    slopes = jacobian(best, power, n, n_source)
    prior = scatter**2 * np.diag(1 / np.square(_WIDTHS[:n_parameters]))
    return Law(
        parameters=best,
        power=power,
        covariance=scatter**2 * np.linalg.inv(slopes.T @ slopes + prior),
        n_free=n_free,
        scatter=scatter,
        left_out=math.sqrt(float(np.mean(np.square(misses)))) if misses else math.inf,
    )


def _arrays(settings: Sequence[Setting]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([float(one.n) for one in settings]),
        np.array([float(one.n_source) for one in settings]),
        np.log([one.error for one in settings]),
    )


def _least_squares(
    n: Float[np.ndarray, " settings"],
    n_source: Float[np.ndarray, " settings"],
    logs: Float[np.ndarray, " settings"],
    power: float,
    starts: Sequence[Float[np.ndarray, " parameters"]],
) -> Float[np.ndarray, " parameters"]:
    keys = ("alpha", "gamma", "rate")[: len(starts[0]) - 1]
    ends = np.array([(-np.inf, np.inf), *(_BOUNDS[key] for key in keys)]).T

    def left(parameters: Float[np.ndarray, " parameters"]) -> np.ndarray:
        return log_errors(parameters, power, n, n_source) - logs

    def slopes(parameters: Float[np.ndarray, " parameters"]) -> np.ndarray:
        return jacobian(parameters, power, n, n_source)

    found = [
        optimize.least_squares(
            left,
            np.clip(start, ends[0] + 1e-9, ends[1] - 1e-9),
            jac=slopes,
            bounds=ends,
            x_scale="jac",
            xtol=1e-12,
            ftol=1e-12,
        )
        for start in starts
    ]
    return min(found, key=lambda one: one.cost).x


def means_of(errors: Mapping[tuple[int, int], Sequence[float]]) -> list[Setting]:
    """Return settings of errors by labels of the target and of the source.

    Parameters
    ----------
    errors
        One for each seed, above zero.
    """
    return [
        Setting(
            n=n,
            n_source=n_source,
            error=math.exp(float(np.mean(np.log(list(values))))),
            n_seeds=len(values),
        )
        for (n, n_source), values in sorted(errors.items())
    ]
