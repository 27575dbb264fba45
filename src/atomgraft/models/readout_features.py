"""What a model reads the energy of an atom from.

An atom energy is affine in changes of the readout's weights, and its derivatives in
their coefficients are the inputs of the readout, whatever the framework calls them.
They do not depend on orientation, origin and the order of other atoms.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float
from torch import Tensor

from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import Graph, find_neighbours, make_graph
from atomgraft.models.prediction import batches_by_atoms, interaction_energies

MAX_ATOMS = 256
"""Atoms that are described together."""

AtomFeatures = Float[np.ndarray, "atoms features"]


def readout_features(
    potential: AbstractPotential,
    directions: Mapping[str, Tensor],
    structures: Sequence[Atoms],
    *,
    only: Sequence[Sequence[int]] | None = None,
) -> Iterator[AtomFeatures]:
    """Yield the features of the atoms of each structure.

    Only the readout lies between energies and coefficients, so that an atom costs next
    to nothing.

    Parameters
    ----------
    potential
        With a readout in which atom energies are linear.
    directions
        What its `readout_directions` returns.
    structures
        Of elements that it knows.
    only
        Places of the wanted atoms of each structure; none takes all.
    """
    done = 0
    for group in batches_by_atoms(structures, MAX_ATOMS):
        graph = _graph(potential, group)
        some = next(iter(directions.values()))
        c = some.new_zeros(len(some)).requires_grad_()
        with torch.enable_grad():
            energies = _atom_energies(potential, directions, c, graph)
        start = 0
        for atoms in group:
            places = range(len(atoms)) if only is None else only[done]
            rows = [
                torch.autograd.grad(energies[start + i], c, retain_graph=True)[0]
                for i in places
            ]
            found = torch.stack(rows) if rows else c.new_zeros(0, len(c))
            yield found.detach().double().cpu().numpy()
            start += len(atoms)
            done += 1


def energies_of(
    potential: AbstractPotential, structures: Sequence[Atoms]
) -> Float[np.ndarray, " structures"]:
    """Return interaction energies, without reference energies and without forces, eV.

    Parameters
    ----------
    potential
        Evaluated with its own weights.
    structures
        Of elements that it knows.
    """
    weights = dict(potential.module.named_parameters())
    found: list[float] = []
    for group in batches_by_atoms(structures, MAX_ATOMS):
        graph = _graph(potential, group)
        with torch.no_grad():
            energies = interaction_energies(potential, graph, weights)
        parts = energies.double().split([len(atoms) for atoms in group])
        found += [float(one.sum()) for one in parts]
    return np.array(found)


def _atom_energies(
    potential: AbstractPotential,
    directions: Mapping[str, Tensor],
    c: Tensor,
    graph: Graph,
) -> Tensor:
    """Return atom energies as a function of c alone: no other weight is tracked."""
    weights = {
        name: value.detach() for name, value in potential.module.named_parameters()
    }
    for name, one in directions.items():
        weights[name] = weights[name] + torch.tensordot(c, one, dims=1)
    return interaction_energies(potential, graph, weights)


def _graph(potential: AbstractPotential, group: Sequence[Atoms]) -> Graph:
    return make_graph(
        group,
        [find_neighbours(atoms, potential.cutoff) for atoms in group],
        dtype=potential.dtype,
        device=potential.device,
    )
