"""The page of a screen."""

from typing import Any

from atomgraft.page.axes import (
    Kind,
    axis,
    figure,
    kind_points,
    kinds_legend,
    layout,
    log_axis,
    plain_text,
)
from atomgraft.page.blocks import (
    Facts,
    Figure,
    Plot,
    PlotlyFigure,
    Table,
    section,
)
from atomgraft.page.document import PAGE, Cover, Mark, document_text, page_writer
from atomgraft.page.wording import counted, duration_text
from atomgraft.run.page.record import session_blocks, written_text
from atomgraft.transport.screening.elements import element_table
from atomgraft.transport.screening.record import Ranked, ScreenResult
from atomgraft.transport.screening.tables import columns_of, rows_of, values_of
from atomgraft.transport.screening.wording import (
    is_logarithm,
    is_near,
    predicted_text,
    property_of,
    value_text,
    width_text,
    with_unit,
)

SHOWN = 200
"""Structures in the table of the page; all are in screen.csv."""

DRAWN = 5000
"""Structures in the figure."""

FARTHEST = 199.0
"""Powers of ten that a logarithmic axis holds, up and down."""

RANKED = Mark(name="took", word="Ranked")
NEW = Mark(name="open", word="Mostly new to the predictor")

KINDS = {
    "near": Kind("Similar materials are known", "series-0", "circle"),
    "far": Kind("New to the predictor", "series-1", "diamond"),
}
"""Kinds of structures."""


def page_text(result: ScreenResult) -> str:
    """Return the page as HTML; everything it needs is inside."""
    sections = [
        section("list", "The list", _list(result)),
        section("elements", "Elements", element_table(result)),
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
        title=f"{property_of(result)[0]} of {counted(len(result.ranked), 'structure')}",
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
            ("Its prediction", value_text(result.ranked[0], result)),
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
            "The best first; click a column to sort by it. Intervals hold 68 % of"
            " materials of new groups, and there is none for a structure that is new"
            " to the predictor: with elements it has not learned from, or a novelty"
            f" above 1.{rest}"
        ),
        columns=columns_of(result),
        rows=tuple(rows_of(result, SHOWN)),
        is_text=(False, True, True, False, False, False, True),
        values=tuple(values_of(result, SHOWN)),
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
                    f"Predictions from {predicted_text(min(values), result)} to"
                    f" {predicted_text(max(values), result)}"
                    f" {property_of(result)[1]}".rstrip()
                    + "."
                ),
                figure=_plot(result),
            ),
        ),
        legend=kinds_legend(KINDS, kinds),
    )


def _kind(one: Ranked) -> str:
    return "near" if is_near(one) else "far"


def _plot(result: ScreenResult) -> PlotlyFigure:
    traces = [_points(result, key) for key in KINDS]
    name, unit = property_of(result)
    title = f"predicted {plain_text(name)}{f', {plain_text(unit)}' if unit else ''}"
    drawn = [_height(one, result) for one in result.ranked[:DRAWN]]
    upright = log_axis(title, drawn) if is_logarithm(result) else axis(title)
    plan = layout(460, xaxis=axis("novelty"), yaxis=upright, hovermode="closest")
    return figure([one for one in traces if one["x"]], plan)


def _height(one: Ranked, result: ScreenResult) -> float:
    """Return where a structure is drawn; what no axis holds stays at its ends."""
    if not is_logarithm(result):
        return one.predicted
    return 10.0 ** min(max(one.predicted, -FARTHEST), FARTHEST)


def _points(result: ScreenResult, key: str) -> dict[str, Any]:
    rows = [one for one in result.ranked[:DRAWN] if _kind(one) == key]
    return kind_points(
        key,
        KINDS[key],
        [(one.novelty, _height(one, result)) for one in rows],
        [plain_text(_told(one, result)) for one in rows],
        hovertemplate="%{text}<extra></extra>",
    )


def _told(one: Ranked, result: ScreenResult) -> str:
    return f"{one.name}, {one.formula}: {with_unit(one, result)}"


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
    low, high = (width_text(one, result) for one in result.half_widths)
    return Facts(
        pairs=(
            ("Predictor", result.predictor),
            ("Method", result.method),
            ("68 % of new groups within", low),
            ("95 % of new groups within", high),
            ("First", "highest" if result.is_highest_best else "lowest"),
            ("Features taken from earlier calls", str(result.n_from_cache)),
        )
    )
