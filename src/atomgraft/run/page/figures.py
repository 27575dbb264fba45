"""The figure that sums a run up: held-out errors against those of the base."""

import math
from typing import Any

from atomgraft.page.axes import axis, figure, layout, log_axis, marker
from atomgraft.page.blocks import Figure, Plot, PlotlyFigure
from atomgraft.page.legends import model_legend
from atomgraft.page.wording import MODEL_NAMES, capitalised, number_text
from atomgraft.records.scores import Score
from atomgraft.run.page.tables import ComparisonRow, comparison_rows, score_text
from atomgraft.run.record import RunResult


def ratio_figure(result: RunResult) -> Figure | None:
    """Return held-out MAEs divided by those of the base, or none without a base."""
    rows = _ratio_rows(result)
    if not rows:
        return None
    models = [model for model in MODEL_NAMES if any(_score(row, model) for row in rows)]
    return Figure(
        name="ratios",
        caption=(
            "Mean absolute error on held-out structures, divided by that of the base "
            "(dashed line); left of the line is better. Bars are the 95 % "
            "intervals of the table. Aligned energies have the best shift per "
            "element taken out, so that a mere change of reference does not count."
        ),
        plots=(
            Plot(
                name="ratios",
                title="",
                description=_ratio_description(rows),
                figure=_ratio_plot(rows, models),
            ),
        ),
        legend=model_legend(models),
    )


def _ratio_rows(result: RunResult) -> list[ComparisonRow]:
    rows = [
        row
        for row in comparison_rows(result, "labels")
        if row.base is not None and row.base.value > 0
    ]
    aligned = {row.quantity for row in rows if row.metric == "mae_aligned"}
    return [
        row
        for row in rows
        if row.metric == ("mae_aligned" if row.quantity in aligned else "mae")
    ]


def _ratio_name(row: ComparisonRow) -> str:
    is_aligned = row.metric == "mae_aligned"
    return capitalised(row.quantity) + (", aligned" if is_aligned else "")


def _score(row: ComparisonRow, model: str) -> Score | None:
    return {"base": row.base, "adapted": row.adapted, "scratch": row.scratch}[model]


def _ratio_description(rows: list[ComparisonRow]) -> str:
    parts = [
        f"{_ratio_name(row)}, {MODEL_NAMES[score.model].lower()}: "
        f"{number_text(score.value / row.base.value)} times the base"
        for row in rows
        for score in row.scores
        if row.base is not None and score.model != "base"
    ]
    return "Error relative to the base. " + "; ".join(parts) + "."


def _ratio_plot(rows: list[ComparisonRow], models: list[str]) -> PlotlyFigure:
    data = [_ratio_trace(rows, model, models) for model in models]
    values = [1.0, *(end for trace in data for end in _ends(trace))]
    y_axis = axis(
        tickvals=list(range(len(rows))),
        ticktext=[_ratio_name(row) for row in rows],
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
        ticks="",
        showline=False,
        fixedrange=True,
    )
    plan = layout(
        90 + 72 * len(rows),
        xaxis=log_axis("error / error of the base", values, fixedrange=True),
        yaxis=y_axis,
        shapes=[_BASE_LINE],
    )
    return figure(data, plan)


_BASE_LINE = {
    "type": "line",
    "x0": 1,
    "x1": 1,
    "yref": "paper",
    "y0": 0,
    "y1": 1,
    "layer": "below",
    "line": {"color": "@base", "width": 1.5, "dash": "dash"},
}


def _ends(trace: dict[str, Any]) -> list[float]:
    bars = trace["error_x"]
    below = zip(trace["x"], bars["arrayminus"], strict=True)
    above = zip(trace["x"], bars["array"], strict=True)
    return [x - length for x, length in below] + [x + length for x, length in above]


def _ratio_trace(
    rows: list[ComparisonRow], model: str, models: list[str]
) -> dict[str, Any]:
    offset = 0.2 * (models.index(model) - (len(models) - 1) / 2)
    found = [
        (position + offset, row.base.value, score)
        for position, row in enumerate(rows)
        if (score := _score(row, model)) and row.base and math.isfinite(score.value)
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": MODEL_NAMES[model],
        "meta": {"key": model},
        "x": [score.value / base for _, base, score in found],
        "y": [height for height, _, _ in found],
        "error_x": _bars(model, [(base, score) for _, base, score in found]),
        "text": [
            f"{MODEL_NAMES[model]}: {score_text(score)} {score.unit}"
            for _, _, score in found
        ],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": marker(model, size=11.0, opacity=1.0),
    }


def _bars(model: str, found: list[tuple[float, Score]]) -> dict[str, Any]:
    ends = [
        (base, score.value, *(score.interval or (score.value, score.value)))
        for base, score in found
    ]
    return {
        "type": "data",
        "symmetric": False,
        "array": [(high - value) / base for base, value, _, high in ends],
        "arrayminus": [(value - low) / base for base, value, low, _ in ends],
        "thickness": 2,
        "width": 0,
        "color": f"@{model}",
    }
