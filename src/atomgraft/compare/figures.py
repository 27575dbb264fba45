"""The two figures of a comparison: error against labels, error against forgetting."""

from typing import Any

from atomgraft.compare.record import Comparison, Curve, FrontPoint, Interval
from atomgraft.compare.tables import (
    base_score,
    base_text,
    choosing_summary,
    curve_table,
    shown_interval,
    summary_text,
    target_name,
    target_summary,
)
from atomgraft.page.axes import (
    PLOTLY_SYMBOLS,
    axis,
    figure,
    layout,
    log_axis,
    plain_text,
)
from atomgraft.page.blocks import Figure, LegendEntry, Plot, PlotlyFigure
from atomgraft.page.wording import bar_ends, number_text, value_text

N_COLOURS = 8
"""Colours of the style sheet for contestants."""

SHAPES = ("diamond", "circle", "triangle", "square")

N_LAW_POINTS = 40
"""Points of a drawn law."""


def colour_of(comparison: Comparison, contestant: str) -> str:
    """Return the style-sheet name of a contestant's colour; the base has its own."""
    names = [one.name for one in comparison.contestants]
    if contestant not in names:
        return "base"
    return f"series-{names.index(contestant) % N_COLOURS}"


def shape_of(comparison: Comparison, contestant: str) -> str:
    """Return a contestant's shape, so that colour is never the only difference."""
    names = [one.name for one in comparison.contestants]
    if contestant not in names:
        return "circle"
    return SHAPES[names.index(contestant) % len(SHAPES)]


def shown_contestants(comparison: Comparison) -> set[str]:
    """Return who is shown at first: of each recipe, the learning rate that did best."""
    best: dict[tuple[str, str], tuple[float, str]] = {}
    for one in comparison.contestants:
        for n in reversed(comparison.sizes):
            found = choosing_summary(comparison, one.name, n) or target_summary(
                comparison, one.name, n
            )
            if found is not None:
                stem = (one.start, one.name.split(" ×")[0])
                best[stem] = min(
                    best.get(stem, (found.value, one.name)), (found.value, one.name)
                )
                break
    return {name for _, name in best.values()}


def legend_of(comparison: Comparison, *, shown: set[str]) -> tuple[LegendEntry, ...]:
    """Return one entry for each contestant, and one for the base."""
    entries = [
        LegendEntry(
            key=one.name,
            label=one.name,
            colour=colour_of(comparison, one.name),
            symbol=shape_of(comparison, one.name),
            is_shown=one.name in shown,
        )
        for one in comparison.contestants
    ]
    base = LegendEntry(key="base", label="Base", colour="base", symbol="line")
    return (base, *entries)


def learning_figure(comparison: Comparison) -> Figure | None:
    """Return error against labels with the laws, or none before there is any."""
    if comparison.target is None or not comparison.summaries:
        return None
    name = target_name(comparison.target)
    return Figure(
        name="learning",
        caption=(
            f"{name} on the held-out structures against the number of labelled "
            "structures. Both axes are logarithmic; a power law is a straight "
            "line. Bars are 95 % intervals over seeds, or the range of a few "
            "seeds. Dotted lines are fitted power laws, drawn up to the next batch "
            "of labels. The dashed line is the base."
        ),
        plots=(
            Plot(
                name="learning",
                title="",
                description=_learning_words(comparison),
                figure=_learning_plot(comparison),
            ),
        ),
        legend=legend_of(comparison, shown=shown_contestants(comparison)),
        table=curve_table(comparison),
    )


def _learning_words(comparison: Comparison) -> str:
    parts: list[str] = []
    for one in comparison.contestants:
        found = [target_summary(comparison, one.name, n) for n in comparison.sizes]
        values = [f"{s.n_labels}: {number_text(s.value)}" for s in found if s]
        if values:
            parts.append(f"{one.name} at {', '.join(values)}")
    return "Error by number of labels. " + "; ".join(parts) + "."


def _learning_plot(comparison: Comparison) -> PlotlyFigure:
    traces = [_points(comparison, one.name) for one in comparison.contestants]
    traces = [trace for trace in traces if trace["x"]]
    laws = [
        _law(comparison, curve) for curve in comparison.curves if curve.is_identified
    ]
    far = max(
        (curve.n_next for curve in comparison.curves if curve.is_identified),
        default=comparison.sizes[-1],
    )
    span = (comparison.sizes[0] / 1.15, 1.15 * far)
    bases = _base_lines(comparison, span)
    heights = [y for trace in (*traces, *laws, *bases) for y in trace["y"]]
    unit = target_name(comparison.target) if comparison.target else ""
    plan = layout(
        440,
        xaxis=_size_axis(comparison, span, far),
        yaxis=log_axis(unit, [y for y in heights if y is not None]),
        hovermode="closest",
    )
    return figure([*bases, *laws, *traces], plan)


def _size_axis(
    comparison: Comparison, span: tuple[float, float], far: int
) -> dict[str, Any]:
    import math

    ticks = [*comparison.sizes, *([far] if far > comparison.sizes[-1] else [])]
    return axis(
        "labelled structures",
        is_logarithmic=True,
        tickmode="array",
        tickvals=ticks,
        ticktext=[str(tick) for tick in ticks],
        range=[math.log10(end) for end in span],
    )


def _points(comparison: Comparison, contestant: str) -> dict[str, Any]:
    found = [target_summary(comparison, contestant, n) for n in comparison.sizes]
    rows = [row for row in found if row is not None]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": contestant,
        "meta": {"key": contestant},
        "x": [row.n_labels for row in rows],
        "y": [row.value for row in rows],
        "error_y": _bars(
            [row.value for row in rows],
            [shown_interval(row) or row.range for row in rows],
            colour_of(comparison, contestant),
        ),
        "text": [f"{summary_text(row)} {row.unit}" for row in rows],
        "hovertemplate": f"{plain_text(contestant)}, %{{x}} labels: %{{text}}"
        "<extra></extra>",
        "line": {"color": f"@{colour_of(comparison, contestant)}", "width": 2},
        "marker": _marker(comparison, contestant, size=9.0),
    }


