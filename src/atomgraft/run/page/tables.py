"""Scores as rows: base, adapted and from scratch."""

import dataclasses
import re
from collections.abc import Iterable, Sequence

from atomgraft.page.blocks import Table
from atomgraft.page.wording import (
    METRIC_NAMES,
    MISSING,
    MODEL_NAMES,
    QUANTITY_ORDER,
    capitalised,
    count_text,
    metric_name,
    number_text,
    position,
    value_text,
)
from atomgraft.records.scores import Score
from atomgraft.run.record import RunResult

SUITE_ORDER = ("labels", "forgetting", "consistency")

CHANGES = {"mae": "mae_change", "mae_aligned": "mae_aligned_change"}
"""Errors whose change from the base has an interval of its own (paired)."""

LOWER_IS_BETTER = frozenset(
    {"mae", "rmse", "mae_aligned", "rmse_aligned", "relative_rmse"}
)
"""Metrics for which a change can be called better or worse."""

_PRINTED_AS_RATIO = 1.5
"""Smaller changes are given in percent, which reads better than 1.04 ×."""

_NEGLIGIBLE_PERCENT = 0.5

_NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparisonRow:
    """One quantity under one metric, for up to three models."""

    suite: str
    quantity: str
    metric: str
    unit: str
    group: str | None
    base: Score | None
    adapted: Score | None
    scratch: Score | None

    @property
    def scores(self) -> tuple[Score, ...]:
        """The scores there are: base, adapted, scratch."""
        return tuple(
            score
            for score in (self.base, self.adapted, self.scratch)
            if score is not None
        )

    @property
    def n(self) -> int:
        """Number of structures behind the row, the most of any model."""
        return max(score.n for score in self.scores)

    @property
    def label(self) -> str:
        """Quantity, metric and unit in words, such as ``Forces MAE (meV/Å)``."""
        unit = "" if self.unit in {"", "1"} else f" ({self.unit})"
        return f"{capitalised(self.quantity)} {metric_name(self.metric)}{unit}"

    @property
    def group_kind(self) -> str:
        """What the group divides by: ``config_type`` of ``config_type:hot``."""
        kind, colon, _ = (self.group or "").partition(":")
        return kind if colon else ""

    @property
    def group_name(self) -> str:
        """Which part it is: ``hot`` of ``config_type:hot``."""
        return (self.group or "").rpartition(":")[2]


def comparison_rows(result: RunResult, suite: str | None = None) -> list[ComparisonRow]:
    """Return the overall scores, one row per suite, quantity and metric.

    Parameters
    ----------
    result
        A run, proved or not.
    suite
        Only this suite; none is all of them.
    """
    return _rows(
        score
        for score in result.scores
        if score.group is None and suite in {None, score.suite}
    )


def group_rows(
    result: RunResult, suite: str, kind: str | None = None
) -> list[ComparisonRow]:
    """Return the scores of subsets, sorted by quantity, metric and group.

    Parameters
    ----------
    result
        A run, proved or not.
    suite
        ``labels``, ``forgetting`` ...
    kind
        What the groups divide by (``config_type``, ``element``); none is all.
    """
    return [
        row
        for row in _rows(score for score in result.scores if score.group is not None)
        if row.suite == suite and kind in {None, row.group_kind}
    ]


def _rows(scores: Iterable[Score]) -> list[ComparisonRow]:
    found: dict[tuple[str | None, ...], dict[str, Score]] = {}
    for score in scores:
        key = (score.suite, score.quantity, score.metric, score.unit, score.group)
        found.setdefault(key, {})[score.model] = score
    rows = [_row(models) for models in found.values()]
    return sorted(rows, key=_position)


def _row(models: dict[str, Score]) -> ComparisonRow:
    first = next(iter(models.values()))
    return ComparisonRow(
        suite=first.suite,
        quantity=first.quantity,
        metric=first.metric,
        unit=first.unit,
        group=first.group,
        base=models.get("base"),
        adapted=models.get("adapted"),
        scratch=models.get("scratch"),
    )


def _position(row: ComparisonRow) -> tuple[object, ...]:
    return (
        position(SUITE_ORDER, row.suite),
        position(QUANTITY_ORDER, row.quantity),
        position(METRIC_NAMES, row.metric),
        _by_number(row.group or ""),
    )


