"""Mean and interval over the seeds, for each contestant and size."""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from atomgraft.compare.record import (
    Baseline,
    ComparedCell,
    Contestant,
    Interval,
    IntervalOver,
    Summary,
    Target,
)
from atomgraft.evaluation import forgetting, labels
from atomgraft.metrics.intervals import student_interval
from atomgraft.records.scores import Score

SUMMARISED = {
    labels.SUITE: frozenset({"mae", "mae_aligned", "rmse", "rmse_aligned"}),
    labels.VALIDATION: frozenset({"mae", "mae_aligned"}),
    forgetting.SUITE: frozenset({"drift"}),
}
"""Metrics that are summarised, by suite; all are zero or more, smaller is better."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Question:
    """What a score answers, whichever model and seed."""

    suite: str
    quantity: str
    metric: str
    group: str | None


def summarise(cells: Sequence[ComparedCell]) -> tuple[Summary, ...]:
    """Return every quantity of every contestant and size, over the seeds.

    The value is the geometric mean: errors scatter by factors, not by amounts. Its
    interval is Student's, on the logarithms, from five seeds on; fewer have a range
    alone. A single seed has no spread; then the interval is that over the test
    structures, and says so.

    Parameters
    ----------
    cells
        In any order; those that are not done do not count.

    Examples
    --------
    >>> cells = [
    ...     ComparedCell(
    ...         name=f"lora-n8-s{seed}",
    ...         contestant="lora",
    ...         n_labels=8,
    ...         seed=seed,
    ...         status="done",
    ...         scores=(
    ...             Score(
    ...                 model="adapted",
    ...                 suite="labels",
    ...                 quantity="forces",
    ...                 metric="mae",
    ...                 value=value,
    ...                 unit="meV/Å",
    ...                 n=5,
    ...             ),
    ...         ),
    ...     )
    ...     for seed, value in enumerate([2.0, 8.0])
    ... ]
    >>> [row] = summarise(cells)
    >>> round(row.value, 9), row.n_seeds, row.range, row.interval
    (4.0, 2, (2.0, 8.0), None)
    """
    found: dict[tuple[str, int], list[ComparedCell]] = defaultdict(list)
    for cell in cells:
        if cell.status == "done":
            found[cell.contestant, cell.n_labels].append(cell)
    return tuple(row for members in found.values() for row in _rows(members))


def baselines_of(
    cells: Sequence[ComparedCell], contestants: Sequence[Contestant]
) -> tuple[Baseline, ...]:
    """Return what the bases score without training.

    Where scales of an element map are fitted, the frames of each cell give another
    base: there is one for each size, its means over the seeds as in :func:`summarise`.
    Any other base is that of the first cell that measured it.

    Parameters
    ----------
    cells
        In any order; those that are not done do not count.
    contestants
        Who takes part.
    """
    starts = {one.name: one for one in contestants}
    found: dict[tuple[str, int | None], dict[int, tuple[Score, ...]]] = {}
    for cell in cells:
        scores = tuple(one for one in cell.scores if one.model == "base")
        if not scores or cell.status != "done":
            continue
        one = starts[cell.contestant]
        size = cell.n_labels if one.is_fitted else None
        found.setdefault((one.start, size), {}).setdefault(cell.seed, scores)
    return tuple(
        Baseline(
            base=base,
            n_labels=size,
            scores=next(iter(seeds.values()))
            if size is None
            else _over_seeds([seeds[seed] for seed in sorted(seeds)]),
        )
        for (base, size), seeds in found.items()
    )


def _over_seeds(fits: Sequence[tuple[Score, ...]]) -> tuple[Score, ...]:
    if len(fits) == 1:
        return fits[0]
    by_question: dict[_Question, list[Score]] = defaultdict(list)
    for score in (one for scores in fits for one in scores):
        if score.metric in SUMMARISED.get(score.suite, frozenset()):
            by_question[_question(score)].append(score)
    rows: list[Score] = []
    for scores in by_question.values():
        value, interval, _ = _middle(scores)
        change = {
            "value": value,
            "interval": interval,
            "independent": "seeds",
            "n_independent": len(scores),
            "no_interval": None,
        }
        rows.append(scores[0].model_copy(update=change))
    return tuple(rows)


def _rows(members: Sequence[ComparedCell]) -> Iterator[Summary]:
    by_question: dict[_Question, list[Score]] = defaultdict(list)
    for cell in sorted(members, key=lambda one: one.seed):
        for score in cell.scores:
            wanted = SUMMARISED.get(score.suite, frozenset())
            if score.model == "adapted" and score.metric in wanted:
                by_question[_question(score)].append(score)
    for question, scores in by_question.items():
        value, interval, over = _middle(scores)
        yield Summary(
            contestant=members[0].contestant,
            n_labels=members[0].n_labels,
            value=value,
            unit=scores[0].unit,
            interval=interval,
            interval_over=over,
            range=_range(scores),
            n_seeds=len(scores),
            **dataclasses.asdict(question),
        )


def _question(score: Score) -> _Question:
    return _Question(
        suite=score.suite,
        quantity=score.quantity,
        metric=score.metric,
        group=score.group,
    )


def _middle(
    scores: Sequence[Score],
) -> tuple[float, Interval | None, IntervalOver | None]:
    """Return mean, interval, and what the interval is over."""
    if len(scores) == 1:
        [alone] = scores
        over = "structures" if alone.interval is not None else None
        return alone.value, alone.interval, over
    values = np.array([score.value for score in scores])
    if not (values > 0).all():
        return float(values.mean()), None, None
    logarithms = np.log(values)
    middle, interval = math.exp(float(logarithms.mean())), student_interval(logarithms)
    if interval is None:
        return middle, None, None
    return middle, _exponential(interval), "seeds"


def _range(scores: Sequence[Score]) -> Interval | None:
    values = [score.value for score in scores]
    return (min(values), max(values)) if len(values) > 1 else None


def _exponential(interval: Interval) -> Interval:
    return math.exp(interval[0]), math.exp(interval[1])


def target_of(cells: Sequence[ComparedCell], wanted: str) -> Target | None:
    """Return the error that decides, or none where no cell has it yet.

    Parameters
    ----------
    cells
        Any that are done decide what there is.
    wanted
        A quantity, or ``auto``: forces before energies before stresses. Energies are
        compared after the best shift per element was taken out, where that is known.
    """
    scores = [score for cell in cells if cell.status == "done" for score in cell.scores]
    known = {(one.suite, one.quantity, one.metric, one.group): one for one in scores}
    order = ("forces", "energy", "stress") if wanted == "auto" else (wanted,)
    for quantity in order:
        for metric in ("mae_aligned", "mae"):
            error = known.get((labels.SUITE, quantity, metric, None))
            if error is not None:
                group, drift_unit = _drift_asked(known)
                return Target(
                    quantity=quantity,
                    metric=metric,
                    unit=error.unit,
                    drift_group=group,
                    drift_unit=drift_unit,
                )
    return None


def _drift_asked(
    known: Mapping[tuple[str, str, str, str | None], Score],
) -> tuple[str | None, str]:
    """Return the group of crystals on which forgetting is measured, and its unit."""
    for group in ("far", None):
        drift = known.get((forgetting.SUITE, "forces", "drift", group))
        if drift is not None:
            return group, drift.unit
    return None, ""


class SummaryTable:
    """Summaries by what they say.

    Parameters
    ----------
    summaries
        As :func:`summarise` returns them.
    target
        Which of them decide.
    """

    def __init__(self, summaries: Sequence[Summary], target: Target) -> None:
        self._target = target
        self._errors = {
            (row.contestant, row.n_labels): row
            for row in summaries
            if (row.suite, row.quantity, row.metric, row.group)
            == (labels.SUITE, target.quantity, target.metric, None)
        }
        self._choosing = {
            (row.contestant, row.n_labels): row
            for row in summaries
            if (row.suite, row.quantity, row.metric, row.group)
            == (labels.VALIDATION, target.quantity, target.metric, None)
        }
        self._drifts = {
            (row.contestant, row.n_labels): row
            for row in summaries
            if (row.suite, row.quantity, row.metric, row.group)
            == (forgetting.SUITE, "forces", "drift", target.drift_group)
        }

    def error(self, contestant: str, n_labels: int) -> Summary | None:
        """Return the target error, or none where it was not measured."""
        return self._errors.get((contestant, n_labels))

    def choosing(self, contestant: str, n_labels: int) -> Summary | None:
        """Return the same error on the validation structures, or none."""
        return self._choosing.get((contestant, n_labels))

    def drift(self, contestant: str, n_labels: int) -> Summary | None:
        """Return the forgetting, or none where it was not measured."""
        return self._drifts.get((contestant, n_labels))

    def largest(self) -> int | None:
        """Return the largest number of labels of which anything is known."""
        return max((n for _, n in self._errors), default=None)


def errors_by_seed(
    cells: Sequence[ComparedCell],
    target: Target,
    contestant: str,
    suite: str = labels.SUITE,
) -> dict[int, dict[int, float]]:
    """Return the target error of each done cell, by seed and then by size.

    Parameters
    ----------
    cells
        In any order.
    target
        Which error.
    contestant
        Whose.
    suite
        On the test structures, or on those that choose.
    """
    found: dict[int, dict[int, float]] = defaultdict(dict)
    for cell in cells:
        if cell.status == "done" and cell.contestant == contestant:
            for score in cell.scores:
                said = (score.model, score.suite, score.quantity, score.metric)
                asked = ("adapted", suite, target.quantity, target.metric)
                if said == asked and score.group is None:
                    found[cell.seed][cell.n_labels] = score.value
    return dict(found)
