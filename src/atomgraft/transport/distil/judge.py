"""What the errors of methods say: which is chosen, and whether motion helps."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import spearmanr

from atomgraft.metrics.intervals import mean_interval
from atomgraft.transport.distil.materials import Collection
from atomgraft.transport.distil.record import (
    LOGARITHM,
    Answer,
    DistilResult,
    ErrorRecord,
    Interval,
    MethodRecord,
    MotionRecord,
    PredictionRecord,
)
from atomgraft.transport.distil.spec import DistilSpec
from atomgraft.transport.distil.wording import headline, notices
from atomgraft.transport.predictors.choice import Examples, Fitted, misses
from atomgraft.transport.predictors.methods import METHODS

SHARES = (0.68, 0.95)

STARTS = (
    "taught",
    "kim2026",
    "from scratch",
    "structure start",
    "shuffled motion",
    "taught by the label",
)
"""What a student may start from."""

RELEVANT = 0.05
"""Of an error; a gain that is surely smaller is none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Told:
    """Predictions of one method.

    Parameters
    ----------
    validation
        Of every division, without the group.
    test
        Of the fit to all materials that are learned from.
    fitted
        This fit.
    """

    validation: Float[np.ndarray, "seeds rows"]
    test: Float[np.ndarray, " test"]
    fitted: Fitted


def judged(
    spec: DistilSpec,
    identity: str,
    train: Collection,
    test: Collection,
    examples: Examples,
    asked: Examples,
    told: Mapping[str, Told],
) -> DistilResult:
    """Return methods by their errors, the one that is chosen, and what it is worth.

    Parameters
    ----------
    spec
        What was asked.
    identity
        Of the question.
    train, test
        Materials.
    examples, asked
        The same with features.
    told
        Predictions of each method.
    """
    wrong = {
        name: np.mean([misses(row, examples) for row in one.validation], axis=0)
        for name, one in told.items()
    }
    order = sorted(told, key=lambda name: float(wrong[name].mean()))
    control = next(name for name in order if METHODS[name].is_control)
    missed = {name: misses(one.test, asked) for name, one in told.items()}
    rows = [
        _method(name, told[name], wrong, missed, control, examples, asked)
        for name in order
    ]
    best = told[order[0]]
    widths = half_widths(wrong[order[0]], examples.groups)
    n_motion = 0
    if examples.table.ions is not None:
        n_motion = int(examples.table.ions.has_motion.sum())
    result = DistilResult(
        identity=identity,
        n_motion=n_motion,
        motion=_answer(wrong, examples) if n_motion else None,
        unmet=_unmet(spec, told),
        target=f"{LOGARITHM}{spec.target}" if spec.decades else spec.target,
        unit=spec.unit,
        mobile=tuple(sorted({one.material.mobile for one in train.known})),
        n_materials=len(examples),
        n_groups=len(np.unique(examples.groups)),
        n_shared=int(np.isin(asked.groups, examples.groups).sum()),
        n_limits=int(examples.is_limit.sum()),
        left_out={**train.left_out, **test.left_out},
        bare={**train.bare, **test.bare},
        blocks=tuple(examples.table.blocks),
        n_features=len(examples.table.columns),
        methods=tuple(rows),
        chosen=order[0],
        best_control=control,
        half_widths=widths,
        coverage=_coverage(missed[order[0]], widths),
        predictions=(
            *_predictions(train, examples, best.validation.mean(axis=0), is_test=False),
            *_predictions(test, asked, best.test, is_test=True),
        ),
        headline="",
    )
    said = {"headline": headline(result), "notices": notices(result)}
    return result.model_copy(update=said)


def _unmet(spec: DistilSpec, told: Mapping[str, Told]) -> tuple[str, ...]:
    """Return methods that were asked for and need what is not there."""
    return tuple(one for one in spec.methods if one not in told and METHODS[one].needs)


def _answer(
    wrong: Mapping[str, Float[np.ndarray, " rows"]], examples: Examples
) -> MotionRecord | None:
    """Return whether motion helps; none where the methods were not asked for."""
    there = [one for one in STARTS if one in wrong]
    if not {"taught", "shuffled motion"} <= {*there}:
        return None
    groups = examples.groups
    means = {one: float(wrong[one].mean()) for one in there}
    best = min(there, key=lambda one: means[one])
    second = min((one for one in there if one != best), key=lambda one: means[one])
    lead, lead_interval = _difference(wrong[second] - wrong[best], groups)
    gain, interval = _difference(wrong["shuffled motion"] - wrong["taught"], groups)
    return MotionRecord(
        best=best,
        second=second,
        lead=lead,
        lead_interval=lead_interval,
        gain=gain,
        interval=interval,
        answer=answer_of(interval, means["shuffled motion"]),
    )


