"""Survival curves on the page, and why runs failed."""

from typing import Any

from atomgraft.evaluation.survival.record import Condition, Motion, SurvivalRecord
from atomgraft.page.axes import axis, figure, layout, line_legend, model_line
from atomgraft.page.blocks import (
    Block,
    Facts,
    Figure,
    Note,
    Plot,
    Section,
    Table,
)
from atomgraft.page.wording import MODEL_NAMES, number_text

_HEIGHT = 260


def survival_section(record: SurvivalRecord) -> Section:
    """Return curves, endings and settings of a run in motion."""
    judged = [one for one in record.conditions if one.motions]
    blocks: list[Block] = [Note(text=_criteria(record))]
    if judged:
        blocks.append(_figure(record, judged))
    blocks.append(_settings(record))
    return Section(
        name="md", title=f"Molecular dynamics of {record.formula}", blocks=tuple(blocks)
    )


def _criteria(record: SurvivalRecord) -> str:
    return (
        "A run fails at the first of these: a value that is not finite; a kinetic "
        "temperature beyond 5σ of the canonical distribution; two atoms closer than "
        f"{number_text(0.75 * record.neighbour)} Å (0.75 of the neighbour distance); "
        f"a radial distribution, over {number_text(record.window)} ps, that departs "
        "too far; fewer than 75 % of the crystal's bonds intact (shorter than "
        f"{number_text(record.intact)} Å), where the crystal does not melt. "
        f"{record.criterion}"
    )


def _figure(record: SurvivalRecord, judged: list[Condition]) -> Figure:
    present = dict.fromkeys(one.model for each in judged for one in each.motions)
    return Figure(
        name="md-survival",
        caption=(
            "Share of runs that survive (Kaplan-Meier), over time. Runs that survive "
            f"to the end, {number_text(record.horizon)} ps, are censored there."
        ),
        plots=tuple(_plot(record, one) for one in judged),
        legend=line_legend(present),
        table=_endings(judged),
    )


def _plot(record: SurvivalRecord, condition: Condition) -> Plot:
    told = "; ".join(
        f"{MODEL_NAMES[one.model]}: {_n_alive(one)} of {len(one.endings)} survive"
        for one in condition.motions
    )
    plan = layout(
        _HEIGHT,
        xaxis=axis("Time (ps)", range=[0, record.horizon]),
        yaxis=axis("Surviving (%)", range=[0, 103]),
    )
    name = f"{condition.temperature:g} K"
    return Plot(
        name=f"md-survival-{condition.temperature:g}".replace(".", "-"),
        title=name,
        description=f"Survival at {name}. {told}.",
        figure=figure([_trace(record, one) for one in condition.motions], plan),
    )


def _n_alive(motion: Motion) -> int:
    return sum(not one.reason for one in motion.endings)


def _trace(record: SurvivalRecord, motion: Motion) -> dict[str, Any]:
    percent = [100 * one for one in motion.survival]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": MODEL_NAMES[motion.model],
        "meta": {"key": motion.model},
        "x": [*motion.times, record.horizon],
        "y": [*percent, percent[-1]],
        "line": {"shape": "hv"} | model_line(motion.model),
        "hovertemplate": "%{x:.2f} ps: %{y:.0f} %<extra>%{fullData.name}</extra>",
    }


def _endings(judged: list[Condition]) -> Table:
    rows = [
        (
            f"{condition.temperature:g} K, {MODEL_NAMES[motion.model]}",
            str(_n_alive(motion)),
            _told(motion),
        )
        for condition in judged
        for motion in condition.motions
    ]
    return Table(
        caption="How runs ended, with the time of each failure.",
        columns=("Temperature and model", "Survived", "Failed"),
        rows=tuple(rows),
        is_text=(True, False, True),
    )


def _told(motion: Motion) -> str:
    failed = sorted((one.time, one.reason) for one in motion.endings if one.reason)
    said = [f"{number_text(time)} ps ({reason})" for time, reason in failed]
    return ", ".join(said) or "none"


def _settings(record: SurvivalRecord) -> Facts:
    limits = ", ".join(
        f"{one.temperature:g} K: {_limit(one)}" for one in record.conditions
    )
    return Facts(
        pairs=(
            ("Replicas at each temperature", str(record.n_replicas)),
            ("Length", f"{number_text(record.horizon)} ps"),
            ("Timestep", f"{number_text(record.timestep)} fs"),
            ("Steps made by", record.engine),
            ("Limits of mean |Δg(r)|", limits),
        )
    )


def _limit(condition: Condition) -> str:
    if condition.departure is None:
        return "not judged"
    melts = "" if condition.is_solid else ", coordination not judged"
    return f"{number_text(condition.departure)}{melts}"
