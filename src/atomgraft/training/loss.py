"""The training loss and its units."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float
from torch import Tensor

from atomgraft.adaptation.ridge import Difference
from atomgraft.core.properties import Property
from atomgraft.data.labels import forces_of
from atomgraft.data.partners import Partner
from atomgraft.training.objective import Residual, Residuals, Targets
from atomgraft.training.plan import Objective, Responses
from atomgraft.training.responses import (
    frequency_of,
    frequency_weights,
    with_differences,
)

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


class Units(NamedTuple):
    """The units in which errors are counted.

    Parameters
    ----------
    properties
        By property, internal units.
    differences
        Of force differences, eV/Å; none where there are none.
    frequencies
        Of the frequencies they stand for, THz; none where there are none.
    """

    properties: Mapping[Property, float]
    differences: float | None = None
    frequencies: float | None = None


def mean_loss(
    residuals: Residuals, targets: Targets, objective: Objective, units: Units
) -> Tensor:
    """Return the objective: the mean over structures of each structure's terms.

    Parameters
    ----------
    residuals
        Of a batch, by property.
    targets
        The labels of the batch.
    objective
        Weights and shape.
    units
        In which errors are counted.
    """
    total = targets.energy.new_zeros(())
    for kind in sorted(objective.wanted):
        terms = (
            _force_terms(residuals[kind], targets, objective, units)
            if kind is Property.FORCES
            else _terms(
                residuals[kind],
                units.properties[kind],
                objective.shape,
                kind,
                torch.arange(len(targets.energy)).to(targets.owner),
                len(targets.energy),
            )
        )
        total = total + objective.weight(kind) * terms
    return total / len(targets.energy)


def _force_terms(
    forces: Residual, targets: Targets, objective: Objective, units: Units
) -> Tensor:
    """Sum the force terms of structures, plain ones and those of differences."""
    response, n_structures = targets.response, len(targets.energy)
    unit: float | Tensor = units.properties[Property.FORCES]
    if response is not None and objective.responses == "force":
        unit = torch.where(
            response.is_difference[:, None],
            torch.full_like(response.share, units.differences or 1.0),
            torch.full_like(response.share, unit),
        )
    plain = forces
    if response is not None and objective.responses == "frequency":
        plain = forces._replace(
            present=forces.present & ~response.is_difference[:, None]
        )
    terms = _terms(
        plain, unit, objective.shape, Property.FORCES, targets.owner, n_structures
    )
    if response is None or objective.responses == "force":
        return terms
    errors = forces.value * response.to_frequency / (units.frequencies or 1.0)
    squares = errors.new_zeros(n_structures).index_add(
        0, targets.owner, (errors**2).sum(-1)
    )
    lengths = squares.clamp(min=TINY).sqrt() * (squares > 0)
    return terms + _shaped(lengths, objective.shape, Property.ENERGY).sum()


def _terms(
    residual: Residual,
    unit: float | Tensor,
    shape: str,
    kind: Property,
    owner: Tensor,
    n_structures: int,
) -> Tensor:
    """Sum over structures each one's mean loss of a property."""
    values = _shaped(residual.value / unit, shape, kind)
    values = torch.where(residual.present, values, torch.zeros_like(values))
    return _sum_of_means(values, residual.present, owner, n_structures)


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


def units_of(
    energies: Sequence[Residual],
    targets: Sequence[Targets],
    frequencies: Sequence[float],
) -> Units:
    """Return the units of a set of structures.

    Parameters
    ----------
    energies
        Residuals of the training energies at step 0, eV per atom.
    targets
        The training labels.
    frequencies
        Of the displacements of structures that train as differences, THz.
    """
    size = float(np.mean(np.square(frequencies)) ** 0.5) if len(frequencies) else None
    return Units(
        properties=units_of_error(energies, targets),
        differences=unit_of_differences(targets),
        frequencies=size,
    )


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


def weighed_differences(
    structures: Sequence[Atoms],
    partners: Sequence[Partner | None],
    responses: Responses,
) -> dict[int, Difference]:
    """Return the frames that train as differences, weighed as a loss of squares does.

    What :func:`mean_loss` does over steps, for a solution in closed form over the whole
    set: a mean over components in units of the typical difference, or the error of
    frequencies in units of the typical one.

    Parameters
    ----------
    structures
        Labelled structures.
    partners
        Of each; none trains as it is.
    responses
        What an error counts as.
    """
    labelled = with_differences(structures, partners)
    found = {i: (one, labelled[i]) for i, one in enumerate(partners) if one is not None}
    displaced = [atoms for one, atoms in found.values() if one.kind != "reference"]
    if responses == "frequency":
        weigh, sizes = frequency_weights, [frequency_of(atoms) for atoms in displaced]
    else:
        weigh, sizes = _mean_weights, [_size(atoms) for atoms in displaced]
    unit = float(np.mean(np.square(sizes))) ** 0.5 if sizes else 1.0
    return {
        i: Difference(
            partner=one,
            weights=weigh(atoms) / unit
            if one.kind != "reference"
            else np.zeros((len(atoms), 1)),
        )
        for i, (one, atoms) in found.items()
    }


def _mean_weights(atoms: Atoms) -> Float[np.ndarray, "atoms 1"]:
    """Return weights that make a mean over components of a sum."""
    return np.full((len(atoms), 1), (3 * len(atoms)) ** -0.5)


def _size(atoms: Atoms) -> float:
    """Return the root-mean-square force of a labelled frame, eV/Å, floored."""
    forces = forces_of(atoms)
    assert forces is not None  # a difference has them
    return max(float((forces**2).mean()) ** 0.5, DIFFERENCE_FLOOR)
