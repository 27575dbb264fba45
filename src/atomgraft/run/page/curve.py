"""How training went: how much of each role moves, and the learning curve."""

import math
from typing import Any

from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.page.axes import axis, figure, layout, log_axis, thinned
from atomgraft.page.blocks import Figure, LegendEntry, Plot, PlotlyFigure, Table
from atomgraft.page.wording import (
    MISSING,
    QUANTITY_ORDER,
    capitalised,
    count_text,
    number_text,
    percent_text,
    position,
)
from atomgraft.run.record import CurvePoint, RoleCoverage, RunResult

MAX_CURVE_POINTS = 1500
MAX_TABLE_ROWS = 40

_SYMBOLS = {"energy": "circle", "forces": "diamond", "stress": "square"}
_PANEL_GAP = 0.09
_PANEL_SHARES = {"loss": 0.42, "validation": 0.42, "rate": 0.16}


def curve_figure(result: RunResult) -> Figure | None:
    """Return the learning curve, or none when no step was made."""
    curve = result.training.curve
    if not curve:
        return None
    quantities = validated_quantities(curve)
    return Figure(
        name="curve",
        caption=_caption(result, quantities),
        plots=(
            Plot(
                name="curve",
                title="",
                description=_description(result),
                figure=_plot(result, quantities),
            ),
        ),
        legend=tuple(
            LegendEntry(
                key=quantity,
                label=f"{capitalised(quantity)} ({_unit(quantity)})",
                colour=_colour(quantity),
                symbol=_SYMBOLS.get(quantity, "circle"),
            )
            for quantity in quantities
        ),
        table=_table(curve, quantities),
        can_zoom=True,
    )


def validated_quantities(curve: tuple[CurvePoint, ...]) -> list[str]:
    """Return the names of what was validated, in the order of all tables."""
    found = {name for point in curve for name in point.validation or {}}
    found = {name for name in found if "/" not in name}  # the target's, not a head's
    return sorted(found, key=lambda name: position(QUANTITY_ORDER, name))


def _unit(quantity: str) -> str:
    if quantity in set(Property):
        return PROPERTIES[Property(quantity)].report_unit
    return "report unit"


def _colour(quantity: str) -> str:
    return quantity if quantity in QUANTITY_ORDER else "ink-soft"


def _caption(result: RunResult, quantities: list[str]) -> str:
    best = f"The dashed line is the best step, {count_text(result.training.best_step)}."
    if not quantities:
        return (
            "Training loss and learning rate. There is no validation set, so "
            f"overfitting cannot be seen here; use the test scores. {best}"
        )
    return (
        "Training loss, mean absolute errors on the validation structures, and "
        "learning rate. Validation errors that rise while the loss falls mean "
        "overfitting; a curve that still falls at the end suggests more steps. "
        f"{best}"
    )


def _description(result: RunResult) -> str:
    training, curve = result.training, result.training.curve
    return (
        f"Learning curve over {count_text(training.n_steps_done)} steps: the loss "
        f"goes from {number_text(curve[0].loss)} to {number_text(curve[-1].loss)}; "
        f"the best step is {count_text(training.best_step)}."
    )


def _panels(quantities: list[str]) -> dict[str, tuple[float, float]]:
    names = [name for name in _PANEL_SHARES if name != "validation" or quantities]
    whole = sum(_PANEL_SHARES[name] for name in names)
    free = 1 - _PANEL_GAP * (len(names) - 1)
    domains: dict[str, tuple[float, float]] = {}
    top = 1.0
    for name in names:
        bottom = top - free * _PANEL_SHARES[name] / whole
        domains[name] = (max(0.0, bottom), top)
        top = bottom - _PANEL_GAP
    return domains


