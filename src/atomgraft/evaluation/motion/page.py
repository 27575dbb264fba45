"""Distributions in motion on the page, and which differences are more than chance."""

from collections.abc import Iterator, Sequence
from typing import Any

from atomgraft.evaluation.motion.record import (
    ANGULAR,
    NAMES,
    RADIAL,
    UNITS,
    VIBRATIONAL,
    Comparison,
    Curve,
    MotionCondition,
    MotionRecord,
    Number,
)
from atomgraft.page.axes import axis, figure, layout, line_legend, model_line
from atomgraft.page.blocks import (
    Alert,
    Block,
    Facts,
    Figure,
    Folded,
    Heading,
    LegendEntry,
    Note,
    Plot,
    Section,
    Table,
)
from atomgraft.page.wording import (
    MISSING,
    MODEL_NAMES,
    capitalised,
    number_text,
    value_text,
)

REFERENCE = "reference"

_HEIGHT = 260

_MOST_ROWS = 120
"""Of the table behind a figure."""

_AXES = {
    RADIAL: ("Distance (Å)", "g(r)", "Å"),
    ANGULAR: ("Angle (°)", "Density (1/°)", "°"),
    VIBRATIONAL: ("Frequency (THz)", "Density (1/THz)", "THz"),
    "displacement": ("Time (ps)", "Mean square displacement (Å²)", "ps"),
}

_TITLES = {
    RADIAL: "Radial distribution",
    ANGULAR: "Angles in the first shell",
    VIBRATIONAL: "Vibrational density of states",
    "displacement": "Mean square displacement",
}


def motion_sections(record: MotionRecord) -> list[Section]:
    """Return one section for all conditions."""
    blocks: list[Block] = [Note(text=_compared(record))]
    for one in record.conditions:
        blocks += _condition(record, one)
    blocks.append(
        Folded(
            summary="Settings: values measured with others cannot be compared",
            facts=Facts(pairs=tuple(record.settings.items())),
        )
    )
    title = f"Motion of {record.formula}"
    return [Section(name="motion", title=title, blocks=tuple(blocks))]


def _compared(record: MotionRecord) -> str:
    if record.has_reference:
        return f"Models are compared with {record.reference}, run or cut the same way."
    return (
        "Differences are from the base: no reference was given (--set "
        "motion.reference=MODEL or FILE.extxyz). They say how much the adaptation "
        "changes, and not whether it is right."
    )


def _condition(record: MotionRecord, one: MotionCondition) -> Iterator[Block]:
    kind = "Melt" if one.is_melt else "Crystal"
    yield Heading(text=f"{kind} at {one.temperature:g} K")
    if one.failures:
        said = tuple(f"{_name(each.model)}: {each.said}" for each in one.failures)
        yield Alert(title="Runs that are not as they should be", sentences=said)
    if one.comparisons:
        yield _differences(record, one)
    if one.numbers:
        yield _properties(record, one)
    if one.curves:
        yield from _figures(record, one)


def _name(model: str) -> str:
    return "Reference" if model == REFERENCE else MODEL_NAMES[model]


def _differences(record: MotionRecord, one: MotionCondition) -> Table:
    rows = [
        (
            _quantity(each),
            _name(each.model),
            value_text(each.value, each.interval, over="runs"),
            number_text(each.noise),
            each.word,
            each.effect or MISSING,
        )
        for each in one.comparisons
    ]
    beside = "the reference" if record.has_reference else "the base"
    return Table(
        caption=(
            f"Difference from {beside}, in %, with 95 % intervals over runs; noise is "
            "that of two sets of runs of the same model. Not distinguishable: at least "
            "5 % of the divisions of all runs into two sets differ as much. Beside "
            "base: whether the error is smaller than the base's, unclear where its "
            "change may be zero, over the seeds whose runs both models ended."
        ),
        columns=(
            "Quantity",
            "Model",
            "Difference (%)",
            "Noise (%)",
            "Word",
            "Beside base",
        ),
        rows=tuple(rows),
        is_text=(True, True, False, False, True, True),
    )


def _quantity(one: Comparison) -> str:
    part = f", {one.part}" if one.part else ""
    name = NAMES[one.quantity]
    return f"{name if one.quantity == RADIAL else capitalised(name)}{part}"


def _properties(record: MotionRecord, one: MotionCondition) -> Table:
    models = list(dict.fromkeys(each.model for each in one.numbers))
    found = {(each.model, each.quantity): each for each in one.numbers}
    quantities = dict.fromkeys(each.quantity for each in one.numbers)
    rows = [
        (
            _property(quantity),
            *(_value(found.get((model, quantity))) for model in models),
        )
        for quantity in quantities
    ]
    shell = "" if one.cutoff is None else f"{one.cutoff:.2f} Å"
    return Table(
        caption=(
            f"Means over runs, with 95 % intervals. The first shell ends at {shell} "
            f"for all models: {_where(record, one)}."
        ),
        columns=("Property", *(_name(model) for model in models)),
        rows=tuple(rows),
        is_text=(True, *[False] * len(models)),
    )


