"""Drift of predictions from the source on crystals without labels.

The shipped crystals are about 60 prototype structures of at most 12 atoms, each
strained and rattled a little (0.05 Å) so that forces and stresses are not zero by
symmetry. They carry no labels: two models are compared there. Made by
``scripts/crystals/make_crystals.py``.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.data.ase_files import packaged_crystals
from atomgraft.evaluation.deviations import Differences, predicted_values, score
from atomgraft.models.prediction import StructurePrediction
from atomgraft.records.scores import ModelName, Score

SUITE = "forgetting"

SPREAD = "spread"


def forgetting_scores(
    model: ModelName,
    source_predictions: Sequence[StructurePrediction],
    predictions: Sequence[StructurePrediction],
    crystals: Sequence[Atoms],
    *,
    reference_shifts: Mapping[int, float],
    training_elements: Collection[int],
) -> tuple[Score, ...]:
    """Return the drift of a model from its source on the crystals.

    ``drift`` is the mean absolute difference between the two models. Energies are
    compared per atom after the *declared* shifts of the reference energies were
    taken off the model; nothing is fitted to the crystals, so a shift that was
    not declared counts as drift.

    Groups: ``near`` (crystals with at least one element of the training set),
    ``far`` (none of them), ``element:Si`` (crystals that contain it). The metric
    ``worst`` is the largest drift of one crystal, which its group names.

    Parameters
    ----------
    model
        Whose `predictions` these are.
    source_predictions
        One for each crystal, of the model it started from.
    predictions
        One for each crystal, of the model.
    crystals
        With ``info["name"]``.
    reference_shifts
        eV per atom, by atomic number: reference energies of `model` minus those
        of the source.
    training_elements
        Atomic numbers of the training set.

    Examples
    --------
    >>> atoms = Atoms("H", info={"name": "H"})
    >>> source, moved = (
    ...     StructurePrediction(energy=E, forces=np.zeros((1, 3)), stress=np.zeros(6))
    ...     for E in (-1.0, -1.75)
    ... )
    >>> rows = forgetting_scores(
    ...     "adapted",
    ...     [source],
    ...     [moved],
    ...     [atoms],
    ...     reference_shifts={1: -0.5},
    ...     training_elements={1},
    ... )
    >>> rows[0].metric, rows[0].value, rows[0].unit
    ('drift', 250.0, 'meV/atom')
    """
    groups = _groups(crystals, training_elements)
    rows: list[Score] = []
    for quantity in Property if crystals else ():
        drift = _differences(
            source_predictions, predictions, crystals, quantity, reference_shifts
        )
        rows.append(score(drift, "drift", model=model, suite=SUITE))
        rows.append(_worst(drift, crystals, model))
        rows += [
            score(
                drift.of(frames),
                "drift",
                model=model,
                suite=SUITE,
                group=group,
            )
            for group, frames in groups
        ]
    return tuple(rows)


def probe_spreads(
    source_predictions: Sequence[StructurePrediction],
    crystals: Sequence[Atoms],
    training_elements: Collection[int],
) -> tuple[Score, ...]:
    """Return how large forces and stresses of the source are on the crystals.

    The rows are called ``spread`` and belong to the base: the mean absolute component,
    overall and in the groups ``near`` and ``far``. Drift is measured by it.

    Parameters
    ----------
    source_predictions
        One for each crystal.
    crystals
        As for :func:`forgetting_scores`.
    training_elements
        Atomic numbers of the training set.

    Examples
    --------
    >>> one = StructurePrediction(
    ...     energy=-1.0, forces=np.full((1, 3), 0.3), stress=np.zeros(6)
    ... )
    >>> rows = probe_spreads([one], [Atoms("H")], {1})
    >>> rows[0].metric, rows[0].value, rows[0].unit
    ('spread', 300.0, 'meV/Å')
    """
    groups = [
        (None, frozenset(range(len(crystals)))),
        *_parts(crystals, training_elements),
    ]
    rows: list[Score] = []
    for quantity in (Property.FORCES, Property.STRESS):
        values = [predicted_values(one, quantity) for one in source_predictions]
        rows += [
            Score(
                model="base",
                suite=SUITE,
                quantity=quantity.value,
                metric=SPREAD,
                value=float(np.abs(np.concatenate([values[i] for i in frames])).mean()),
                unit=PROPERTIES[quantity].report_unit,
                n=len(frames),
                group=group,
            )
            for group, frames in groups
            if frames
        ]
    return tuple(rows)


def _differences(
    source_predictions: Sequence[StructurePrediction],
    predictions: Sequence[StructurePrediction],
    crystals: Sequence[Atoms],
    quantity: Property,
    reference_shifts: Mapping[int, float],
) -> Differences:
    values: list[np.ndarray] = []
    for source, prediction, atoms in zip(
        source_predictions, predictions, crystals, strict=True
    ):
        value = predicted_values(prediction, quantity)
        if quantity is Property.ENERGY:
            shift = np.mean([reference_shifts.get(int(Z), 0.0) for Z in atoms.numbers])
            value = value - shift * PROPERTIES[quantity].report_factor
        values.append(value - predicted_values(source, quantity))
    return Differences(
        quantity=quantity, frames=tuple(range(len(crystals))), values=tuple(values)
    )


def _worst(drift: Differences, crystals: Sequence[Atoms], model: ModelName) -> Score:
    means = drift.sums(is_squared=False) / drift.counts()
    frame = int(np.argmax(means))
    return Score(
        model=model,
        suite=SUITE,
        quantity=drift.quantity.value,
        metric="worst",
        value=float(means[frame]),
        unit=PROPERTIES[drift.quantity].report_unit,
        n=1,
        group=f"crystal:{crystals[frame].info['name']}",
    )


def _groups(
    crystals: Sequence[Atoms], training_elements: Collection[int]
) -> list[tuple[str, frozenset[int]]]:
    """Return the crystals of each group that is not empty."""
    contents = _contents(crystals)
    groups = _parts(crystals, training_elements)
    groups += [
        (
            f"element:{chemical_symbols[Z]}",
            frozenset(i for i, numbers in enumerate(contents) if Z in numbers),
        )
        for Z in sorted(frozenset().union(*contents))
    ]
    return groups


def _parts(
    crystals: Sequence[Atoms], training_elements: Collection[int]
) -> list[tuple[str, frozenset[int]]]:
    """Return the crystals with and without a trained element, if there are any."""
    trained = frozenset(training_elements)
    near = frozenset(i for i, one in enumerate(_contents(crystals)) if one & trained)
    far = frozenset(range(len(crystals))) - near
    return [(group, part) for group, part in (("near", near), ("far", far)) if part]


def _contents(crystals: Sequence[Atoms]) -> list[frozenset[int]]:
    return [frozenset(int(Z) for Z in atoms.numbers) for atoms in crystals]


def shipped_crystals() -> list[Atoms]:
    """Return the shipped crystals.

    Returns
    -------
    :
        Periodic structures with ``info["name"]`` (formula and prototype, unique)
        and ``info["prototype"]``; lengths in Å.

    Examples
    --------
    >>> shipped_crystals()[0].info["prototype"]
    'diamond'
    """
    return packaged_crystals("atomgraft.evaluation")


def visible(crystals: Sequence[Atoms], elements: Collection[int]) -> list[Atoms]:
    """Return the crystals that consist of the given elements only.

    Parameters
    ----------
    crystals
        Any structures.
    elements
        Atomic numbers a potential can see.

    Examples
    --------
    >>> [str(atoms.symbols) for atoms in visible([Atoms("H2"), Atoms("CO")], {1, 6})]
    ['H2']
    """
    known = frozenset(elements)
    return [
        atoms for atoms in crystals if known.issuperset(int(Z) for Z in atoms.numbers)
    ]
