"""MSD, posterior and Arrhenius plots of a result."""

import math
from collections.abc import Sequence
from typing import Any

from atomgraft.page.axes import axis, figure, layout, log_axis
from atomgraft.page.blocks import Figure, LegendEntry, Plot, PlotlyFigure
from atomgraft.page.wording import number_text
from atomgraft.transport.diffusivity.record import (
    PROBABILITIES,
    ArrheniusRecord,
    DiffusivityResult,
    IonRecord,
    TemperatureRecord,
)
from atomgraft.transport.diffusivity.wording import bound_text, interval_text

N_COLOURS = 8
"""Colours of series in the style sheet; then they repeat."""

SYMBOLS = ("circle", "diamond", "square", "triangle")

Point = tuple[int, TemperatureRecord, IonRecord]
"""Number of the series, and what it shows."""


def _points(result: DiffusivityResult) -> list[Point]:
    return [(i, at, ion) for i, (at, ion) in enumerate(result.ions())]


def _key(i: int) -> str:
    return f"series-{i}"


def _colour(i: int) -> str:
    return f"series-{i % N_COLOURS}"


def _name(at: TemperatureRecord, ion: IonRecord) -> str:
    return f"{ion.element}, {at.temperature:g} K"


def _legend(points: Sequence[Point]) -> tuple[LegendEntry, ...]:
    return tuple(
        LegendEntry(
            key=_key(i),
            label=_name(at, ion),
            colour=_colour(i),
            symbol=SYMBOLS[i % len(SYMBOLS)],
        )
        for i, at, ion in points
    )


def _trace(i: int, name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - plotly's
    return {
        "type": "scatter",
        "name": name,
        "meta": {"key": _key(i)},
        "line": {"color": f"@{_colour(i)}", "width": 1.8},
        **more,
    }


def _marker(i: int, *, is_open: bool = False) -> dict[str, Any]:
    shape = SYMBOLS[i % len(SYMBOLS)].replace("triangle", "triangle-up")
    return {
        "symbol": shape + "-open" * is_open,
        "size": 6,
        "color": f"@{_colour(i)}",
    }


def msd_figure(result: DiffusivityResult) -> Figure | None:
    """Return the MSD with both axes logarithmic, and linear with the fitted line.

    Parameters
    ----------
    result
        What was measured.
    """
    points = _points(result)
    if not points:
        return None
    words = "; ".join(
        f"{_name(at, ion)}: {number_text(ion.curve.msd[-1])} Å² after "
        f"{number_text(ion.end)} ps, exponent {ion.exponent:.2f}"
        for _, at, ion in points
    )
    return Figure(
        name="msd",
        caption=(
            "Mean-squared displacement over the length of overlapping windows. In the "
            "logarithmic plot diffusion has slope 1 (grey line); cages are flat. The "
            "linear plot has the fitted line, from the shortest window that it uses, "
            "and standard errors."
        ),
        plots=(
            Plot(
                name="msd-log",
                title="Both axes logarithmic",
                description=f"MSD: {words}.",
                figure=_log_plot(points),
            ),
            Plot(
                name="msd-linear",
                title="With the fitted line",
                description=f"The same MSD on linear axes: {words}.",
                figure=_linear_plot(points),
            ),
        ),
        legend=_legend(points),
    )


def _log_plot(points: Sequence[Point]) -> PlotlyFigure:
    times = [t for _, _, ion in points for t in ion.curve.times]
    values = [one for _, _, ion in points for one in ion.curve.msd if one > 0]
    data = [
        _trace(
            i,
            _name(at, ion),
            mode="lines+markers",
            x=list(ion.curve.times),
            y=[one if one > 0 else None for one in ion.curve.msd],
            marker=_marker(i),
        )
        for i, at, ion in points
    ]
    end = max(times)
    top = max(values, default=1.0)
    data.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "slope 1",
            "meta": {"key": "slope"},
            "x": [end / 30, end],
            "y": [top / 30, top],
            "hoverinfo": "skip",
            "line": {"color": "@rule-strong", "width": 1.5, "dash": "dot"},
        }
    )
    plan = layout(
        340,
        xaxis=log_axis("Window (ps)", times),
        yaxis=log_axis("MSD (Å²)", values or [1.0]),
    )
    return figure(data, plan)


def _linear_plot(points: Sequence[Point]) -> PlotlyFigure:
    data: list[dict[str, Any]] = []
    for i, at, ion in points:
        curve = ion.curve
        n = len(curve.errors)
        errors = [0.0] * (len(curve.msd) - n) + list(curve.errors)
        data.append(
            _trace(
                i,
                _name(at, ion),
                mode="markers",
                x=list(curve.times),
                y=list(curve.msd),
                error_y={
                    "type": "data",
                    "array": errors,
                    "color": f"@{_colour(i)}",
                    "thickness": 1,
                    "width": 2,
                },
                marker=_marker(i, is_open=ion.diffusivity.value is None),
            )
        )
        if ion.diffusivity.value is not None and curve.slope is not None:
            ends = [ion.start or 0.0, ion.end]
            line = [(curve.intercept or 0.0) + curve.slope * one for one in ends]
            data.append(
                _trace(i, f"{_name(at, ion)}, fit", mode="lines", x=ends, y=line)
            )
    plan = layout(340, xaxis=axis("Window (ps)"), yaxis=axis("MSD (Å²)"))
    return figure(data, plan)


