"""The figure of a campaign over materials: mean frequencies, model against DFT."""

from typing import Any

from atomgraft.page.axes import (
    PLOTLY_SYMBOLS,
    axis,
    figure,
    layout,
    plain_text,
)
from atomgraft.page.blocks import Figure, LegendEntry, Plot
from atomgraft.page.wording import MISSING, counted, number_text
from atomgraft.phonons.campaign.record import BASE, FIXED, PhononCampaign
from atomgraft.phonons.campaign.tables import mean_of, rows_of
from atomgraft.phonons.campaign.wording import title_of
from atomgraft.run.page.parity import square_range

N_COLOURS = 8
"""Colours of the style sheet for recipes."""

SHAPES = ("diamond", "triangle", "square")


def parity_figure(campaign: PhononCampaign) -> Figure | None:
    """Return mean frequencies under base and recipes against DFT's, or none."""
    asked = [one for one in campaign.contestants if one == BASE or one not in FIXED]
    drawn = [(i, name, _trace(campaign, name, i)) for i, name in enumerate(asked)]
    shown = [(i, name) for i, name, trace in drawn if trace["x"]]
    traces = [trace for _, _, trace in drawn if trace["x"]]
    if not traces:
        return None
    values = [v for trace in traces for v in (*trace["x"], *trace["y"])]
    n = max(len(trace["x"]) for trace in traces)
    return Figure(
        name="parity",
        caption=(
            "Mean frequency over the mesh, model against DFT, one dot a material. A "
            "dot below the diagonal is a material that the model makes too soft."
        ),
        plots=(
            Plot(
                name="parity",
                title="",
                description=(
                    f"Mean frequencies of {counted(n, 'material')} under "
                    f"{', '.join(title_of(one) for _, one in shown)} against DFT."
                ),
                figure=figure(traces, _layout(square_range(values))),
            ),
        ),
        legend=tuple(_entry(name, i) for i, name in shown),
        can_zoom=True,
    )


def _style(contestant: str, i: int) -> tuple[str, str]:
    """Return colour and shape; the base has its own."""
    if contestant == BASE:
        return "base", "circle"
    return f"series-{(i - 1) % N_COLOURS}", SHAPES[(i - 1) % len(SHAPES)]


def _entry(contestant: str, i: int) -> LegendEntry:
    colour, shape = _style(contestant, i)
    return LegendEntry(
        key=contestant, label=title_of(contestant), colour=colour, symbol=shape
    )


def _trace(campaign: PhononCampaign, contestant: str, i: int) -> dict[str, Any]:
    colour, shape = _style(contestant, i)
    points = [
        (known, mean, one.name, mean_of(rows, "frequency_mae"))
        for one in campaign.materials
        if (rows := rows_of(campaign, one.name, contestant))
        and (mean := mean_of(rows, "mean")) is not None
        and (known := mean_of(rows, "mean_reference")) is not None
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain_text(title_of(contestant)),
        "meta": {"key": contestant},
        "x": [point[0] for point in points],
        "y": [point[1] for point in points],
        "text": [
            f"{plain_text(name)}, MAE {_error_text(error)}"
            for _, _, name, error in points
        ],
        "hovertemplate": "%{text}<br>DFT %{x:.3f}, model %{y:.3f} THz<extra></extra>",
        "marker": {
            "symbol": PLOTLY_SYMBOLS[shape],
            "size": 8,
            "opacity": 0.8,
            "color": f"@{colour}",
        },
    }


def _error_text(error: float | None) -> str:
    return MISSING if error is None else f"{number_text(error)} THz"


def _layout(span: list[float]) -> dict[str, Any]:
    return layout(
        440,
        xaxis=axis("mean frequency, DFT (THz)", range=span),
        yaxis=axis("mean frequency, model (THz)", range=span),
        hovermode="closest",
        shapes=[
            {
                "type": "line",
                "x0": span[0],
                "y0": span[0],
                "x1": span[1],
                "y1": span[1],
                "layer": "below",
                "line": {"color": "@ink-soft", "width": 1, "dash": "dot"},
            }
        ],
    )
