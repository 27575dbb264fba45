"""How much of each role of the model is trained."""

from typing import Any

from atomgraft.page.axes import axis, figure, layout
from atomgraft.page.blocks import Figure, Plot, PlotlyFigure, Table
from atomgraft.page.wording import capitalised, count_text, percent_text
from atomgraft.run.record import RoleCoverage, RunResult


def coverage_figure(result: RunResult) -> Figure:
    """Return how much of each role of the model is trained."""
    roles = result.coverage
    return Figure(
        name="coverage",
        caption=(
            "Numbers that were trained, as a share of the weights of each role. If "
            "the interaction blocks stay at 0 %, the recipe does not reach them. A "
            "low-rank delta trains few numbers and moves many weights; both counts "
            "are in the table."
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
        _bar("trained", "trained", names, shares, texts) | _colour("adapted"),
        _bar("still", "not trained", names, still, texts) | _colour("track"),
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


def _colour(name: str) -> dict[str, Any]:
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
            "Trained numbers can be fewer than the weights they move: a low-rank "
            "delta moves a whole matrix with two thin factors."
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
