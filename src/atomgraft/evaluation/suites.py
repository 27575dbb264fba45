"""The judge: every model on the same questions, however it was made."""

import dataclasses
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from atomgraft.core.errors import AtomgraftError, BadInputError
from atomgraft.core.properties import Property
from atomgraft.core.seeding import numpy_generator
from atomgraft.evaluation.consistency import consistency_scores
from atomgraft.evaluation.crystals import visible
from atomgraft.evaluation.differences import predicted_values
from atomgraft.evaluation.forgetting import forgetting_scores, probe_spreads
from atomgraft.evaluation.labels import label_changes, label_scores
from atomgraft.evaluation.parity import parity_points
from atomgraft.evaluation.rounding import rounding_scores
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import StructurePrediction, predict_structures
from atomgraft.records.scores import ModelName, Parity, Score

Progress = Callable[[str, int, int], None]
"""Called with what comes next, the number of steps done and their total."""

N_STEPS = 3
"""Steps for each model: labels, crystals, consistency."""

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
    _require_known(models, structures)
    announce = _announcer(progress, N_STEPS * len(models))
    judged = _Judged(models=models, seed=seed, announce=announce)
    scores, parity = judged.on_labels(structures)
    scores += judged.on_crystals(crystals, reference_shifts, training_elements)
    scores += judged.on_consistency(_probes(structures, crystals))
    return Assessment(scores=tuple(scores), parity=tuple(parity))


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Judged:
    """The models under judgement; each suite draws from a generator of its own."""

    models: Mapping[ModelName, AbstractPotential]
    seed: int
    announce: Callable[[str], None]

    def on_labels(
        self, structures: Sequence[Atoms]
    ) -> tuple[list[Score], list[Parity]]:
        """Measure the errors of every model and their change from the base."""
        found: dict[ModelName, list[StructurePrediction]] = {}
        for name, potential in self.models.items():
            self.announce(f"{name}: held-out labels")
            found[name] = _predictions(name, potential, structures)
        scores: list[Score] = []
        parity: list[Parity] = []
        for name, predictions in found.items():
            scores += label_scores(name, predictions, structures)
            if name != "base":
                scores += label_changes(name, found["base"], predictions, structures)
            scores += rounding_scores(name, self.models[name], predictions, structures)
            parity += parity_points(name, predictions, structures)
        return scores, parity

    def on_crystals(
        self,
        crystals: Sequence[Atoms],
        reference_shifts: Mapping[ModelName, Mapping[int, float]],
        training_elements: Collection[int],
    ) -> list[Score]:
        """Measure the drift of every model on the crystals it shares with the base."""
        base = self.models["base"]
        seen = visible(crystals, base.elements)
        sources = _predictions("base", base, seen)
        scores = list(probe_spreads(sources, seen, training_elements))
        for name, potential in self.models.items():
            self.announce(f"{name}: drift on {len(seen)} crystals")
            pairs = [
                (atoms, source)
                for atoms, source in zip(seen, sources, strict=True)
                if visible([atoms], potential.elements)
            ]
            shared = [atoms for atoms, _ in pairs]
            rows = forgetting_scores(
                name,
                [source for _, source in pairs],
                sources if name == "base" else _predictions(name, potential, shared),
                shared,
                reference_shifts=reference_shifts.get(name, {}),
                training_elements=training_elements,
            )
            # the base does not drift from itself: one row of zeros says it all
            scores += [
                row
                for row in rows
                if name != "base" or (row.metric == "drift" and row.group is None)
            ]
        return scores

    def on_consistency(self, structures: Sequence[Atoms]) -> list[Score]:
        """Probe derivatives and rotations of every model on the same few structures."""
        scores: list[Score] = []
        for name, potential in self.models.items():
            self.announce(f"{name}: consistency")
            rng = numpy_generator(self.seed, "consistency")
            probes = visible(structures, potential.elements)
            scores += consistency_scores(name, potential, probes, rng)
        return scores


def _announcer(progress: Progress | None, n_steps: int) -> Callable[[str], None]:
    steps = itertools.count()

    def announce(what: str) -> None:
        done = next(steps)
        if progress is not None:
            progress(what, done, n_steps)

    return announce


def _probes(structures: Sequence[Atoms], crystals: Sequence[Atoms]) -> list[Atoms]:
    """Return the smallest held-out structures, which cost least, and first crystals."""
    return [*sorted(structures, key=len)[:N_PROBED], *crystals[:N_PROBED]]


def _require_known(
    models: Mapping[ModelName, AbstractPotential], structures: Sequence[Atoms]
) -> None:
    if "base" not in models:
        raise BadInputError(
            f"The models to judge are {', '.join(models) or 'none'}.",
            "The base is needed: everything is compared with it.",
            "Give it under the name 'base'.",
        )
    present = {int(Z) for atoms in structures for Z in atoms.numbers}
    for name, potential in models.items():
        unknown = sorted(present - potential.elements)
        if unknown:
            raise BadInputError(
                f"The structures to judge on contain "
                f"{', '.join(chemical_symbols[Z] for Z in unknown)}.",
                f"The model '{name}' does not know them.",
                "Leave these structures out, or take a base that knows them.",
            )


def _predictions(
    name: ModelName, potential: AbstractPotential, structures: Sequence[Atoms]
) -> list[StructurePrediction]:
    predictions = list(predict_structures(potential, structures))
    for frame, (one, atoms) in enumerate(zip(predictions, structures, strict=True)):
        for quantity in Property:
            if not np.isfinite(predicted_values(one, quantity)).all():
                raise AtomgraftError(
                    f"The model '{name}' predicts {quantity.value} that are not finite "
                    f"for structure {frame} ({atoms.get_chemical_formula()}).",
                    "Finite numbers are needed.",
                    "Train it again with a lower learning rate, and look at the frame.",
                )
    return predictions
