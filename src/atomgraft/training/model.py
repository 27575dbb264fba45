"""The trained module: from a graph to energies, forces and stresses."""

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
    streams
        Head and wanted properties of each stream of structures, by its name; what is
        not wanted is not computed.
    """

    def __init__(
        self, adapted: Adapted, streams: Mapping[str, tuple[str, frozenset[Property]]]
    ) -> None:
        super().__init__()
        self.movement = adapted.movement
        self.penalty = adapted.penalty
        self.streams = dict(streams)
        # a tuple hides the potentials from the module tree
        heads = {head for head, _ in streams.values()}
        self._sources = ({head: adapted.source_of(head) for head in heads},)

    def forward(
        self, graph_fields: tuple[Tensor, ...], stream: str
    ) -> tuple[Tensor, ...]:
        """Return interaction energy, forces, stress and penalty.

        Parameters
        ----------
        graph_fields
            The tensors of a graph in the order of its fields: distributed wrappers
            move and copy tuples, not our own types.
        stream
            Where the structures come from; decides the head.

        Returns
        -------
        tuple[Tensor, ...]
            eV (structures,), eV/Å (atoms, 3), eV/Å³ (structures, 6), a scalar;
            zeros for what is not wanted.
        """
        graph = as_graph(graph_fields)
        head, wanted = self.streams[stream]
        weights = self.movement.weights(head)
        prediction = predict(
            self._sources[0][head],
            graph,
            wanted,
            weights=weights,
            for_training=torch.is_grad_enabled(),
        )
        energy = prediction.interaction
        forces, stress = prediction.forces, prediction.stress
        zero = energy.new_zeros
        return (
            energy,
            zero(graph.positions.shape) if forces is None else forces,
            zero((graph.n_structures, 6)) if stress is None else stress,
            self._penalty(energy),
        )

    def _penalty(self, like: Tensor) -> Tensor:
        """Return what pulls back; it touches every trained tensor of every head.

        Processes that train together wait for a gradient of each tensor, whichever
        head a step sees.
        """
        total = like.new_zeros(())
        if self.penalty is not None:
            total = total + self.penalty(self.movement.changes())
        if len(self.streams) > 1 and torch.is_grad_enabled():
            total = total + sum(0.0 * one.sum() for one in self.movement.parameters())
        return total


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
