"""Figure of bands and densities of states of all contestants."""

import itertools
import math
from collections.abc import Iterable
from typing import Any

from atomgraft.page.axes import axis, figure, layout, plain_text
from atomgraft.page.blocks import Figure, Plot, PlotlyFigure
from atomgraft.page.wording import number_text
from atomgraft.phonons.record import LegRecord, PhononResult, Spectrum
from atomgraft.phonons.tables import spectra_table
from atomgraft.phonons.wording import contestants, legend_of, line_of

VISIBLE = 0.02
"""THz below zero at which a band is drawn as imaginary; round-off stays above."""

_WIDTH_OF_BANDS = 0.74
"""Of the figure, where a density of states stands beside them."""

_GAP = 0.06


def bands_figure(result: PhononResult, prefix: str = "phonons") -> Figure | None:
    """Return bands and density of states, or none where there are neither.

    Parameters
    ----------
    result
        Of one crystal.
    prefix
        Makes the figure's name unique on its page.
    """
    path = _path(result)
    with_bands = [one for one in contestants(result) if path and _labels(one) == path]
    with_density = [one for one in contestants(result) if one.density is not None]
    if not with_bands and not with_density:
        return None
    return Figure(
        name=f"{prefix}-bands",
        caption=_caption(result, with_bands, with_density),
        plots=(
            Plot(
                name=f"{prefix}-bands",
                title="",
                description=_description(result, path),
                figure=_plot(result, with_bands, with_density),
            ),
        ),
        legend=legend_of(result),
        table=spectra_table(
            result, "Frequencies on the mesh, and thermal properties at 300 K."
        ),
        can_zoom=True,
    )


def _labels(spectrum: Spectrum) -> tuple[tuple[str, str], ...]:
    return tuple(leg.labels for leg in spectrum.bands)


def _path(result: PhononResult) -> tuple[tuple[str, str], ...]:
    """Return the legs of the first contestant that has bands."""
    found = (_labels(one) for one in contestants(result) if one.bands)
    return next(found, ())


def _caption(
    result: PhononResult, with_bands: list[Spectrum], with_density: list[Spectrum]
) -> str:
    parts: list[str] = []
    if with_bands:
        parts.append(
            "Phonon bands along the path between high-symmetry points; the path "
            "jumps where two labels share a tick."
        )
    if any(leg.deviations for one in with_bands for leg in one.bands):
        parts.append("Pale areas: two standard deviations of the posterior.")
    if with_density:
        where = "beside them on the same axis" if with_bands else ""
        parts.append(f"Density of states {where}".rstrip() + ".")
    if any(one.minimum < -VISIBLE for one in [*with_bands, *with_density]):
        parts.append("Imaginary frequencies are drawn below zero, in the shaded area.")
    left = [
        one.title for one in contestants(result) if one.bands and one not in with_bands
    ]
    if left:
        parts.append(
            f"Bands of {', '.join(left)} are not drawn: the symmetry differs, and "
            "so does the path."
        )
    return " ".join(parts)


def _description(result: PhononResult, path: tuple[tuple[str, str], ...]) -> str:
    names = "–".join(name for name, _ in _stops(path))
    spans = "; ".join(
        f"{one.title}: {number_text(round(one.minimum, 3))} to "
        f"{number_text(one.maximum)} THz"
        for one in contestants(result)
    )
    where = f" along {names}" if names else ""
    return f"Phonon frequencies{where}. {spans}."


def _stops(path: tuple[tuple[str, str], ...]) -> list[tuple[str, int]]:
    """Return the names on the path, and the leg that each of them begins."""
    stops = [(start, i) for i, (start, _) in enumerate(path)]
    for i, (before, after) in enumerate(itertools.pairwise(path), start=1):
        if before[1] != after[0]:
            stops[i] = (f"{before[1]}|{after[0]}", i)
    return [*stops, (path[-1][1], len(path))] if path else []


def _plot(
    result: PhononResult, with_bands: list[Spectrum], with_density: list[Spectrum]
) -> PlotlyFigure:
    axes: dict[str, Any] = {}
    data: list[dict[str, Any]] = []
    if with_bands:
        end = _WIDTH_OF_BANDS if with_density else 1.0
        axes["xaxis"] = _path_axis(with_bands[0].bands, (0.0, end))
        places = _ends(with_bands[0].bands)
        for one in with_bands:
            data += _deviation_traces(result, one, places)
        data += [_bands_trace(result, one, places) for one in with_bands]
    if with_density:
        start = _WIDTH_OF_BANDS + _GAP if with_bands else 0.0
        name = "xaxis2" if with_bands else "xaxis"
        axes[name] = axis(
            "states / THz", domain=(start, 1.0), rangemode="tozero", nticks=4
        )
        anchor = name.replace("axis", "")
        data += [_density_trace(result, one, anchor) for one in with_density]
    low, high = _limits(data)
    plan = layout(
        500,
        yaxis=axis(
            "frequency (THz)",
            range=[low, high],
            zeroline=True,
            zerolinecolor="@rule-strong",
            zerolinewidth=1.5,
        ),
        shapes=[_imaginary(low)] if _has_imaginary(data) else [],
        hovermode="closest",
        **axes,
    )
    return figure(data, plan)


