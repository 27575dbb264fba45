"""The suite ``md``: how long a crystal survives in motion under each contestant."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast, final

from atomgraft.core.progress import Progress
from atomgraft.evaluation.score_table import ScoreTable, figure
from atomgraft.evaluation.suite import (
    BASE_ITSELF,
    AbstractSuite,
    Answers,
    Contestants,
    Subject,
    SuiteOptions,
)
from atomgraft.evaluation.survival.record import (
    AGAINST_BASE,
    MEAN,
    SUITE,
    record_of,
)
from atomgraft.evaluation.survival.spec import SurvivalOptions
from atomgraft.records.scores import Score

if TYPE_CHECKING:
    from atomgraft.page.blocks import Section


@final
class SurvivalSuite(AbstractSuite):
    """Langevin dynamics of a crystal at several temperatures, until it fails."""

    name = SUITE
    title = "Survival in molecular dynamics"
    caption = (
        "Survival restricted mean: the time to failure, no longer than the run, mean "
        "over replicas with 95 % intervals; up to one window late where structure or "
        "coordination fails. Share: replicas that survived the run. "
        "Log-rank p: how probable so different times are where both models fail alike. "
        "NVE drift: change of the total energy without a thermostat. Curves below."
    )
    Options = SurvivalOptions

    def __init__(self, subject: Subject, options: SuiteOptions) -> None:
        from atomgraft.dynamics.torch_sim import engine_named
        from atomgraft.evaluation.moving import crystal_of, frames_of, named_reference
        from atomgraft.evaluation.survival.setup import plan_of
        from atomgraft.lattice.forces import require_known

        self.options = cast("SurvivalOptions", options)
        engine_named(self.options.engine)  # refused before anything is computed
        self.frames = frames_of(subject, SUITE)
        crystal = crystal_of(self.options.structure, self.frames, SUITE)
        self.plan = plan_of(self.options, crystal)
        atoms = self.plan.system.atoms
        self.reference = named_reference(
            self.options.reference,
            subject,
            atoms,
            remedy="A trajectory can only be the reference of the suite motion.",
        )
        require_known(subject.base, [atoms])

    def ask(
        self, contestants: Contestants, progress: Progress | None = None
    ) -> Answers:
        """Run all contestants and the reference, and compare them."""
        from atomgraft.evaluation.moving import reference_for, run_all
        from atomgraft.evaluation.survival.answers import answers
        from atomgraft.evaluation.survival.trials import run_trial

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
        return answers(self.options, self.plan, self.frames, trials, own)

    @classmethod
    def sections(cls, details: Mapping[str, Any]) -> "list[Section]":
        """Return survival curves and the settings."""
        from atomgraft.evaluation.survival.page import survival_section

        found = record_of(details)
        return [] if found is None else [survival_section(found)]

    @classmethod
    def sentences(cls, scores: Sequence[Score]) -> list[str]:
        """Return how long adapted and base survive at each temperature."""
        table = ScoreTable(scores)
        said = [
            _survived(table, one.group)
            for one in table.rows("adapted", SUITE, MEAN)
            if one.group is not None
        ]
        told = "; ".join(one for one in said if one)
        return [f"Mean survival in molecular dynamics: {told}."] if told else []


def _survived(table: ScoreTable, group: str) -> str:
    after = table.find("adapted", SUITE, "survival", MEAN, group)
    before = table.find("base", SUITE, "survival", MEAN, group)
    p = table.find("adapted", SUITE, "survival", AGAINST_BASE, group)
    if after is None or before is None:
        return ""
    chance = f", log-rank p = {p.value:.2g}" if p else ""
    return (
        f"{group.partition(':')[2]}, base {figure(before.value)} and adapted "
        f"{figure(after.value)} ps{chance}"
    )