def _by_number(group: str) -> list[tuple[int, str]]:
    """Return a sorting key in which 300 K comes before 1500 K."""
    parts = re.split(r"(\d+)", group)
    return [(int(one), "") if one.isdecimal() else (0, one) for one in parts]


def score_text(score: Score | None) -> str:
    """Return a score with its interval, or a dash where there is none."""
    if score is None:
        return MISSING
    over = score.independent or "structures"
    return value_text(score.value, score.interval, over=over)


def paired_change(result: RunResult, row: ComparisonRow) -> Score | None:
    """Return adapted minus base on the same structures for a row, if measured."""
    metric = CHANGES.get(row.metric)
    asked = ("adapted", row.suite, row.quantity, row.group, metric)
    for score in result.scores:
        found = (score.model, score.suite, score.quantity, score.group, score.metric)
        if found == asked:
            return score
    return None


def change_text(row: ComparisonRow, paired: Score | None = None) -> str:
    """Say how the adapted model compares with the base, and how surely.

    Parameters
    ----------
    row
        With both models.
    paired
        The change measured on the same structures, whose interval decides. Without
        it only the overlap of the two intervals is stated, for separate intervals
        that overlap do not prove that nothing changed.
    """
    base, adapted = row.base, row.adapted
    if base is None or adapted is None or row.metric not in LOWER_IS_BETTER:
        return MISSING
    if base.value <= 0 or adapted.value <= 0:
        return MISSING
    return f"{_size(base.value, adapted.value)}{_doubt(base, adapted, paired)}"


def _size(before: float, after: float) -> str:
    direction = "lower" if after < before else "higher"
    ratio = max(before, after) / min(before, after)
    if ratio >= _PRINTED_AS_RATIO:
        return f"{number_text(ratio, digits=2)}×{_NO_BREAK}{direction}"
    percent = 100 * abs(after / before - 1)
    if percent < _NEGLIGIBLE_PERCENT:
        return "the same"
    return _NO_BREAK.join([number_text(percent, digits=2), "%", direction])


def _doubt(base: Score, adapted: Score, paired: Score | None) -> str:
    if paired is not None and paired.interval is not None:
        low, high = paired.interval
        return ", within chance" if low <= 0 <= high else ""
    if base.interval is None or adapted.interval is None:
        return ""
    is_apart = (
        base.interval[1] < adapted.interval[0] or adapted.interval[1] < base.interval[0]
    )
    return "" if is_apart else ", intervals overlap"


CHANGE = "Change"


def comparison_table(
    rows: Sequence[ComparisonRow],
    caption: str,
    *,
    changes_of: RunResult | None = None,
) -> Table:
    """Return rows as a table with a column for each model that has a score.

    Parameters
    ----------
    rows
        What to show, in this order; at least one.
    caption
        What to look for.
    changes_of
        The run of these rows, where a last column is to compare adapted with base.
    """
    present = {score.model for row in rows for score in row.scores}
    models = [model for model in MODEL_NAMES if model in present]
    run = changes_of if present >= {"base", "adapted"} else None
    has_groups = any(row.group is not None for row in rows)
    texts = ["Quantity", *(("Subset",) if has_groups else ())]
    changes = (CHANGE,) if run else ()
    numbers = [*(MODEL_NAMES[model] for model in models), *changes, "n"]
    return Table(
        caption=caption,
        columns=(*texts, *numbers),
        rows=tuple(_cells(row, models, run, has_groups=has_groups) for row in rows),
        is_text=(True,) * len(texts) + (False,) * len(numbers),
    )


def _cells(
    row: ComparisonRow,
    models: Sequence[str],
    run: RunResult | None,
    *,
    has_groups: bool,
) -> tuple[str, ...]:
    scores = {score.model: score for score in row.scores}
    cells = [row.label]
    if has_groups:
        cells.append(row.group_name or "all")
    cells += [score_text(scores.get(model)) for model in models]
    if run is not None:
        cells.append(change_text(row, paired_change(run, row)))
    return (*cells, count_text(row.n))
