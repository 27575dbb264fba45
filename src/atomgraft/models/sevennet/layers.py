"""The layers of a SevenNet model, with our sum of messages."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from atomgraft.core.kernels import KernelName
from atomgraft.models.graph import Graph
from atomgraft.models.irreps import has_weight_a_channel, message_paths
from atomgraft.models.messages import MessagePath, SummedMessages

TAIL = ("reduce_total_enegy", "force_output")
"""Modules that sum and differentiate; atomgraft does both itself."""


class SevenNetEnergies(nn.Module):
    """The layers of a SevenNet model up to the energy of each atom.

    Parameters
    ----------
    network
        The framework's own sequence of layers; names of parameters stay the same.
    type_map
        Atomic number to index of the embedding.
    modality
        Index of the modality; none for a model without.
    kernels
        ``upstream`` evaluates with the framework's own modules.
    """

    def __init__(
        self,
        network: nn.Module,
        type_map: Mapping[int, int],
        modality: int | None,
        *,
        kernels: KernelName = "ours",
    ) -> None:
        super().__init__()
        for name, module in network.named_children():
            if name not in TAIL:
                own = module if kernels == "upstream" else _with_own_messages(module)
                self.add_module(name, own)
        index = torch.full((max(type_map) + 1,), -1, dtype=torch.int64)
        for number, position in type_map.items():
            index[number] = position
        self.register_buffer("type_index", index, persistent=False)
        self.modality = modality

    def forward(self, graph: Graph) -> Tensor:
        """Return the energy of each atom, eV, shape (atoms,)."""
        data: dict[str, Tensor] = {
            "x": self.get_buffer("type_index")[graph.numbers],
            "edge_index": graph.edges,
            "edge_vec": graph.edge_vectors(),
            "batch": graph.owner,
        }
        if self.modality is not None:
            data["modal_type"] = torch.full_like(graph.n_atoms, self.modality)
        for name, module in self.named_children():
            data = module(data)
            if name == "onehot_idx_to_onehot":  # upstream makes float32 whatever comes
                for key in ("x", "node_attr"):
                    data[key] = data[key].to(graph.positions.dtype)
        return data["atomic_energy"].squeeze(-1)


class Convolution(nn.Module):
    """The framework's convolution with our own way to sum messages.

    Its parts keep their names, so a checkpoint looks as it did.

    Parameters
    ----------
    theirs
        An ``IrrepsConvolution``.
    paths
        Those of its tensor product.
    """

    def __init__(self, theirs: nn.Module, paths: Sequence[MessagePath]) -> None:
        super().__init__()
        self.denominator = theirs.get_parameter("denominator")
        self.convolution: Any = theirs.get_submodule("convolution")
        self.weight_nn: Any = theirs.get_submodule("weight_nn")
        self.messages = SummedMessages(paths, self.convolution.irreps_in2.dim)

    def forward(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Replace the features of each atom by the sum of its messages."""
        *layers, last = self.weight_nn.children()
        hidden = data["edge_embedding"]
        for layer in layers:
            hidden = layer(hidden)
        variance = last.h_in * last.var_in / last.var_out
        data["x"] = (
            self.messages(
                data["x"],
                data["edge_attr"],
                hidden,
                last.weight / variance**0.5,
                data["edge_index"],
            )
            / self.denominator
        )
        return data


def _with_own_messages(module: nn.Module) -> nn.Module:
    """Return a convolution that sums messages our way; other layers as they are."""
    from sevenn.nn.convolution import IrrepsConvolution

    if not isinstance(module, IrrepsConvolution):
        return module
    product: Any = module.convolution
    if not has_weight_a_channel(product):
        return module
    return Convolution(module, message_paths(product))
