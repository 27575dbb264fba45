"""Predicted against reference values, point by point."""

import math
from collections.abc import Sequence
from typing import Any

from atomgraft.page.axes import axis, figure, layout, marker, model_legend, thinned
from atomgraft.page.blocks import Figure, Plot, Table
from atomgraft.page.wording import (
    MODEL_NAMES,
    QUANTITY_ORDER,
    capitalised,
    count_text,
    number_text,
    position,
)
from atomgraft.records.scores import Parity
from atomgraft.run.record import RunResult, parity_of

MAX_PARITY_POINTS = 1000
"""Points of one model in one plot; more only slows a phone down."""

_DRAWN_FROM_BELOW = ("scratch", "base", "adapted")

Point = tuple[float, float]


def parity_figure(result: RunResult) -> Figure | None:
    """Return predicted against reference values, one plot a quantity, or none."""
    quantities = sorted({parity.quantity for parity in parity_of(result)}, key=_place)
    if not quantities:
        return None
    models = {parity.model for parity in parity_of(result)}
    hidden = ("scratch",) if models > {"scratch"} else ()
    return Figure(
        name="parity",
        caption=(
            "Predicted against reference values on held-out structures. Points on "
            "the diagonal are exact. A band parallel to the diagonal is a constant "
            "offset; a slope below one means forces that are too soft, above one "
            "too stiff."
        ),
        plots=tuple(
            _parity_plot(
                [parity for parity in parity_of(result) if parity.quantity == quantity],
                hidden,
            )
            for quantity in quantities
        ),
        legend=model_legend(sorted(models), hidden=hidden),
        table=_parity_table(result),
        is_square=True,
        can_zoom=True,
    )


def _place(quantity: str) -> tuple[int, str]:
    return position(QUANTITY_ORDER, quantity)


def points(parity: Parity) -> list[Point]:
    """Return the finite (reference, predicted) pairs of a parity plot."""
    pairs = zip(parity.reference, parity.predicted, strict=False)
    return [pair for pair in pairs if all(map(math.isfinite, pair))]


def _parity_plot(parities: list[Parity], hidden: Sequence[str]) -> Plot:
    first = parities[0]
    by_model = {parity.model: parity for parity in parities}
    drawn = [model for model in _DRAWN_FROM_BELOW if model in by_model]
    shown = [pair for m in drawn if m not in hidden for pair in points(by_model[m])]
    title = f"{capitalised(first.quantity)} ({first.unit})"
    span = square_range([value for pair in shown for value in pair])
    plan = _square_layout(span, first.unit)
    data = [
        _parity_trace(by_model[model], is_shown=model not in hidden) for model in drawn
    ]
    return Plot(
        name=f"parity-{first.quantity}",
        title=title,
        description=(
            f"Scatter of predicted against reference {title}, "
            f"{count_text(first.n_total)} values; mean absolute deviations "
            "are in the table below."
        ),
        figure=figure(data, plan),
    )


def _square_layout(span: list[float], unit: str) -> dict[str, Any]:
    style = {
        "range": span,
        "constrain": "domain",
        "nticks": 5,
        "exponentformat": "none",
    }
    return layout(
        None,
        xaxis=axis(f"reference ({unit})", **style),
        yaxis=axis(
            f"predicted ({unit})", scaleanchor="x", constraintoward="top", **style
        ),
        shapes=[_diagonal(span)],
        meta={"square": True},
    )


def _diagonal(span: list[float]) -> dict[str, Any]:
    return {
        "type": "line",
        "x0": span[0],
        "y0": span[0],
        "x1": span[1],
        "y1": span[1],
        "layer": "below",
        "line": {"color": "@ink-soft", "width": 1, "dash": "dot"},
    }


def square_range(values: Sequence[float]) -> list[float]:
    """Return one range for both axes, a little wider than the values."""
    if not values:
        return [0.0, 1.0]
    low, high = min(values), max(values)
    margin = 0.04 * (high - low) or 0.5
    return [low - margin, high + margin]


def _parity_trace(parity: Parity, *, is_shown: bool) -> dict[str, Any]:
    kept = thinned(points(parity), MAX_PARITY_POINTS)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": MODEL_NAMES[parity.model],
        "meta": {"key": parity.model},
        "visible": is_shown,
        "x": [reference for reference, _ in kept],
        "y": [predicted for _, predicted in kept],
        "hovertemplate": (
            f"{MODEL_NAMES[parity.model]}<br>reference %{{x:.4g}} {parity.unit}"
            f"<br>predicted %{{y:.4g}} {parity.unit}<extra></extra>"
        ),
        "marker": marker(parity.model, size=5.5, opacity=0.6),
    }


def _parity_table(result: RunResult) -> Table:
    rows = tuple(
        _parity_row(parity)
        for parity in sorted(
            parity_of(result), key=lambda parity: _place(parity.quantity)
        )
        if points(parity)
    )
    return Table(
        caption=(
            "The points of these plots in numbers. Means are over the points drawn, "
            "which are a sample; the scores above are over all values."
        ),
        columns=("Plot", "Model", "Values", "Drawn", "Mean |deviation|", "Mean"),
        rows=rows,
        is_text=(True, True, False, False, False, False),
    )


def _parity_row(parity: Parity) -> tuple[str, ...]:
    pairs = thinned(points(parity), MAX_PARITY_POINTS)
    deviations = [predicted - reference for reference, predicted in pairs]
    return (
        f"{capitalised(parity.quantity)} ({parity.unit})",
        MODEL_NAMES[parity.model],
        count_text(parity.n_total),
        count_text(len(pairs)),
        number_text(sum(map(abs, deviations)) / len(pairs)),
        number_text(sum(deviations) / len(pairs)),
    )
