"""Differences between predictions and references, structure by structure."""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.data.labels import energy_of, forces_of, stress_of
from atomgraft.evaluation.sureness import sureness_fields
from atomgraft.evaluation.trajectories import Relatives
from atomgraft.models.prediction import StructurePrediction
from atomgraft.records.scores import ModelName, Score


@dataclasses.dataclass(frozen=True, kw_only=True)
class Differences:
    """Predicted minus reference of one quantity, in report units.

    Parameters
    ----------
    quantity
        Which property.
    frames
        Positions, in the list they came from, of the structures that have it.
    values
        The components of each of these structures, flat; meV/atom, meV/Å or GPa.
    leverages
        Of these structures in the fit that was taken off; none where none was.
    """

    quantity: Property
    frames: tuple[int, ...]
    values: tuple[Float[np.ndarray, " _"], ...]
    leverages: Float[np.ndarray, " frames"] | None = None

    def of(self, frames: Collection[int]) -> "Differences":
        """Return the part that belongs to some of the structures."""
        kept = [i for i, frame in enumerate(self.frames) if frame in frames]
        return Differences(
            quantity=self.quantity,
            frames=tuple(self.frames[i] for i in kept),
            values=tuple(self.values[i] for i in kept),
            leverages=None if self.leverages is None else self.leverages[kept],
        )

    def sums(self, *, is_squared: bool) -> Float[np.ndarray, " frames"]:
        """Return the sum of absolute or squared components of each structure."""
        power = 2 if is_squared else 1
        return np.array([float((np.abs(one) ** power).sum()) for one in self.values])

    def counts(self) -> Float[np.ndarray, " frames"]:
        """Return the number of components of each structure."""
        return np.array([float(one.size) for one in self.values])


def predicted_values(
    prediction: StructurePrediction, quantity: Property
) -> Float[np.ndarray, " components"]:
    """Return one predicted property, flat: meV/atom, meV/Å or GPa."""
    internal = {
        Property.ENERGY: np.array([prediction.energy / len(prediction.forces)]),
        Property.FORCES: prediction.forces.ravel(),
        Property.STRESS: prediction.stress,
    }[quantity]
    return np.asarray(internal, dtype=float) * PROPERTIES[quantity].report_factor


def labelled_values(
    atoms: Atoms, quantity: Property
) -> Float[np.ndarray, " components"] | None:
    """Return one label, flat, or none: meV/atom, meV/Å or GPa.

    The stress of a structure that does not fill space is undefined, so it counts
    as absent.

    Examples
    --------
    >>> labelled_values(
    ...     Atoms("H2", info={"REF_energy": -3.0}), Property.ENERGY
    ... ).tolist()
    [-1500.0]
    >>> labelled_values(Atoms("H2"), Property.FORCES) is None
    True

    Examples
    --------
    >>> one = StructurePrediction(
    ...     energy=-3.0, forces=np.zeros((2, 3)), stress=np.ones(6)
    ... )
    >>> predicted_values(one, Property.ENERGY).tolist()
    [-1500.0]
    """
    internal: np.ndarray | None = None
    if quantity is Property.ENERGY:
        energy = energy_of(atoms)
        internal = None if energy is None else np.array([energy / len(atoms)])
    elif quantity is Property.FORCES:
        internal = forces_of(atoms)
    elif quantity is Property.STRESS and atoms.cell.rank == 3:
        internal = stress_of(atoms)
    if internal is None:
        return None
    return (
        np.asarray(internal, dtype=float).ravel() * PROPERTIES[quantity].report_factor
    )


def label_differences(
    predictions: Sequence[StructurePrediction],
    structures: Sequence[Atoms],
    quantity: Property,
) -> Differences:
    """Compare predictions with labels; structures without the label are left out."""
    values = {
        frame: predicted_values(prediction, quantity) - label
        for frame, (prediction, atoms) in enumerate(
            zip(predictions, structures, strict=True)
        )
        if (label := labelled_values(atoms, quantity)) is not None
    }
    return Differences(
        quantity=quantity, frames=tuple(values), values=tuple(values.values())
    )


def score(
    differences: Differences,
    metric: Literal["mae", "rmse", "mae_aligned", "rmse_aligned", "drift"],
    *,
    model: ModelName,
    suite: str,
    relatives: Relatives | None = None,
    group: str | None = None,
) -> Score:
    """Return the mean absolute or root mean square difference with its interval.

    Parameters
    ----------
    differences
        Of at least one structure.
    metric
        The name on the row; a name with ``rmse`` asks for the root mean square,
        the others for the mean absolute difference.
    model
        Whose predictions these are.
    suite
        The suite of the row.
    relatives
        Which structures belong together; none: these are crystals, each by itself.
    group
        The subset that `differences` belongs to.
    """
    is_squared = metric.startswith("rmse")
    sums, counts = differences.sums(is_squared=is_squared), differences.counts()
    mean = float(sums.sum() / counts.sum())
    return Score(
        model=model,
        suite=suite,
        quantity=differences.quantity.value,
        metric=metric,
        value=float(np.sqrt(mean)) if is_squared else mean,
        unit=PROPERTIES[differences.quantity].report_unit,
        n=len(differences.frames),
        group=group,
        **sureness_fields(
            sums,
            counts,
            differences.frames,
            relatives,
            is_squared=is_squared,
            leverages=differences.leverages,
        ),
    )