def _marker(comparison: Comparison, name: str, *, size: float) -> dict[str, Any]:
    return {
        "symbol": PLOTLY_SYMBOLS[shape_of(comparison, name)],
        "size": size,
        "color": f"@{colour_of(comparison, name)}",
    }


def _bars(
    values: list[float], intervals: list[Interval | None], colour: str
) -> dict[str, Any]:
    ends = [
        bar_ends(value, interval)
        for value, interval in zip(values, intervals, strict=True)
    ]
    pairs = list(zip(values, ends, strict=True))
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for value, (_, high) in pairs],
        "arrayminus": [value - low for value, (low, _) in pairs],
        "thickness": 1.5,
        "width": 0,
        "color": f"@{colour}",
    }


def _law(comparison: Comparison, curve: Curve) -> dict[str, Any]:
    start, end = comparison.sizes[0], curve.n_next
    steps = [i / (N_LAW_POINTS - 1) for i in range(N_LAW_POINTS)]
    sizes = [start * (end / start) ** step for step in steps]
    amplitude, exponent = curve.amplitude or 0.0, curve.exponent or 0.0
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{curve.contestant}, law",
        "meta": {"key": curve.contestant},
        "x": sizes,
        "y": [amplitude * n**-exponent + curve.floor for n in sizes],
        "hoverinfo": "skip",
        "line": {
            "color": f"@{colour_of(comparison, curve.contestant)}",
            "width": 1.5,
            "dash": "dot",
        },
    }


def _base_lines(
    comparison: Comparison, span: tuple[float, float]
) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for base in dict.fromkeys(one.base for one in comparison.baselines):
        scores = [(n, base_score(comparison, base, n)) for n in comparison.sizes]
        found = [(n, one) for n, one in scores if one is not None and one.value > 0]
        if not found:
            continue
        texts = [f"{base_text(comparison, base, n)} {one.unit}" for n, one in found]
        if len({one.value for _, one in found}) == 1:
            found = [(end, found[0][1]) for end in span]
            texts = texts[:1] * len(found)
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": base,
                "meta": {"key": "base"},
                "x": [x for x, _ in found],
                "y": [one.value for _, one in found],
                "text": texts,
                "hovertemplate": f"base {plain_text(base)}: %{{text}}<extra></extra>",
                "line": {"color": "@base", "width": 2, "dash": "dash"},
            }
        )
    return lines


def front_figure(comparison: Comparison) -> Figure | None:
    """Return target error against forgetting, or none where drift is unknown."""
    if comparison.target is None or len(comparison.front) < 2:
        return None
    where = "far from the material" if comparison.target.drift_group else "everywhere"
    return Figure(
        name="front",
        caption=(
            f"At {max(c.n_now for c in comparison.curves)} labels: the error on "
            "the test structures against the drift of forces from the base "
            f"{where}. Lower and further left is better. The line joins the points "
            "that no other point beats in both. A base has no drift, unless an "
            "element map changed it."
        ),
        plots=(
            Plot(
                name="front",
                title="",
                description=_front_words(comparison),
                figure=_front_plot(comparison),
            ),
        ),
        legend=legend_of(
            comparison, shown={one.name for one in comparison.contestants}
        ),
    )


def _front_words(comparison: Comparison) -> str:
    ahead = ", ".join(p.contestant for p in comparison.front if p.is_on_front)
    return f"Target error against forgetting. On the front: {ahead}."


def _front_plot(comparison: Comparison) -> PlotlyFigure:
    target = comparison.target
    assert target is not None  # its caller has looked
    ahead = sorted(
        (point for point in comparison.front if point.is_on_front),
        key=lambda point: point.error,
    )
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "front",
        "meta": {"key": "front"},
        "x": [point.error for point in ahead],
        "y": [point.drift for point in ahead],
        "hoverinfo": "skip",
        "line": {"color": "@rule-strong", "width": 1.5, "shape": "linear"},
    }
    dots = [_dot(comparison, point) for point in comparison.front]
    plan = layout(
        420,
        xaxis=axis(target_name(target), rangemode="tozero"),
        yaxis=axis(f"drift of forces ({target.drift_unit})", rangemode="tozero"),
        hovermode="closest",
    )
    return figure([line, *dots], plan)


def _dot(comparison: Comparison, point: FrontPoint) -> dict[str, Any]:
    is_base = point.contestant not in {one.name for one in comparison.contestants}
    colour = colour_of(comparison, point.contestant)
    over = "structures" if is_base else "seeds"
    error = value_text(point.error, point.error_interval, over=over)
    drift = value_text(point.drift, point.drift_interval, over=over)
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": point.contestant,
        "meta": {"key": "base" if is_base else point.contestant},
        "x": [point.error],
        "y": [point.drift],
        "error_x": _bars([point.error], [point.error_interval], colour),
        "error_y": _bars([point.drift], [point.drift_interval], colour),
        "text": [plain_text(point.contestant)],
        "textposition": "top right",
        "textfont": {"color": "@ink"},
        "customdata": [f"error {error}, drift {drift}"],
        "hovertemplate": "%{text}: %{customdata}<extra></extra>",
        "cliponaxis": False,
        "marker": _marker(comparison, point.contestant, size=11.0)
        | ({} if point.is_on_front else {"opacity": 0.45}),
    }
