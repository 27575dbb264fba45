"""The page of a distillation."""

from typing import Any

from atomgraft.page.axes import (
    Kind,
    axis,
    figure,
    kind_points,
    kinds_legend,
    layout,
    plain_text,
)
from atomgraft.page.blocks import (
    Facts,
    Figure,
    Note,
    Plot,
    PlotlyFigure,
    Table,
    section,
)
from atomgraft.page.document import PAGE, Cover, Mark, document_text, page_writer
from atomgraft.page.wording import MISSING, counted, duration_text, number_text
from atomgraft.run.page.record import session_blocks, written_text
from atomgraft.transport.distil.record import LOGARITHM, DistilResult, PredictionRecord
from atomgraft.transport.distil.tables import columns_of, error_text, rows_of
from atomgraft.transport.distil.wording import with_unit

BETTER = Mark(name="took", word="Better than all controls")
EQUAL = Mark(name="open", word="No better than a control")

KINDS = {
    "validation": Kind("In validation", "series-0", "circle"),
    "test": Kind("On the test", "series-1", "diamond"),
    "limit": Kind("Upper limit only", "series-2", "square"),
}
"""Kinds of materials."""


def page_text(result: DistilResult) -> str:
    """Return the page as HTML; everything it needs is inside."""
    sections = [
        section("methods", "Methods", _methods(result)),
        section("predictions", "Predicted and known", _parity(result)),
        section("left-out", "Materials left out", _left_out(result)),
        section("settings", "Settings", _settings(result)),
        section("provenance", "Provenance", *session_blocks(*result.provenance)),
    ]
    return document_text(_cover(result), sections)


write_page = page_writer(page_text, PAGE)
"""Write the page of a distillation into its folder."""


def _cover(result: DistilResult) -> Cover:
    best = result.methods[0]
    interval = best.against_interval
    is_better = interval is not None and interval[0] > 0
    low, high = result.half_widths
    return Cover(
        title=f"Predictor of {result.target}",
        label="Result",
        mark=BETTER if is_better else EQUAL,
        headline=result.headline,
        sentences=result.notices,
        warning=None,
        key_facts=(
            ("Method", result.chosen),
            ("Error on other groups", with_unit(error_text(best.validation), result)),
            ("Best control", result.best_control),
            ("Materials", str(result.n_materials)),
            ("Groups", str(result.n_groups)),
            *_motion_facts(result),
            ("68 % of new groups within", with_unit(f"± {number_text(low)}", result)),
            ("95 % of new groups within", with_unit(f"± {number_text(high)}", result)),
            ("Time", duration_text(sum(one.seconds for one in result.provenance))),
        ),
        written=written_text(result.provenance),
        source="distil.json",
    )


def _motion_facts(result: DistilResult) -> list[tuple[str, str]]:
    if not result.n_motion:
        return []
    found = [("With motion", str(result.n_motion))]
    if result.motion is not None:
        found.append(("Motion helps beyond a shuffled one", result.motion.answer))
    return found


def _methods(result: DistilResult) -> Table:
    return Table(
        caption=(
            "Mean absolute errors with 95 % intervals over groups. In validation whole"
            " groups are held out, and settings are chosen without them. Controls show"
            " what composition, a linear fit or no learning at all would give."
        ),
        columns=columns_of(result),
        rows=tuple(rows_of(result)),
        is_text=(True, *(False for _ in columns_of(result)[1:])),
    )


def _kind(one: PredictionRecord) -> str:
    if one.is_limit:
        return "limit"
    return "test" if one.is_test else "validation"


def _parity(result: DistilResult) -> Figure:
    there = {_kind(one) for one in result.predictions}
    return Figure(
        name="parity",
        caption=(
            f"Every material, predicted by {result.chosen} without its group. Points on"
            " the line are exact."
        ),
        plots=(
            Plot(
                name="parity",
                title="",
                description=_words(result),
                figure=_plot(result),
            ),
        ),
        legend=kinds_legend(KINDS, there),
    )


def _words(result: DistilResult) -> str:
    values = [one.value for one in result.predictions]
    told = [one.predicted for one in result.predictions]
    return (
        f"Known values from {number_text(min(values))} to {number_text(max(values))},"
        f" predictions from {number_text(min(told))} to {number_text(max(told))}."
    )


def _plot(result: DistilResult) -> PlotlyFigure:
    ends = [
        bound(bound(one.value, one.predicted) for one in result.predictions)
        for bound in (min, max)
    ]
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": ends,
        "y": ends,
        "hoverinfo": "skip",
        "meta": {"key": "line"},
        "line": {"color": "@rule-strong", "width": 1},
    }
    points = [_points(result, key) for key in KINDS]
    is_plain = not result.target.startswith(LOGARITHM)  # its unit is that of errors
    unit = f", {result.unit}" if result.unit and is_plain else ""
    plan = layout(
        460,
        xaxis=axis(f"known {plain_text(result.target)}{unit}"),
        yaxis=axis(f"predicted{unit}"),
        hovermode="closest",
    )
    return figure([line, *(one for one in points if one["x"])], plan)


def _points(result: DistilResult, key: str) -> dict[str, Any]:
    rows = [one for one in result.predictions if _kind(one) == key]
    return kind_points(
        key,
        KINDS[key],
        [(one.value, one.predicted) for one in rows],
        [plain_text(one.name) for one in rows],
        hovertemplate="%{text}<br>known %{x}, predicted %{y}<extra></extra>",
    )


def _left_out(result: DistilResult) -> Table | Note | None:
    if not result.left_out:
        return None
    return Table(
        caption="Materials that were not used, and why.",
        columns=("Material", "Reason"),
        rows=tuple(result.left_out.items()),
        is_text=(True, True),
    )


def _settings(result: DistilResult) -> Facts:
    best = result.methods[0]
    chosen = ", ".join(f"{key} {value}" for key, value in best.settings.items())
    return Facts(
        pairs=(
            ("Property", ", ".join(one for one in (result.target, result.unit) if one)),
            ("Ions that move", ", ".join(result.mobile)),
            ("Features", f"{result.n_features}: {', '.join(result.blocks)}"),
            ("Known as upper limits", counted(result.n_limits, "material")),
            ("Settings of the chosen method", chosen or MISSING),
        )
    )
