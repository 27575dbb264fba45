"""Points of the parity plots: predicted against reference, thinned for a page."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.core.seeding import numpy_generator
from atomgraft.evaluation.alignment import composition_part
from atomgraft.evaluation.differences import labelled_values, predicted_values
from atomgraft.models.prediction import StructurePrediction
from atomgraft.records.scores import ModelName, Parity

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
