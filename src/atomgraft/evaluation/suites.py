"""Labels, forgetting and consistency: the suites that every run is judged by."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, final

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from atomgraft.core.errors import AtomgraftError, BadInputError
from atomgraft.core.progress import Progress, told
from atomgraft.core.properties import Property
from atomgraft.core.seeding import numpy_generator
from atomgraft.evaluation import consistency, forgetting, labels
from atomgraft.evaluation.consistency import consistency_scores, rounding_scores
from atomgraft.evaluation.deviations import predicted_values
from atomgraft.evaluation.forgetting import (
    forgetting_scores,
    probe_spreads,
    shipped_crystals,
    visible,
)
from atomgraft.evaluation.labels import label_changes, label_scores, parity_points
from atomgraft.evaluation.suite import (
    CONSISTENCY_WORDS,
    FORGETTING_WORDS,
    LABEL_WORDS,
    AbstractSuite,
    Answers,
    Contestants,
    Subject,
    SuiteOptions,
)
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import StructurePrediction, predict_structures
from atomgraft.records.scores import ModelName, Parity, Score

N_PROBED = 2
"""Held-out structures, and crystals, on which derivatives are checked."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Assessment:
    """What was measured, for all models.

    Parameters
    ----------
    scores
        One row a number.
    parity
        Points of the parity plots.
    """

    scores: tuple[Score, ...]
    parity: tuple[Parity, ...]


def assess(
    models: Mapping[ModelName, AbstractPotential],
    structures: Sequence[Atoms],
    *,
    crystals: Sequence[Atoms],
    reference_shifts: Mapping[ModelName, Mapping[int, float]],
    training_elements: Collection[int],
    seed: int,
    progress: Progress | None = None,
) -> Assessment:
    """Measure errors, drift and consistency of all models side by side.

    Label errors and drift are measured in each potential's own precision, on its
    own device; consistency on a copy in float64, and what the precision costs on a few
    structures.

    Parameters
    ----------
    models
        With ``base``, which is the source that the others are compared with.
    structures
        Held out, with labels; may be empty.
    crystals
        Structures on which drift from the base is measured; each model is asked
        only for those whose elements both it and the base know.
    reference_shifts
        By model, eV per atom by atomic number: its reference energies minus the
        base's. A model that is not named has not been shifted.
    training_elements
        Atomic numbers of the training set: crystals with any of them are near.
    seed
        Of the probes.
    progress
        Called before every step.

    Raises
    ------
    BadInputError
        There is no base, or a model does not know an element of `structures`.
    AtomgraftError
        A model predicts NaN or infinity.

    Examples
    --------
    >>> from atomgraft.models.pair import lennard_jones
    >>> argon = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=8.5)
    >>> found = assess(
    ...     {"base": argon},
    ...     [],
    ...     crystals=[Atoms("Ar", info={"name": "Ar"})],
    ...     reference_shifts={},
    ...     training_elements={18},
    ...     seed=0,
    ... )
    >>> sorted({row.suite for row in found.scores})
    ['consistency', 'forgetting']
    """
    require_known(models, structures)
    subject = Subject(
        files=(),
        structures=structures,
        elements=training_elements,
        base=models["base"],
    )
    contestants = Contestants(
        models=models, reference_shifts=reference_shifts, seed=seed
    )
    suites: list[AbstractSuite] = [
        *([LabelSuite(subject, SuiteOptions())] if structures else []),
        ForgettingSuite(subject, SuiteOptions(), crystals),
        ConsistencySuite(subject, SuiteOptions(), crystals),
    ]
    found = [one.ask(contestants, progress) for one in suites]
    return Assessment(
        scores=tuple(row for one in found for row in one.scores),
        parity=parity_of(found[0].details),
    )


def parity_of(details: Mapping[str, Any]) -> tuple[Parity, ...]:
    """Return the points of the parity plots that held-out labels have left."""
    return tuple(Parity.model_validate(one) for one in details.get("parity", ()))


@final
class LabelSuite(AbstractSuite):
    """Errors on held-out labels, their change from the base, and rounding."""

    name = labels.SUITE
    title, caption = LABEL_WORDS

    def __init__(self, subject: Subject, options: SuiteOptions) -> None:
        if not subject.structures:
            raise BadInputError(
                "The suite 'labels' needs held-out structures, and none were given.",
                "Expected labelled structures that were not used for training.",
                "Name the files: --test FILE",
            )
        self.structures = subject.structures

    def ask(
        self, contestants: Contestants, progress: Progress | None = None
    ) -> Answers:
        """Measure the errors of every model and their change from the base."""
        require_known(contestants.models, self.structures)
        found: dict[ModelName, list[StructurePrediction]] = {}
        for name, potential in contestants.models.items():
            found[name] = finite_predictions(
                name, potential, self.structures, progress, "held-out labels"
            )
        scores: list[Score] = []
        parity: list[Parity] = []
        for name, predictions in found.items():
            asked = name, predictions, self.structures
            errors = label_scores(*asked)
            scores += errors
            if name != "base":
                scores += label_changes(
                    name, found["base"], predictions, self.structures
                )
            judged = {row.quantity for row in errors}
            potential = contestants.models[name]
            scores += [
                row
                for row in rounding_scores(
                    name, potential, predictions, self.structures
                )
                if row.quantity in judged
            ]
            parity += parity_points(*asked)
        return Answers(
            scores=tuple(scores),
            details={"parity": [one.model_dump(mode="json") for one in parity]},
        )