def _ends(legs: tuple[LegRecord, ...]) -> list[tuple[float, float]]:
    return [(leg.distances[0], leg.distances[-1]) for leg in legs]


def _path_axis(
    legs: tuple[LegRecord, ...], domain: tuple[float, float]
) -> dict[str, Any]:
    places = [start for start, _ in _ends(legs)] + [legs[-1].distances[-1]]
    names = [_shown(name) for name, _ in _stops(tuple(leg.labels for leg in legs))]
    return axis(
        "",
        domain=domain,
        range=[places[0], places[-1]],
        tickmode="array",
        tickvals=places,
        ticktext=names,
        gridcolor="@rule-strong",
        mirror=True,
    )


def _shown(label: str) -> str:
    """Return the name of a point with its index lowered, as plotly writes it.

    Examples
    --------
    >>> _shown("L_2|W")
    'L<sub>2</sub>|W'
    """
    names: list[str] = []
    for part in plain_text(label).split("|"):
        letter, _, index = part.partition("_")
        names.append(f"{letter}<sub>{index}</sub>" if index else letter)
    return "|".join(names)


def _bands_trace(
    result: PhononResult, one: Spectrum, places: list[tuple[float, float]]
) -> dict[str, Any]:
    """Return all bands as one line with gaps; legs are as long as the first's."""
    x: list[float | None] = []
    y: list[float | None] = []
    for leg, ends in zip(one.bands, places, strict=True):
        along = [round(place, 5) for place in _stretched(leg.distances, ends)]
        for band in zip(*leg.frequencies, strict=True):
            x += [*along, None]
            y += [*(round(value, 4) for value in band), None]
    return _trace(result, one, x, y, "x") | {
        "hovertemplate": f"{plain_text(one.title)}: %{{y:.3f}} THz<extra></extra>",
    }


def _deviation_traces(
    result: PhononResult, one: Spectrum, places: list[tuple[float, float]]
) -> list[dict[str, Any]]:
    """Return each band of each leg as an area of two standard deviations."""
    x: list[float | None] = []
    y: list[float | None] = []
    for leg, ends in zip(one.bands, places, strict=True):
        if not leg.deviations:
            return []
        along = [round(place, 5) for place in _stretched(leg.distances, ends)]
        for band, sigma in zip(
            zip(*leg.frequencies, strict=True),
            zip(*leg.deviations, strict=True),
            strict=True,
        ):
            above = [round(a + 2 * b, 4) for a, b in zip(band, sigma, strict=True)]
            below = [round(a - 2 * b, 4) for a, b in zip(band, sigma, strict=True)]
            x += [*along, *reversed(along), None]
            y += [*above, *reversed(below), None]
    area = _trace(result, one, x, y, "x")
    colour = area.pop("line")["color"]
    return [
        area
        | {
            "fill": "toself",
            "fillcolor": colour,
            "opacity": 0.25,
            "line": {"width": 0},
            "hoverinfo": "skip",
        }
    ]


def _stretched(places: tuple[float, ...], ends: tuple[float, float]) -> list[float]:
    length = places[-1] - places[0]
    share = (ends[1] - ends[0]) / length if length > 0 else 0.0
    return [ends[0] + share * (place - places[0]) for place in places]


def _density_trace(result: PhononResult, one: Spectrum, anchor: str) -> dict[str, Any]:
    found = one.density
    assert found is not None  # its caller has looked
    x = [round(value, 5) for value in found.densities]
    y = [round(value, 4) for value in found.frequencies]
    return _trace(result, one, x, y, anchor) | {
        "hovertemplate": f"{plain_text(one.title)}, %{{y:.3f}} THz: %{{x:.3g}} / THz"
        "<extra></extra>",
    }


def _trace(
    result: PhononResult,
    one: Spectrum,
    x: list[Any],
    y: list[Any],
    anchor: str,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plain_text(one.title),
        "meta": {"key": one.contestant},
        "x": x,
        "y": y,
        "xaxis": anchor,
        "line": line_of(result, one.contestant),
    }


def _values(data: list[dict[str, Any]]) -> Iterable[float]:
    for trace in data:
        for value in trace["y"]:
            if value is not None and math.isfinite(value):
                yield value


def _limits(data: list[dict[str, Any]]) -> tuple[float, float]:
    low = min(_values(data), default=0.0)
    high = max(_values(data), default=1.0)
    margin = 0.03 * (high - low) or 0.1
    return (low - margin if _has_imaginary(data) else 0.0), high + margin


def _has_imaginary(data: list[dict[str, Any]]) -> bool:
    """Tell whether a band goes visibly below zero; round-off does not."""
    bands = [trace for trace in data if trace["xaxis"] == "x"] or data
    return min(_values(bands), default=0.0) < -VISIBLE


def _imaginary(low: float) -> dict[str, Any]:
    return {
        "type": "rect",
        "xref": "paper",
        "yref": "y",
        "x0": 0,
        "x1": 1,
        "y0": low,
        "y1": 0,
        "layer": "below",
        "line": {"width": 0},
        "fillcolor": "@alert",
        "opacity": 0.08,
    }
