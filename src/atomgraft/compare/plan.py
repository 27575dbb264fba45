"""From the spec of a comparison to its cells."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ase import Atoms
from ase.data import chemical_symbols

from atomgraft.adaptation.axes import ElementMap
from atomgraft.compare.cell import CellPayload
from atomgraft.compare.record import Contestant
from atomgraft.compare.spec import CompareSpec, Entrant, Way, parse_compare_spec
from atomgraft.compare.structures import Structures, read_pool, told_of_maps
from atomgraft.core.environments import python_for
from atomgraft.core.errors import MissingExtraError
from atomgraft.core.provenance import fingerprint
from atomgraft.core.seeding import numpy_generator
from atomgraft.core.storage import is_file, is_folder, make_folder
from atomgraft.core.trust import Trust
from atomgraft.data.checks.findings import refuse_unaccepted
from atomgraft.data.checks.suite import check_against_base
from atomgraft.data.exact_files import write_exactly
from atomgraft.data.labels import structures_fingerprint
from atomgraft.data.splits import (
    geometric_sizes,
    nested_order,
    require_sizes,
    share_to_choose,
    split_off,
)
from atomgraft.models.base import AbstractPotential
from atomgraft.run.inputs import base_card, data_card, load_base
from atomgraft.run.record import BaseCard, DataCard
from atomgraft.run.starts import knowledge_of, started
from atomgraft.run.structures import notices_of
from atomgraft.study.cells import Cell
from atomgraft.study.processes import call_elsewhere

DATA = "data"
"""Folder of the training sets that were drawn, with their labels to the last digit."""

TEST, VALIDATION = "test.extxyz", "validation.extxyz"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Material:
    """Everything a comparison reads.

    Parameters
    ----------
    pool
        Structures to draw training sets from.
    validation
        Decide which contestant is recommended, and nothing else; may be empty.
    test
        Held out.
    bases
        The models to start from, by the name the user gave.
    notices
        What the user should know before it starts.
    """

    pool: tuple[Atoms, ...]
    validation: tuple[Atoms, ...]
    test: tuple[Atoms, ...]
    bases: dict[str, BaseCard]
    notices: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Hash of all structures with their labels, and of the bases' weights."""
        parts = [
            structures_fingerprint(one)
            for one in (self.pool, self.validation, self.test)
        ]
        hashes = [card.weights_hash for card in self.bases.values()]
        return fingerprint(part.encode() for part in (*parts, *hashes))


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlannedCell:
    """One point of the grid.

    Parameters
    ----------
    contestant
        Its name in the table.
    way
        What it is, with the settings of the recipe.
    n_labels
        Structures to train on.
    seed
        Of the training set and of the run.
    """

    contestant: Contestant
    way: Way
    n_labels: int
    seed: int

    @property
    def name(self) -> str:
        """Name of the cell's folder."""
        safe = "".join(c if c.isalnum() or c in "._+-" else "-" for c in self._stem)
        return f"{safe}-n{self.n_labels}-s{self.seed}"

    @property
    def _stem(self) -> str:
        return self.contestant.name.replace("×", "x")

    @property
    def training_file(self) -> str:
        """Name of the file with its training set."""
        return f"train-n{self.n_labels}-s{self.seed}.extxyz"


def read_material(
    spec: CompareSpec, *, trust: Trust, structures: Structures | None = None
) -> Material:
    """Read and check pool, test set and bases; nothing is written.

    Parameters
    ----------
    spec
        The comparison.
    trust
        Which checkpoints may run code.
    structures
        Pool, validation and test set, if they were read before.

    Raises
    ------
    BadInputError
        Something cannot be used as it is, the test set leaks into the pool, or a
        warning was not accepted.
    """
    structures = structures or read_pool(spec)
    notices = list(structures.notices)
    bases = _examined(spec, structures, trust=trust)
    for _, told in bases.values():
        notices += [one for one in told if one not in notices]
    if not structures.validation:
        structures, note = _with_validation(spec, structures)
        notices.append(note)
    return Material(
        pool=structures.pool,
        validation=structures.validation,
        test=structures.test,
        bases={name: card for name, (card, _) in bases.items()},
        notices=tuple(notices),
    )


def _with_validation(
    spec: CompareSpec, structures: Structures
) -> tuple[Structures, str]:
    """Keep a share of the pool aside, the same for every size, recipe and seed."""
    fraction = spec.validation_fraction
    if fraction == "auto":
        fraction = share_to_choose(len(structures.pool))
    rng = numpy_generator(0, "validation")
    split = split_off(structures.pool, fraction, rng, differences="never")
    if not split.split_off:
        return structures, (
            f"There are no validation structures. {split.note} No recipe will be "
            "recommended; use --validation to name validation structures."
        )
    return structures._replace(pool=split.kept, validation=split.split_off), (
        f"{len(split.split_off)} of {len(structures.pool)} structures of the pool "
        "are used for validation: no cell trains on them, and the recommended "
        "recipe is chosen by their errors."
    )


