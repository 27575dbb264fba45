"""The tables of a study of levels of theory."""

from collections.abc import Sequence

from atomgraft.fidelity.record import Fidelity, Line, Row
from atomgraft.fidelity.wording import (
    error_text,
    ratio_text,
    target_name,
    way_text,
)
from atomgraft.page.blocks import Table
from atomgraft.page.wording import (
    MISSING,
    count_text,
    duration_text,
    number_text,
    value_text,
)


def claim_table(study: Fidelity) -> Table | None:
    """Return questions and answers, or none where there is none."""
    if not study.claims:
        return None
    return Table(
        caption=(
            "What the models answer. Yes or no: the 95 % interval of the ratio of"
            " errors, over at least three seeds, does not contain one."
        ),
        columns=("Question", "Answer", "Numbers"),
        rows=tuple((one.question, one.answer, one.sentence) for one in study.claims),
        is_text=(True, True, True),
    )


def row_table(study: Fidelity) -> Table | None:
    """Return the errors of models of the target, or none before there is any."""
    rows = [row for row in study.rows if row.strategy != "source"]
    if study.target is None or not rows:
        return None
    several = len({row.base for row in rows}) > 1
    heads = ["Model", *(["Base"] if several else []), "Labels of the source"]
    heads += ["Labels of the target", target_name(study.target), "Over target alone"]
    heads += ["Before fine-tuning"]
    return Table(
        caption=(
            f"{target_name(study.target)} on the held-out structures: geometric mean"
            " over the seeds, in parentheses the range of two to four seeds, in"
            " brackets the 95 % interval of five or more. The target alone gets as"
            " many steps as the source's model and fine-tuning together."
        ),
        columns=tuple(heads),
        rows=tuple(_cells(row, several=several) for row in rows),
        is_text=(True, *([True] if several else []), *(False,) * 5),
        values=tuple(_values(row, several=several) for row in rows),
    )


def _cells(row: Row, *, several: bool) -> tuple[str, ...]:
    return (
        way_text(row),
        *([row.base] if several else []),
        count_text(row.n_source) if row.n_source else MISSING,
        count_text(row.n_target),
        error_text(row),
        ratio_text(row) or MISSING,
        MISSING if row.untrained is None else number_text(row.untrained),
    )


def _values(row: Row, *, several: bool) -> tuple[float | str | None, ...]:
    return (
        way_text(row),
        *([row.base] if several else []),
        float(row.n_source),
        float(row.n_target),
        row.value,
        row.over_alone,
        row.untrained,
    )


def source_table(study: Fidelity) -> Table | None:
    """Return the errors of the sources' models on their own labels, or none."""
    rows = [row for row in study.rows if row.strategy == "source"]
    if study.target is None or not rows:
        return None
    several = len({row.base for row in rows}) > 1
    return Table(
        caption=(
            "Models of the sources, on held-out labels of the source:"
            f" {target_name(study.target)}."
        ),
        columns=(
            "Source",
            *(["Base"] if several else []),
            "Labels used",
            "Structures",
            target_name(study.target),
        ),
        rows=tuple(
            (
                row.source or "",
                *([row.base] if several else []),
                row.kept,
                count_text(row.n_source),
                error_text(row),
            )
            for row in rows
        ),
        is_text=(True, *([True] if several else []), True, False, False),
    )


def line_table(study: Fidelity) -> Table | None:
    """Return the lines between errors, or none where there is none."""
    if not study.lines:
        return None
    return Table(
        caption=(
            "log(error after fine-tuning) = log(amplitude) + slope × log(error of the"
            " source's model). A model whose error is limited by fine-tuning is at the"
            " floor and left out."
        ),
        columns=(
            "Recipe",
            "Source",
            "Base",
            "Labels used",
            "Labels of the target",
            "Slope",
            "R²",
            "Models",
            "At the floor",
            "Fit",
        ),
        rows=tuple(map(_line_cells, study.lines)),
        is_text=(True, True, True, True, *(False,) * 5, True),
    )


def _line_cells(line: Line) -> tuple[str, ...]:
    slope = (
        MISSING
        if line.slope is None
        else value_text(line.slope, line.slope_interval, over="models")
    )
    return (
        line.recipe,
        line.source or "all",
        line.base or "all",
        line.kept,
        count_text(line.n_target),
        slope,
        MISSING if line.r_squared is None else f"{line.r_squared:.3f}",
        count_text(line.n_points),
        count_text(line.n_at_floor),
        line.reason,
    )


def level_table(study: Fidelity) -> Table:
    """Return the levels of theory with their structures and the cost of a label."""
    return Table(
        caption=(
            "Levels of theory. Test geometries of the target are held out of every"
            " level; where a source has none of them, a share of it is held out."
        ),
        columns=("Level", "To train on", "Held out", "Time of a label"),
        rows=tuple(
            (
                one.name,
                count_text(one.n_pool),
                count_text(one.n_test),
                MISSING if one.seconds is None else duration_text(one.seconds),
            )
            for one in study.levels
        ),
        is_text=(True, False, False, False),
    )


def missing_table(study: Fidelity) -> Table | None:
    """Return the models without a result and why, or none where all are done."""
    missing = [one for one in study.models if one.status != "done"]
    if not missing:
        return None
    return Table(
        caption=(
            "Failed cells would fail again with the same data and recipe; the same"
            " command runs the open ones."
        ),
        columns=("Cell", "State", "Reason"),
        rows=tuple((one.name, one.status, one.reason or MISSING) for one in missing),
        is_text=(True, True, True),
    )


def screen_rows(study: Fidelity) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return heads and rows of the table in the terminal, best models first.

    Parameters
    ----------
    study
        With a target.
    """
    table = row_table(study)
    if table is None:
        return (), []
    order = [i for i, row in enumerate(r for r in study.rows if r.strategy != "source")]
    own = [row for row in study.rows if row.strategy != "source"]
    order.sort(key=lambda i: (-own[i].n_target, own[i].value))
    return table.columns, [table.rows[i] for i in order]
