"""The page of a selection: structures to label, and a map of the candidates."""

from typing import Any

from atomgraft.label.record import ChosenStructure, SelectionResult
from atomgraft.page.axes import PLOTLY_SYMBOLS, axis, figure, layout
from atomgraft.page.blocks import (
    Block,
    Facts,
    Figure,
    LegendEntry,
    Note,
    Plot,
    Table,
    section,
)
from atomgraft.page.document import PAGE, Cover, Mark, document_text, page_writer
from atomgraft.page.wording import (
    MISSING,
    counted,
    number_text,
    percent_text,
    time_text,
)
from atomgraft.run.page.record import session_blocks, spec_code

N_COLOURS = 8

SHAPES = ("circle", "diamond", "triangle", "square")

KNOWN = "labelled already"

CHOSEN = Mark(name="open", word="To be labelled")


def page_text(result: SelectionResult) -> str:
    """Return the page as HTML; everything it needs is inside."""
    notes: tuple[Block, ...] = tuple(Note(text=one) for one in result.notices)
    sections = [
        section("chosen", "To be labelled", *_errors(result), _chosen_table(result)),
        section("map", "The pool", _map(result), _pool(result)),
        section("notes", "To be known", *notes),
        section("spec", "Settings", spec_code(result.spec, "selection")),
        section(
            "provenance",
            "Provenance",
            *_models(result),
            *session_blocks(result.provenance),
        ),
    ]
    return document_text(_cover(result), sections)


write_page = page_writer(page_text, PAGE)
"""Write the page of a selection into its folder."""


def _cover(result: SelectionResult) -> Cover:
    n_pool = sum(card.n for card in result.pool)
    by_kind = ", ".join(
        f"{card.n_chosen} {card.kind}" for card in result.pool if card.n_chosen
    )
    return Cover(
        title=f"{result.crystal.formula}: structures to label",
        label="Selection",
        mark=CHOSEN,
        headline=f"{len(result.chosen)} of {counted(n_pool, 'structure')}: {by_kind}.",
        sentences=(
            *_expected(result),
            f"Distances are computed from {result.descriptor.words}.",
        ),
        warning=None,
        key_facts=(
            ("Model", result.model.name),
            ("Atoms per structure", str(result.crystal.n_atoms)),
            ("Chosen by", str(result.spec["rule"])),
            ("Labelled already", str(result.n_known)),
            ("Inputs for", ", ".join(result.inputs) or MISSING),
        ),
        written=time_text(result.provenance.started),
        source="select.json",
    )


def chosen_columns(result: SelectionResult) -> list[tuple[str, bool]]:
    """Return the heads of the table of chosen structures, and which hold text."""
    columns = [
        ("number", False),
        ("kind", True),
        ("moved by", False),
        ("atoms", False),
        ("distance", False),
        ("largest force, eV/Å", False),
    ]
    if result.committee:
        columns.append(("disagreement, eV/Å", False))
    if result.expected_error is not None:
        columns.append(("expected error, THz", False))
    return [*columns, ("note", True)]


def chosen_cells(result: SelectionResult, one: ChosenStructure) -> tuple[str, ...]:
    """Return one row of that table.

    Parameters
    ----------
    result
        The selection.
    one
        A structure of it.
    """
    unit = "" if one.unit == "1" else f" {one.unit}"
    cells = [
        f"{one.number:03d}",
        one.kind,
        MISSING if one.amplitude is None else f"{one.amplitude:g}{unit}",
        str(one.n_atoms),
        number_text(one.distance),
        number_text(one.max_force),
    ]
    if result.committee:
        known = one.disagreement
        cells.append(MISSING if known is None else number_text(known))
    if result.expected_error is not None:
        left = one.expected_error
        cells.append(MISSING if left is None else number_text(left))
    return (*cells, one.note)


def _chosen_table(result: SelectionResult) -> Table:
    columns = chosen_columns(result)
    return Table(
        caption=(
            "In the order of selection. The distance is that to the nearest "
            "structure selected or labelled before, in units of the spread of the "
            "pool; the force is a prediction of the model."
        ),
        columns=tuple(name for name, _ in columns),
        rows=tuple(chosen_cells(result, one) for one in result.chosen),
        is_text=tuple(is_text for _, is_text in columns),
    )


def _expected(result: SelectionResult) -> tuple[str, ...]:
    """Say what the labels are worth for phonons."""
    before, after = result.expected_error, result.chosen[-1].expected_error
    if before is None or after is None:
        return ()
    return (
        "With their labels the expected error of frequencies falls from "
        f"{number_text(before)} to {number_text(after)} THz.",
    )


