"""The page of a budget."""

from typing import Any

from atomgraft.fidelity.budget.record import Budget
from atomgraft.fidelity.budget.tables import (
    cost_table,
    law_table,
    left_out_table,
    mixture_table,
)
from atomgraft.page.axes import figure, layout, log_axis
from atomgraft.page.blocks import Figure, Plot, section
from atomgraft.page.document import PAGE, Cover, Mark, document_text, page_writer
from atomgraft.page.wording import number_text
from atomgraft.run.page.record import session_blocks, spec_code, written_text

SURE = Mark(name="took", word="Within the pilot")
FAR = Mark(name="partial", word="Extrapolated")


def page_text(budget: Budget) -> str:
    """Return the page as HTML; everything it needs is inside."""
    sections = [
        section("mixtures", "Mixtures", mixture_table(budget)),
        section("curve", "Error by labels of the target", curve_figure(budget)),
        section("laws", "Laws", law_table(budget), left_out_table(budget)),
        section("costs", "Costs", cost_table(budget)),
        section("spec", "Spec", spec_code(budget.spec, "budget")),
        section("provenance", "Provenance", *session_blocks(*budget.provenance)),
    ]
    cover = Cover(
        title=budget.name,
        label="Advice",
        mark=SURE if budget.best.is_measured_range else FAR,
        headline=budget.headline,
        sentences=budget.sentences,
        warning=None,
        key_facts=(
            ("Processor time", f"{budget.spec['cpu_hours']:g} h"),
            ("Base", budget.base),
            ("Ways with a law", str(len(budget.laws))),
        ),
        written=written_text(budget.provenance),
        source="budget.json",
    )
    return document_text(cover, sections)


write_page = page_writer(page_text, PAGE)
"""Write the page of a budget into its folder."""


def curve_figure(budget: Budget) -> Figure | None:
    """Return predicted error against labels of the target, all for the same sum."""
    points = budget.curve
    if len(points) < 2:
        return None
    x = [float(one.n_target) for one in points]
    lows = [one.interval[0] for one in points]
    highs = [one.interval[1] for one in points]
    band: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "x": [*x, *reversed(x)],
        "y": [*highs, *reversed(lows)],
        "fill": "toself",
        "fillcolor": "@rule",
        "line": {"width": 0},
        "hoverinfo": "skip",
        "name": "interval",
    }
    line: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": [one.error for one in points],
        "line": {"color": "@adapted", "width": 2},
        "name": budget.best.way,
        "text": [
            f"{one.n_target} and {one.n_source}: {number_text(one.error)}"
            for one in points
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }
    best: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "x": [budget.best.n_target],
        "y": [budget.best.error],
        "marker": {"color": "@adapted", "size": 11, "symbol": "diamond"},
        "hoverinfo": "skip",
        "name": "best",
    }
    return Figure(
        name="curve",
        caption=(
            f"{budget.best.way}: predicted error of {budget.quantity} for the same"
            " processor time, against labels of the target; what is left buys labels of"
            " the source. The band is the 95 % interval; the mark is the advice."
        ),
        plots=(
            Plot(
                name="curve",
                title="",
                description=(
                    f"The smallest error is {number_text(budget.best.error)}"
                    f" {budget.unit} at {budget.best.n_target} labels of the target."
                ),
                figure=figure(
                    [band, line, best],
                    layout(
                        420,
                        xaxis=log_axis("labels of the target", x),
                        yaxis=log_axis(f"error ({budget.unit})", [*lows, *highs]),
                        hovermode="closest",
                    ),
                ),
            ),
        ),
    )