def _plot(result: RunResult, quantities: list[str]) -> PlotlyFigure:
    panels = _panels(quantities)
    curve = thinned(result.training.curve, MAX_CURVE_POINTS)
    validated = [point for point in result.training.curve if point.validation]
    validated = thinned(validated, MAX_CURVE_POINTS)
    data = [_loss_trace(curve), _rate_trace(curve)]
    data += [_validation_trace(validated, quantity) for quantity in quantities]
    axes = {
        "yaxis": _log_panel(data[0]["y"], panels["loss"]),
        "yaxis2": axis(
            domain=panels["rate"], rangemode="tozero", nticks=3, exponentformat="power"
        ),
    }
    if quantities:
        values = [value for trace in data[2:] for value in trace["y"]]
        axes["yaxis3"] = _log_panel(values, panels["validation"])
    plan = layout(
        560 if quantities else 400,
        margin={"l": 8, "r": 12, "t": 26, "b": 8},
        xaxis=axis("step", anchor="y2", exponentformat="none"),
        annotations=[_panel_title(name, top) for name, (_, top) in panels.items()],
        shapes=[_best_line(result.training.best_step)],
        hovermode="closest",
        **axes,
    )
    return figure(data, plan)


def _log_panel(values: list[float | None], domain: tuple[float, float]) -> dict:
    positive = [value for value in values if value is not None and value > 0]
    return log_axis("", positive, domain=domain)


def _positive(value: float) -> float | None:
    return value if math.isfinite(value) and value > 0 else None


def _loss_trace(curve: list[CurvePoint]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines" if len(curve) > 1 else "markers",
        "name": "Loss",
        "meta": {"key": "loss"},
        "x": [point.step for point in curve],
        "y": [_positive(point.loss) for point in curve],
        "line": {"color": "@adapted", "width": 1.5},
        "hovertemplate": "step %{x}<br>loss %{y:.3g}<extra></extra>",
    }


def _rate_trace(curve: list[CurvePoint]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines" if len(curve) > 1 else "markers",
        "name": "Learning rate",
        "meta": {"key": "rate"},
        "yaxis": "y2",
        "x": [point.step for point in curve],
        "y": [point.learning_rate for point in curve],
        "line": {"color": "@ink-soft", "width": 1.5},
        "hovertemplate": "step %{x}<br>learning rate %{y:.3g}<extra></extra>",
    }


def _validation_trace(validated: list[CurvePoint], quantity: str) -> dict[str, Any]:
    seen = [point for point in validated if quantity in (point.validation or {})]
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(seen) <= 60 else "lines",
        "name": capitalised(quantity),
        "meta": {"key": quantity},
        "yaxis": "y3",
        "x": [point.step for point in seen],
        "y": [_positive((point.validation or {})[quantity]) for point in seen],
        "line": {"color": f"@{_colour(quantity)}", "width": 2},
        "marker": {"symbol": _SYMBOLS.get(quantity, "circle"), "size": 6},
        "hovertemplate": f"step %{{x}}<br>{quantity} MAE %{{y:.3g}} {_unit(quantity)}"
        "<extra></extra>",
    }


def _panel_title(name: str, top: float) -> dict[str, Any]:
    titles = {
        "loss": "Training loss",
        "validation": "Validation MAE",
        "rate": "Learning rate",
    }
    return {
        "text": titles[name],
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": top,
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"color": "@ink", "size": 12},
    }


def _best_line(step: int) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": step,
        "x1": step,
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"color": "@ink-soft", "width": 1.2, "dash": "dash"},
    }


def _table(curve: tuple[CurvePoint, ...], quantities: list[str]) -> Table:
    validated = [point for point in curve if point.validation] or list(curve)
    shown = thinned(validated, MAX_TABLE_ROWS)
    return Table(
        caption=f"{len(shown)} of {count_text(len(curve))} recorded steps.",
        columns=(
            "Step",
            "Loss",
            "Learning rate",
            *(f"{capitalised(name)} MAE ({_unit(name)})" for name in quantities),
        ),
        rows=tuple(_table_row(point, quantities) for point in shown),
        is_text=(False,) * (3 + len(quantities)),
    )


def _table_row(point: CurvePoint, quantities: list[str]) -> tuple[str, ...]:
    errors = point.validation or {}
    return (
        count_text(point.step),
        number_text(point.loss),
        number_text(point.learning_rate),
        *(number_text(errors[q]) if q in errors else MISSING for q in quantities),
    )


