"""The figures of a study: error against error, error against labels of the source."""

from collections.abc import Sequence
from typing import Any

from atomgraft.fidelity.record import Fidelity, Line, Row
from atomgraft.fidelity.tables import line_table
from atomgraft.fidelity.wording import error_text, target_name, way_text
from atomgraft.page.axes import (
    Kind,
    figure,
    kind_points,
    kinds_legend,
    layout,
    log_axis,
)
from atomgraft.page.blocks import Figure, Plot
from atomgraft.page.wording import number_text

SHAPES = ("circle", "diamond", "triangle", "square")
N_COLOURS = 8


def _kinds(names: Sequence[str]) -> dict[str, Kind]:
    """Return colour and shape of each thing of a figure."""
    return {
        name: Kind(name, f"series-{i % N_COLOURS}", SHAPES[i % len(SHAPES)])
        for i, name in enumerate(dict.fromkeys(names))
    }


def line_figure(study: Fidelity) -> Figure | None:
    """Return error after fine-tuning against error of the source, or none."""
    target = study.target
    rows = [row for row in study.rows if row.source_error is not None]
    if target is None or len(rows) < 2:
        return None
    kinds = _kinds([str(row.source) for row in rows])
    name = target_name(target)
    settings = list(dict.fromkeys((row.recipe, row.kept, row.n_target) for row in rows))
    return Figure(
        name="line",
        caption=(
            f"{name} after fine-tuning, on the target, against the error of the"
            " source's model on the source's own labels. Both axes are logarithmic."
            " Lines are fitted to all sources together; open points are at the floor"
            " and left out."
        ),
        plots=tuple(_line_plot(study, setting, rows, kinds) for setting in settings),
        legend=kinds_legend(kinds, list(kinds)),
        table=line_table(study),
    )


def _line_plot(
    study: Fidelity,
    setting: tuple[str, str, int],
    rows: Sequence[Row],
    kinds: dict[str, Kind],
) -> Plot:
    recipe, kept, n_target = setting
    mine = [row for row in rows if (row.recipe, row.kept, row.n_target) == setting]
    title = f"{recipe}, {n_target} labels of the target"
    title += "" if kept == "all" else f", source: {kept} alone"
    traces: list[dict[str, Any]] = []
    for line in study.lines:
        is_mine = (line.recipe, line.kept, line.n_target) == setting
        if is_mine and line.source is None and line.base is None and line.slope:
            traces.append(_drawn(line, mine))
    for source, kind in kinds.items():
        own = [row for row in mine if row.source == source]
        if own:
            traces.append(_points(source, kind, own))
    unit = study.target.unit if study.target else ""
    x = [row.source_error or 1.0 for row in mine]
    plan = layout(
        420,
        xaxis=log_axis(f"error of the source's model ({unit})", x),
        yaxis=log_axis(
            f"error after fine-tuning ({unit})", [row.value for row in mine]
        ),
        hovermode="closest",
    )
    said = "; ".join(
        f"{row.source} with {row.n_source}: {number_text(row.source_error or 0.0)} to"
        f" {number_text(row.value)}"
        for row in mine
    )
    return Plot(
        name=f"line-{recipe}-{kept}-{n_target}",
        title=title,
        description=f"Error after fine-tuning by error of the source. {said}.",
        figure=figure(traces, plan),
    )


def _points(source: str, kind: Kind, rows: Sequence[Row]) -> dict[str, Any]:
    points = kind_points(
        source,
        kind,
        [(row.source_error or 1.0, row.value) for row in rows],
        [
            f"{row.source}, {row.n_source} labels, {row.base}: {error_text(row)}"
            for row in rows
        ],
        hovertemplate="%{text}<extra></extra>",
    )
    shape = points["marker"]["symbol"]
    points["marker"] |= {
        "size": 9,
        "symbol": [f"{shape}-open" if row.is_at_floor else shape for row in rows],
    }
    return points


def _drawn(line: Line, rows: Sequence[Row]) -> dict[str, Any]:
    x = [row.source_error or 1.0 for row in rows]
    ends = [min(x), max(x)]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "line",
        "meta": {"key": "line"},
        "x": ends,
        "y": [(line.amplitude or 0.0) * end ** (line.slope or 0.0) for end in ends],
        "hoverinfo": "skip",
        "line": {"color": "@rule-strong", "width": 1.5, "dash": "dot"},
    }


def size_figure(study: Fidelity) -> Figure | None:
    """Return the error against labels of the source, or none before there is any."""
    target = study.target
    rows = [row for row in study.rows if row.n_source and row.n_target]
    if target is None or not rows:
        return None
    kinds = _kinds([way_text(row) for row in rows])
    sizes = list(dict.fromkeys(row.n_target for row in rows))
    return Figure(
        name="sizes",
        caption=(
            f"{target_name(target)} on the held-out structures against labels of the"
            " source. Both axes are logarithmic. The dashed line is the target alone."
        ),
        plots=tuple(_size_plot(study, n, rows, kinds) for n in sizes),
        legend=kinds_legend(kinds, list(kinds)),
    )


def _size_plot(
    study: Fidelity, n_target: int, rows: Sequence[Row], kinds: dict[str, Kind]
) -> Plot:
    mine = [row for row in rows if row.n_target == n_target]
    ends = [min(row.n_source for row in mine), max(row.n_source for row in mine)]
    alone = [
        row for row in study.rows if (row.strategy, row.n_target) == ("alone", n_target)
    ]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"target alone, {row.base}",
            "meta": {"key": "alone"},
            "x": [0.9 * ends[0], 1.1 * ends[1]],
            "y": [row.value] * 2,
            "hoverinfo": "skip",
            "line": {"color": "@base", "width": 2, "dash": "dash"},
        }
        for row in alone
    ]
    for way, kind in kinds.items():
        for base in dict.fromkeys(row.base for row in mine):
            own = [r for r in mine if way_text(r) == way and r.base == base]
            own.sort(key=lambda row: row.n_source)
            if own:
                traces.append(
                    kind_points(
                        way,
                        kind,
                        [(row.n_source, row.value) for row in own],
                        [f"{way}, {row.n_source}: {error_text(row)}" for row in own],
                        mode="lines+markers",
                        hovertemplate="%{text}<extra></extra>",
                        line={"color": f"@{kind.colour}", "width": 2},
                    )
                )
    unit = study.target.unit if study.target else ""
    heights = [row.value for row in (*mine, *alone)]
    plan = layout(
        420,
        xaxis=log_axis("labels of the source", [float(end) for end in ends]),
        yaxis=log_axis(f"error on the target ({unit})", heights),
        hovermode="closest",
    )
    said = "; ".join(
        f"{way_text(row)}, {row.n_source}: {number_text(row.value)}" for row in mine
    )
    return Plot(
        name=f"sizes-{n_target}",
        title=f"{n_target} labels of the target",
        description=f"Error by labels of the source. {said}.",
        figure=figure(traces, plan),
    )
