"""Curves over temperature and frequency: heat, conductivity, velocities."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from atomgraft.page.axes import axis, figure, layout, log_axis, plain_text, thinned
from atomgraft.page.blocks import Figure, Plot, Table
from atomgraft.page.wording import MISSING, number_text
from atomgraft.phonons.record import (
    ConductivityRecord,
    ExpansionRecord,
    PhononResult,
    Spectrum,
    ThermalRecord,
)
from atomgraft.phonons.tables import value_at
from atomgraft.phonons.wording import (
    AVERAGE_TEMPERATURE,
    colour_of,
    contestants,
    lacks_modes,
    legend_of,
    line_of,
)

N_PANELS = 3
"""Plots beside one another; what is over stands in the table alone."""

Curve = tuple[Sequence[float], Sequence[float]]
"""Temperatures (K) and values."""

Panel = tuple[str, str, Callable[[Spectrum], Curve | None]]
"""Name, title with unit, and where its values are."""


def _of_thermal(pick: Callable[[ThermalRecord], Sequence[float]]) -> Any:  # noqa: ANN401
    def curve(one: Spectrum) -> Curve | None:
        return (one.thermal.temperatures, pick(one.thermal)) if one.thermal else None

    return curve


def _of_expansion(pick: Callable[[ExpansionRecord], Sequence[float]]) -> Any:  # noqa: ANN401
    def curve(one: Spectrum) -> Curve | None:
        found = one.expansion
        return (found.temperatures, pick(found)) if found else None

    return curve


_THERMAL: tuple[Panel, ...] = (
    ("free", "Free energy (meV/atom)", _of_thermal(lambda one: one.free_energy)),
    ("entropy", "Entropy (J/K/mol)", _of_thermal(lambda one: one.entropy)),
    ("heat", "Heat capacity (J/K/mol)", _of_thermal(lambda one: one.heat_capacity)),
)

_EXPANSION: tuple[Panel, ...] = (
    (
        "alpha",
        "Volumetric expansion (10⁻⁶/K)",
        _of_expansion(lambda one: one.expansion),
    ),
    ("volume", "Volume (Å³/atom)", _of_expansion(lambda one: one.equilibrium_volumes)),
    ("bulk", "Bulk modulus (GPa)", _of_expansion(lambda one: one.bulk_modulus)),
    ("cp", "Heat capacity, Cₚ (J/K/mol)", _of_expansion(lambda one: one.heat_capacity)),
)


def thermal_figure(result: PhononResult, prefix: str = "phonons") -> Figure | None:
    """Return free energy, entropy and heat capacity over temperature, or none.

    Parameters
    ----------
    result
        Of one crystal.
    prefix
        Makes the figure's name unique on its page.
    """
    caption = (
        "Harmonic free energy with the zero-point energy, entropy, and heat capacity "
        "at constant volume, per atom or mole of atoms."
    )
    marked = _marked(result)
    if marked:
        caption += (
            f" Dotted and pale: {', '.join(marked)}, without its imaginary modes; "
            "these curves have no physical meaning."
        )
    return _panels(result, f"{prefix}-thermal", caption, _THERMAL)


def _marked(result: PhononResult) -> list[str]:
    return [
        one.title
        for one in contestants(result)
        if one.thermal and lacks_modes(one, result.settings)
    ]


def expansion_figure(result: PhononResult, prefix: str = "phonons") -> Figure | None:
    """Return quasi-harmonic expansion, volume and stiffness, or none.

    Parameters
    ----------
    result
        Of one crystal.
    prefix
        Makes the figure's name unique on its page.
    """
    caption = (
        "Quasi-harmonic approximation: the volume that minimises the free energy at "
        "each temperature, and what follows from it."
    )
    notes = notes_of([(s.title, s.expansion) for s in contestants(result)])
    name = f"{prefix}-expansion"
    return _panels(result, name, " ".join([caption, *notes]), _EXPANSION)


def notes_of(
    records: list[tuple[str, ExpansionRecord | ConductivityRecord | None]],
) -> list[str]:
    """Return what is noted of some records, once if it is the same for all."""
    found = [(title, one.note) for title, one in records if one]
    notes = {note for _, note in found}
    if len(notes) == 1:
        return [note for note in notes if note]
    return [f"{title}: {note}" for title, note in found if note]


def _panels(
    result: PhononResult, name: str, caption: str, panels: tuple[Panel, ...]
) -> Figure | None:
    shown = [one for one in contestants(result) if panels[0][2](one) is not None]
    if not shown:
        return None
    return Figure(
        name=name,
        caption=caption,
        plots=tuple(
            _panel_plot(result, shown, name, panel) for panel in panels[:N_PANELS]
        ),
        legend=legend_of(result, shown),
        table=_panel_table(shown, panels),
        is_square=True,
    )


def _panel_plot(
    result: PhononResult, shown: list[Spectrum], name: str, panel: Panel
) -> Plot:
    key, title, pick = panel
    data = [curve_trace(result, one, pick(one)) for one in shown]
    plan = layout(
        None,
        xaxis=axis("T (K)", nticks=6),
        yaxis=axis("", nticks=6),
        hovermode="closest",
    )
    return Plot(
        name=f"{name}-{key}",
        title=title,
        description=_panel_words(title, shown, pick),
        figure=figure(data, plan),
    )


def _panel_words(
    title: str, shown: list[Spectrum], pick: Callable[[Spectrum], Curve | None]
) -> str:
    parts = [f"{one.title} {at_room(pick(one))}" for one in shown]
    return f"{title} over temperature. At 300 K: {'; '.join(parts)}."


def at_room(curve: Curve | None) -> str:
    """Return a curve's value at 300 K, or a dash where it has none."""
    found = value_at(*curve, AVERAGE_TEMPERATURE) if curve else None
    return MISSING if found is None else number_text(found)


def curve_trace(
    result: PhononResult, one: Spectrum, curve: Curve | None
) -> dict[str, Any]:
    """Return one contestant's curve, marked where imaginary modes are left out."""
    is_marked = lacks_modes(one, result.settings)
    line = line_of(result, one.contestant) | ({"dash": "dot"} if is_marked else {})
    temperatures, values = curve or ((), ())
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plain_text(one.title),
        "meta": {"key": one.contestant},
        "x": list(temperatures),
        "y": [float(f"{value:.6g}") for value in values],
        "line": line,
        "opacity": 0.55 if is_marked else 1.0,
        "hovertemplate": f"{plain_text(one.title)}"
        f"{', unstable' if is_marked else ''}, %{{x:.0f}} K: %{{y:.4g}}<extra></extra>",
    }


def _panel_table(shown: list[Spectrum], panels: tuple[Panel, ...]) -> Table:
    return Table(
        caption="At 300 K.",
        columns=("Contestant", *(title for _, title, _ in panels)),
        rows=tuple(
            (one.title, *(at_room(pick(one)) for _, _, pick in panels)) for one in shown
        ),
        is_text=(True, *(False,) * len(panels)),
    )


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
        caption="Group velocities at a sample of the q-points of the bands.",
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