def posterior_figure(result: DiffusivityResult) -> Figure | None:
    """Return the posterior density of each diffusivity, or none.

    Parameters
    ----------
    result
        What was measured.
    """
    points = [one for one in _points(result) if one[2].quantiles]
    if not points:
        return None
    data = [
        _trace(
            i,
            _name(at, ion),
            mode="lines",
            **dict(zip("xy", _density(ion.quantiles), strict=True)),
        )
        for i, at, ion in points
    ]
    values = [one for _, _, ion in points for one in ion.quantiles]
    words = "; ".join(
        f"{_name(at, ion)}: {bound_text(ion.diffusivity)}" for _, at, ion in points
    )
    plan = layout(
        300,
        xaxis=log_axis("D* (cm²/s)", values),
        yaxis=axis("Density, per decade"),
    )
    return Figure(
        name="posterior",
        caption="Posterior of the self-diffusion coefficient, per decade.",
        plots=(
            Plot(
                name="posterior",
                title="",
                description=f"Medians and 95 % intervals in cm²/s: {words}.",
                figure=figure(data, plan),
            ),
        ),
        legend=_legend(points),
    )


def _density(quantiles: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return values and the density per decade between kept quantiles."""
    x: list[float] = []
    y: list[float] = []
    places = range(0, len(quantiles) - 2, 2)
    for i in places:
        low, high = quantiles[i], quantiles[i + 2]
        width = math.log10(high / low)
        if width > 0:
            x.append(math.sqrt(low * high))
            y.append((PROBABILITIES[i + 2] - PROBABILITIES[i]) / width)
    return x, y


def arrhenius_figure(result: DiffusivityResult) -> Figure | None:
    """Return diffusivities over temperature with the line and its interval, or none.

    Parameters
    ----------
    result
        What was measured.
    """
    elements = list(dict.fromkeys(ion.element for _, ion in result.ions()))
    if len(result.temperatures) < 2 or not elements:
        return None
    data: list[dict[str, Any]] = []
    values: list[float] = []
    for i, element in enumerate(elements):
        line = next((one for one in result.arrhenius if one.element == element), None)
        traces, ends = _arrhenius_traces(i, element, result, line)
        data += traces
        values += ends
    plan = layout(
        360,
        xaxis=axis("1000 K / T"),
        yaxis=log_axis("D* (cm²/s)", values or [1e-6]),
    )
    return Figure(
        name="arrhenius",
        caption=(
            "Diffusivity over the inverse temperature, with 95 % intervals; the line "
            "is the Arrhenius fit, the band its 95 % interval. Open symbols are upper "
            "limits, which are not fitted."
        ),
        plots=(
            Plot(
                name="arrhenius",
                title="",
                description=_arrhenius_words(result),
                figure=figure(data, plan),
            ),
        ),
        legend=tuple(
            LegendEntry(
                key=_key(i), label=one, colour=_colour(i), symbol=SYMBOLS[i % 4]
            )
            for i, one in enumerate(elements)
        ),
    )


def _arrhenius_words(result: DiffusivityResult) -> str:
    parts = [
        f"{one.element}: activation energy {interval_text(one.energy)} eV"
        for one in result.arrhenius
    ]
    return "; ".join(parts or ["too few temperatures with a number for a line"]) + "."


def _arrhenius_traces(
    i: int, element: str, result: DiffusivityResult, line: ArrheniusRecord | None
) -> tuple[list[dict[str, Any]], list[float]]:
    mine = [(at, ion) for at, ion in result.ions() if ion.element == element]
    found = [(at, ion.diffusivity.value) for at, ion in mine if ion.diffusivity.value]
    limits = [(at, ion.diffusivity.limit) for at, ion in mine if ion.diffusivity.limit]
    x = [1000 / at.temperature for at, _ in found]
    y = [one.median for _, one in found]
    traces = [
        _trace(
            i,
            element,
            mode="markers",
            x=x,
            y=y,
            marker=_marker(i),
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [one.high95 - one.median for _, one in found],
                "arrayminus": [one.median - one.low95 for _, one in found],
                "color": f"@{_colour(i)}",
                "thickness": 1,
                "width": 3,
            },
        )
    ]
    if limits:
        traces.append(
            _trace(
                i,
                f"{element}, upper limit",
                mode="markers",
                x=[1000 / at.temperature for at, _ in limits],
                y=[one for _, one in limits],
                marker=_marker(i, is_open=True),
            )
        )
    ends = [*y, *(one for _, one in limits)]
    if line is not None:
        traces += _band(i, element, line)
        ends += [line.band[0][1], line.band[-1][1], line.band[-1][2]]
    return traces, ends


def _band(i: int, element: str, line: ArrheniusRecord) -> list[dict[str, Any]]:
    x = [1000 / one[0] for one in line.band]
    middle, low, high = (list(one) for one in list(zip(*line.band, strict=True))[1:])
    thin = {"color": f"@{_colour(i)}", "width": 1, "dash": "dot"}
    return [
        _trace(i, f"{element}, fit", mode="lines", x=x, y=middle),
        _trace(i, f"{element}, 95 % low", mode="lines", x=x, y=low, line=thin),
        _trace(i, f"{element}, 95 % high", mode="lines", x=x, y=high, line=thin),
    ]
