"""Energies, forces and stresses from atom energies, for all frameworks.

An energy has two parts. Interactions are what the module computes, in its precision,
with its reference energies taken out. Reference energies are a number for each element,
summed in float64: of all-electron totals they are all but a millionth, so that float32
would round away what is to be learned.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from atomgraft.core.properties import Property
from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import Graph, find_neighbours, make_graph

EVERYTHING = frozenset(Property)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """Prediction of a potential for a graph.

    Parameters
    ----------
    interaction
        Energy without reference energies, eV, in the potential's precision.
    references
        Sum of the reference energies, eV, float64.
    forces
        eV/Å; none if not wanted.
    stress
        eV/Å³, tensile-positive, Voigt order; zero without a cell; none if not
        wanted.
    """

    interaction: Float[Tensor, " structures"]
    references: Float[Tensor, " structures"]
    forces: Float[Tensor, "atoms 3"] | None = None
    stress: Float[Tensor, "structures 6"] | None = None

    @property
    def energy(self) -> Float[Tensor, " structures"]:
        """Energy, eV, float64."""
        return self.interaction.double() + self.references


def predict(
    potential: AbstractPotential,
    graph: Graph,
    wanted: frozenset[Property] = EVERYTHING,
    *,
    weights: Mapping[str, Tensor] | None = None,
    for_training: bool = False,
) -> Prediction:
    """Evaluate a potential.

    Forces are -∂E/∂r and the stress is ∂E/∂ε / V at zero symmetric strain ε
    (Knuth et al., Comput. Phys. Commun. 190, 33 (2015), eq. 1).

    Parameters
    ----------
    potential
        Its own weights are used where `weights` names none.
    graph
        On the potential's device and of its floating-point type.
    wanted
        Energies always come.
    weights
        Parameters to use in place of the potential's own.
    for_training
        Keep the graph of the derivatives, so that a loss on forces can be
        differentiated in the weights.
    """
    with torch.enable_grad():  # from the strain on, or forces vanish under no_grad
        graph, positions, strain = _strained(graph, wanted)
        atom_energies = interaction_energies(potential, graph, weights or {})
        energy = atom_energies.new_zeros(graph.n_structures).index_add(
            0, graph.owner, atom_energies
        )
        variables = [one for one in (positions, strain) if one is not None]
        gradients = dict(
            zip(
                [id(one) for one in variables],
                _gradients(energy, variables, for_training=for_training),
                strict=True,
            )
        )
    return Prediction(
        interaction=energy if for_training else energy.detach(),
        references=reference_sums(potential, graph),
        forces=None if positions is None else -gradients[id(positions)],
        stress=None
        if strain is None
        else _voigt(gradients[id(strain)]) / graph.volumes[:, None],
    )


def interaction_energies(
    potential: AbstractPotential, graph: Graph, weights: Mapping[str, Tensor]
) -> Float[Tensor, " atoms"]:
    """Return the energy of each atom without its reference energy, eV.

    Parameters
    ----------
    potential
        Its own weights are used where `weights` names none.
    graph
        On the potential's device and of its floating-point type.
    weights
        Parameters to use in place of the potential's own. Reference energies among
        them count by how much they differ from the potential's.
    """
    name, _ = potential.reference_places()
    own = potential.module.get_parameter(name)
    moved = weights.get(name, own) - own.detach()
    return functional_call(potential.module, {**weights, name: moved}, (graph,))


def reference_sums(
    potential: AbstractPotential, graph: Graph
) -> Float[Tensor, " structures"]:
    """Return the sum of each structure's reference energies, eV, float64.

    Parameters
    ----------
    potential
        Whose.
    graph
        On its device.
    """
    references = potential.reference_table()[graph.numbers]
    empty = references.new_zeros(graph.n_structures)
    return empty.index_add(0, graph.owner, references)


def _strained(
    graph: Graph, wanted: frozenset[Property]
) -> tuple[Graph, Tensor | None, Tensor | None]:
    """Return the graph as a function of positions and strain where wanted."""
    positions, strain = None, None
    current = graph.positions
    cells = graph.cells
    if Property.FORCES in wanted:
        positions = current.detach().clone().requires_grad_()
        current = positions
    if Property.STRESS in wanted:
        strain = torch.zeros_like(cells).requires_grad_()
        symmetric = (strain + strain.transpose(-1, -2)) / 2
        current = current + torch.einsum("ai,aij->aj", current, symmetric[graph.owner])
        cells = cells + cells @ symmetric
    return (
        dataclasses.replace(graph, positions=current, cells=cells),
        positions,
        strain,
    )


def _gradients(
    energy: Tensor, variables: Sequence[Tensor], *, for_training: bool
) -> tuple[Tensor, ...]:
    """Differentiate the total energy; zero where it does not depend."""
    if not variables:
        return ()
    if not energy.requires_grad:  # no pair within the cutoff
        return tuple(torch.zeros_like(one) for one in variables)
    return torch.autograd.grad(
        energy.sum(),
        variables,
        create_graph=for_training,
        materialize_grads=True,
        allow_unused=True,
    )


def _voigt(matrix: Tensor) -> Tensor:
    """Return xx, yy, zz, yz, xz, xy of symmetric matrices."""
    rows = torch.tensor([0, 1, 2, 1, 0, 0], device=matrix.device)
    columns = torch.tensor([0, 1, 2, 2, 2, 1], device=matrix.device)
    return matrix[:, rows, columns]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StructurePrediction:
    """Prediction of a potential for one structure, as arrays in internal units.

    Parameters
    ----------
    energy
        eV
    forces
        eV/Å
    stress
        eV/Å³, tensile-positive, Voigt order.
    """

    energy: float
    forces: Float[np.ndarray, "atoms 3"]
    stress: Float[np.ndarray, "6"]


def predict_structures(
    potential: AbstractPotential,
    structures: Sequence[Atoms],
    *,
    max_atoms: int = 256,
) -> Iterator[StructurePrediction]:
    """Evaluate structures in batches of bounded size, in order.

    Parameters
    ----------
    potential
        Evaluated with its own weights, precision and device.
    structures
        Not changed.
    max_atoms
        A batch is closed before it would hold more atoms than this.
    """
    for group in batches_by_atoms(structures, max_atoms):
        graph = make_graph(
            group,
            [find_neighbours(atoms, potential.cutoff) for atoms in group],
            dtype=potential.dtype,
            device=potential.device,
        )
        yield from _split(predict(potential, graph), [len(atoms) for atoms in group])


def _split(prediction: Prediction, n_atoms: list[int]) -> Iterator[StructurePrediction]:
    assert prediction.forces is not None
    assert prediction.stress is not None
    energies = prediction.energy.cpu().numpy()
    forces = prediction.forces.detach().double().cpu().split(n_atoms)
    stresses = prediction.stress.detach().double().cpu().numpy()
    for energy, force, stress in zip(energies, forces, stresses, strict=True):
        yield StructurePrediction(
            energy=float(energy), forces=force.numpy(), stress=stress
        )


def batches_by_atoms(
    structures: Sequence[Atoms], max_atoms: int
) -> Iterator[list[Atoms]]:
    """Group consecutive structures so that no group of two exceeds `max_atoms`.

    Examples
    --------
    >>> groups = batches_by_atoms([Atoms("H2"), Atoms("H2"), Atoms("H9")], 4)
    >>> [len(group) for group in groups]
    [2, 1]
    """
    group: list[Atoms] = []
    for atoms in structures:
        if group and sum(map(len, group)) + len(atoms) > max_atoms:
            yield group
            group = []
        group.append(atoms)
    if group:
        yield group