def answer_of(interval: Interval | None, error: float) -> Answer:
    """Return whether motion helps, from the gain over shuffled motion.

    Parameters
    ----------
    interval
        Of the gain, 95 %.
    error
        With shuffled motion.

    Examples
    --------
    >>> answer_of((0.01, 0.1), 1.0), answer_of((-0.1, 0.01), 1.0)
    ('yes', 'no')
    >>> answer_of((-0.1, 0.2), 1.0), answer_of(None, 1.0)
    ('unresolved', 'unresolved')
    """
    if interval is None:
        return "unresolved"
    if interval[0] > 0:
        return "yes"
    return "no" if interval[1] < RELEVANT * error else "unresolved"


def _method(
    name: str,
    told: Told,
    wrong: Mapping[str, Float[np.ndarray, " rows"]],
    missed: Mapping[str, Float[np.ndarray, " test"]],
    control: str,
    examples: Examples,
    asked: Examples,
) -> MethodRecord:
    gain = test_gain = (None, None)
    if name != control:
        gain = _difference(wrong[control] - wrong[name], examples.groups)
        if len(asked):
            test_gain = _difference(missed[control] - missed[name], asked.groups)
    return MethodRecord(
        name=name,
        summary=METHODS[name].summary,
        is_control=METHODS[name].is_control,
        validation=_errors(wrong[name], told.validation.mean(axis=0), examples),
        against_control=gain[0],
        against_interval=gain[1],
        test=_errors(missed[name], told.test, asked) if len(asked) else None,
        test_against_control=test_gain[0],
        test_against_interval=test_gain[1],
        settings={key: str(value) for key, value in told.fitted.chosen.items()},
    )


def _errors(
    wrong: Float[np.ndarray, " rows"],
    predicted: Float[np.ndarray, " rows"],
    examples: Examples,
) -> ErrorRecord:
    exact = ~examples.is_limit
    varies = np.ptp(predicted[exact]) > 0 and np.ptp(examples.targets[exact]) > 0
    rank: Any = spearmanr(predicted[exact], examples.targets[exact]) if varies else None
    sure = mean_interval(wrong, np.ones(len(wrong)), clusters_of(examples.groups))
    return ErrorRecord(
        n=len(wrong),
        mean=float(wrong.mean()),
        interval=sure.interval,
        root_mean_square=float(np.sqrt((wrong**2).mean())),
        rank=None if rank is None else float(rank.statistic),
    )


def _difference(
    gain: Float[np.ndarray, " rows"], groups: Int[np.ndarray, " rows"]
) -> tuple[float, Interval | None]:
    found = mean_interval(gain, np.ones(len(gain)), clusters_of(groups), is_signed=True)
    return float(gain.mean()), found.interval


def clusters_of(groups: Int[np.ndarray, " rows"]) -> list[list[int]]:
    """Return the rows of each group."""
    return [np.flatnonzero(groups == one).tolist() for one in np.unique(groups)]


def half_widths(
    wrong: Float[np.ndarray, " rows"], groups: Int[np.ndarray, " rows"]
) -> tuple[float, float]:
    """Return half the widths of intervals that hold 68 and 95 % of new groups.

    Split conformal prediction (Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018)) with
    out-of-fold errors as scores; every group weighs one, and one more stands for the
    new group.

    Parameters
    ----------
    wrong
        Absolute out-of-fold errors.
    groups
        Of each row.

    Examples
    --------
    >>> half_widths(np.arange(1.0, 100.0), np.arange(99))
    (68.0, 95.0)
    """
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    weight = 1.0 / counts[place]
    order = np.argsort(wrong)
    passed = np.cumsum(weight[order]) / (len(counts) + 1)
    low, high = (
        float(wrong[order][min(np.searchsorted(passed, share - 1e-9), len(wrong) - 1)])
        for share in SHARES
    )
    return low, high


def _coverage(
    missed: Float[np.ndarray, " test"], widths: tuple[float, float]
) -> tuple[float, float] | None:
    if not len(missed):
        return None
    low, high = (float((missed <= width).mean()) for width in widths)
    return low, high


def _predictions(
    found: Collection,
    examples: Examples,
    predicted: Float[np.ndarray, " rows"],
    *,
    is_test: bool,
) -> list[PredictionRecord]:
    return [
        PredictionRecord(
            name=one.material.name,
            group=int(group),
            value=one.value,
            is_limit=one.is_limit,
            predicted=float(value),
            is_test=is_test,
        )
        for one, group, value in zip(
            found.known, examples.groups, predicted, strict=True
        )
    ]
