"""Bulk properties on the page: values beside the reference, and energy over volume."""

from collections.abc import Sequence

from atomgraft.core.units import EV_IN_MEV
from atomgraft.evaluation.bulk.record import BulkRecord, Curve, Property
from atomgraft.page.axes import axis, figure, layout, line_legend, model_line
from atomgraft.page.blocks import (
    Alert,
    Block,
    Facts,
    Figure,
    Folded,
    Plot,
    Section,
    Table,
)
from atomgraft.page.wording import MISSING, MODEL_NAMES, capitalised, number_text
from atomgraft.records.scores import ModelName

_ORDER: tuple[ModelName, ...] = ("base", "adapted", "scratch")

_HEIGHT = 300


_REFERENCED = (
    "In brackets: distance from the reference, or from the base where there is none. "
    "An effect compares the error with the base's: errors that differ by less than 1 % "
    "of the reference are unclear."
)

_ALONE = (
    "In brackets: distance from the base. No reference values were given "
    "(--set bulk.reference=FILE)."
)


def bulk_sections(records: Sequence[BulkRecord]) -> list[Section]:
    """Return one section for each crystal.

    Parameters
    ----------
    records
        Of a run; none gives no section.
    """
    return [_section(one, f"bulk-{i}") for i, one in enumerate(records, start=1)]


def _section(record: BulkRecord, name: str) -> Section:
    blocks: list[Block] = [*_alerts(record)]
    if record.properties:
        blocks.append(_table(record))
    if record.curves:
        blocks.append(_figure(record, name))
    blocks.append(
        Folded(
            summary="Settings: values computed with others cannot be compared",
            facts=Facts(pairs=tuple(record.settings.items())),
        )
    )
    title = f"Bulk properties of {record.formula}, {record.space_group}"
    return Section(name=name, title=title, blocks=tuple(blocks))


def _alerts(record: BulkRecord) -> list[Alert]:
    unstable = tuple(
        f"{MODEL_NAMES[model]}: the smallest eigenvalue of the elastic tensor is "
        f"{number_text(value)} GPa."
        for model, value in record.smallest.items()
        if value <= 0
    )
    said = [Alert(title="Not elastically stable", sentences=unstable)]
    said += [Alert(title="Not computed", sentences=record.failures, is_grave=False)]
    return [one for one in said if one.sentences]


def _table(record: BulkRecord) -> Table:
    models: list[ModelName] = [
        model
        for model in _ORDER
        if any(model in one.values for one in record.properties)
    ]
    has_reference = any(one.reference is not None for one in record.properties)
    judged: list[ModelName] = (
        [one for one in models if one != "base"] if has_reference else []
    )
    columns = (
        "Property",
        *(["Reference"] if has_reference else []),
        *(MODEL_NAMES[one] for one in models),
        *(f"{MODEL_NAMES[one]}, effect" for one in judged),
    )
    n_numbers = len(columns) - 1 - len(judged)
    rows = [
        (
            _label(one),
            *([_text(one.reference)] if has_reference else []),
            *(_value(one, model) for model in models),
            *(one.effect(model) or MISSING for model in judged),
        )
        for one in record.properties
    ]
    return Table(
        caption=_REFERENCED if has_reference else _ALONE,
        columns=columns,
        rows=tuple(rows),
        is_text=(True, *[False] * n_numbers, *[True] * len(judged)),
    )


def _label(one: Property) -> str:
    unit = "" if one.unit == "1" else f" ({one.unit})"
    return f"{capitalised(one.name)}{unit}"


def _text(value: float | None) -> str:
    return MISSING if value is None else number_text(value)


def _value(one: Property, model: ModelName) -> str:
    if model not in one.values:
        return MISSING
    value = one.values[model]
    beside = one.reference
    if beside is None:
        beside = None if model == "base" else one.values.get("base")
    if not beside:
        return number_text(value)
    percent = f"{100 * (value / beside - 1):+.1f}".replace("-", "−")
    return f"{number_text(value)} ({percent} %)"


def _figure(record: BulkRecord, name: str) -> Figure:
    plan = layout(
        _HEIGHT,
        xaxis=axis("Volume (Å³/atom)"),
        yaxis=axis("Energy (meV/atom)"),
    )
    return Figure(
        name=f"{name}-eos",
        caption=(
            "Energy over volume, each curve from its own lowest point. The place of "
            "the minimum is the volume, its curvature the bulk modulus."
        ),
        plots=(
            Plot(
                name=f"{name}-eos-plot",
                title=f"Equation of state of {record.formula}",
                description="Energy over volume under each model.",
                figure=figure([_trace(one) for one in record.curves], plan),
            ),
        ),
        legend=line_legend(one.model for one in record.curves),
        table=_points(record),
    )


def _trace(curve: Curve) -> dict[str, object]:
    lowest = min(curve.energies)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": MODEL_NAMES[curve.model],
        "meta": {"key": curve.model},
        "x": list(curve.volumes),
        "y": [EV_IN_MEV * (one - lowest) for one in curve.energies],
        "line": model_line(curve.model),
        "hovertemplate": (
            "%{x:.2f} Å³/atom: %{y:.1f} meV/atom<extra>%{fullData.name}</extra>"
        ),
    }


def _points(record: BulkRecord) -> Table:
    rows = [
        (
            MODEL_NAMES[curve.model],
            number_text(volume, digits=5),
            number_text(EV_IN_MEV * (energy - min(curve.energies))),
        )
        for curve in record.curves
        for volume, energy in zip(curve.volumes, curve.energies, strict=True)
    ]
    return Table(
        caption="Points of the curves.",
        columns=("Model", "Volume (Å³/atom)", "Energy (meV/atom)"),
        rows=tuple(rows),
        is_text=(True, False, False),
    )
