"""The objective: each kind of label in its own unit of error, absent labels masked."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from atomgraft.core.properties import Property
from atomgraft.data.labels import energy_of, forces_of, stress_of
from atomgraft.training.responses import Response

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]

SCALE_FLOOR: Mapping[Property, float] = {
    Property.ENERGY: 1e-3,
    Property.FORCES: 1e-3,
    Property.STRESS: 1e-5,
}
"""Smallest unit of error (eV/atom, eV/Å, eV/Å³): below it labels are noise."""

DIFFERENCE_FLOOR = 1e-4
"""Smallest unit of force differences, eV/Å: displacements are a hundredth of an Å."""

TINY = 1e-16
"""Keeps the gradient of a length finite where the length is zero."""

NORM_OF_UNIT = 3**0.5
"""Brings the length of a vector to the size of its components."""


class Objective(BaseModel):
    """How errors of energies, forces and stresses become one number.

    Each error is divided by the size of what is to be learned (`units_of_error`),
    so that one set of weights suits soft and stiff materials; then the weights say
    what matters more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    energy: Weight = 0.01
    forces: Weight = 1.0
    stress: Weight = 0.1
    shape: Literal["norm", "mae", "huber", "mse"] = "norm"
    """norm: the length of each atom's force error, and the absolute error of each
    other label; mae: absolute errors of components; huber: squared below one
    starting error, linear above; mse: squared."""

    @model_validator(mode="after")
    def _wants_something(self) -> "Objective":
        if not self.wanted:
            raise ValueError("one weight at least must be above zero")
        return self

    @property
    def wanted(self) -> frozenset[Property]:
        """The properties with a weight."""
        return frozenset(kind for kind in Property if self.weight(kind) > 0)

    def weight(self, kind: Property) -> float:
        """Return the weight of one property."""
        return {
            Property.ENERGY: self.energy,
            Property.FORCES: self.forces,
            Property.STRESS: self.stress,
        }[kind]


class Targets(NamedTuple):
    """The labels of a batch; NaN where a structure has none.

    Parameters
    ----------
    energy
        eV per atom, shape (structures,).
    forces
        eV/Å, shape (atoms, 3).
    stress
        eV/Å³, Voigt, shape (structures, 6).
    n_atoms
        Atoms of each structure, shape (structures,).
    owner
        The structure of each atom, shape (atoms,).
    response
        How predicted forces become differences; none where all structures train as
        they are. The labels are differences already.
    """

    energy: Tensor
    forces: Tensor
    stress: Tensor
    n_atoms: Tensor
    owner: Tensor
    response: Response | None = None


def make_targets(
    structures: Sequence[Atoms],
    *,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
) -> Targets:
    """Collect the labels of structures.

    Parameters
    ----------
    structures
        Labelled structures.
    dtype
        Of the labels.
    device
        Where the tensors live.
    """
    n_atoms = np.array([len(atoms) for atoms in structures])
    energies = [energy_of(atoms) for atoms in structures]
    forces = [forces_of(atoms) for atoms in structures]
    stresses = [stress_of(atoms) for atoms in structures]
    nan = np.nan
    return Targets(
        energy=torch.as_tensor(
            np.array([nan if one is None else one for one in energies]) / n_atoms,
            dtype=dtype,
            device=device,
        ),
        forces=torch.as_tensor(
            np.concatenate(
                [
                    np.full((count, 3), nan) if one is None else one
                    for one, count in zip(forces, n_atoms, strict=True)
                ]
            ),
            dtype=dtype,
            device=device,
        ),
        stress=torch.as_tensor(
            np.stack([np.full(6, nan) if one is None else one for one in stresses]),
            dtype=dtype,
            device=device,
        ),
        n_atoms=torch.as_tensor(n_atoms, dtype=dtype, device=device),
        owner=torch.as_tensor(
            np.repeat(np.arange(len(structures)), n_atoms), device=device
        ),
    )


class Residual(NamedTuple):
    """Predicted minus reference of one property.

    Parameters
    ----------
    value
        The difference, zero where there is no label, so that no NaN ever enters
        a gradient.
    present
        Where there is a label.
    """

    value: Tensor
    present: Tensor


Residuals = Mapping[Property, Residual]


def residuals_of(
    energy: Tensor, forces: Tensor, stress: Tensor, targets: Targets
) -> Residuals:
    """Compare predictions with labels.

    Parameters
    ----------
    energy
        eV, shape (structures,); those of partners stand last.
    forces
        eV/Å, shape (atoms, 3).
    stress
        eV/Å³, Voigt, shape (structures, 6).
    targets
        The labels.
    """
    n_structures = len(targets.energy)
    response = targets.response
    compared = forces if response is None else response.of(forces)
    return {
        Property.ENERGY: residual(
            energy[:n_structures] / targets.n_atoms, targets.energy
        ),
        Property.FORCES: residual(compared, targets.forces),
        Property.STRESS: residual(stress[:n_structures], targets.stress),
    }


