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


CRYSTAL = "crystal"
"""Group of the scores of one of several crystals, before its formula."""

Deviations = Mapping[ModelName, Mapping[str, float | None]]
"""Of one property, %, by model and crystal."""


@final
class BulkSuite(AbstractSuite):
    """Properties of crystals at rest, beside reference values or the base."""

    name = SUITE
    title = "Bulk properties"
    caption = (
        "Relative error: distance from the reference value, in % of it, mean over the "
        "n crystals for which all models have it. Relative change: distance from the "
        "base, where there is no reference value. Smallest eigenvalue of the elastic "
        "tensor: below zero a crystal is not stable (Born's criterion). Values below."
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

    Means are over the crystals that all models share which have the property at all,
    so that a model gains nothing by failing on a crystal. Of several crystals, each
    has its own rows besides.

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
    for name in names:
        own = {
            record.formula: one
            for record in records
            for one in record.properties
            if one.name == name
        }
        errors: Deviations = {
            model: {crystal: one.deviation(model) for crystal, one in own.items()}
            for model in models
        }
        yield from _rows(name, ERROR, errors, is_one=len(records) == 1)
        changes: Deviations = {
            model: {
                crystal: one.change(model)
                for crystal, one in own.items()
                if one.reference is None
            }
            for model in models
            if model != "base"
        }
        yield from _rows(name, CHANGE, changes, is_one=len(records) == 1)
    for model in models:
        lowest = [one.smallest[model] for one in records if model in one.smallest]
        if lowest:
            quantity, metric = STABILITY
            yield _score(model, quantity, metric, min(lowest), "GPa", len(lowest))


def _rows(
    quantity: str,
    metric: str,
    values: Deviations,
    *,
    is_one: bool,
) -> Iterator[Score]:
    """Return means over shared crystals, and, unless there is one, each crystal's."""
    known: dict[ModelName, dict[str, float]] = {
        model: {name: one for name, one in row.items() if one is not None}
        for model, row in values.items()
    }
    known = {model: row for model, row in known.items() if row}
    shared = [
        name
        for name in dict.fromkeys(name for row in known.values() for name in row)
        if all(name in row for row in known.values())
    ]
    for model, row in known.items():
        if shared:
            mean = sum(row[name] for name in shared) / len(shared)
            yield _score(model, quantity, metric, mean, "%", len(shared))
        if not is_one:
            for name, value in row.items():
                one = _score(model, quantity, metric, value, "%", 1)
                yield one.model_copy(update={"group": f"{CRYSTAL}:{name}"})


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
    """Compare the errors of adapted, scratch and base with each other.

    Each crystal counts by itself, where both models have a value.
    """
    sides: tuple[tuple[ModelName, ModelName], ...] = (
        ("adapted", "base"),
        ("scratch", "base"),
        ("adapted", "scratch"),
    )
    told: list[str] = []
    for model, other in sides:
        effects: list[Effect] = [
            effect_of(beside.value, own.value)
            for own in _by_crystal(table, model, ERROR)
            if (beside := _beside(table, other, own)) is not None
        ]
        if effects:
            counts = counted_effects(effects)
            told.append(f"{model} beside {other} {counts} (of {len(effects)})")
    lost = _lost(table)
    if told:
        yield f"Errors of bulk properties: {'; '.join(told)}.{_sentence(lost)}"
    elif lost:
        yield f"Errors of bulk properties: {lost}."


def _by_crystal(table: ScoreTable, model: ModelName, metric: str) -> list[Score]:
    """Return the rows of single crystals, or, of one crystal, those of the whole."""
    rows = table.rows(model, SUITE, metric)
    return [one for one in rows if one.group is not None] or rows


def _beside(table: ScoreTable, other: ModelName, own: Score) -> Score | None:
    """Return the same number of another model.

    Records of older versions have means alone: over as many crystals they count.
    """
    found = table.find(other, SUITE, own.quantity, own.metric, own.group)
    return found if found is not None and found.n == own.n else None


def _lost(table: ScoreTable) -> str:
    """Name the properties that one model has and another one has not."""
    names: tuple[ModelName, ...] = ("base", "adapted", "scratch")
    rows = {name: _by_crystal(table, name, ERROR) for name in names}
    held = {
        name: dict.fromkeys((one.quantity, one.group) for one in found)
        for name, found in rows.items()
        if found
    }
    known = {key: None for row in held.values() for key in row}
    lost = {
        name: [_named(*key) for key in known if key not in row]
        for name, row in held.items()
    }
    told = [f"{name} of {', '.join(those)}" for name, those in lost.items() if those]
    if not told:
        return ""
    return f"in no count, because a model has no value: {'; '.join(told)}"


def _named(quantity: str, group: str | None) -> str:
    name = quantity.replace("_", " ")
    return name if group is None else f"{name} ({group.partition(':')[2]})"


def _sentence(text: str) -> str:
    return f" {text[0].upper()}{text[1:]}." if text else ""


def _changes(table: ScoreTable) -> Iterator[str]:
    """Say how far the adapted model is from the base, where that is all there is."""
    changes = _by_crystal(table, "adapted", CHANGE)
    if changes:
        largest = max(changes, key=lambda one: one.value)
        yield (
            f"Bulk properties without reference values ({len(changes)}): the adapted "
            f"model differs from the base by up to {number_text(largest.value)} % "
            f"({_named(largest.quantity, largest.group)})."
        )