@final
class ForgettingSuite(AbstractSuite):
    """The drift of every model on the crystals it shares with the base."""

    name = forgetting.SUITE
    title, caption = FORGETTING_WORDS

    def __init__(
        self,
        subject: Subject,
        options: SuiteOptions,
        crystals: Sequence[Atoms] | None = None,
    ) -> None:
        self.elements = subject.elements
        self.crystals = shipped_crystals() if crystals is None else crystals

    def ask(
        self, contestants: Contestants, progress: Progress | None = None
    ) -> Answers:
        """Measure the drift of every model; of the base, a row for each quantity.

        The rows of the base are zero, or after an element map the drift of the map.
        """
        base = contestants.models["base"]
        source = contestants.original or base
        map_shifts = reference_changes(source, base)
        seen = visible(self.crystals, source.elements)
        what = "crystals it may have forgotten"
        sources = finite_predictions("base", source, seen, progress, what)
        scores = list(probe_spreads(sources, seen, self.elements))
        for name, potential in contestants.models.items():
            pairs = [
                (atoms, told)
                for atoms, told in zip(seen, sources, strict=True)
                if visible([atoms], potential.elements)
            ]
            shared = [atoms for atoms, _ in pairs]
            own_shifts = contestants.reference_shifts.get(name, {})
            rows = forgetting_scores(
                name,
                [told for _, told in pairs],
                sources
                if potential is source
                else finite_predictions(name, potential, shared, progress, what),
                shared,
                reference_shifts={
                    number: own_shifts.get(number, 0.0) + map_shifts.get(number, 0.0)
                    for number in {*own_shifts, *map_shifts}
                },
                training_elements=self.elements,
            )
            of_base = {None} if source is base else {None, "near", "far"}
            scores += [
                row
                for row in rows
                if name != "base" or (row.metric == "drift" and row.group in of_base)
            ]
        return Answers(scores=tuple(scores))


def reference_changes(
    source: AbstractPotential, base: AbstractPotential
) -> dict[int, float]:
    """Return how an element map has changed reference energies.

    Parameters
    ----------
    source
        Before the map.
    base
        After it; or the same.

    Returns
    -------
    :
        eV per atom by atomic number, for elements that both know.

    Examples
    --------
    >>> from atomgraft.models.pair import lennard_jones
    >>> argon = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=8.5)
    >>> reference_changes(argon, argon)
    {}
    """
    if source is base:
        return {}
    before, after = source.reference_table(), base.reference_table()
    return {
        number: float(after[number] - before[number])
        for number in sorted(source.elements & base.elements)
    }


@final
class ConsistencySuite(AbstractSuite):
    """Derivatives and rotations of every model, probed on the same few structures."""

    name = consistency.SUITE
    title, caption = CONSISTENCY_WORDS

    def __init__(
        self,
        subject: Subject,
        options: SuiteOptions,
        crystals: Sequence[Atoms] | None = None,
    ) -> None:
        known = shipped_crystals() if crystals is None else crystals
        self.structures = _probes(subject.structures, known)

    def ask(
        self, contestants: Contestants, progress: Progress | None = None
    ) -> Answers:
        """Probe every model; each draws from a generator of its own."""
        scores: list[Score] = []
        n = len(contestants.models)
        for i, (name, potential) in enumerate(contestants.models.items()):
            if progress is not None:
                progress(f"{name}: consistency", i, n)
            rng = numpy_generator(contestants.seed, "consistency")
            probes = visible(self.structures, potential.elements)
            scores += consistency_scores(name, potential, probes, rng)
        return Answers(scores=tuple(scores))


def _probes(structures: Sequence[Atoms], crystals: Sequence[Atoms]) -> list[Atoms]:
    """Return the smallest held-out structures, which cost least, and first crystals."""
    return [*sorted(structures, key=len)[:N_PROBED], *crystals[:N_PROBED]]


def require_known(
    models: Mapping[ModelName, AbstractPotential], structures: Sequence[Atoms]
) -> None:
    """Check that there is a base, and that all models know all elements.

    Raises
    ------
    BadInputError
        It is not so.
    """
    if "base" not in models:
        raise BadInputError(
            f"The models to judge are {', '.join(models) or 'none'}.",
            "The base is needed: all models are compared with it.",
            "Give it under the name 'base'.",
        )
    present = {int(Z) for atoms in structures for Z in atoms.numbers}
    for name, potential in models.items():
        unknown = sorted(present - potential.elements)
        if unknown:
            raise BadInputError(
                f"The structures to judge on contain "
                f"{', '.join(chemical_symbols[Z] for Z in unknown)}.",
                f"The model '{name}' does not support these elements.",
                "Leave these structures out, or use a base that supports these "
                "elements.",
            )


def finite_predictions(
    name: str,
    potential: AbstractPotential,
    structures: Sequence[Atoms],
    progress: Progress | None,
    what: str,
) -> list[StructurePrediction]:
    """Return the predictions of a model.

    Parameters
    ----------
    name, what
        The model, and what it is asked for, in words.
    potential
        The model.
    structures
        What it is asked about.
    progress
        Called before every step.

    Raises
    ------
    AtomgraftError
        A number is not finite.
    """
    found = predict_structures(potential, structures)
    predictions = list(told(found, f"{name}: {what}", len(structures), progress))
    for frame, (one, atoms) in enumerate(zip(predictions, structures, strict=True)):
        for quantity in Property:
            if not np.isfinite(predicted_values(one, quantity)).all():
                raise AtomgraftError(
                    f"The model '{name}' predicts {quantity.value} that are not finite "
                    f"for structure {frame} ({atoms.get_chemical_formula()}).",
                    "Expected finite numbers.",
                    "Train it again with a lower learning rate, and check the frame.",
                )
    return predictions
