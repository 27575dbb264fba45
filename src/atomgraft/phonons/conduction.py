"""What carries heat: thermal conductivity over temperature, and group velocities."""

import math
from typing import Any

from atomgraft.page.axes import axis, figure, layout, log_axis, plain_text, thinned
from atomgraft.page.blocks import Figure, Plot, Table
from atomgraft.page.wording import number_text
from atomgraft.phonons.contestants import colour_of, contestants, legend_of
from atomgraft.phonons.curves import (
    Curve,
    at_room,
    curve_trace,
    notes_of,
)
from atomgraft.phonons.record import ConductivityRecord, PhononResult, Spectrum

MAX_SPEEDS = 1200
"""Points of each contestant."""


def conductivity_figure(result: PhononResult, prefix: str = "phonons") -> Figure | None:
    """Return lattice thermal conductivity over temperature, or none.

    Parameters
    ----------
    result
        Of one crystal.
    prefix
        Makes the figure's name unique on its page.
    """
    shown = [one for one in contestants(result) if one.conductivity is not None]
    if not shown:
        return None
    name = f"{prefix}-conductivity"
    curves = {one.contestant: _mean_curve(one.conductivity) for one in shown}
    data = [curve_trace(result, one, curves[one.contestant]) for one in shown]
    values = [value for _, values in curves.values() for value in values]
    plan = layout(
        400,
        xaxis=axis("T (K)"),
        yaxis=log_axis("conductivity (W/m/K)", values),
        hovermode="closest",
    )
    words = "; ".join(f"{s.title} {at_room(curves[s.contestant])}" for s in shown)
    plot = Plot(
        name=name,
        title="",
        description=f"Thermal conductivity at 300 K in W/m/K: {words}.",
        figure=figure(data, plan),
    )
    return Figure(
        name=name,
        caption=_conductivity_caption(shown),
        plots=(plot,),
        legend=legend_of(result, shown),
        table=_conductivity_table(shown),
    )


def _mean_curve(record: ConductivityRecord | None) -> Curve:
    if record is None:
        return (), ()
    means = [sum(row[:3]) / 3 for row in record.conductivity]
    pairs = [
        (T, mean)
        for T, mean in zip(record.temperatures, means, strict=True)
        if mean > 0 and math.isfinite(mean)
    ]
    return [T for T, _ in pairs], [mean for _, mean in pairs]


def _conductivity_caption(shown: list[Spectrum]) -> str:
    first = shown[0].conductivity
    mesh = "×".join(map(str, first.mesh)) if first else ""
    notes = notes_of([(one.title, one.conductivity) for one in shown])
    return " ".join(
        [
            "Lattice thermal conductivity in the relaxation-time approximation, mean "
            f"of the three directions, on a {mesh} mesh; the vertical axis is "
            "logarithmic.",
            *notes,
        ]
    )


def _conductivity_table(shown: list[Spectrum]) -> Table:
    return Table(
        caption="At 300 K, W/m/K.",
        columns=("Contestant", "Mean", "xx", "yy", "zz", "Supercells"),
        rows=tuple(_conductivity_row(one) for one in shown),
        is_text=(True, *(False,) * 5),
    )


def _conductivity_row(one: Spectrum) -> tuple[str, ...]:
    record = one.conductivity
    assert record is not None  # its caller has looked
    diagonal = [
        (record.temperatures, [row[i] for row in record.conductivity]) for i in range(3)
    ]
    return (
        one.title,
        at_room(_mean_curve(record)),
        *(at_room(curve) for curve in diagonal),
        f"{record.n_supercells} of {record.n_atoms_supercell} atoms",
    )


def speeds_figure(result: PhononResult, prefix: str = "phonons") -> Figure | None:
    """Return group velocities over frequency, or none.

    Parameters
    ----------
    result
        Of one crystal.
    prefix
        Makes the figure's name unique on its page.
    """
    shown = [one for one in contestants(result) if any(leg.speeds for leg in one.bands)]
    if not shown:
        return None
    name = f"{prefix}-speeds"
    data = [_speeds_trace(result, one) for one in shown]
    plan = layout(
        380,
        xaxis=axis("frequency (THz)"),
        yaxis=axis("group velocity (km/s)", rangemode="tozero"),
        hovermode="closest",
    )
    fastest = "; ".join(
        f"{one.title} up to {number_text(max(trace['y'], default=0.0))} km/s"
        for one, trace in zip(shown, data, strict=True)
    )
    plot = Plot(
        name=name,
        title="",
        description=f"Group velocities over frequency: {fastest}.",
        figure=figure(data, plan),
    )
    return Figure(
        name=name,
        caption="Group velocities at the q-points of the bands, a sample of them.",
        plots=(plot,),
        legend=legend_of(result, shown),
    )


def _speeds_trace(result: PhononResult, one: Spectrum) -> dict[str, Any]:
    points = [
        (frequency, speed)
        for leg in one.bands
        for frequencies, speeds in zip(leg.frequencies, leg.speeds, strict=False)
        for frequency, speed in zip(frequencies, speeds, strict=True)
        if math.isfinite(speed)
    ]
    shown = thinned(points, MAX_SPEEDS)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain_text(one.title),
        "meta": {"key": one.contestant},
        "x": [round(frequency, 3) for frequency, _ in shown],
        "y": [round(speed, 3) for _, speed in shown],
        "marker": {
            "color": f"@{colour_of(result, one.contestant)}",
            "size": 4,
            "opacity": 0.6,
        },
        "hovertemplate": f"{plain_text(one.title)}, %{{x:.2f}} THz: %{{y:.2f}} km/s"
        "<extra></extra>",
    }
