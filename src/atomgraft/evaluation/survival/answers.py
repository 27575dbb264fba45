"""From how runs ended to scores, curves and what could not be told."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from atomgraft.evaluation.moving import FS_PER_PS
from atomgraft.evaluation.suite import Answers
from atomgraft.evaluation.survival.criteria import (
    Limits,
    Outcomes,
    heats_up,
    limits_of_frames,
    limits_of_run,
    outcomes,
)
from atomgraft.evaluation.survival.record import (
    AGAINST_BASE,
    AGAINST_SCRATCH,
    DRIFT,
    MEAN,
    SHARE,
    SUITE,
    Condition,
    Ending,
    Motion,
    SurvivalRecord,
    group_of,
)
from atomgraft.evaluation.survival.spec import SurvivalOptions
from atomgraft.evaluation.survival.trials import Plan, Trial
from atomgraft.metrics.intervals import mean_interval
from atomgraft.metrics.survival import kaplan_meier, log_rank, restricted_mean
from atomgraft.records.scores import ModelName, Score

COMPARED: Mapping[ModelName, tuple[tuple[str, ModelName], ...]] = {
    "adapted": ((AGAINST_BASE, "base"), (AGAINST_SCRATCH, "scratch")),
    "scratch": ((AGAINST_BASE, "base"),),
}
"""Whose survival is tested against whose."""


def answers(
    options: SurvivalOptions,
    plan: Plan,
    frames: Sequence[Atoms],
    trials: Mapping[ModelName, Sequence[Trial]],
    reference: Sequence[Trial] | None,
) -> Answers:
    """Return scores, curves and what could not be told, of all temperatures.

    Parameters
    ----------
    options
        What the user has chosen.
    plan
        What every contestant has done.
    frames
        Training frames, which set the limits where no reference does.
    trials
        By model and temperature.
    reference
        By temperature; none where there is no reference model.
    """
    scores: list[Score] = []
    conditions: list[Condition] = []
    unanswered: list[str] = []
    for k, T in enumerate(plan.temperatures):
        own: dict[ModelName, Trial] = {name: one[k] for name, one in trials.items()}
        if reference is None:
            limits, doubts = _limits_of_frames(options, plan, frames, T)
        else:
            limits, doubts = _limits_of_run(options, plan, reference[k], T)
        unanswered += doubts
        if limits is None:
            nothing = Condition(
                temperature=T, departure=None, is_solid=False, motions=()
            )
            conditions.append(nothing)
            continue
        found, rows = _judged(own, limits, plan, T)
        scores += rows
        conditions.append(found)
        unanswered += _lost_drifts(own, T)
    record = SurvivalRecord(
        formula=plan.system.atoms.get_chemical_formula(),
        n_replicas=plan.n_replicas,
        horizon=plan.horizon,
        timestep=plan.timestep,
        window=plan.window * plan.timestep / FS_PER_PS,
        neighbour=plan.system.neighbour,
        intact=plan.system.intact,
        criterion=_criterion(options),
        conditions=tuple(conditions),
        engine=plan.engine,
    )
    return Answers(
        scores=tuple(scores),
        details=record.model_dump(mode="json"),
        unanswered=tuple(unanswered),
    )


def _criterion(options: SurvivalOptions) -> str:
    if options.reference:
        return (
            f"Limits come from a run of {options.reference}, which departs from itself "
            "by less."
        )
    return "Without a reference model, limits come from the training frames."


def _limits_of_frames(
    options: SurvivalOptions, plan: Plan, frames: Sequence[Atoms], T: float
) -> tuple[Limits, list[str]]:
    """Return the limits that training frames set, and what they cannot tell."""
    limits = limits_of_frames(frames, plan.system)
    if options.melting is not None and options.melting <= T:
        return _without_crystal(
            limits, options.melting, T, "limits are those of frames"
        )
    doubts: list[str] = []
    if limits.departure is None:
        doubts.append(
            f"At {T:g} K no structure is compared: the training frames of this crystal "
            "are too few or too alike, and there is no reference model "
            "(--set md.reference=MODEL)."
        )
    if options.melting is None:
        doubts.append(
            f"Whether the crystal melts at {T:g} K is not known without a reference "
            "model or --set md.melting=K; lost coordination counts as a failure there."
        )
    return limits, doubts


def _without_crystal(
    limits: Limits, melting: float, T: float, whose: str
) -> tuple[Limits, list[str]]:
    """Return limits above the melting point: those of a crystal would judge melting.

    Where limits come from the crystal, a melt departs from them in structure as well
    as in coordination.
    """
    said = (
        f"At {T:g} K, above the melting point ({melting:g} K), {whose}: neither "
        "structure nor lost coordination is judged there, for a model may melt. What "
        "is not finite, too hot or too close counts."
    )
    return dataclasses.replace(limits, departure=None, is_solid=False), [said]


def _limits_of_run(
    options: SurvivalOptions, plan: Plan, reference: Trial, T: float
) -> tuple[Limits | None, list[str]]:
    """Return the limits that a reference run sets; none where it is no reference."""
    name = options.reference
    if heats_up(reference, T):
        return None, [
            f"A timestep of {plan.timestep:g} fs heats the reference {name} at "
            f"{T:g} K; nothing is judged there. Give a shorter one: --set "
            f"md.timestep={plan.timestep / 2:g}"
        ]
    doubts: list[str] = []
    if len(reference.drifts) == 0:
        doubts.append(
            f"Whether a timestep of {plan.timestep:g} fs heats the reference {name} at "
            f"{T:g} K was not measured: there are no runs at constant energy "
            "(md.drift_time=0)."
        )
    limits = limits_of_run(reference)
    if limits is None:
        said = f"The reference {name} fails itself at {T:g} K; nothing is judged there."
        return None, [*doubts, said]
    if not limits.is_solid:
        return limits, [
            *doubts,
            f"The reference {name} melts at {T:g} K, so that lost coordination does "
            "not count as a failure there.",
        ]
    if options.melting is not None and options.melting <= T:
        whose = f"the reference {name} is still a crystal"
        limits, said = _without_crystal(limits, options.melting, T, whose)
        return limits, [*doubts, *said]
    return limits, doubts


def _judged(
    trials: Mapping[ModelName, Trial], limits: Limits, plan: Plan, T: float
) -> tuple[Condition, list[Score]]:
    """Return how all contestants did at one temperature, and their scores."""
    ends: dict[ModelName, Outcomes] = {
        name: outcomes(trial, limits, plan) for name, trial in trials.items()
    }
    condition = Condition(
        temperature=T,
        departure=limits.departure,
        is_solid=limits.is_solid,
        motions=tuple(_motion(name, ends[name], trials[name]) for name in trials),
    )
    scores = [row for name in trials for row in _survival(name, ends, plan, T)]
    scores += [row for name, one in trials.items() for row in _drift(name, one, T)]
    return condition, scores


def _motion(name: ModelName, ends: Outcomes, trial: Trial) -> Motion:

    curve = kaplan_meier(ends.times, ends.has_failed)
    return Motion(
        model=name,
        times=tuple(curve.times.tolist()),
        survival=tuple(curve.survival.tolist()),
        endings=tuple(
            Ending(time=float(time), reason=reason)
            for time, reason in zip(ends.times, ends.reasons, strict=True)
        ),
        drifts=tuple(trial.drifts[np.isfinite(trial.drifts)].tolist()),
    )


def _survival(
    name: ModelName, ends: Mapping[ModelName, Outcomes], plan: Plan, T: float
) -> Iterator[Score]:

    own = ends[name]
    shared: dict[str, Any] = {
        "model": name,
        "suite": SUITE,
        "quantity": "survival",
        "n": len(own.times),
        "group": group_of(T),
    }
    mean = restricted_mean(own.times, own.has_failed, plan.horizon)
    yield Score(
        metric=MEAN,
        value=mean.value,
        unit="ps",
        interval=mean.interval,
        n_independent=len(own.times),
        independent="trajectories",
        **shared,
    )
    yield Score(
        metric=SHARE, value=100 * float((~own.has_failed).mean()), unit="%", **shared
    )
    for metric, other in COMPARED.get(name, ()):
        if other in ends:
            p = log_rank(
                (own.times, own.has_failed), (ends[other].times, ends[other].has_failed)
            )
            if p is not None:
                yield Score(metric=metric, value=p, unit="1", **shared)


def _drift(name: ModelName, trial: Trial, T: float) -> Iterator[Score]:

    sound = trial.drifts[np.isfinite(trial.drifts)]
    if len(sound):
        found = mean_interval(sound, np.ones(len(sound)), is_signed=True)
        yield Score(
            model=name,
            suite=SUITE,
            quantity="total energy",
            metric=DRIFT,
            value=float(sound.mean()),
            unit="meV/atom/ps",
            interval=found.interval,
            n_independent=found.n_independent,
            independent="trajectories",
            n=len(sound),
            group=group_of(T),
        )


def _lost_drifts(trials: Mapping[ModelName, Trial], T: float) -> list[str]:

    return [
        f"{np.isnan(one.drifts).sum()} of {len(one.drifts)} runs of the {name} model "
        f"at constant energy broke down at {T:g} K; the drift is that of the others."
        for name, one in trials.items()
        if np.isnan(one.drifts).any()
    ]
