"""Axes, layout and markers that all plots share."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from atomgraft.page.blocks import LegendEntry, PlotlyFigure
from atomgraft.page.wording import MODEL_NAMES

Item = TypeVar("Item")

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"

SYMBOLS = {"base": "circle", "adapted": "diamond", "scratch": "triangle"}
"""A shape for each model, so that colour is never the only difference."""

LINES = {
    "base": ("dot", "dots"),
    "adapted": ("solid", "line"),
    "scratch": ("dash", "dashes"),
}
"""For each model, how plotly and how the legend calls its line."""

PLOTLY_SYMBOLS = {
    "circle": "circle",
    "diamond": "diamond",
    "triangle": "triangle-up",
    "square": "square",
}


def axis(title: str = "", *, is_logarithmic: bool = False, **more: Any) -> dict:  # noqa: ANN401 plotly takes anything
    """Return an axis in the style of the page."""
    style: dict[str, Any] = {
        "title": {"text": title, "standoff": 10},
        "type": "log" if is_logarithmic else "linear",
        "gridcolor": "@rule",
        "linecolor": "@rule-strong",
        "tickcolor": "@rule-strong",
        "ticks": "outside",
        "ticklen": 4,
        "showline": True,
        "zeroline": False,
        "automargin": True,
    }
    if is_logarithmic:
        style |= {"dtick": 1, "exponentformat": "power"}
    return style | more


def layout(height: int | None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 plotly takes anything
    """Return a layout in the style of the page; colours are style-sheet names."""
    size = {} if height is None else {"height": height}
    return (
        size
        | {
            "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
            "autosize": True,
            "showlegend": False,
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 12, "color": "@ink-soft"},
            "hoverlabel": {
                "bgcolor": "@surface",
                "bordercolor": "@rule-strong",
                "font": {"family": FONT, "color": "@ink"},
            },
            "uirevision": "keep",
        }
        | more
    )


def figure(data: list[dict[str, Any]], plan: dict[str, Any]) -> PlotlyFigure:
    """Return a plotly figure of traces and a layout."""
    return {"data": data, "layout": plan}


def plain_text(name: str) -> str:
    """Return a name in which plotly finds no markup and no variable.

    Examples
    --------
    >>> plain_text("<b>")
    '&lt;b>'
    """
    return name.replace("<", "&lt;").replace("%", "%\u200b")


class Kind(NamedTuple):
    """A kind of points: its name, its colour and its shape.

    Parameters
    ----------
    label
        In the legend.
    colour
        Name of the style sheet.
    symbol
        A key of PLOTLY_SYMBOLS.
    """

    label: str
    colour: str
    symbol: str


def kinds_legend(
    kinds: Mapping[str, Kind], shown: Collection[str]
) -> tuple[LegendEntry, ...]:
    """Return the legend entries of the kinds that are there.

    Parameters
    ----------
    kinds
        By key.
    shown
        Keys of those that are there.
    """
    return tuple(
        LegendEntry(key=key, label=one.label, colour=one.colour, symbol=one.symbol)
        for key, one in kinds.items()
        if key in shown
    )


def kind_points(
    key: str,
    kind: Kind,
    places: Sequence[tuple[float, float]],
    text: Sequence[str],
    **more: Any,  # noqa: ANN401 plotly takes anything
) -> dict[str, Any]:
    """Return points of one kind, which the legend shows and hides.

    Parameters
    ----------
    key
        Of the kind in the legend.
    kind
        Its looks.
    places
        x and y of each point.
    text
        Of each point, without markup.
    more
        Further keys of plotly, and others in their place.
    """
    points: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": kind.label,
        "meta": {"key": key},
        "x": [x for x, _ in places],
        "y": [y for _, y in places],
        "text": list(text),
        "marker": {
            "symbol": PLOTLY_SYMBOLS[kind.symbol],
            "size": 7,
            "opacity": 0.75,
            "color": f"@{kind.colour}",
        },
    }
    return points | more


def marker(key: str, *, size: float = 6.0, opacity: float = 0.75) -> dict[str, Any]:
    """Return the marker of a model: its shape and its colour."""
    symbol = PLOTLY_SYMBOLS[SYMBOLS[key]]
    return {"symbol": symbol, "size": size, "opacity": opacity, "color": f"@{key}"}


SMALLEST, LARGEST = 1e-200, 1e200
"""Ends of logarithmic axes; beyond, ticks would overflow."""


def log_axis(title: str, values: Sequence[float], **more: Any) -> dict:  # noqa: ANN401 plotly takes anything
    """Return a logarithmic axis whose labels suit the span of positive values.

    Plotly labels either decades only or every digit; neither reads well when
    the values span one or two decades, so the ticks are chosen here.
    """
    positive = [value for value in values if SMALLEST < value < LARGEST]
    low, high = (min(positive), max(positive)) if positive else (1.0, 10.0)
    if low == high:
        low, high = low / 2, high * 2
    ticks = log_ticks(low, high)
    margin = 0.05 * (math.log10(high) - math.log10(low))
    ends = [math.log10(low) - margin, math.log10(high) + margin]
    if sum(ends[0] <= math.log10(tick) <= ends[1] for tick in ticks) < 2:
        ends = [math.log10(ticks[0]) - 0.02, math.log10(ticks[-1]) + 0.02]
    return axis(
        title,
        is_logarithmic=True,
        tickmode="array",
        tickvals=ticks,
        ticktext=[_tick_text(tick) for tick in ticks],
        range=ends,
        **more,
    )


def log_ticks(low: float, high: float) -> list[float]:
    """Return ticks at 1, 2, 5 or at decades, at most about seven, around a range.

    Examples
    --------
    >>> log_ticks(0.3, 4.0)
    [0.2, 0.5, 1.0, 2.0, 5.0]
    >>> log_ticks(3e-5, 40.0)
    [1e-05, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0]
    """
    n_decades = math.log10(high) - math.log10(low)  # the ratio may overflow
    steps = (1, 2, 5) if n_decades <= 2 else (1,)
    stride = 1 + int(n_decades // 7)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high)) + stride
    candidates = [
        float(f"{step}e{power}")
        for power in range(first, last + 1, stride)
        for step in steps
    ]
    below = [tick for tick in candidates if tick <= low]
    above = [tick for tick in candidates if tick >= high]
    return [tick for tick in candidates if below[-1] <= tick <= above[0]]


def _tick_text(tick: float) -> str:
    if 1e-3 <= tick < 1e5:
        return f"{tick:,g}"
    mantissa, exponent = f"{tick:.0e}".split("e")
    factor = "" if mantissa == "1" else f"{mantissa}×"
    return f"{factor}10<sup>{int(exponent)}</sup>".replace("-", "−")


def thinned(items: Sequence[Item], limit: int) -> list[Item]:
    """Return at most `limit` items, evenly spaced, the first and last kept.

    Examples
    --------
    >>> thinned(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(items) <= limit:
        return list(items)
    step = (len(items) - 1) / (limit - 1)
    return [items[round(position * step)] for position in range(limit)]


def model_legend(
    shown: Sequence[str], *, hidden: Sequence[str] = ()
) -> tuple[LegendEntry, ...]:
    """Return the legend entries of some models, in the order of all tables."""
    return tuple(
        LegendEntry(
            key=model,
            label=name,
            colour=model,
            symbol=SYMBOLS[model],
            is_shown=model not in hidden,
        )
        for model, name in MODEL_NAMES.items()
        if model in shown
    )


def model_line(model: str) -> dict[str, Any]:
    """Return the line of a model: its dashes and its colour."""
    return {"color": f"@{model}", "width": 1.8, "dash": LINES[model][0]}


def line_legend(models: Iterable[str]) -> tuple[LegendEntry, ...]:
    """Return the legend of a figure with a line for each model, in this order."""
    return tuple(
        LegendEntry(
            key=model, label=MODEL_NAMES[model], colour=model, symbol=LINES[model][1]
        )
        for model in models
    )
