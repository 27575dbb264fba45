"""Differences of predictions and references, and intervals of their mean.

Two levels of theory put the energy of an isolated atom in different places. The
offset says nothing about the material, yet it can be a thousand times larger than
everything else; what is left after the best shift per element is what matters.
"""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any, Literal

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.data.labels import energy_of, forces_of, stress_of
from atomgraft.evaluation.trajectories import Relatives
from atomgraft.metrics.intervals import FEWEST, Sureness, mean_interval
from atomgraft.models.prediction import StructurePrediction
from atomgraft.records.scores import ModelName, Score

SINGULAR = {
    "structures": "structure",
    "trajectories": "trajectory",
    "groups": "group",
    "crystals": "crystal",
}


def sureness_fields(
    sums: Float[np.ndarray, " frames"],
    counts: Float[np.ndarray, " frames"],
    frames: Sequence[int],
    relatives: Relatives | None,
    *,
    is_signed: bool = False,
    is_squared: bool = False,
    leverages: Float[np.ndarray, " frames"] | None = None,
) -> dict[str, Any]:
    """Return ``interval``, ``n_independent``, ``independent`` and ``no_interval``.

    Parameters
    ----------
    sums
        As for :func:`atomgraft.metrics.intervals.mean_interval`.
    counts
        As there.
    frames
        Which structures these are, in the list that `relatives` is about.
    relatives
        Which structures belong together; none: these are crystals, each by itself.
    is_signed
        As there.
    is_squared
        As there.
    leverages
        As there.

    Examples
    --------
    >>> found = sureness_fields(np.ones(3), np.ones(3), range(3), None)
    >>> found["no_interval"]
    '3 crystals; an interval needs 5 independent ones'
    """
    clusters = None if relatives is None else relatives.of(frames)
    unit = "crystals" if relatives is None else relatives.unit
    found = mean_interval(
        sums,
        counts,
        clusters,
        is_signed=is_signed,
        is_squared=is_squared,
        leverages=leverages,
    )
    n_clusters = len(frames) if clusters is None else len(clusters)
    return {
        "interval": found.interval,
        "n_independent": found.n_independent,
        "independent": unit,
        "no_interval": _why(found, len(frames), n_clusters, unit),
    }


def _why(found: Sureness, n_frames: int, n_clusters: int, unit: str) -> str | None:
    """Say why there is no interval, and what to do."""
    one = SINGULAR[unit]
    said = f"{n_clusters} {one if n_clusters == 1 else unit}"
    if found.obstacle == "few" and found.n_fitted:
        return (
            f"{said}, of which the fitted shifts of elements use up "
            f"{found.n_fitted:.2g}; an interval needs {FEWEST} independent ones"
        )
    if found.obstacle == "few" and n_frames > n_clusters:
        return (
            f"the {n_frames} frames come from {said}; an interval needs {FEWEST} "
            "independent ones: add frames from other runs"
        )
    if found.obstacle == "few":
        return f"{said}; an interval needs {FEWEST} independent ones"
    if found.obstacle == "uneven":
        return (
            f"one of the {said} is much larger than the others; an interval needs "
            f"{FEWEST} of similar size: add some from other runs"
        )
    return None


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


def composition_part(
    structures: Sequence[Atoms], energies: Float[np.ndarray, " frames"]
) -> Float[np.ndarray, " frames"] | None:
    """Return the least-squares fit of energies per atom by the compositions alone.

    Parameters
    ----------
    structures
        Where the compositions come from.
    energies
        Energy per atom of each, in any unit.

    Returns
    -------
    :
        The fitted energy per atom, in the unit of `energies`; none where there are
        no more structures than independent compositions, so that any energies at
        all would be fitted exactly.

    Examples
    --------
    >>> structures = [Atoms("H2"), Atoms("H2"), Atoms("H2")]
    >>> composition_part(structures, np.array([1.0, 2.0, 3.0])).round(6).tolist()
    [2.0, 2.0, 2.0]
    """
    fractions = _fractions(structures)
    shifts, _, rank, _ = np.linalg.lstsq(fractions, energies, rcond=None)
    return None if len(structures) <= rank else fractions @ shifts


def composition_leverages(
    structures: Sequence[Atoms],
) -> Float[np.ndarray, " frames"]:
    """Return how much of each energy a fit by the compositions alone follows.

    The diagonal of its hat matrix: 1 where a structure determines a shift alone; the
    sum is the number of independent compositions.

    Parameters
    ----------
    structures
        Where the compositions come from.

    Examples
    --------
    >>> composition_leverages([Atoms("H2"), Atoms("H2"), Atoms("O2")]).round(6).tolist()
    [0.5, 0.5, 1.0]
    """
    basis, sizes, _ = np.linalg.svd(_fractions(structures), full_matrices=False)
    limit = np.finfo(float).eps * max(len(structures), len(sizes)) * sizes[0]
    return (basis[:, sizes > limit] ** 2).sum(axis=1)


def _fractions(structures: Sequence[Atoms]) -> Float[np.ndarray, "frames elements"]:
    elements = sorted({int(Z) for atoms in structures for Z in atoms.numbers})
    return np.array(
        [[np.mean(atoms.numbers == Z) for Z in elements] for atoms in structures]
    ).reshape(len(structures), len(elements))


def aligned(
    differences: Differences, structures: Sequence[Atoms]
) -> Differences | None:
    """Return energy differences after the best shift per element was taken out.

    Parameters
    ----------
    differences
        Of energies per atom.
    structures
        The whole list that ``differences.frames`` points into.

    Returns
    -------
    :
        None where there are too few structures to tell (see
        :func:`composition_part`).

    Examples
    --------
    >>> offset = Differences(
    ...     quantity=Property.ENERGY, frames=(0, 1), values=(np.ones(1), np.ones(1))
    ... )
    >>> left = aligned(offset, [Atoms("H"), Atoms("H2")])
    >>> float(np.abs(np.concatenate(left.values)).max()) < 1e-12
    True
    """
    if differences.quantity is not Property.ENERGY or not differences.frames:
        return None
    judged = [structures[frame] for frame in differences.frames]
    shift = composition_part(judged, np.concatenate(differences.values))
    if shift is None:
        return None
    pairs = zip(differences.values, shift, strict=True)
    return dataclasses.replace(
        differences,
        values=tuple(value - offset for value, offset in pairs),
        leverages=composition_leverages(judged),
    )
