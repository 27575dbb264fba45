"""The objective: errors of each kind of label in its own unit."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float
from torch import Tensor

from atomgraft.adaptation.axes import TARGET
from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.data.labels import energy_of, forces_of, stress_of
from atomgraft.training.responses import Response


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


DIFFERENCES = "force_differences"
"""Name of the errors of force differences, and of their unit."""

NamedResiduals = Mapping[str, Residual]


class Error(NamedTuple):
    """A mean absolute error and what it counts.

    Parameters
    ----------
    mean
        Internal units.
    share
        Of all labels of the property; less than one where some forces train as
        differences and some as they are.
    """

    mean: float
    share: float


Errors = Mapping[str, Error]


def kind_of(name: str) -> Property:
    """Return the property that an error is of.

    Examples
    --------
    >>> kind_of("force_differences").value
    'forces'
    """
    return Property.FORCES if name == DIFFERENCES else Property(name)


def named_residuals(residuals: Residuals, targets: Targets) -> NamedResiduals:
    """Return residuals by name, force differences apart from forces.

    Parameters
    ----------
    residuals
        Of a batch.
    targets
        Of the same batch.
    """
    named = {kind.value: one for kind, one in residuals.items()}
    if targets.response is None:
        return named
    forces, chosen = residuals[Property.FORCES], targets.response.is_difference
    named[Property.FORCES.value] = Residual(
        forces.value[~chosen], forces.present[~chosen]
    )
    named[DIFFERENCES] = Residual(forces.value[chosen], forces.present[chosen])
    return named


def mean_absolute_errors(batches: Sequence[NamedResiduals]) -> dict[str, Error]:
    """Return the error of each name with labels.

    Parameters
    ----------
    batches
        Of one set.
    """
    sizes: dict[str, torch.Tensor] = {}
    for name in dict.fromkeys(name for batch in batches for name in batch):
        seen = [batch[name] for batch in batches if name in batch]
        values = torch.cat([one.value[one.present] for one in seen])
        if len(values):
            sizes[name] = values.double().abs()
    n_forces = sum(
        len(one) for name, one in sizes.items() if kind_of(name) is Property.FORCES
    )
    return {
        name: Error(
            mean=float(one.mean()),
            share=len(one) / n_forces if kind_of(name) is Property.FORCES else 1.0,
        )
        for name, one in sizes.items()
    }


def reported(errors: Mapping[str, Errors]) -> dict[str, float]:
    """Return errors in report units: the target's by name, others as ``head/name``.

    Parameters
    ----------
    errors
        By stream.
    """
    return {
        name if stream == TARGET else f"{stream}/{name}": error.mean
        * PROPERTIES[kind_of(name)].report_factor
        for stream, names in errors.items()
        for name, error in names.items()
    }
