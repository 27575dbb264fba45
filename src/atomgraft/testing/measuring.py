"""Evaluating an adapter the way the checks need it: float64, one batch."""

from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float

from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import Graph, find_neighbours, make_graph
from atomgraft.models.prediction import (
    StructurePrediction,
    predict,
    predict_structures,
)


def in_double(potential: AbstractPotential) -> AbstractPotential:
    """Return a copy with weights in float64, on the same device."""
    return potential.clone(dtype=torch.float64, device=potential.device)


def measure(
    potential: AbstractPotential, structures: Sequence[Atoms]
) -> list[StructurePrediction]:
    """Evaluate structures in one batch, in the potential's precision.

    Parameters
    ----------
    potential
        Not changed.
    structures
        Not changed.
    """
    n_atoms = sum(len(atoms) for atoms in structures)
    return list(predict_structures(potential, structures, max_atoms=n_atoms))


def energies_of(
    potential: AbstractPotential, structures: Sequence[Atoms]
) -> Float[np.ndarray, " structures"]:
    """Return the energy of each structure, eV, without any derivative.

    Parameters
    ----------
    potential
        Not changed.
    structures
        Not changed.
    """
    energy = predict(potential, graph_of(potential, structures), frozenset()).energy
    return energy.cpu().numpy()


def measure_one(potential: AbstractPotential, atoms: Atoms) -> StructurePrediction:
    """Evaluate one structure on its own."""
    [prediction] = measure(potential, [atoms])
    return prediction


def graph_of(potential: AbstractPotential, structures: Sequence[Atoms]) -> Graph:
    """Return structures as one graph that the potential accepts."""
    return make_graph(
        structures,
        [find_neighbours(atoms, potential.cutoff) for atoms in structures],
        dtype=potential.dtype,
        device=potential.device,
    )
