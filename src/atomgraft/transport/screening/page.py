"""The page of a screen."""

from typing import Any

from atomgraft.page.axes import PLOTLY_SYMBOLS, axis, figure, layout, plain_text
from atomgraft.page.blocks import (
    Facts,
    Figure,
    LegendEntry,
    Plot,
    PlotlyFigure,
    Table,
    section,
)
from atomgraft.page.document import PAGE, Cover, Mark, document_text, page_writer
from atomgraft.page.wording import counted, duration_text, number_text
from atomgraft.run.page.record import session_blocks, written_text
from atomgraft.transport.screening.record import Ranked, ScreenResult
from atomgraft.transport.screening.tables import COLUMNS, rows_of
from atomgraft.transport.screening.wording import is_near, with_unit

SHOWN = 200
"""Structures in the table of the page; all are in screen.csv."""

DRAWN = 5000
"""Structures in the figure."""

RANKED = Mark(name="took", word="Ranked")
NEW = Mark(name="open", word="Mostly new to the predictor")

KINDS = {
    "near": ("Similar materials are known", "series-0", "circle"),
    "far": ("New to the predictor", "series-1", "diamond"),
}
"""Name, colour and shape of each kind of structure."""


def page_text(result: ScreenResult) -> str:
    """Return the page as HTML; everything it needs is inside."""
    sections = [
        section("list", "The list", _list(result)),
        section("novelty", "Predictions and novelty", _figure(result)),
        section("left-out", "Structures left out", _left_out(result)),
        section("settings", "Settings", _settings(result)),
        section("provenance", "Provenance", *session_blocks(*result.provenance)),
    ]
    return document_text(_cover(result), sections)


write_page = page_writer(page_text, PAGE)
"""Write the page of a screen into its folder."""


def _cover(result: ScreenResult) -> Cover:
    near = sum(is_near(one) for one in result.ranked)
    return Cover(
        title=f"{result.target} of {counted(len(result.ranked), 'structure')}",
        label="Result",
        mark=RANKED if 2 * near >= len(result.ranked) else NEW,
        headline=result.headline,
        sentences=result.notices,
        warning=None,
        key_facts=(
            ("Structures", str(len(result.ranked))),
            ("Similar ones known", str(near)),
            ("Left out", str(sum(one.n for one in result.left_out))),
            ("First", result.ranked[0].formula),
            ("Its prediction", with_unit(result.ranked[0], result)),
            ("Predictor", f"{result.method}, {result.n_examples} materials"),
            ("Mobile ion", result.mobile),
            ("Time", duration_text(sum(one.seconds for one in result.provenance))),
        ),
        written=written_text(result.provenance),
        source="screen.json",
    )


def _list(result: ScreenResult) -> Table:
    more = len(result.ranked) - SHOWN
    rest = f" The other {more} are in screen.csv." if more > 0 else ""
    return Table(
        caption=(
            "The best first, with the half width of intervals that hold 68 % of"
            f" materials of new groups.{rest}"
        ),
        columns=COLUMNS,
        rows=tuple(rows_of(result, SHOWN)),
        is_text=(False, True, True, False, True, True),
    )


def _figure(result: ScreenResult) -> Figure:
    rows = result.ranked[:DRAWN]
    kinds = {_kind(one) for one in rows}
    values = [one.predicted for one in rows]
    return Figure(
        name="novelty",
        caption=(
            "Every structure by its distance to the nearest material that was learned"
            " from. Right of one, 95 % of known materials are nearer to others."
        ),
        plots=(
            Plot(
                name="novelty",
                title="",
                description=(
                    f"Predictions from {number_text(min(values))} to"
                    f" {number_text(max(values))} {result.unit}".rstrip()
                    + "."
                ),
                figure=_plot(result),
            ),
        ),
        legend=tuple(
            LegendEntry(key=key, label=label, colour=colour, symbol=symbol)
            for key, (label, colour, symbol) in KINDS.items()
            if key in kinds
        ),
    )


def _kind(one: Ranked) -> str:
    return "near" if is_near(one) else "far"


def _plot(result: ScreenResult) -> PlotlyFigure:
    traces = [_points(result, key) for key in KINDS]
    unit = f", {result.unit}" if result.unit else ""
    plan = layout(
        460,
        xaxis=axis("novelty"),
        yaxis=axis(f"predicted {plain_text(result.target)}{unit}"),
        hovermode="closest",
    )
    return figure([one for one in traces if one["x"]], plan)


def _points(result: ScreenResult, key: str) -> dict[str, Any]:
    label, colour, symbol = KINDS[key]
    rows = [one for one in result.ranked[:DRAWN] if _kind(one) == key]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label,
        "meta": {"key": key},
        "x": [one.novelty for one in rows],
        "y": [one.predicted for one in rows],
        "text": [plain_text(f"{one.name}, {one.formula}") for one in rows],
        "hovertemplate": "%{text}<br>%{y}<extra></extra>",
        "marker": {
            "symbol": PLOTLY_SYMBOLS[symbol],
            "size": 7,
            "opacity": 0.75,
            "color": f"@{colour}",
        },
    }


def _left_out(result: ScreenResult) -> Table | None:
    if not result.left_out:
        return None
    return Table(
        caption="Structures that were not predicted, by reason, with an example.",
        columns=("Reason", "Structures", "For example", "Found"),
        rows=tuple(
            (one.reason, str(one.n), *(one.examples[0] if one.examples else ("", "")))
            for one in result.left_out
        ),
        is_text=(True, False, True, True),
    )


def _settings(result: ScreenResult) -> Facts:
    low, high = (number_text(one) for one in result.half_widths)
    return Facts(
        pairs=(
            ("Predictor", result.predictor),
            ("Method", result.method),
            ("68 % of new groups within", f"± {low} {result.unit}".rstrip()),
            ("95 % of new groups within", f"± {high} {result.unit}".rstrip()),
            ("First", "highest" if result.is_highest_best else "lowest"),
            ("Features taken from earlier calls", str(result.n_from_cache)),
        )
    )