Examined = tuple[BaseCard, tuple[str, ...]]
"""A base, and what the user should know of the data in its light."""


def _examined(
    spec: CompareSpec, structures: Structures, *, trust: Trust
) -> dict[str, Examined]:
    """Check the data against every base, each where its framework is.

    Where none of the frameworks is here, the whole command belongs elsewhere, and the
    command line sends it there.
    """
    found: dict[str, Examined] = {}
    absent: dict[str, MissingExtraError] = {}
    for name in spec.base:
        try:
            found[name] = examine_base(spec, name, structures, trust=trust)
        except MissingExtraError as error:
            absent[name] = error
    for name, error in absent.items():
        if error.framework is None or not found:
            raise error
        request = {"spec": spec.model_dump(mode="json"), "base": name, "trust": trust}
        place = "compare.plan:examine_requested_base"
        told = call_elsewhere(python_for(error.framework), place, request)
        found[name] = BaseCard.model_validate(told["card"]), tuple(told["notices"])
    return {name: found[name] for name in spec.base}


def examine_base(
    spec: CompareSpec, name: str, structures: Structures, *, trust: Trust
) -> Examined:
    """Load a base and check the data against it.

    Parameters
    ----------
    spec
        The comparison.
    name
        Of the base.
    structures
        What was read.
    trust
        Which checkpoints may run code.

    Raises
    ------
    BadInputError
        The data do not go with the base.
    MissingExtraError
        Its framework is not installed here.
    """
    base = load_base(name, head=spec.head, trust=trust, kernels=spec.kernels)
    notices: list[str] = []
    for wanted in _maps_tried(spec):
        start, applied = started(base, wanted, structures.pool)
        findings = check_against_base(structures.sets, knowledge_of(start))
        if unknown := _unknown(structures, start):
            findings = told_of_maps(findings, spec, wanted, unknown)
        refuse_unaccepted(findings, spec.accept)
        notices += [*notices_of(findings), *(applied.notes if applied else ())]
    return base_card(base, base.weights_hash()), tuple(dict.fromkeys(notices))


def _unknown(structures: Structures, base: AbstractPotential) -> list[str]:
    """Return the symbols of elements that a base does not support."""
    numbers = {int(Z) for one in structures.sets.everything for Z in one.numbers}
    return [chemical_symbols[Z] for Z in sorted(numbers - base.elements)]


def _maps_tried(spec: CompareSpec) -> list[ElementMap | None]:
    """Return the maps of elements, each once; scales are fitted in each cell."""
    tried = [one for entrant in spec.recipes for one in spec.maps_of(entrant)]
    plain = [one and (one.without_scales() or one) for one in tried]
    return list({one and one.words: one for one in plain}.values())


def examine_requested_base(request: dict[str, Any]) -> dict[str, Any]:
    """Examine a base for another environment.

    Parameters
    ----------
    request
        ``spec`` as a document, ``base`` and ``trust``.
    """
    spec = parse_compare_spec(request["spec"], "The comparison")
    structures = read_pool(spec)
    card, notices = examine_base(
        spec, request["base"], structures, trust=request["trust"]
    )
    return {"card": card.model_dump(mode="json"), "notices": notices}


def sizes_of(spec: CompareSpec, material: Material) -> tuple[int, ...]:
    """Return the numbers of labels, smallest first.

    Raises
    ------
    BadInputError
        One is larger than the pool.
    """
    n_pool = len(material.pool)
    if spec.sizes == "auto":
        return geometric_sizes(n_pool)
    n_aside = 0 if spec.validation else len(material.validation)
    require_sizes(spec.sizes, n_pool, n_aside=n_aside)
    return tuple(sorted(spec.sizes))


class Axis(NamedTuple):
    """One respect in which ways to adapt differ."""

    of_way: str
    """Field of `Way`."""
    values: Callable[[CompareSpec, Entrant], Sequence[Any]]
    """What is tried, for a recipe."""
    word: Callable[[CompareSpec, Any], str]
    """Names a value among several."""


def _stem(spec: CompareSpec, base: str) -> str:
    stems = {Path(one).name for one in spec.base}
    return Path(base).name if len(stems) == len(spec.base) else base


AXES = (
    Axis(
        "factor",
        lambda spec, entrant: spec.factors_of(entrant),
        lambda _, factor: f"×{factor:g}",
    ),
    Axis(
        "map",
        lambda spec, entrant: spec.maps_of(entrant),
        lambda _, wanted: "unmapped" if wanted is None else wanted.words,
    ),
    Axis(
        "base",
        lambda spec, _: spec.base,
        lambda spec, base: f"on {_stem(spec, base)}",
    ),
)
"""What is tried of every recipe, in the order in which names say it."""


