"""The module that is trained: graph in, energies, forces and stresses out."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from atomgraft.adaptation.base import Adapted
from atomgraft.core.properties import Property
from atomgraft.models.graph import Graph
from atomgraft.models.prediction import predict


class GraftedModule(nn.Module):
    """What moves, evaluated on its frozen source; parameters are what is trained.

    Parameters
    ----------
    adapted
        The adaptation.
    wanted
        The properties with labels; others are not computed.
    """

    def __init__(self, adapted: Adapted, wanted: frozenset[Property]) -> None:
        super().__init__()
        self.movement = adapted.movement
        self.penalty = adapted.penalty
        self.wanted = wanted
        self._potential = (adapted.potential,)  # a tuple hides it from the module tree

    def forward(self, graph_fields: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return energy, forces, stress and penalty.

        Parameters
        ----------
        graph_fields
            The tensors of a graph in the order of its fields: distributed wrappers
            move and copy tuples, not our own types.

        Returns
        -------
        tuple[Tensor, ...]
            eV (structures,), eV/Å (atoms, 3), eV/Å³ (structures, 6), a scalar;
            zeros for what is not wanted.
        """
        graph = as_graph(graph_fields)
        weights = self.movement.weights()
        prediction = predict(
            self._potential[0],
            graph,
            self.wanted,
            weights=weights,
            for_training=torch.is_grad_enabled(),
        )
        energy = prediction.energy
        forces, stress = prediction.forces, prediction.stress
        zero = energy.new_zeros
        return (
            energy,
            zero(graph.positions.shape) if forces is None else forces,
            zero((graph.n_structures, 6)) if stress is None else stress,
            zero(()) if self.penalty is None else self.penalty(weights),
        )


FIELDS = ("numbers", "positions", "cells", "edges", "shifts", "owner", "volumes")


def as_tuple(graph: Graph) -> tuple[Tensor, ...]:
    """Return the tensors of a graph."""
    return tuple(getattr(graph, field) for field in FIELDS)


def as_graph(fields: Iterable[Tensor]) -> Graph:
    """Return the graph of these tensors."""
    return Graph(**dict(zip(FIELDS, fields, strict=True)))


def cloned(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return detached copies."""
    return {name: value.detach().clone() for name, value in tensors.items()}