def _where(record: MotionRecord, one: MotionCondition) -> str:
    """Say what the end of the first shell is."""
    whose = "the reference" if record.has_reference else "the base"
    if one.is_cutoff_of_crystal:
        return (
            "halfway between two shells of the crystal, because g(r) of "
            f"{whose} has no first minimum"
        )
    return f"the first minimum of g(r) of {whose}"


def _property(quantity: str) -> str:
    unit = UNITS[quantity]
    return capitalised(NAMES[quantity]) + ("" if unit == "1" else f" ({unit})")


def _value(one: Number | None) -> str:
    return MISSING if one is None else value_text(one.value, one.interval, over="runs")


def _figures(record: MotionRecord, one: MotionCondition) -> Iterator[Figure]:
    for quantity in (RADIAL, ANGULAR, VIBRATIONAL, "displacement"):
        if quantity == "displacement" and not one.is_melt:
            continue
        curves = [
            each
            for each in one.curves
            if each.quantity == quantity and any(each.values)
        ]
        if curves:
            yield _figure(record, one, curves)


def _figure(
    record: MotionRecord, one: MotionCondition, curves: Sequence[Curve]
) -> Figure:
    quantity = curves[0].quantity
    kind = "melt" if one.is_melt else "crystal"
    name = f"motion-{kind}-{one.temperature:g}-{quantity}".replace(".", "-")
    name = name.replace("_", "-")
    place = f"{kind} at {one.temperature:g} K"
    parts = list(dict.fromkeys(each.part for each in curves))
    whole = [each for each in curves if each.part == parts[0]]
    return Figure(
        name=name,
        caption=f"{_TITLES[quantity]} of the {place}, mean over runs.",
        plots=tuple(
            _plot(record, f"{name}-{k}", [each for each in curves if each.part == part])
            for k, part in enumerate(parts)
        ),
        legend=_legend(each.model for each in whole),
        table=_points(record, whole),
    )


def _legend(models: Iterator[str]) -> tuple[LegendEntry, ...]:
    present = list(dict.fromkeys(models))
    entries = line_legend(one for one in present if one != REFERENCE)
    if REFERENCE not in present:
        return entries
    own = LegendEntry(key=REFERENCE, label="Reference", colour="ink", symbol="line")
    return (own, *entries)


def _plot(record: MotionRecord, name: str, curves: Sequence[Curve]) -> Plot:
    first = curves[0]
    below, beside, unit = _AXES[first.quantity]
    at, n = _range(record, curves)
    plan = layout(_HEIGHT, xaxis=axis(below), yaxis=axis(beside, rangemode="tozero"))
    part = first.part or ("all atoms" if first.quantity == VIBRATIONAL else "all pairs")
    title = _TITLES[first.quantity]
    is_split = first.quantity in {RADIAL, VIBRATIONAL}
    return Plot(
        name=name,
        title=f"{title}, {part}" if is_split else title,
        description=f"{title} ({part}) under each model.",
        figure=figure([_trace(one, at[:n], unit) for one in curves], plan),
    )


def _range(
    record: MotionRecord, curves: Sequence[Curve]
) -> tuple[Sequence[float], int]:
    """Return where curves are known, and up to which point they are shown."""
    at = {
        RADIAL: record.distances,
        ANGULAR: record.angles,
        VIBRATIONAL: record.frequencies,
        "displacement": record.lags,
    }[curves[0].quantity]
    if curves[0].quantity != VIBRATIONAL:
        return at, len(at)
    rows = [[value or 0.0 for value in one.values] for one in curves]
    highest = max(max(row) for row in rows)
    last = max(
        k for row in rows for k, value in enumerate(row) if value >= highest / 500
    )
    return at, min(len(at), int(1.1 * last) + 3)


def _trace(curve: Curve, at: Sequence[float], unit: str) -> dict[str, Any]:
    line = (
        {"color": "@ink", "width": 2.6}
        if curve.model == REFERENCE
        else model_line(curve.model)
    )
    return {
        "type": "scatter",
        "mode": "lines",
        "name": _name(curve.model),
        "meta": {"key": curve.model},
        "x": list(at),
        "y": list(curve.values[: len(at)]),
        "line": line,
        "hovertemplate": (
            f"%{{x:.2f}} {unit}: %{{y:.3g}}<extra>%{{fullData.name}}</extra>"
        ),
    }


def _points(record: MotionRecord, curves: Sequence[Curve]) -> Table:
    """Return the points of curves; every second, third ... where there are many."""
    at, n = _range(record, curves)
    stride = -(-n // _MOST_ROWS)
    below, beside, _ = _AXES[curves[0].quantity]
    rows = [
        (number_text(at[k]), *(_point(one.values[k]) for one in curves))
        for k in range(0, n, stride)
    ]
    return Table(
        caption=f"{beside} of each model.",
        columns=(below, *(_name(one.model) for one in curves)),
        rows=tuple(rows),
        is_text=(False, *[False] * len(curves)),
    )


def _point(value: float | None) -> str:
    return MISSING if value is None else number_text(value)
