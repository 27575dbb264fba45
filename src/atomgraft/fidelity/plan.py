"""From the spec of a study to its cells, in two stages."""

import dataclasses
import itertools
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms

from atomgraft.compare.cell import RUN, CellPayload
from atomgraft.compare.spec import Entrant
from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import fingerprint
from atomgraft.core.seeding import numpy_generator
from atomgraft.core.storage import is_file, is_folder, make_folder
from atomgraft.core.trust import Trust
from atomgraft.data.exact_files import write_exactly
from atomgraft.data.labels import structures_fingerprint
from atomgraft.data.splits import geometric_sizes, nested_order, require_sizes
from atomgraft.fidelity.levels import Levels, differences, with_labels
from atomgraft.fidelity.record import Model
from atomgraft.fidelity.spec import ALONE, FidelitySpec
from atomgraft.run.spec import RunSpec
from atomgraft.study.cells import Cell, Outcome
from atomgraft.training.plan import Plan

SOURCE = "source"
"""The strategy of a model that only a source trains."""

DATA = "data"
"""Folder of the training and test sets, with their labels to the last digit."""

Stage = Callable[[Mapping[str, Outcome]], Sequence[Cell]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Planned:
    """One model of the study.

    Parameters
    ----------
    strategy
        See :class:`atomgraft.fidelity.record.Model`.
    base
        Of the study, also where it starts from the model of a source.
    entrant
        The recipe with its settings.
    seed
        Of training sets and run.
    sources
        Names of other levels of theory.
    n_source, n_target
        Structures of each source, and of the target.
    kept
        Labels of the sources that are used.
    start
        The model of a source that is fine-tuned.
    """

    strategy: str
    base: str
    entrant: Entrant
    seed: int
    sources: tuple[str, ...] = ()
    n_source: int = 0
    n_target: int = 0
    kept: Any = "all"
    start: "Planned | None" = None

    def name(self, bases: Sequence[str]) -> str:
        """Return the name of its folder.

        Parameters
        ----------
        bases
            Of the study.
        """
        parts = [self.strategy]
        parts += ["+".join(self.sources)] if self.sources else []
        parts += [self.kept] if self.sources and self.kept != "all" else []
        parts += [self.entrant.name] if self.start else []
        parts += [f"N{self.n_source}"] if self.n_source else []
        parts += [f"n{self.n_target}"] if self.n_target else []
        parts += [f"b{bases.index(self.base)}"] if len(bases) > 1 else []
        return "-".join([*parts, f"s{self.seed}"])

    def model(self, bases: Sequence[str], outcome: Outcome) -> Model:
        """Return what the record says of it.

        Parameters
        ----------
        bases
            Of the study.
        outcome
            Of its cell.
        """
        return Model.model_validate(
            {
                "name": self.name(bases),
                "strategy": self.strategy,
                "base": self.base,
                "recipe": self.entrant.name,
                "source": "+".join(self.sources) or None,
                "n_source": self.n_source,
                "kept": self.kept,
                "n_target": self.n_target,
                "seed": self.seed,
                "starts_from": self.start and self.start.name(bases),
                "status": outcome.status,
                "reason": outcome.reason,
                **{
                    key: value
                    for key, value in (outcome.document or {}).items()
                    if key in Model.model_fields
                },
            }
        )


def sizes_of(spec: FidelitySpec, levels: Levels) -> tuple[tuple[int, ...], ...]:
    """Return the numbers of structures of sources and of the target, smallest first.

    Raises
    ------
    BadInputError
        One is larger than the pool it is drawn from.
    """
    smallest = min(len(one.pool) for one in levels.sources.values())
    return (
        _sizes(spec.source_sizes, smallest),
        _sizes(spec.sizes, len(levels.target.pool)),
    )


def _sizes(asked: tuple[int, ...] | str, n_pool: int) -> tuple[int, ...]:
    if isinstance(asked, str):  # auto
        return geometric_sizes(n_pool)
    require_sizes(asked, n_pool)
    return tuple(sorted(asked))


def planned_models(
    spec: FidelitySpec, source_sizes: Sequence[int], sizes: Sequence[int]
) -> list[Planned]:
    """Return all models, sources first, one whole seed after the other.

    Parameters
    ----------
    spec
        The study.
    source_sizes, sizes
        Numbers of structures of sources and of the target.

    Raises
    ------
    BadInputError
        Two models would have one folder.
    """
    found: list[Planned] = []
    for seed, base in itertools.product(spec.seeds, spec.base):
        alone = Planned(strategy=ALONE, base=base, seed=seed, entrant=spec.first(base))
        found += _at_sizes(alone, sizes)
        for name in spec.sources if "delta" in spec.strategies else ():
            delta = dataclasses.replace(alone, strategy="delta", sources=(name,))
            found += _at_sizes(delta, sizes)
        for kept, n_source in itertools.product(spec.keep, source_sizes):
            with_source = dataclasses.replace(alone, kept=kept, n_source=n_source)
            found += _with_sources(spec, with_source, sizes)
    _refuse_one_name([one.name(spec.base) for one in found])
    return found


def _refuse_one_name(names: Sequence[str]) -> None:
    counts = Counter(name.casefold() for name in names)
    shared = [name for name in names if counts[name.casefold()] > 1]
    if shared:
        raise BadInputError(
            f"Two models would have the folder cells/{shared[0]}.",
            "A source whose name ends like labels that are kept ('-energy') or like a"
            " recipe can be taken for another source.",
            "Give the sources other names in 'sources'.",
        )


def _at_sizes(one: Planned, sizes: Sequence[int]) -> list[Planned]:
    return [dataclasses.replace(one, n_target=n) for n in sizes]


def _with_sources(
    spec: FidelitySpec, plain: Planned, sizes: Sequence[int]
) -> list[Planned]:
    """Return the models that use sources, with one number of their labels."""
    found: list[Planned] = []
    names = tuple(spec.sources)
    for name in names:
        one = dataclasses.replace(plain, strategy=SOURCE, sources=(name,))
        if "fine-tuning" in spec.strategies:
            found.append(one)
            for entrant in spec.recipes:
                tuned = dataclasses.replace(
                    one, strategy="fine-tuning", entrant=entrant, start=one
                )
                found += _at_sizes(tuned, sizes)
        if "multi-head" in spec.strategies:
            found += _at_sizes(dataclasses.replace(one, strategy="multi-head"), sizes)
    if "all-heads" in spec.strategies and len(names) > 1:
        every = dataclasses.replace(plain, strategy="all-heads", sources=names)
        found += _at_sizes(every, sizes)
    return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class Maker:
    """Draws training sets and makes cells.

    Parameters
    ----------
    spec
        The study.
    levels
        What was read.
    folder
        Of the study.
    trust
        Which checkpoints may run code.
    """

    spec: FidelitySpec
    levels: Levels
    folder: Path
    trust: Trust
    known: dict[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """Hashes of structures by the name of their file."""

    def drawn(self, source: str | None, n: int, seed: int) -> list[int]:
        """Return the positions of a training set in the pool of its level.

        Smaller sets are parts of larger ones with the same seed.
        """
        level = self.levels.target if source is None else self.levels.sources[source]
        rng = numpy_generator(seed, f"training sets {source or 'of the target'}")
        return list(nested_order(len(level.pool), rng)[:n])

    def target_set(self, one: Planned) -> list[Atoms]:
        """Return what a model of the target trains on.

        Raises
        ------
        BadInputError
            Labels of the source are missing where differences are learned.
        """
        pool = self.levels.target.pool
        chosen = self.drawn(None, one.n_target, one.seed)
        dear = [pool[i] for i in chosen]
        if one.strategy != "delta":
            return dear
        cheap = self.levels.sources[one.sources[0]].on_target[0]
        own = {k: cheap[i] for k, i in enumerate(chosen) if i in cheap}
        return self._differences(dear, own, one.sources[0], "pool")

    def source_set(self, one: Planned, source: str) -> list[Atoms]:
        """Return what a source contributes, with the labels that are kept."""
        pool = self.levels.sources[source].pool
        chosen = self.drawn(source, one.n_source, one.seed)
        return with_labels([pool[i] for i in chosen], one.kept)

    def test_set(self, one: Planned) -> list[Atoms]:
        """Return the structures that judge a model.

        Raises
        ------
        BadInputError
            Labels of the source are missing where differences are learned.
        """
        if one.strategy == SOURCE:
            return list(self.levels.sources[one.sources[0]].test)
        test = list(self.levels.target.test)
        if one.strategy != "delta":
            return test
        cheap = self.levels.sources[one.sources[0]].on_target[1]
        return self._differences(test, cheap, one.sources[0], "test set")

    def _differences(
        self, dear: list[Atoms], cheap: Mapping[int, Atoms], source: str, where: str
    ) -> list[Atoms]:
        found = differences(dear, cheap)
        if found is None:
            raise BadInputError(
                f"The source {source!r} has labels for {len(cheap)} of {len(dear)}"
                f" structures of the {where}.",
                "The strategy 'delta' needs the source's energy or forces for every"
                " structure of the target, test structures included.",
                "Label these structures with the source's engine and add them to"
                f" sources.{source}, or leave 'delta' out of strategies.",
            )
        return found

    def write_data(self, planned: Sequence[Planned]) -> None:
        """Write training and test sets where they are not yet.

        Raises
        ------
        BadInputError
            Labels of a source are missing where differences are learned.
        StorageError
            The folder cannot be written.
        """
        make_folder(self.folder / DATA)
        for one in planned:
            for name, structures in self._files(one).items():
                if not is_file(self.folder / DATA / name):
                    write_exactly(self.folder / DATA / name, structures())

    def _files(self, one: Planned) -> dict[str, Callable[[], list[Atoms]]]:
        files: dict[str, Callable[[], list[Atoms]]] = {
            self.test_file(one): lambda: self.test_set(one)
        }
        if one.n_target:
            files[self.target_file(one)] = lambda: self.target_set(one)
        if one.n_source:
            for source in one.sources:
                files[self.source_file(one, source)] = lambda source=source: (
                    self.source_set(one, source)
                )
        return files

    @staticmethod
    def test_file(one: Planned) -> str:
        """Return the name of the file of its test structures."""
        is_own = one.strategy in {SOURCE, "delta"}
        stem = f"test-{one.strategy}-{one.sources[0]}" if is_own else "test"
        return f"{stem}.extxyz"

    @staticmethod
    def target_file(one: Planned) -> str:
        """Return the name of the file of its structures of the target."""
        stem = f"delta-{one.sources[0]}" if one.strategy == "delta" else "target"
        return f"{stem}-n{one.n_target}-s{one.seed}.extxyz"

    @staticmethod
    def source_file(one: Planned, source: str) -> str:
        """Return the name of the file of its structures of a source."""
        return f"source-{source}-{one.kept}-N{one.n_source}-s{one.seed}.extxyz"

    def run_of(self, one: Planned, base: str, place: Path) -> RunSpec:
        """Return the run of a model.

        Parameters
        ----------
        one
            The model.
        base
            Where its weights come from.
        place
            Folder of the training sets.
        """
        spec = self.spec
        n_train = one.n_source if one.strategy == SOURCE else one.n_target
        file, plan, heads = self.target_file(one), spec.together, {}
        if one.strategy == SOURCE:
            file, plan = self.source_file(one, one.sources[0]), spec.source_training
        elif one.start is not None:
            plan = spec.training
        elif one.n_source:
            heads = {
                name: str(place / self.source_file(one, name)) for name in one.sources
            }
        return spec.run_of(
            one.entrant,
            base,
            (str(place / file),),
            one.seed,
            plan=_with_batch(plan, n_train),
            heads=heads,
            is_tuning=one.start is not None,
        )

    def cell(self, one: Planned) -> Cell:
        """Return a cell, pinned to its settings, structures and weights.

        Parameters
        ----------
        one
            The model.
        """
        place = (self.folder / DATA).resolve()
        run = self.run_of(one, self._base_place(one), place)
        payload = CellPayload(
            run=run.model_dump(mode="json"),
            test=(str(place / self.test_file(one)),),
            framework=self.levels.material.bases[one.base].framework,
            trust=self.trust,
        )
        return Cell(
            name=one.name(self.spec.base),
            identity=self.identity(one),
            payload=dataclasses.asdict(payload),
        )

    def _base_place(self, one: Planned) -> str:
        if one.start is not None:
            name = one.start.name(self.spec.base)
            return str((self.folder / "cells" / name / RUN).resolve())
        base = Path(one.base)
        return str(base.resolve()) if is_file(base) or is_folder(base) else one.base

    def identity(self, one: Planned) -> str:
        """Hash everything that changes the numbers, and no path of this machine."""
        run = self.run_of(one, one.base, Path())
        settings = run.document(without={"base", "device"})
        start = (
            self.identity(one.start)
            if one.start
            else self.levels.material.bases[one.base].weights_hash
        )
        for name, structures in self._files(one).items():
            if name not in self.known:
                self.known[name] = structures_fingerprint(structures())
        sets = [self.known[name] for name in self._files(one)]
        parts = [json.dumps(settings, sort_keys=True), start, *one.sources, *sets]
        return fingerprint(part.encode() for part in parts)


def _with_batch(plan: Plan, n_train: int) -> Plan:
    """Return a plan whose batch is no larger than the training set."""
    if plan.batch_size == "auto":
        return plan
    size = min(plan.batch_size, n_train)
    return plan.model_copy(update={"batch_size": size})


def stages(maker: Maker, planned: Sequence[Planned]) -> list[Stage]:
    """Return the cells in two stages: what needs no other model, then fine-tuning.

    Parameters
    ----------
    maker
        Makes them.
    planned
        All models.
    """

    def first(_: Mapping[str, Outcome]) -> list[Cell]:
        return [maker.cell(one) for one in planned if one.start is None]

    def second(outcomes: Mapping[str, Outcome]) -> list[Cell]:
        bases = maker.spec.base
        return [
            maker.cell(one)
            for one in planned
            if one.start and outcomes[one.start.name(bases)].status == "done"
        ]

    return [first, second]