def residual(predicted: Tensor, reference: Tensor) -> Residual:
    """Compare one property with its labels.

    Parameters
    ----------
    predicted
        The model's values.
    reference
        The labels; NaN where there is none.
    """
    present = ~torch.isnan(reference)
    difference = predicted - torch.nan_to_num(reference)
    return Residual(
        value=torch.where(present, difference, torch.zeros_like(difference)),
        present=present,
    )


def mean_loss(
    residuals: Residuals,
    owner: Tensor,
    objective: Objective,
    scales: Mapping[Property, float | Tensor],
) -> Tensor:
    """Return the objective: the mean over structures of each structure's terms.

    Parameters
    ----------
    residuals
        Of a batch, by property.
    owner
        The structure of each atom, shape (atoms,).
    objective
        Weights and shape.
    scales
        Unit of error by property, in internal units; of each atom, shape (atoms, 1),
        where force differences have their own (`units_of_atoms`).
    """
    n_structures = len(residuals[Property.ENERGY].value)
    terms = [
        objective.weight(kind)
        * _sum_of_means(
            _shaped(residuals[kind].value / scales[kind], objective.shape, kind),
            residuals[kind].present,
            owner if kind is Property.FORCES else torch.arange(n_structures).to(owner),
            n_structures,
        )
        for kind in sorted(objective.wanted)
    ]
    return torch.stack(terms).sum() / n_structures


def _shaped(error: Tensor, shape: str, kind: Property) -> Tensor:
    """Return the loss of each component (of each atom's force for ``norm``)."""
    if shape == "norm" and kind is Property.FORCES:
        length = (error**2).sum(-1, keepdim=True).clamp(min=TINY).sqrt()
        return length.expand_as(error) / NORM_OF_UNIT
    size = error.abs()
    if shape in ("mae", "norm"):
        return size
    if shape == "mse":
        return error**2 / 2
    return torch.where(size <= 1, error**2 / 2, size - 0.5)


def _sum_of_means(
    values: Tensor, present: Tensor, owner: Tensor, n_structures: int
) -> Tensor:
    """Sum over structures the mean over labelled components; a scalar."""
    sums = values.reshape(len(values), -1).sum(-1)
    counts = present.reshape(len(values), -1).sum(-1).to(sums)
    sums = sums.new_zeros(n_structures).index_add(0, owner, sums)
    counts = counts.new_zeros(n_structures).index_add(0, owner, counts)
    return (sums / counts.clamp(min=1)).sum()


def units_of_error(
    energies: Sequence[Residual], targets: Sequence[Targets]
) -> dict[Property, float]:
    """Return the unit in which each property's error is counted, floored.

    Forces and stresses have a natural zero, so their unit is the root-mean-square
    of the labels. Energies have none, so theirs is the root-mean-square residual
    with which the run starts, its references put right.

    Parameters
    ----------
    energies
        Residuals of the training energies at step 0, eV per atom.
    targets
        The training labels.
    """
    forces = [_labelled_forces(one, are_differences=False) for one in targets]
    values = {
        Property.ENERGY: [one.value[one.present] for one in energies],
        Property.FORCES: forces,
        Property.STRESS: [one.stress[~torch.isnan(one.stress)] for one in targets],
    }
    return {
        kind: max(_root_mean_square(torch.cat(values[kind])), SCALE_FLOOR[kind])
        for kind in Property
    }


def unit_of_differences(targets: Sequence[Targets]) -> float | None:
    """Return the unit of force differences, eV/Å, floored; none if there are none.

    Parameters
    ----------
    targets
        The training labels.
    """
    values = [_labelled_forces(one, are_differences=True) for one in targets]
    joined = torch.cat(values)
    if not len(joined):
        return None
    return max(_root_mean_square(joined), DIFFERENCE_FLOOR)


def units_of_atoms(
    scales: Mapping[Property, float], differences: float | None, targets: Targets
) -> Mapping[Property, float | Tensor]:
    """Return units of error in which force differences count in their own.

    Parameters
    ----------
    scales
        Unit of error by property, in internal units.
    differences
        Unit of force differences, eV/Å.
    targets
        Of a batch; without differences among them, `scales` come back.
    """
    if targets.response is None or differences is None:
        return scales
    mask = targets.response.is_difference[:, None]
    own = torch.full_like(targets.response.share, differences)
    plain = torch.full_like(own, scales[Property.FORCES])
    return {**scales, Property.FORCES: torch.where(mask, own, plain)}


def _labelled_forces(targets: Targets, *, are_differences: bool) -> Tensor:
    """Return the force labels of one kind, a flat array."""
    response = targets.response
    if response is None:
        chosen = targets.forces[:0] if are_differences else targets.forces
    else:
        chosen = targets.forces[response.is_difference == are_differences]
    return chosen[~torch.isnan(chosen)]


def _root_mean_square(values: Tensor) -> float:
    """Return the size of values; one where there are none."""
    if not len(values):
        return 1.0
    return float((values.detach().double() ** 2).mean().sqrt())
