"""The tables of a comparison: errors by size, cells, learning curves."""

from collections.abc import Sequence

from atomgraft.compare.record import (
    Comparison,
    Curve,
    Interval,
    Summary,
    Target,
)
from atomgraft.metrics.power_law import is_known_exponent
from atomgraft.page.blocks import Table
from atomgraft.page.wording import (
    MISSING,
    count_text,
    counted,
    duration_text,
    is_informative,
    number_text,
    range_text,
    too_few,
    value_text,
)
from atomgraft.records.scores import Score

DRIFT_GROUPS = {"near": "near", "far": "far", None: "all"}


def target_name(target: Target) -> str:
    """Return the error that decides, in words with its unit."""
    aligned = ", aligned" if "aligned" in target.metric else ""
    return f"{target.quantity.capitalize()} MAE{aligned} ({target.unit})"


def target_summary(
    comparison: Comparison, contestant: str, n_labels: int
) -> Summary | None:
    """Return the target error of a contestant at a size, or none."""
    return _summary_in(comparison, contestant, n_labels, "labels")


def choosing_summary(
    comparison: Comparison, contestant: str, n_labels: int
) -> Summary | None:
    """Return the same error on the validation structures, or none."""
    return _summary_in(comparison, contestant, n_labels, "validation")


def _summary_in(
    comparison: Comparison, contestant: str, n_labels: int, suite: str
) -> Summary | None:
    target = comparison.target
    if target is None:
        return None
    question = (suite, target.quantity, target.metric, None)
    return find_summary(comparison.summaries, contestant, n_labels, question)


def find_summary(
    summaries: Sequence[Summary],
    contestant: str,
    n_labels: int,
    question: tuple[str, str, str, str | None],
) -> Summary | None:
    """Return the row that answers a question, or none.

    Parameters
    ----------
    summaries
        All there are.
    contestant
        Whose.
    n_labels
        At which size.
    question
        Suite, quantity, metric and group.
    """
    for row in summaries:
        if (row.contestant, row.n_labels) == (contestant, n_labels) and (
            row.suite,
            row.quantity,
            row.metric,
            row.group,
        ) == question:
            return row
    return None


def base_score(comparison: Comparison, base: str, n_labels: int) -> Score | None:
    """Return the target error of a base, or none.

    Parameters
    ----------
    comparison
        With or without a target.
    base
        With its element map.
    n_labels
        To which its scales were fitted, where they were.
    """
    target = comparison.target
    for baseline in comparison.baselines:
        is_asked = baseline.base == base and baseline.n_labels in {None, n_labels}
        for score in baseline.scores if is_asked else ():
            asked = target and ("labels", target.quantity, target.metric, None)
            if _question(score) == asked:
                return score
    return None


def base_range(comparison: Comparison, base: str, n_labels: int) -> Interval | None:
    """Return the smallest and largest target error of a base whose scales are fitted.

    There is none where all seeds have the same base, or there is one seed.

    Parameters
    ----------
    comparison
        With or without a target.
    base
        With its element map.
    n_labels
        To which its scales were fitted.
    """
    target = comparison.target
    fitted = {
        one.name
        for one in comparison.contestants
        if one.start == base and one.is_fitted
    }
    by_seed = {
        cell.seed: score.value
        for cell in comparison.cells
        if cell.contestant in fitted
        and (cell.n_labels, cell.status) == (n_labels, "done")
        for score in cell.scores
        if target is not None
        and (score.model, *_question(score))
        == ("base", "labels", target.quantity, target.metric, None)
    }
    if len(by_seed) < 2:
        return None
    return min(by_seed.values()), max(by_seed.values())


def base_text(comparison: Comparison, base: str, n_labels: int) -> str:
    """Return the target error of a base with its interval, or its range over seeds.

    Parameters
    ----------
    comparison
        With or without a target.
    base
        With its element map.
    n_labels
        To which its scales were fitted, where they were.
    """
    found = base_score(comparison, base, n_labels)
    if found is None:
        return MISSING
    ends, interval = base_range(comparison, base, n_labels), found.interval
    has_interval = interval is not None and is_informative(found.value, interval)
    if ends is not None and not has_interval:
        return range_text(found.value, ends)
    over = found.independent or "structures"
    return value_text(found.value, interval, over=over)


