"""Comparison rows as a table of the page, one column for each model."""

from collections.abc import Sequence

from atomgraft.page.blocks import Table
from atomgraft.page.wording import MODEL_NAMES, count_text
from atomgraft.run.page.tables import (
    ComparisonRow,
    change_text,
    paired_change,
    score_text,
)
from atomgraft.run.record import RunResult

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
