"""Learning curves: a power law for each contestant, or the reason why there is none."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from atomgraft.compare.record import Curve, Interval
from atomgraft.evaluation.score_table import figure
from atomgraft.metrics.power_law import (
    FAR,
    FEWEST_SEEDS,
    MIN_SIZES,
    PowerLaw,
    fit_power_law,
    is_floor_supported,
    is_known_exponent,
    jackknife_interval,
    line_interval,
)

WIDEST = 10.0
"""Ratio of the ends of an interval beyond which nothing is predicted."""

TOO_WIDE = (
    "too few seeds for a prediction: the ends of its interval are more than a factor "
    f"of {WIDEST:g} apart"
)

Errors = Float[np.ndarray, "seeds sizes"]


class LearningCurve:
    """A power law, its intervals and predictions.

    From three seeds on, intervals are over seeds. Of fewer, the scatter between them
    is hardly known; then intervals come from the scatter of the sizes about parallel
    lines in logarithms, one a seed, and say nothing of other seeds.

    Parameters
    ----------
    sizes
        Numbers of labels, ascending.
    errors
        One row for each seed that has every size; all above zero.
    """

    def __init__(self, sizes: Sequence[int], errors: Errors) -> None:
        self.sizes, self.errors = np.array(sizes, dtype=float), errors
        flat_sizes, flat_errors = self._flat(errors)
        self.has_floor = is_floor_supported(flat_sizes, flat_errors)
        self.law = self._fit(errors)
        self.is_over_seeds = len(errors) >= FEWEST_SEEDS

    def _flat(
        self, errors: Errors
    ) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
        return np.tile(self.sizes, len(errors)), errors.ravel()

    def _fit(self, errors: Errors) -> PowerLaw:
        return fit_power_law(*self._flat(errors), floor=self.has_floor)

    def exponent_interval(self) -> Interval | None:
        """Return the 95 % interval of the exponent."""
        if not self.is_over_seeds:
            found = self._line(np.array([0.0, 1.0]))
            return None if found is None else (-found[1], -found[0])
        return self._jackknife(lambda law: law.exponent)

    def error_interval(self, n: float) -> Interval | None:
        """Return the 95 % interval of the mean error at a number of labels."""
        if not self.is_over_seeds:
            found = self._line(np.array([1.0, math.log(n)]))
        else:
            found = self._jackknife(lambda law: math.log(law.error(n)))
        return _informative(found)

    def labels_interval(self, error: float) -> Interval | None:
        """Return the 95 % interval of the labels that an error needs."""
        return _informative(
            self._jackknife(lambda law: math.log(law.labels_for(error)))
        )

    def _jackknife(self, of: Callable[[PowerLaw], float]) -> Interval | None:
        return jackknife_interval(lambda errors: of(self._fit(errors)), self.errors)

    def _line(self, weights: Float[np.ndarray, "2"]) -> Interval | None:
        logarithms = np.log(self.errors)
        levels = logarithms.mean(axis=1, keepdims=True)
        x = np.log(self._flat(self.errors)[0])
        y = (logarithms - levels + levels.mean()).ravel()
        return line_interval(x, y, weights, n_lines=len(self.errors))


def _informative(logarithms: Interval | None) -> Interval | None:
    """Return an interval from that of the logarithm, unless it says nothing."""
    if logarithms is None or logarithms[1] - logarithms[0] > math.log(WIDEST):
        return None
    return math.exp(logarithms[0]), math.exp(logarithms[1])


def learning_curve(
    contestant: str,
    by_seed: Mapping[int, Mapping[int, float]],
    *,
    more: int,
    target_error: float | None,
    worthwhile: float,
) -> Curve | None:
    """Return the law of one contestant, or none where it has no error at all.

    Seeds that lack a size are left out, so that every size is measured on the same
    draws.

    Parameters
    ----------
    contestant
        Its name.
    by_seed
        Errors, by seed and then by number of labels.
    more
        Labels in the next batch.
    target_error
        To reach, in the unit of the errors.
    worthwhile
        Share of the error that the next batch has to take away.

    Examples
    --------
    >>> errors = {
    ...     s: {n: (1 + 0.01 * s) * 9 / n**0.5 for n in (9, 36, 144)} for s in (0, 1)
    ... }
    >>> curve = learning_curve(
    ...     "lora", errors, more=112, target_error=None, worthwhile=0.05
    ... )
    >>> curve.is_identified, round(curve.exponent, 3), round(curve.error_next, 2)
    (True, 0.5, 0.57)
    """
    sizes = sorted({n for errors in by_seed.values() for n in errors})
    whole = [
        seed for seed, errors in sorted(by_seed.items()) if len(errors) == len(sizes)
    ]
    if not sizes:
        return None
    n_now = sizes[-1]
    bare = Curve(
        contestant=contestant,
        is_identified=False,
        reason="",
        n_now=n_now,
        n_next=n_now + more,
    )
    rows = [[by_seed[seed][n] for n in sizes] for seed in whole]
    errors = np.array(rows, dtype=float).reshape(len(whole), len(sizes))
    if reason := _obstacle(sizes, errors):
        return bare.model_copy(update={"reason": reason})
    found = LearningCurve(sizes, errors)
    exponent = found.exponent_interval()
    fitted = bare.model_copy(
        update={
            "amplitude": found.law.amplitude,
            "exponent": found.law.exponent,
            "exponent_interval": exponent,
            "floor": found.law.floor,
            "error_now": found.law.error(float(n_now)),
        }
    )
    if exponent is None or exponent[0] <= 0:
        return fitted.model_copy(update={"reason": _not_falling(exponent)})
    told = _predictions(found, n_now, more, target_error, worthwhile)
    if told["error_next_interval"] is None:
        return fitted.model_copy(update={"reason": TOO_WIDE})
    return fitted.model_copy(
        update={"is_identified": True, "reason": _fitted(found), **told}
    )


def _obstacle(sizes: Sequence[int], errors: Errors) -> str:
    """Say why nothing can be fitted, or nothing."""
    if len(sizes) < MIN_SIZES:
        return (
            f"{len(sizes)} size{'s' * (len(sizes) > 1)} measured; a power law needs "
            f"{MIN_SIZES}"
        )
    if not len(errors):
        return "no seed has every size yet"
    if not (np.isfinite(errors).all() and (errors > 0).all()):
        return "an error is zero or not finite"
    return ""


def _not_falling(exponent: Interval | None) -> str:
    if exponent is None:
        return "the exponent has no interval"
    if not is_known_exponent(exponent):
        return "too few seeds to tell whether the error falls with labels"
    low, high = (figure(one) for one in exponent)
    return (
        f"the error does not fall clearly with labels: exponent between {low} and "
        f"{high}"
    )


def _fitted(found: LearningCurve) -> str:
    kind = "power law with a floor" if found.has_floor else "power law"
    n_seeds = len(found.errors)
    over = f"over {n_seeds} seeds"
    if not found.is_over_seeds:
        lines = "line" if n_seeds == 1 else f"lines of {n_seeds} seeds"
        over = f"from the scatter about the {lines}"
    return f"{kind} through {len(found.sizes)} sizes; intervals {over}"


def _predictions(
    found: LearningCurve,
    n_now: int,
    more: int,
    target_error: float | None,
    worthwhile: float,
) -> dict[str, object]:
    law, n_next = found.law, float(n_now + more)
    needed = None if target_error is None else law.labels_for(target_error)
    is_near = needed is not None and needed <= FAR * n_now
    return {
        "error_next": law.error(n_next),
        "error_next_interval": found.error_interval(n_next),
        "last_worthwhile": law.last_worthwhile(float(more), worthwhile),
        "labels_for_target": needed if is_near else None,
        "labels_for_target_interval": (
            found.labels_interval(target_error)
            if is_near and target_error is not None
            else None
        ),
    }
