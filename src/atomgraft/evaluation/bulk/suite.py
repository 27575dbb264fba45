"""The suite ``bulk``: equation of state, elasticity, vacancy and surfaces."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

from atomgraft.core.progress import Progress
from atomgraft.evaluation.bulk.record import (
    CHANGE,
    ERROR,
    STABILITY,
    SUITE,
    BulkRecord,
    Effect,
    counted_effects,
    effect_of,
    records_of,
)
from atomgraft.evaluation.bulk.spec import BulkOptions
from atomgraft.evaluation.score_table import ScoreTable
from atomgraft.evaluation.suite import (
    AbstractSuite,
    Answers,
    Contestants,
    Subject,
    SuiteOptions,
)
from atomgraft.page.wording import number_text
from atomgraft.records.scores import ModelName, Score

if TYPE_CHECKING:
    from atomgraft.models.base import AbstractPotential
    from atomgraft.page.blocks import Section


@final
class BulkSuite(AbstractSuite):
    """Properties of crystals at rest, beside reference values or the base."""

    name = SUITE
    title = "Bulk properties"
    caption = (
        "Relative error: distance from the reference value, in % of it, mean over n "
        "crystals. Relative change: distance from the base, where there is no "
        "reference value. Smallest eigenvalue of the elastic tensor: below zero a "
        "crystal is not stable (Born's criterion). Values below."
    )
    Options = BulkOptions

    def __init__(self, subject: Subject, options: SuiteOptions) -> None:
        from atomgraft.evaluation.bulk.reference import read_references, require_used
        from atomgraft.evaluation.bulk.setup import crystals_of
        from atomgraft.lattice.forces import require_known
        from atomgraft.lattice.static_properties import require_matcalc

        self.options = cast("BulkOptions", options)
        require_matcalc()
        self.crystals = crystals_of(self.options, subject)
        require_known(subject.base, [one.atoms for one in self.crystals])
        self.references: Mapping[str, Mapping[str, float]] = {}
        if self.options.reference:
            path = Path(self.options.reference)
            self.references = read_references(path)
            formulas = [one.formula for one in self.crystals]
            require_used(path, self.references, formulas)

    def ask(
        self, contestants: Contestants, progress: Progress | None = None
    ) -> Answers:
        """Compute the properties of all crystals under every model, in float64."""
        import torch

        from atomgraft.evaluation.bulk.work import bulk_record, n_steps

        doubles: "dict[ModelName, AbstractPotential]" = {
            name: one.clone(dtype=torch.float64, device=one.device)
            for name, one in contestants.models.items()
        }
        n_all = len(doubles) * sum(n_steps(one, self.options) for one in self.crystals)
        done = iter(range(n_all))

        def step(what: str) -> None:
            if progress is not None:
                progress(f"bulk: {what}", next(done), n_all)

        found = [
            bulk_record(
                one,
                doubles,
                self.options,
                self.references.get(one.formula, {}),
                contestants.seed,
                step,
            )
            for one in self.crystals
        ]
        return Answers(
            scores=tuple(bulk_scores(found)),
            details={"crystals": [one.model_dump(mode="json") for one in found]},
            unanswered=tuple(text for one in found for text in one.failures),
        )

    @classmethod
    def sections(cls, details: Mapping[str, Any]) -> "list[Section]":
        """Return one section for each crystal."""
        from atomgraft.evaluation.bulk.page import bulk_sections

        return bulk_sections(records_of(details))

    @classmethod
    def sentences(cls, scores: Sequence[Score]) -> list[str]:
        """Return how many properties became better and worse than the base's."""
        table = ScoreTable(scores)
        said = [*_effects(table), *_changes(table)]
        stability = table.find("adapted", SUITE, *STABILITY)
        if stability is not None and stability.value <= 0:
            said.append(
                "The elastic tensor of the adapted model has a negative eigenvalue: "
                "under it the crystal is not stable."
            )
        return said


def bulk_scores(records: Sequence[BulkRecord]) -> Iterator[Score]:
    """Return errors against the reference, changes from the base, and stability.

    Parameters
    ----------
    records
        One for each crystal.
    """
    models: dict[ModelName, None] = {
        model: None
        for record in records
        for one in record.properties
        for model in one.values
    }
    names = dict.fromkeys(one.name for record in records for one in record.properties)
    for model in models:
        for name in names:
            own = [
                one
                for record in records
                for one in record.properties
                if one.name == name
            ]
            errors = [one.deviation(model) for one in own]
            yield from _mean(model, name, ERROR, errors)
            if model != "base":
                free = [one.change(model) for one in own if one.reference is None]
                yield from _mean(model, name, CHANGE, free)
        lowest = [one.smallest[model] for one in records if model in one.smallest]
        if lowest:
            quantity, metric = STABILITY
            yield _score(model, quantity, metric, min(lowest), "GPa", len(lowest))


def _mean(
    model: ModelName, quantity: str, metric: str, values: Sequence[float | None]
) -> Iterator[Score]:
    known = [one for one in values if one is not None]
    if known:
        mean = sum(known) / len(known)
        yield _score(model, quantity, metric, mean, "%", len(known))


def _score(
    model: ModelName, quantity: str, metric: str, value: float, unit: str, n: int
) -> Score:
    return Score(
        model=model,
        suite=SUITE,
        quantity=quantity,
        metric=metric,
        value=value,
        unit=unit,
        n=n,
    )


def _effects(table: ScoreTable) -> Iterator[str]:
    """Compare the errors of adapted, scratch and base with each other."""
    sides: tuple[tuple[ModelName, ModelName], ...] = (
        ("adapted", "base"),
        ("scratch", "base"),
        ("adapted", "scratch"),
    )
    told: list[str] = []
    for model, other in sides:
        effects: list[Effect] = [
            effect_of(beside.value, own.value)
            for own in table.rows(model, SUITE, ERROR)
            if (beside := table.find(other, SUITE, own.quantity, ERROR)) is not None
        ]
        if effects:
            counts = counted_effects(effects)
            told.append(f"{model} beside {other} {counts} (of {len(effects)})")
    if told:
        yield f"Errors of bulk properties: {'; '.join(told)}."


def _changes(table: ScoreTable) -> Iterator[str]:
    """Say how far the adapted model is from the base, where that is all there is."""
    changes = table.rows("adapted", SUITE, CHANGE)
    if changes:
        largest = max(changes, key=lambda one: one.value)
        yield (
            f"Bulk properties without reference values ({len(changes)}): the adapted "
            f"model differs from the base by up to {number_text(largest.value)} % "
            f"({largest.quantity.replace('_', ' ')})."
        )