def contestants_of(spec: CompareSpec) -> list[tuple[Contestant, Way]]:
    """Return every recipe at every point of every axis, named shortly.

    Parameters
    ----------
    spec
        The comparison.
    """
    found: list[tuple[Contestant, Way]] = []
    for entrant in spec.recipes:
        choices = [axis.values(spec, entrant) for axis in AXES]
        for point in itertools.product(*choices):
            words = [
                axis.word(spec, value)
                for axis, value, tried in zip(AXES, point, choices, strict=True)
                if len(tried) > 1
            ]
            fields = dict(zip((axis.of_way for axis in AXES), point, strict=True))
            way = Way(entrant=entrant, **fields)
            run = spec.run_of(way, seed=0)
            contestant = Contestant(
                name=" ".join([entrant.name, *words]),
                base=way.base,
                recipe=entrant.recipe,
                learning_rate=run.learning_rate,
                factor=way.factor,
                element_map=way.map and way.map.words,
                is_fresh=run.axes.starts.weights == "fresh",
            )
            found.append((contestant, way))
    return sorted(found, key=lambda one: spec.base.index(one[1].base))


def planned_cells(spec: CompareSpec, sizes: Sequence[int]) -> list[PlannedCell]:
    """Return the grid, one whole seed after the other: a first answer comes early.

    Parameters
    ----------
    spec
        The comparison.
    sizes
        Numbers of labels.
    """
    contestants = contestants_of(spec)
    return [
        PlannedCell(contestant=contestant, way=way, n_labels=n, seed=seed)
        for seed in spec.seeds
        for n in sizes
        for contestant, way in contestants
    ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellMaker:
    """Draws training sets and makes the cells of a campaign.

    Parameters
    ----------
    spec
        The comparison.
    material
        What was read.
    folder
        Of the campaign.
    trust
        Which checkpoints may run code.
    """

    spec: CompareSpec
    material: Material
    folder: Path
    trust: Trust

    def write_data(self, planned: Sequence[PlannedCell]) -> None:
        """Write the training sets, validation and test set where they are not yet.

        Raises
        ------
        StorageError
            The folder cannot be written.
        """
        place = self.folder / DATA
        make_folder(place)
        sets = {TEST: self.material.test}
        if self.material.validation:
            sets[VALIDATION] = self.material.validation
        sets |= {cell.training_file: self.training_set(cell) for cell in planned}
        for name, structures in sets.items():
            if not is_file(place / name):
                write_exactly(place / name, structures)

    def training_set(self, cell: PlannedCell) -> tuple[Atoms, ...]:
        """Return the structures of a cell: the first of an order that its seed sets."""
        pool = self.material.pool
        rng = numpy_generator(cell.seed, "training sets")
        order = nested_order(len(pool), rng)
        return tuple(pool[i] for i in order[: cell.n_labels])

    def cell(self, planned: PlannedCell) -> Cell:
        """Return a cell, pinned to its settings, structures and weights.

        Parameters
        ----------
        planned
            A point of the grid.
        """
        data = (self.folder / DATA).resolve()
        base = planned.contestant.base
        is_path = is_file(Path(base)) or is_folder(Path(base))
        run = self.spec.run_of(
            dataclasses.replace(
                planned.way, base=str(Path(base).resolve()) if is_path else base
            ),
            seed=planned.seed,
            train=(str(data / planned.training_file),),
        )
        has_validation = bool(self.material.validation)
        payload = CellPayload(
            run=run.model_dump(mode="json"),
            test=(str(data / TEST),),
            validation=(str(data / VALIDATION),) if has_validation else (),
            framework=self.material.bases[base].framework,
            trust=self.trust,
        )
        return Cell(
            name=planned.name,
            identity=self._identity(planned),
            payload=dataclasses.asdict(payload),
        )

    def _identity(self, planned: PlannedCell) -> str:
        """Hash everything that changes the numbers, and no path of this machine."""
        run = self.spec.run_of(planned.way, seed=planned.seed)
        settings = run.document(without={"base", "device"})
        parts = [
            json.dumps(settings, sort_keys=True),
            self.material.bases[planned.contestant.base].weights_hash,
            structures_fingerprint(self.training_set(planned)),
            structures_fingerprint(self.material.validation),
            structures_fingerprint(self.material.test),
        ]
        return fingerprint(part.encode() for part in parts)


def data_cards(spec: CompareSpec, material: Material) -> tuple[DataCard, ...]:
    """Describe pool, validation and test set for the result.

    Parameters
    ----------
    spec
        Knows the files as the user named them.
    material
        What was read from them.
    """
    sets = {
        "train": (spec.train, material.pool),
        "validation": (spec.validation or spec.train, material.validation),
        "test": (spec.test, material.test),
    }
    return tuple(
        data_card(role, files, structures)
        for role, (files, structures) in sets.items()
        if structures
    )
