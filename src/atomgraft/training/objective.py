"""The objective: each kind of label in its own unit of error, absent labels masked."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from atomgraft.core.properties import Property
from atomgraft.data.labels import energy_of, forces_of, stress_of
from atomgraft.training.responses import Response

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]

Responses = Literal["force", "frequency"]
"""What an error of a force difference counts as."""


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
    responses: Responses = "force"
    """How the error of a force difference counts. force: atom by atom, as other forces
    do; frequency: as that of the frequency of the frame's displacement
    (`atomgraft.training.frequencies`), one number a frame, so that stiff and soft
    crystals, heavy and light atoms, small and large supercells count by what phonons
    make of them. The first does better on one material; the second is made for many
    in one run."""

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
        Of the interactions: without reference energies, eV per atom, shape
        (structures,).
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
    references: Float[np.ndarray, " numbers"] | None = None,
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
    references
        Reference energy of each element by atomic number, eV: taken off the labels
        in float64, before they become tensors of any precision.
    """
    n_atoms = np.array([len(atoms) for atoms in structures])
    energies = [_interaction_of(atoms, references) for atoms in structures]
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


def _interaction_of(
    atoms: Atoms, references: Float[np.ndarray, " numbers"] | None
) -> float | None:
    """Return the labelled energy without reference energies, eV, or none."""
    energy = energy_of(atoms)
    if energy is None or references is None:
        return energy
    return energy - float(references[atoms.numbers].sum())


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
        Of the interactions, eV, shape (structures,); those of partners stand last.
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