def coverage_figure(result: RunResult) -> Figure:
    """Return how much of each role of the model is trained."""
    roles = result.coverage
    return Figure(
        name="coverage",
        caption=(
            "Trained numbers as a share of the weights of each role. At 0 % the "
            "recipe does not change the role. A low-rank delta trains few numbers "
            "and changes many weights; the table gives both counts."
        ),
        plots=(
            Plot(
                name="coverage",
                title="",
                description=_coverage_description(roles),
                figure=_coverage_plot(roles),
            ),
        ),
        table=coverage_table(roles),
    )


def _coverage_description(roles: tuple[RoleCoverage, ...]) -> str:
    trained = sum(role.n_trainable for role in roles)
    whole = sum(role.n_weights for role in roles)
    shares = "; ".join(
        f"{role.role}: {percent_text(role.n_trainable, role.n_weights)}"
        for role in roles
    )
    return f"Trained: {percent_text(trained, whole)} of all weights. {shares}."


def _coverage_plot(roles: tuple[RoleCoverage, ...]) -> PlotlyFigure:
    shares = [
        100 * min(1.0, role.n_trainable / role.n_weights) if role.n_weights else 0.0
        for role in roles
    ]
    texts = [
        f"{count_text(role.n_trainable)} for {count_text(role.n_weights)} weights"
        for role in roles
    ]
    y_axis = axis(autorange="reversed", showgrid=False, ticks="", fixedrange=True)
    plan = layout(
        60 + 34 * len(roles),
        barmode="stack",
        bargap=0.4,
        margin={"l": 8, "r": 64, "t": 4, "b": 8},
        xaxis=axis("% of the weights", range=[0, 100], fixedrange=True, nticks=6),
        yaxis=y_axis | {"type": "category", "ticksuffix": "  ", "showline": False},
        annotations=[_share_label(role) for role in roles],
    )
    names = [capitalised(role.role) for role in roles]
    still = [100 - share for share in shares]
    data = [
        _bar("trained", "trained", names, shares, texts) | _role_colour("adapted"),
        _bar("still", "not trained", names, still, texts) | _role_colour("track"),
    ]
    return figure(data, plan)


def _share_label(role: RoleCoverage) -> dict[str, Any]:
    return {
        "text": percent_text(role.n_trainable, role.n_weights),
        "xref": "paper",
        "x": 1.01,
        "y": capitalised(role.role),
        "xanchor": "left",
        "showarrow": False,
        "font": {"color": "@ink"},
    }


def _bar(
    key: str, label: str, names: list[str], shares: list[float], texts: list[str]
) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": label,
        "meta": {"key": key},
        "y": names,
        "x": shares,
        "customdata": texts,
        "hovertemplate": f"%{{y}}: %{{x:.3g}} % {label}<br>%{{customdata}}"
        "<extra></extra>",
    }


def _role_colour(name: str) -> dict[str, Any]:
    return {"marker": {"color": f"@{name}", "line": {"width": 0}}}


def coverage_table(roles: tuple[RoleCoverage, ...]) -> Table:
    """Return tensors, weights and trained numbers of each role, and their sum."""
    total = RoleCoverage(
        role="all",
        n_tensors=sum(role.n_tensors for role in roles),
        n_tensors_moving=sum(role.n_tensors_moving for role in roles),
        n_weights=sum(role.n_weights for role in roles),
        n_weights_moving=sum(role.n_weights_moving for role in roles),
        n_trainable=sum(role.n_trainable for role in roles),
    )
    return Table(
        caption=(
            "A low-rank delta changes a whole matrix with two thin factors, so "
            "that there are fewer trained numbers than changed weights."
        ),
        columns=(
            "Role",
            "Tensors moving",
            "Weights moving",
            "Trained",
            "Share",
        ),
        rows=tuple(_coverage_row(role) for role in (*roles, total)),
        is_text=(True, False, False, False, False),
    )


def _coverage_row(role: RoleCoverage) -> tuple[str, ...]:
    return (
        capitalised(role.role),
        f"{count_text(role.n_tensors_moving)} of {count_text(role.n_tensors)}",
        f"{count_text(role.n_weights_moving)} of {count_text(role.n_weights)}",
        count_text(role.n_trainable),
        percent_text(role.n_trainable, role.n_weights),
    )
