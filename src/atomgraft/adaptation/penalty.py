"""Penalties in the objective: distances of weights, and their importance."""

import abc
from collections.abc import Mapping, Sequence

import torch
from ase import Atoms
from torch import Tensor, nn

from atomgraft.adaptation.movement import AbstractMovement
from atomgraft.core.properties import Property
from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import Graph, find_neighbours, make_graph
from atomgraft.models.prediction import predict


class AbstractPenalty(nn.Module, abc.ABC):
    """A term added to the objective, once a step and whichever head it sees."""

    @abc.abstractmethod
    def forward(self, changes: Mapping[str, Tensor]) -> Tensor:
        """Return the penalty of `AbstractMovement.changes`, a scalar without unit."""


class SourceDistance(AbstractPenalty):
    """``strength`` times the mean squared distance to the source weights.

    Li, Grandvalet and Davoine, ICML 2018, eq. 2, with the mean in place of the
    sum, so that one strength suits small and large models. With an importance for
    each weight it is elastic weight consolidation (Kirkpatrick et al., PNAS 114, 3521
    (2017), eq. 3).

    With several heads what is shared counts once, and so does what each head moves for
    itself. The sum of squares is divided by the number of weights that one head sees:
    so each weight is pulled as strongly as it would be without further heads.

    Parameters
    ----------
    movement
        What moves.
    strength
        Factor of the whole.
    importance
        Factor of each weight, of mean one, under the names of the changes; none counts
        all alike.
    """

    def __init__(
        self,
        movement: AbstractMovement,
        strength: float,
        importance: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.strength = strength
        self.count = sum(one.numel() for one in movement.weights().values())
        self.names = tuple(importance or ())
        for i, name in enumerate(self.names):
            assert importance is not None
            self.register_buffer(
                f"importance_{i}", importance[name].detach(), persistent=False
            )

    def forward(self, changes: Mapping[str, Tensor]) -> Tensor:
        """Return the penalty."""
        squares = {name: change**2 for name, change in changes.items()}
        for i, name in enumerate(self.names):
            squares[name] = squares[name] * self.get_buffer(f"importance_{i}")
        total = torch.stack([one.sum() for one in squares.values()]).sum()
        return self.strength * total / self.count


WANTED = frozenset({Property.ENERGY, Property.FORCES})


def fisher_information(
    potential: AbstractPotential,
    names: Sequence[str],
    structures: Sequence[Atoms],
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Return the mean information of each weight, in units of the mean of all.

    For normal noise of 1 eV per atom in energies and 1 eV/Å in forces the Fisher
    information of a weight w is the sum of squared derivatives of the predictions
    (Kirkpatrick et al., PNAS 114, 3521 (2017), eq. 3; Martens, JMLR 21, 146 (2020),
    sec. 5). That of the forces is estimated with one random sign for each component,

        sum_i (∂F_i/∂w)² ≈ (∂(s · F)/∂w)²,

    which is right on average (Hutchinson, Commun. Stat. 19, 433 (1990)).

    Parameters
    ----------
    potential
        The source.
    names
        The parameters asked about.
    structures
        Where its predictions count.
    generator
        Source of the signs.

    Returns
    -------
    dict[str, Tensor]
        Without unit, in the shape of each parameter; its mean over all weights is
        one, or all are zero where no prediction depends on them.
    """
    weights = {
        name: potential.module.get_parameter(name).detach().clone().requires_grad_()
        for name in names
    }
    total = {name: torch.zeros_like(value) for name, value in weights.items()}
    for atoms in structures:
        graph = make_graph(
            [atoms],
            [find_neighbours(atoms, potential.cutoff)],
            dtype=potential.dtype,
            device=potential.device,
        )
        for gradients in _derivatives(potential, graph, weights, generator):
            for name, one in zip(names, gradients, strict=True):
                total[name] += one**2
    count = sum(value.numel() for value in total.values())
    mean = sum(float(value.double().sum()) for value in total.values()) / max(1, count)
    return {name: value / mean if mean else value for name, value in total.items()}


def _derivatives(
    potential: AbstractPotential,
    graph: Graph,
    weights: Mapping[str, Tensor],
    generator: torch.Generator,
) -> list[tuple[Tensor, ...]]:
    """Differentiate energy per atom and randomly signed forces in the weights."""
    prediction = predict(potential, graph, WANTED, weights=weights, for_training=True)
    assert prediction.forces is not None
    shape = prediction.forces.shape
    signs = torch.randint(0, 2, shape, generator=generator).to(prediction.forces)
    n_atoms = len(graph.numbers)
    outputs = (
        prediction.interaction.sum() / n_atoms,
        ((2 * signs - 1) * prediction.forces).sum() / (3 * n_atoms) ** 0.5,
    )
    leaves = list(weights.values())
    return [
        torch.autograd.grad(
            one, leaves, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        for one in outputs
        if one.requires_grad
    ]