def _errors(result: SelectionResult) -> tuple[Block, ...]:
    """Draw how the expected error of frequencies falls with labels."""
    before = result.expected_error
    if before is None:
        return ()
    errors = [before, *(one.expected_error for one in result.chosen)]
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "expected error",
        "meta": {"key": "expected error"},
        "x": list(range(len(errors))),
        "y": errors,
        "hovertemplate": "%{x} labels: %{y:.3g} THz<extra></extra>",
        "marker": {"color": "@series-0", "size": 8},
        "line": {"color": "@series-0"},
    }
    drawn = layout(
        300,
        xaxis=axis("further labels", tickformat="d", nticks=len(errors) + 1),
        yaxis=axis("expected error, THz", is_logarithmic=True, dtick="D2"),
    )
    plot = Plot(
        name="errors",
        title="",
        description=(
            f"The expected error falls from {number_text(before)} THz to "
            f"{number_text(errors[-1] or 0.0)} THz; the table lists it."
        ),
        figure=figure([trace], drawn),
    )
    return (
        Figure(
            name="errors",
            caption=(
                "Expected mean absolute error of frequencies when model and labels are "
                "combined, against the number of labels in the order of selection."
            ),
            plots=(plot,),
            legend=(),
        ),
    )


def _pool(result: SelectionResult) -> Table:
    return Table(
        caption="The pool of candidates.",
        columns=("kind", "structures", "chosen"),
        rows=tuple((one.kind, str(one.n), str(one.n_chosen)) for one in result.pool),
        is_text=(True, False, False),
    )


def _map(result: SelectionResult) -> Figure:
    kinds = [card.kind for card in result.pool]
    legend = [
        LegendEntry(key=kind, label=kind, colour=_colour(i), symbol=_shape(i))
        for i, kind in enumerate(kinds)
    ]
    if result.map.known:
        legend.append(
            LegendEntry(key=KNOWN, label=KNOWN, colour="base", symbol="circle")
        )
    first, second = result.map.shares
    return Figure(
        name="pool",
        caption=(
            "The pool, projected on its two directions of largest variance. "
            "Selected structures are large and numbered in the order of selection. "
            "Points that are close may differ in other directions."
        ),
        plots=(
            Plot(
                name="pool",
                title="",
                description=(
                    f"Map of {counted(len(result.map.points), 'structure')}, of "
                    f"which {len(result.chosen)} are selected; the table lists them."
                ),
                figure=figure(
                    _traces(result, kinds),
                    layout(
                        460,
                        xaxis=axis(f"first direction ({first:.0%} of the variance)"),
                        yaxis=axis(f"second direction ({second:.0%})"),
                    ),
                ),
            ),
        ),
        legend=tuple(legend),
        can_zoom=True,
    )


def _colour(i: int) -> str:
    return f"series-{i % N_COLOURS}"


def _shape(i: int) -> str:
    return SHAPES[i % len(SHAPES)]


def _traces(result: SelectionResult, kinds: list[str]) -> list[dict[str, Any]]:
    traces: list[dict[str, Any]] = []
    if result.map.known:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": KNOWN,
                "meta": {"key": KNOWN},
                "x": [x for x, _ in result.map.known],
                "y": [y for _, y in result.map.known],
                "hovertemplate": f"{KNOWN}<extra></extra>",
                "marker": {"color": "@base", "size": 6, "opacity": 0.6},
            }
        )
    return [*traces, *(_trace(result, kind, i) for i, kind in enumerate(kinds))]


def _trace(result: SelectionResult, kind: str, i: int) -> dict[str, Any]:
    own = [one for one in result.map.points if one.kind == kind]
    chosen = [one.number is not None for one in own]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": kind,
        "meta": {"key": kind},
        "x": [one.x for one in own],
        "y": [one.y for one in own],
        "text": ["" if one.number is None else str(one.number) for one in own],
        "textposition": "top center",
        "textfont": {"color": "@ink"},
        "hovertemplate": f"{kind}<extra></extra>",
        "marker": {
            "symbol": PLOTLY_SYMBOLS[_shape(i)],
            "color": f"@{_colour(i)}",
            "size": [12 if one else 6 for one in chosen],
            "opacity": [1.0 if one else 0.45 for one in chosen],
        },
    }


def _models(result: SelectionResult) -> list[Block]:
    share = percent_text(
        len(result.chosen), max(1, sum(card.n for card in result.pool))
    )
    return [
        Facts(
            pairs=(
                ("Model" if i == 0 else "Committee", one.name),
                ("Framework", one.framework),
                ("Licence of the weights", one.licence or MISSING),
                ("Hash of the weights", one.weights_hash),
                *((("Chosen", share),) if i == 0 else ()),
            )
        )
        for i, one in enumerate((result.model, *result.committee))
    ]
