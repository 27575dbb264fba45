"""The suite ``motion``: structure, vibrations and melts under each contestant."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast, final

from atomgraft.core.progress import Progress
from atomgraft.evaluation.motion.record import (
    CHANCE,
    CHANGE,
    DIFFERENT,
    ERROR,
    NAMES,
    SUITE,
    record_of,
)
from atomgraft.evaluation.motion.spec import MotionOptions
from atomgraft.evaluation.score_table import ScoreTable, figure
from atomgraft.evaluation.suite import (
    BASE_ITSELF,
    AbstractSuite,
    Answers,
    Contestants,
    Subject,
    SuiteOptions,
)
from atomgraft.records.scores import ModelName, Score

if TYPE_CHECKING:
    from atomgraft.page.blocks import Section


@final
class MotionSuite(AbstractSuite):
    """Distances, angles, coordination, vibrations and melts in molecular dynamics."""

    name = SUITE
    title = "Properties in motion"
    caption = (
        "Error: distance from the reference; change: from the base, where there is no "
        "reference. Of g(r) the integral of |g - g0| over the sum of both integrals, "
        "of angles and vibrations half the integral of |p - q|, of numbers the "
        "relative difference; intervals (95 %) are over runs. Noise: the same for "
        "two sets of runs of the reference. P same: how probable a difference as large "
        "is by chance (permutation of runs); from 0.05 on it is not distinguishable. "
        "Curves below."
    )
    Options = MotionOptions

    def __init__(self, subject: Subject, options: SuiteOptions) -> None:
        from atomgraft.dynamics.torch_sim import engine_named
        from atomgraft.evaluation.motion.setup import plan_of
        from atomgraft.evaluation.motion.trajectory import (
            conversion_of,
            is_trajectory,
            read_reference,
            refuse_options_of_frames,
            refuse_selection,
        )
        from atomgraft.evaluation.moving import crystal_of, frames_of, named_reference
        from atomgraft.lattice.forces import require_known

        self.options = own = cast("MotionOptions", options)
        engine_named(own.engine)  # refused before anything is computed
        has_trajectory = is_trajectory(own.reference)
        if not has_trajectory:
            refuse_selection(own.reference)
            refuse_options_of_frames(own)
        frames = [] if own.structure else frames_of(subject, SUITE)
        crystal = crystal_of(own.structure, frames, SUITE)
        self.plan = plan_of(own, crystal, has_trajectory=has_trajectory)
        atoms = self.plan.system.atoms
        self.given = read_reference(own, self.plan) if has_trajectory else None
        named = "" if has_trajectory else own.reference
        remedy = conversion_of(own.reference)
        self.reference = named_reference(named, subject, atoms, remedy=remedy)
        require_known(subject.base, [atoms])

    def ask(
        self, contestants: Contestants, progress: Progress | None = None
    ) -> Answers:
        """Run all contestants and the reference, and compare them."""
        from atomgraft.evaluation.motion.answers import Standard, answers
        from atomgraft.evaluation.motion.trials import run_trial
        from atomgraft.evaluation.moving import reference_for, run_all

        is_base = self.options.reference == BASE_ITSELF
        reference = reference_for(contestants, self.reference, is_base=is_base)
        trials, own = run_all(
            SUITE,
            contestants,
            reference,
            lambda model, seed, folder, tell: run_trial(
                model, self.plan, seed=seed, folder=folder, progress=tell
            ),
            (self.plan.system.atoms, self.plan.steps_of_runs()),
            progress,
        )
        said = self.options.reference or BASE_ITSELF
        standard = Standard(said=said, trials=self.given or own)
        return answers(self.plan, trials, standard)

    @classmethod
    def sections(cls, details: Mapping[str, Any]) -> "list[Section]":
        """Return curves, differences and settings."""
        from atomgraft.evaluation.motion.page import motion_sections

        found = record_of(details)
        return [] if found is None else motion_sections(found)

    @classmethod
    def sentences(cls, scores: Sequence[Score]) -> list[str]:
        """Return how far the adapted model is from the reference, or from the base."""
        table = ScoreTable(scores)
        return [*_errors(table), *_changes(table), *_failures(table)]


def _errors(table: ScoreTable) -> Iterator[str]:
    """Say how errors changed, for each condition."""
    for group, rows in _by_condition(table, ERROR):
        told = ", ".join(_change(table, one) for one in rows)
        yield (
            f"Errors in motion ({_said(group)}), base → adapted, %: {told}; "
            f"{_doubt(table, rows, 'reference')}."
        )


def _changes(table: ScoreTable) -> Iterator[str]:
    """Say how far the adapted model is from the base, for each condition."""
    for group, rows in _by_condition(table, CHANGE):
        told = ", ".join(f"{NAMES[one.quantity]} {figure(one.value)}" for one in rows)
        yield (
            f"In motion ({_said(group)}) the adapted model differs from the base by, "
            f"%: {told}; {_doubt(table, rows, 'base')}."
        )


def _failures(table: ScoreTable) -> Iterator[str]:
    """Say that errors are of the runs that came to their end, where some did not."""
    models: tuple[ModelName, ...] = ("base", "adapted", "scratch")
    told = [
        f"{figure(100 - one.value)} % of {one.n} of the {model} model "
        f"({_said(one.group)})"
        for model in models
        for one in table.rows(model, SUITE, "share")
        if one.value < 100
    ]
    if told:
        yield (
            "Runs in motion that failed, and are in no error or difference: "
            f"{', '.join(told)}."
        )


def _by_condition(
    table: ScoreTable, metric: str
) -> Iterator[tuple[str | None, list[Score]]]:
    rows = [
        one for one in table.rows("adapted", SUITE, metric) if one.quantity in NAMES
    ]
    for group in dict.fromkeys(one.group for one in rows):
        yield group, [one for one in rows if one.group == group]


def _change(table: ScoreTable, after: Score) -> str:
    before = table.find("base", SUITE, after.quantity, ERROR, after.group)
    change = "" if before is None else f"{figure(before.value)} → "
    return f"{NAMES[after.quantity]} {change}{figure(after.value)}"


def _said(group: str | None) -> str:
    kind, _, temperature = (group or "").partition(":")
    return f"melt, {temperature}" if kind == "melt" else temperature


def _doubt(table: ScoreTable, rows: Sequence[Score], beside: str) -> str:
    """Say which quantities of the adapted model chance alone may have changed."""
    chances = [
        table.find("adapted", SUITE, one.quantity, CHANCE, one.group) for one in rows
    ]
    names = [
        NAMES[row.quantity]
        for row, p in zip(rows, chances, strict=True)
        if p is not None and p.value >= DIFFERENT
    ]
    if None in chances:
        return "too few runs came to their end to tell what is chance"
    if len(names) == len(rows):
        return f"the adapted model is not distinguishable from the {beside}"
    said = f"not distinguishable from the {beside}: {', '.join(names)}"
    return said if names else f"the adapted model and the {beside} are different"