def _question(score: Score) -> tuple[str, str, str, str | None]:
    return score.suite, score.quantity, score.metric, score.group


def size_rows(
    comparison: Comparison,
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return heads and rows: the target error, a column for each size.

    Parameters
    ----------
    comparison
        With a target.
    """
    heads = ("Recipe", *(counted(n, "label") for n in comparison.sizes))
    rows: list[tuple[str, ...]] = []
    for base in dict.fromkeys(one.start for one in comparison.contestants):
        texts = (base_text(comparison, base, n) for n in comparison.sizes)
        rows.append((f"base {base}", *texts))
    for one in comparison.contestants:
        found = (target_summary(comparison, one.name, n) for n in comparison.sizes)
        rows.append((one.name, *map(_text, found)))
    return heads, rows


def _text(row: Summary | None) -> str:
    return MISSING if row is None else summary_text(row)


def summary_text(row: Summary) -> str:
    """Return the mean over seeds with its interval, or with the range of a few."""
    interval = shown_interval(row)
    if interval is None and row.range is not None:
        return range_text(row.value, row.range)
    return value_text(row.value, row.interval, over="structures")


def shown_interval(row: Summary) -> Interval | None:
    """Return the interval of a mean, unless there is none or it is too wide to show."""
    if row.interval is None or not is_informative(row.value, row.interval):
        return None
    return row.interval


def steps_text(comparison: Comparison) -> str:
    """Return the steps of a trained cell, or the fewest and the most of all."""
    cells = comparison.cells
    steps = sorted({cell.n_steps for cell in cells if cell.n_steps})
    if not steps:
        return count_text(comparison.spec["training"]["steps"])
    ends = dict.fromkeys((steps[0], steps[-1]))
    return " to ".join(map(count_text, ends))


def target_table(comparison: Comparison) -> Table:
    """Return the target error by contestant and size."""
    heads, rows = size_rows(comparison)
    target = comparison.target
    name = "" if target is None else target_name(target)
    return Table(
        caption=(
            f"{name}: geometric mean over the seeds. Brackets give the 95 % "
            "interval (over test structures for a single seed), parentheses the "
            f"range of two to four seeds. Steps a cell: {steps_text(comparison)}. "
            f"{_base_words(comparison)}"
        ),
        columns=heads,
        rows=tuple(rows),
        is_text=(True, *(False,) * (len(heads) - 1)),
    )


def _base_words(comparison: Comparison) -> str:
    fitted = [one for one in comparison.baselines if one.n_labels is not None]
    if not fitted:
        return "The base uses no labels."
    return (
        "A base is not trained; the scales of its element map are fitted to the labels."
    )


def error_table(comparison: Comparison) -> Table:
    """Return the errors of every quantity, by contestant and size."""
    metric = "mae_aligned" if _is_aligned(comparison) else "mae"
    aligned = ", aligned" if metric == "mae_aligned" else ""
    asked = [("energy", metric), ("forces", "mae"), ("stress", "mae")]
    rows = [
        (
            one.name,
            count_text(n),
            *(
                _found(comparison, one.name, n, "labels", *question)
                for question in asked
            ),
        )
        for one in comparison.contestants
        for n in comparison.sizes
    ]
    return Table(
        caption="Mean absolute errors on the held-out structures, averaged over "
        "the seeds.",
        columns=(
            "Recipe",
            "Labels",
            f"Energy{aligned} (meV/atom)",
            "Forces (meV/Å)",
            "Stress (GPa)",
        ),
        rows=tuple(rows),
        is_text=(True, *(False,) * 4),
    )


def _is_aligned(comparison: Comparison) -> bool:
    return any(row.metric == "mae_aligned" for row in comparison.summaries)


def _found(
    comparison: Comparison,
    contestant: str,
    n: int,
    suite: str,
    quantity: str,
    metric: str,
    group: str | None = None,
) -> str:
    question = (suite, quantity, metric, group)
    return _text(find_summary(comparison.summaries, contestant, n, question))


def cost_table(comparison: Comparison) -> Table:
    """Return forgetting, trained numbers and time, by contestant and size."""
    groups = [
        group
        for group in ("near", "far", None)
        if any(
            row.suite == "forgetting" and row.group == group
            for row in comparison.summaries
        )
    ]
    rows = [
        _cost_row(comparison, one.name, n, groups)
        for one in comparison.contestants
        for n in comparison.sizes
    ]
    return Table(
        caption=(
            "Drift, trained numbers and training time. Drift is the mean change of "
            "forces from the base, meV/Å, on crystals across the periodic table: "
            "near crystals share an element with the training data, far ones do "
            "not. Times are means over the seeds."
        ),
        columns=(
            "Recipe",
            "Labels",
            *(f"Drift, {DRIFT_GROUPS[group]}" for group in groups),
            "Trained",
            "Time",
            "Seeds",
        ),
        rows=tuple(rows),
        is_text=(True, *(False,) * (4 + len(groups))),
    )


def _cost_row(
    comparison: Comparison, contestant: str, n: int, groups: Sequence[str | None]
) -> tuple[str, ...]:
    cells = [
        cell
        for cell in comparison.cells
        if (cell.contestant, cell.n_labels, cell.status) == (contestant, n, "done")
    ]
    seconds = [cell.seconds for cell in cells if cell.seconds is not None]
    trained = next((c.n_trainable for c in cells if c.n_trainable is not None), None)
    drift = ("forgetting", "forces", "drift")
    return (
        contestant,
        count_text(n),
        *(_found(comparison, contestant, n, *drift, group) for group in groups),
        MISSING if trained is None else count_text(trained),
        duration_text(sum(seconds, 0.0) / len(seconds)) if seconds else MISSING,
        count_text(len(cells)),
    )


def curve_table(comparison: Comparison) -> Table:
    """Return the law of each contestant and what it predicts."""
    unit = comparison.target.unit if comparison.target else ""
    return Table(
        caption=(
            "error = amplitude × labels^(−exponent) + floor, fitted to logarithms. "
            "Intervals come from leaving one seed out at a time. There is no "
            "prediction where the fall of the error is within chance."
        ),
        columns=(
            "Recipe",
            "Exponent",
            f"Floor ({unit})",
            f"Now ({unit})",
            f"Next ({unit})",
            "At labels",
            "Fit",
        ),
        rows=tuple(map(_curve_row, comparison.curves)),
        is_text=(True, *(False,) * 5, True),
    )


def _curve_row(curve: Curve) -> tuple[str, ...]:
    return (
        curve.contestant,
        _exponent(curve),
        number_text(curve.floor) if curve.floor else MISSING,
        _with(curve.error_now),
        _with(curve.error_next, curve.error_next_interval),
        count_text(curve.n_next) if curve.is_identified else MISSING,
        curve.reason,
    )


def _with(value: float | None, interval: Interval | None = None) -> str:
    return MISSING if value is None else value_text(value, interval, over="seeds")


def _exponent(curve: Curve) -> str:
    interval = curve.exponent_interval
    if curve.exponent is None or interval is None or is_known_exponent(interval):
        return _with(curve.exponent, interval)
    return f"{number_text(curve.exponent)} ({too_few('seeds')})"


def missing_table(comparison: Comparison) -> Table | None:
    """Return the cells without a result and why, or none where all are done."""
    missing = [cell for cell in comparison.cells if cell.status != "done"]
    if not missing:
        return None
    return Table(
        caption=(
            "Failed cells would fail again with the same data and recipe; the same "
            "command runs the open ones."
        ),
        columns=("Cell", "State", "Reason"),
        rows=tuple((one.name, one.status, one.reason or MISSING) for one in missing),
        is_text=(True, True, True),
    )
