"""Consistency of predictions with the energy and rotations, and their rounding."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress
from jaxtyping import Float

from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.evaluation import labels
from atomgraft.evaluation.deviations import predicted_values
from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import find_neighbours, make_graph
from atomgraft.models.prediction import (
    StructurePrediction,
    batches_by_atoms,
    predict,
    predict_structures,
)
from atomgraft.records.scores import ModelName, Score

SUITE, ROUNDING = "consistency", "rounding"

STEP = 1e-4
"""Å, or relative for strains: in float64 the truncation of a central difference,
1e-7 eV/Å for a stiff bond, and its rounding, 1e-9 eV/Å, are both negligible."""

N_COMPONENTS = 6
"""Force components probed on each structure."""

MAX_ATOMS = 256
"""Atoms evaluated at a time."""

N_PROBED = 2
"""Structures that are predicted in another precision as well."""

MAX_PROBED = 128
"""Atoms of such a structure, where there is a choice: float64 costs time."""

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def consistency_scores(
    model: ModelName,
    potential: AbstractPotential,
    structures: Sequence[Atoms],
    rng: np.random.Generator,
) -> tuple[Score, ...]:
    """Return how far a potential is from the laws that it must obey.

    ``finite_difference`` is the largest absolute difference between forces and
    stress and the central differences of the energy; ``equivariance`` that between
    the prediction for a turned structure and the turned prediction. Everything is
    computed in float64, on a copy. A stress is probed where the structure fills
    space.

    Parameters
    ----------
    model
        The name on the rows.
    potential
        Not changed.
    structures
        A few, small ones.
    rng
        Chooses the force components and the rotations.

    Examples
    --------
    >>> from atomgraft.models.pair import lennard_jones
    >>> argon = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=8.5)

    >>> pair = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 3.6]])
    >>> rows = consistency_scores("base", argon, [pair], np.random.default_rng(0))
    >>> all(row.value < 1e-3 for row in rows)
    True
    """
    exact = potential.clone(dtype=torch.float64)
    deviations: dict[tuple[str, Property], list[float]] = {}
    for atoms in structures:
        (prediction,) = predict_structures(exact, [atoms])
        found = {
            "finite_difference": _derivatives(exact, atoms, prediction, rng),
            "equivariance": _equivariance(exact, atoms, prediction, rng),
        }
        for metric, pairs in found.items():
            for quantity, deviation in pairs:
                deviations.setdefault((metric, quantity), []).append(deviation)
    return tuple(
        Score(
            model=model,
            suite=SUITE,
            quantity=quantity.value,
            metric=metric,
            value=max(values) * PROPERTIES[quantity].report_factor,
            unit=PROPERTIES[quantity].report_unit,
            n=len(values),
        )
        for (metric, quantity), values in deviations.items()
    )


def difference_forces(
    potential: AbstractPotential, atoms: Atoms, components: Sequence[tuple[int, int]]
) -> Float[np.ndarray, " components"]:
    """Return -ΔE/Δx of some (atom, axis) pairs by central differences, eV/Å.

    Parameters
    ----------
    potential
        In float64.
    atoms
        Not changed.
    components
        Pairs of an atom's index and an axis.

    Examples
    --------
    >>> from atomgraft.models.pair import lennard_jones
    >>> argon = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=8.5)

    >>> pair = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 3.4]])
    >>> difference_forces(argon, pair, [(0, 2), (1, 2)]).round(4).tolist()
    [-0.0727, 0.0727]
    """
    moved: list[Atoms] = []
    for atom, axis in components:
        for sign in (1, -1):
            copy = atoms.copy()
            copy.positions[atom, axis] += sign * STEP
            moved.append(copy)
    return -_slopes(potential, moved)


def difference_stress(
    potential: AbstractPotential, atoms: Atoms
) -> Float[np.ndarray, "6"]:
    """Return ΔE/Δε / V by central differences, eV/Å³, Voigt, tensile-positive.

    Parameters
    ----------
    potential
        In float64.
    atoms
        With three cell vectors; not changed.

    Examples
    --------
    >>> from atomgraft.models.pair import lennard_jones
    >>> argon = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=8.5)

    >>> from ase.build import bulk
    >>> squeezed = bulk("Ar", a=4.8)
    >>> bool((difference_stress(argon, squeezed)[:3] < 0).all())
    True
    """
    moved: list[Atoms] = []
    for row, column in VOIGT:
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            # both halves, so that a shear of one Voigt entry is not counted twice
            strain[row, column] += sign * STEP / 2
            strain[column, row] += sign * STEP / 2
            copy = atoms.copy()
            copy.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            moved.append(copy)
    return _slopes(potential, moved) / atoms.cell.volume


def _slopes(
    potential: AbstractPotential, moved: Sequence[Atoms]
) -> Float[np.ndarray, " pairs"]:
    """Return the energy slopes of structures that come as (plus, minus) pairs."""
    energies = np.concatenate(list(_energies(potential, moved))).reshape(-1, 2)
    return (energies[:, 0] - energies[:, 1]) / (2 * STEP)


def _energies(
    potential: AbstractPotential, structures: Sequence[Atoms]
) -> Iterator[Float[np.ndarray, " structures"]]:
    for group in batches_by_atoms(structures, MAX_ATOMS):
        graph = make_graph(
            group,
            [find_neighbours(atoms, potential.cutoff) for atoms in group],
            dtype=potential.dtype,
            device=potential.device,
        )
        found = predict(potential, graph, frozenset({Property.ENERGY}))
        yield found.interaction.cpu().numpy()  # reference energies have no slope


def _derivatives(
    potential: AbstractPotential,
    atoms: Atoms,
    prediction: StructurePrediction,
    rng: np.random.Generator,
) -> Iterator[tuple[Property, float]]:
    flat = rng.choice(
        3 * len(atoms), size=min(N_COMPONENTS, 3 * len(atoms)), replace=False
    )
    components = [(int(one) // 3, int(one) % 3) for one in flat]
    forces = difference_forces(potential, atoms, components)
    predicted = np.array([prediction.forces[pair] for pair in components])
    yield Property.FORCES, float(np.abs(predicted - forces).max())
    if atoms.cell.rank == 3:
        stress = difference_stress(potential, atoms)
        yield Property.STRESS, float(np.abs(prediction.stress - stress).max())


def _equivariance(
    potential: AbstractPotential,
    atoms: Atoms,
    prediction: StructurePrediction,
    rng: np.random.Generator,
) -> Iterator[tuple[Property, float]]:
    R = random_rotation(rng)
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array @ R.T)
    turned.positions = atoms.positions @ R.T
    (there,) = predict_structures(potential, [turned])
    yield Property.ENERGY, abs(there.energy - prediction.energy) / len(atoms)
    yield Property.FORCES, float(np.abs(there.forces - prediction.forces @ R.T).max())
    if atoms.cell.rank == 3:
        before, after = (
            voigt_6_to_full_3x3_stress(one.stress) for one in (prediction, there)
        )
        yield Property.STRESS, float(np.abs(after - R @ before @ R.T).max())


def random_rotation(rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    """Return a proper rotation, uniform over all of them (QR of a normal matrix).

    Another way to draw it would change the scores of every run.

    Examples
    --------
    >>> R = random_rotation(np.random.default_rng(0))
    >>> bool(np.allclose(R @ R.T, np.eye(3)) and np.linalg.det(R) > 0)
    True
    """
    Q, upper = np.linalg.qr(rng.normal(size=(3, 3)))
    Q = Q * np.sign(np.diag(upper))
    return Q * np.linalg.det(Q)


def rounding_scores(
    model: ModelName,
    potential: AbstractPotential,
    predictions: Sequence[StructurePrediction],
    structures: Sequence[Atoms],
) -> tuple[Score, ...]:
    """Return how far predictions are from the same model's in another precision.

    The rows are called ``rounding``: the largest mean absolute difference of a
    structure between the model's own precision and float64, on the largest few
    structures, because sums over more atoms lose more. A model in float64 is compared
    with itself in float32, and the difference scaled by the ratio of the two machine
    epsilons. A mean absolute error cannot be known better than that.

    Parameters
    ----------
    model
        The name on the rows.
    potential
        Not changed.
    predictions
        Of the potential in its own precision, one for each structure.
    structures
        Any.

    Examples
    --------
    >>> from atomgraft.models.pair import lennard_jones
    >>> argon = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=8.5)
    >>> pair = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 3.6]])
    >>> rows = rounding_scores(
    ...     "base", argon, list(predict_structures(argon, [pair])), [pair]
    ... )
    >>> all(row.value < 1e-2 for row in rows)
    True
    """
    is_double = potential.dtype == torch.float64
    other = torch.float32 if is_double else torch.float64
    scale = (
        torch.finfo(torch.float64).eps / torch.finfo(torch.float32).eps
        if is_double
        else 1.0
    )
    chosen = _largest(structures)
    probe = potential.clone(dtype=other, device=potential.device)
    found = [
        _Pair(own=predictions[i], other=prediction)
        for i, prediction in zip(
            chosen,
            predict_structures(probe, [structures[i] for i in chosen]),
            strict=True,
        )
    ]
    return tuple(
        Score(
            model=model,
            suite=labels.SUITE,
            quantity=quantity.value,
            metric=ROUNDING,
            value=scale * max(one.difference(quantity) for one in found),
            unit=PROPERTIES[quantity].report_unit,
            n=len(found),
        )
        for quantity in (Property if found else ())
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Pair:
    """One structure in two precisions."""

    own: StructurePrediction
    other: StructurePrediction

    def difference(self, quantity: Property) -> float:
        """Return the mean absolute difference in report units."""
        values = (predicted_values(one, quantity) for one in (self.own, self.other))
        own, other = values
        return float(np.abs(own - other).mean())


def _largest(structures: Sequence[Atoms]) -> list[int]:
    """Return the largest structures up to `MAX_PROBED`, or the smallest of all."""
    order = sorted(range(len(structures)), key=lambda i: len(structures[i]))
    cheap = [i for i in order if len(structures[i]) <= MAX_PROBED]
    return cheap[-N_PROBED:] or order[:1]
