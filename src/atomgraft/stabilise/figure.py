"""The tree of distortions as a picture: energy downwards, one distortion a column."""

import textwrap
from typing import Any

from atomgraft.page.axes import PLOTLY_SYMBOLS, axis, figure, layout, plain_text
from atomgraft.page.blocks import Figure, LegendEntry, Plot, PlotlyFigure
from atomgraft.stabilise.record import (
    CrystalRecord,
    StabiliseResult,
    StepRecord,
)

STATES = {
    "stable": ("Stable", "series-0", "circle"),
    "unstable": ("Unstable", "series-1", "diamond"),
    "lost": ("Not judged", "series-2", "square"),
}
"""Name, colour and shape of each kind of crystal."""

SPREAD = 0.75
"""Width of a column of crystals, of the distance between columns."""


def tree_figure(result: StabiliseResult) -> Figure | None:
    """Return the picture of a tree, or none where there is nothing to draw.

    Parameters
    ----------
    result
        The tree.
    """
    if len(result.crystals) < 2:
        return None
    return Figure(
        name="tree",
        caption=(
            "Energy per atom of every crystal against the first one; a column is one "
            "distortion further from it. Solid lines are the ways by which crystals "
            "were found first, dotted ones lead to crystals that were known; point at "
            "a line's middle for its mode."
        ),
        plots=(
            Plot(
                name="tree",
                title="",
                description=_words(result),
                figure=_plot(result),
            ),
        ),
        legend=tuple(
            LegendEntry(key=key, label=label, colour=colour, symbol=symbol)
            for key, (label, colour, symbol) in STATES.items()
            if any(_state(one) == key for one in result.crystals)
        ),
    )


def _state(one: CrystalRecord) -> str:
    if one.is_stable is None:
        return "lost"
    return "stable" if one.is_stable else "unstable"


def _words(result: StabiliseResult) -> str:
    parts = [
        f"{one.number} {one.space_group} at {one.energy_change:z.2f} meV/atom, "
        f"{STATES[_state(one)][0].lower()}"
        for one in result.crystals
    ]
    return textwrap.shorten("Energies: " + "; ".join(parts) + ".", 2000)


def places(result: StabiliseResult) -> dict[int, float]:
    """Return where each crystal stands on the horizontal axis.

    Crystals of one depth stand side by side, the lowest at the right.

    Parameters
    ----------
    result
        The tree.
    """
    found: dict[int, float] = {}
    for depth in {one.depth for one in result.crystals}:
        row = [one for one in result.crystals if one.depth == depth]
        row.sort(key=lambda one: -one.energy_change)
        for i, one in enumerate(row):
            offset = 0.0 if len(row) == 1 else i / (len(row) - 1) - 0.5
            found[one.number] = depth + SPREAD * offset
    return found


def _plot(result: StabiliseResult) -> PlotlyFigure:
    place = places(result)
    ways = [_way(step, result, place) for step in result.steps]
    points = [
        _points([one for one in result.crystals if _state(one) == key], key, place)
        for key in STATES
    ]
    depths = sorted({one.depth for one in result.crystals})
    plan = layout(
        460,
        xaxis=axis(
            "distortions",
            tickmode="array",
            tickvals=depths,
            ticktext=[str(one) for one in depths],
            range=[-0.4, depths[-1] + 0.6],
        ),
        yaxis=axis("energy against the first crystal, meV/atom"),
        hovermode="closest",
    )
    return figure([*ways, *(one for one in points if one["x"])], plan)


def _points(
    crystals: list[CrystalRecord], key: str, place: dict[int, float]
) -> dict[str, Any]:
    label, colour, symbol = STATES[key]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": label,
        "meta": {"key": key},
        "x": [place[one.number] for one in crystals],
        "y": [one.energy_change for one in crystals],
        "text": [plain_text(f"{one.number}: {one.space_group}") for one in crystals],
        "textposition": [_beside(one, place) for one in crystals],
        "textfont": {"color": "@ink"},
        "cliponaxis": False,
        "customdata": [_crystal_words(one) for one in crystals],
        "hovertemplate": "%{text}<br>%{customdata}<extra></extra>",
        "marker": {
            "symbol": PLOTLY_SYMBOLS[symbol],
            "size": 11,
            "color": f"@{colour}",
        },
    }


def _beside(one: CrystalRecord, place: dict[int, float]) -> str:
    """Put names of neighbours in a column above and below by turns."""
    rank = sorted(place, key=lambda number: place[number]).index(one.number)
    return "top center" if rank % 2 == 0 else "bottom center"


def _crystal_words(one: CrystalRecord) -> str:
    lowest = one.lowest_frequency
    modes = "" if lowest is None else f", lowest frequency {lowest:z.2f} THz"
    return f"{one.energy_change:z.2f} meV/atom{modes}"


def _way(
    step: StepRecord, result: StabiliseResult, place: dict[int, float]
) -> dict[str, Any]:
    """Return a line with a point in its middle, where it says its mode."""
    ends = (result.crystals[step.parent], result.crystals[step.daughter])
    x = [place[one.number] for one in ends]
    y = [one.energy_change for one in ends]
    text = plain_text(
        f"{step.label}, {step.frequency:z.2f} THz, {step.direction}: "
        f"{step.energy_change:+z.2f} meV/atom"
    )
    return {
        "type": "scatter",
        "mode": "lines",
        "name": text,
        "meta": {"key": "way"},
        "x": [x[0], sum(x) / 2, x[1]],
        "y": [y[0], sum(y) / 2, y[1]],
        "text": text,
        "hovertemplate": "%{text}<extra></extra>",
        "line": {
            "color": "@rule-strong",
            "width": 1.5,
            "dash": "solid" if step.is_first else "dot",
        },
    }
