"""Errors on held-out labels, with intervals, and the points of the parity plots."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.core.seeding import numpy_generator
from atomgraft.evaluation.deviations import (
    Differences,
    aligned,
    composition_part,
    label_differences,
    labelled_values,
    predicted_values,
    score,
    sureness_fields,
)
from atomgraft.evaluation.trajectories import Relatives, find_relatives
from atomgraft.models.prediction import StructurePrediction
from atomgraft.records.scores import ModelName, Parity, Score

SUITE = "labels"

VALIDATION = "validation"
"""The suite of the same errors on structures that choose between models, and that judge
none of them."""

SMALLEST_DIRECTED_FORCE = 1.0
"""meV/Å; below it, the direction of a reference force is numerical noise."""


def label_scores(
    model: ModelName,
    predictions: Sequence[StructurePrediction],
    structures: Sequence[Atoms],
) -> tuple[Score, ...]:
    """Return the errors of one model on labelled structures.

    Energies are compared per atom, forces and stresses component by component.
    The metrics ``mae_aligned`` and ``rmse_aligned`` are those of energies after
    the best shift per element was taken out. A label that is missing is left out,
    and so is a quantity that no structure carries. Where structures have more
    than one ``config_type``, each of them is a group of its own too.

    Parameters
    ----------
    model
        Whose predictions these are.
    predictions
        One for each structure, in order.
    structures
        With labels.

    Examples
    --------
    >>> atoms = Atoms("H", info={"REF_energy": -1.0})
    >>> wrong = StructurePrediction(
    ...     energy=-1.5, forces=np.zeros((1, 3)), stress=np.zeros(6)
    ... )
    >>> row = label_scores("base", [wrong], [atoms])[0]
    >>> row.metric, row.value, row.unit
    ('mae', 500.0, 'meV/atom')
    """
    rows: list[Score] = []
    relatives = find_relatives(structures)
    for quantity in Property:
        differences = label_differences(predictions, structures, quantity)
        if not differences.frames:
            continue
        rows += _errors(differences, model, relatives, None)
        flat = aligned(differences, structures)
        rows += [] if flat is None else _aligned_errors(flat, model, relatives)
        if quantity is Property.FORCES:
            rows += _force_shape(differences, structures, model)
        for group, frames in _groups(structures):
            part = differences.of(frames)
            rows += _errors(part, model, relatives, group) if part.frames else []
    return tuple(rows)


def label_changes(
    model: ModelName,
    base_predictions: Sequence[StructurePrediction],
    predictions: Sequence[StructurePrediction],
    structures: Sequence[Atoms],
) -> tuple[Score, ...]:
    """Return by how much the error of a model differs from the base's.

    The rows are called ``mae_change`` (and ``mae_aligned_change``): error of the
    model minus error of the base, negative where the model is better. Both are
    measured on the same structures, so the interval is that of the difference, and is
    narrower than the intervals of the two errors suggest.

    Parameters
    ----------
    model
        Whose `predictions` these are.
    base_predictions
        Of the model it is compared with.
    predictions
        One for each structure, in order.
    structures
        With labels.

    Examples
    --------
    >>> atoms = Atoms("H", info={"REF_energy": -1.0})
    >>> wrong, right = (
    ...     StructurePrediction(energy=E, forces=np.zeros((1, 3)), stress=np.zeros(6))
    ...     for E in (-1.5, -1.0)
    ... )
    >>> label_changes("adapted", [wrong], [right], [atoms])[0].value
    -500.0
    """
    rows: list[Score] = []
    relatives = find_relatives(structures)
    for quantity in Property:
        before = label_differences(base_predictions, structures, quantity)
        after = label_differences(predictions, structures, quantity)
        if not after.frames:
            continue
        rows.append(_change(before, after, "mae_change", model, relatives))
        flat_before, flat_after = (
            aligned(before, structures),
            aligned(after, structures),
        )
        if flat_before is not None and flat_after is not None:
            rows.append(
                _change(flat_before, flat_after, "mae_aligned_change", model, relatives)
            )
    return tuple(rows)


def _errors(
    differences: Differences,
    model: ModelName,
    relatives: Relatives,
    group: str | None,
) -> list[Score]:
    return [
        score(
            differences,
            metric,
            model=model,
            suite=SUITE,
            relatives=relatives,
            group=group,
        )
        for metric in ("mae", "rmse")
    ]


def _aligned_errors(
    differences: Differences, model: ModelName, relatives: Relatives
) -> list[Score]:
    return [
        score(differences, metric, model=model, suite=SUITE, relatives=relatives)
        for metric in ("mae_aligned", "rmse_aligned")
    ]


def _change(
    before: Differences,
    after: Differences,
    metric: Literal["mae_change", "mae_aligned_change"],
    model: ModelName,
    relatives: Relatives,
) -> Score:
    counts = after.counts()
    old, new = before.sums(is_squared=False), after.sums(is_squared=False)
    return Score(
        model=model,
        suite=SUITE,
        quantity=after.quantity.value,
        metric=metric,
        value=float((new.sum() - old.sum()) / counts.sum()),
        unit=PROPERTIES[after.quantity].report_unit,
        n=len(after.frames),
        **sureness_fields(
            new - old,
            counts,
            after.frames,
            relatives,
            is_signed=True,
            leverages=after.leverages,
        ),
    )


def _force_shape(
    differences: Differences, structures: Sequence[Atoms], model: ModelName
) -> Iterator[Score]:
    """Yield the relative error of forces and how well their directions agree.

    A row is left out where it is undefined: no reference force differs from zero.
    """
    found = [
        labelled_values(structures[i], Property.FORCES) for i in differences.frames
    ]
    reference = np.concatenate([one for one in found if one is not None])
    error = np.concatenate(differences.values)
    size = float(np.sqrt(np.mean(reference**2)))
    cosine = _mean_cosine((reference + error).reshape(-1, 3), reference.reshape(-1, 3))
    rows = {
        "relative_rmse": (size and 100 * float(np.sqrt(np.mean(error**2))) / size, "%"),
        "direction": (cosine, "1"),
    }
    for metric, (value, unit) in rows.items():
        if size > 0 and value is not None:
            yield Score(
                model=model,
                suite=SUITE,
                quantity=Property.FORCES.value,
                metric=metric,
                value=value,
                unit=unit,
                n=len(differences.frames),
            )


def _mean_cosine(
    predicted: Float[np.ndarray, "atoms 3"], reference: Float[np.ndarray, "atoms 3"]
) -> float | None:
    """Return the mean cosine between forces; a vanishing prediction counts as 0."""
    lengths = np.linalg.norm(reference, axis=1)
    has_direction = lengths > SMALLEST_DIRECTED_FORCE
    if not has_direction.any():
        return None
    products = np.linalg.norm(predicted, axis=1) * lengths
    dots = np.einsum("ai,ai->a", predicted, reference)
    cosines = np.divide(dots, products, out=np.zeros_like(dots), where=products > 0)
    return float(cosines[has_direction].mean())


def _groups(structures: Sequence[Atoms]) -> list[tuple[str, frozenset[int]]]:
    """Return the structures of each ``config_type``; nothing where all are alike."""
    types = [str(atoms.info.get("config_type", "none")) for atoms in structures]
    if len(set(types)) < 2:
        return []
    return [
        (
            f"config_type:{name}",
            frozenset(i for i, one in enumerate(types) if one == name),
        )
        for name in sorted(set(types))
    ]


MOST_POINTS = 2000


def parity_points(
    model: ModelName,
    predictions: Sequence[StructurePrediction],
    structures: Sequence[Atoms],
    *,
    most: int = MOST_POINTS,
) -> tuple[Parity, ...]:
    """Return at most `most` points for each quantity that has labels.

    The choice depends on the number of points alone, so the same components are
    shown for every model and in every run. Energies are relative, and the unit
    says so: the part that the composition alone explains is taken out of both
    axes, each by its own fit, because the offset between two levels of theory
    would flatten everything else. Where structures are too few for that, energies
    stay as they are.

    Parameters
    ----------
    model
        Whose predictions these are.
    predictions
        One for each structure, in order.
    structures
        With labels.
    most
        Largest number of points.

    Examples
    --------
    >>> atoms = Atoms("H", info={"REF_energy": -1.0})
    >>> wrong = StructurePrediction(
    ...     energy=-1.5, forces=np.zeros((1, 3)), stress=np.zeros(6)
    ... )
    >>> (points,) = parity_points("base", [wrong], [atoms])
    >>> points.reference, points.predicted, points.unit
    ((-1000.0,), (-1500.0,), 'meV/atom')
    """
    found: list[Parity] = []
    for quantity in Property:
        pairs = [
            (atoms, label, predicted_values(prediction, quantity))
            for prediction, atoms in zip(predictions, structures, strict=True)
            if (label := labelled_values(atoms, quantity)) is not None
        ]
        if not pairs:
            continue
        labelled = [atoms for atoms, _, _ in pairs]
        reference = np.concatenate([label for _, label, _ in pairs])
        predicted = np.concatenate([value for _, _, value in pairs])
        unit = PROPERTIES[quantity].report_unit
        if quantity is Property.ENERGY:
            reference, predicted, unit = _relative(labelled, reference, predicted, unit)
        found.append(_thinned(model, quantity, unit, reference, predicted, most))
    return tuple(found)


def _relative(
    structures: Sequence[Atoms],
    reference: Float[np.ndarray, " frames"],
    predicted: Float[np.ndarray, " frames"],
    unit: str,
) -> tuple[Float[np.ndarray, " frames"], Float[np.ndarray, " frames"], str]:
    explained = [composition_part(structures, one) for one in (reference, predicted)]
    if explained[0] is None or explained[1] is None:
        return reference, predicted, unit
    return reference - explained[0], predicted - explained[1], f"{unit}, relative"


def _thinned(
    model: ModelName,
    quantity: Property,
    unit: str,
    reference: Float[np.ndarray, " points"],
    predicted: Float[np.ndarray, " points"],
    most: int,
) -> Parity:
    n_points = len(reference)
    kept = np.arange(n_points)
    if n_points > most:
        rng = numpy_generator(0, "parity", quantity.value)
        kept = np.sort(rng.choice(n_points, size=most, replace=False))
    return Parity(
        model=model,
        quantity=quantity.value,
        unit=unit,
        reference=tuple(reference[kept].tolist()),
        predicted=tuple(predicted[kept].tolist()),
        n_total=n_points,
    )
