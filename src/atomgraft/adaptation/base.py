"""An adaptation at run time: a source, what moves on it, and what holds it back."""

import dataclasses
from collections.abc import Mapping

import torch

from atomgraft.adaptation.axes import Axes
from atomgraft.adaptation.movement import AbstractMovement, make_movement
from atomgraft.adaptation.penalty import AbstractPenalty, SourceDistance
from atomgraft.core.seeding import torch_generator
from atomgraft.models.base import AbstractPotential


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adapted:
    """A potential on its way to another material.

    Parameters
    ----------
    potential
        The source with reference energies put right; its weights stay frozen.
    movement
        What moves.
    penalty
        What pulls back, if anything.
    reference_shifts
        eV per atom, by atomic number: already part of `potential`.
    axes
        The spec it was made from.
    """

    potential: AbstractPotential
    movement: AbstractMovement
    penalty: AbstractPenalty | None
    reference_shifts: Mapping[int, float]
    axes: Axes

    def merged(self) -> AbstractPotential:
        """Return a plain potential with the moved weights; exact, and no slower."""
        merged = self.potential.clone(device=self.potential.device)
        with torch.no_grad():
            for name, value in self.movement.weights().items():
                merged.module.get_parameter(name).copy_(value)
        return merged


def adapt_potential(
    source: AbstractPotential,
    axes: Axes,
    *,
    reference_shifts: Mapping[int, float],
    seed: int,
) -> Adapted:
    """Set up an adaptation; at this point it predicts what the source predicts.

    Parameters
    ----------
    source
        Not changed.
    axes
        The adaptation.
    reference_shifts
        eV per atom, by atomic number; empty for the source's own references.
    seed
        For fresh weights and random factors.

    Raises
    ------
    BadInputError
        The axes ask for a role that the model lacks.
    """
    potential = source.clone(device=source.device)
    if axes.starts.weights == "fresh":
        potential.draw_weights(torch_generator(seed, "fresh weights"))
    shift_references(potential, reference_shifts)
    potential.module.requires_grad_(requires_grad=False)
    movement = make_movement(potential, axes.moves, torch_generator(seed, "movement"))
    penalty = None
    if axes.pulls is not None:
        penalty = SourceDistance(potential, list(movement.weights()), axes.pulls)
    return Adapted(
        potential=potential,
        movement=movement,
        penalty=penalty,
        reference_shifts=reference_shifts,
        axes=axes,
    )


def shift_references(potential: AbstractPotential, shifts: Mapping[int, float]) -> None:
    """Add to the reference energies of `potential`, in place.

    Parameters
    ----------
    potential
        Changed in place.
    shifts
        eV per atom, by atomic number.
    """
    if not shifts:
        return
    with torch.no_grad():
        for name, value in potential.with_shifted_references(shifts).items():
            potential.module.get_parameter(name).copy_(value)
