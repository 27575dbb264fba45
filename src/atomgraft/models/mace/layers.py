"""Faster versions of MACE's costly layers, with the same weights and numbers.

Each takes the place of a layer inside a MACE model and is called as that layer is.
Names and shapes of weights stay, so that a model looks as it did.

Messages are summed by :mod:`atomgraft.models.messages`. Weights that belong to a
chemical element are looked up for the elements that are present, where MACE
multiplies by a one-hot vector over all of them.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from atomgraft.models.irreps import has_weight_a_channel, message_paths
from atomgraft.models.mace.contraction import ElementContraction
from atomgraft.models.mace.species import AtomsByElement
from atomgraft.models.messages import SummedMessages


def use_own_layers(network: nn.Module) -> None:
    """Replace, in place, every layer of a MACE model that has a counterpart here."""
    interactions: list[Any] = list(network.get_submodule("interactions").children())
    for interaction in interactions:
        if has_weight_a_channel(interaction.conv_tp):
            convolution = Convolution(interaction.conv_tp)
            interaction.conv_tp_weights = RadialWeights(
                interaction.conv_tp_weights, convolution.messages.order
            )
            interaction.conv_tp = convolution
            interaction.conv_fusion = True  # then it passes the edges, and sums nothing
        if hasattr(interaction, "skip_tp") and ElementLinear.fits(interaction.skip_tp):
            interaction.skip_tp = ElementLinear(interaction.skip_tp)
    products: list[Any] = list(network.get_submodule("products").children())
    for product in products:
        if ElementContraction.fits(product.symmetric_contractions):
            product.symmetric_contractions = ElementContraction(
                product.symmetric_contractions
            )


class Convolution(nn.Module):
    """A tensor product on edges and the sum over neighbours, in one.

    Parameters
    ----------
    product
        MACE's ``conv_tp``.
    """

    def __init__(self, product: Any) -> None:  # noqa: ANN401 - e3nn's
        super().__init__()
        paths = message_paths(product, own_tables=True)
        self.messages = SummedMessages(paths, product.irreps_in2.dim)

    def forward(
        self, features: Tensor, attributes: Tensor, weights: Tensor, edges: Tensor
    ) -> Tensor:
        """Return the summed messages, shape (atoms, message components).

        Parameters
        ----------
        features
            Of the atoms, shape (atoms, feature components).
        attributes
            Of the edges, shape (edges, attribute components).
        weights
            Of the edges, as :class:`RadialWeights` gives them.
        edges
            Sender and receiver, shape (2, edges).
        """
        columns = weights.split(self.messages.n_weights, 1)
        return self.messages.summed(features, attributes, columns, edges.flip(0))


class RadialWeights(nn.Module):
    """A radial network whose last layer gives its outputs in another order.

    Parameters
    ----------
    theirs
        A plain stack of layers (``FullyConnectedNet``), or one inside (``RadialMLP``).
    order
        Places of the outputs.
    """

    order: Tensor

    def __init__(self, theirs: nn.Module, order: Tensor) -> None:
        super().__init__()
        for name, child in theirs.named_children():
            self.add_module(name, child)
        self.register_buffer("order", order.clone(), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """Return the weights of each edge, shape (edges, weights)."""
        layers: list[Any] = list(getattr(self, "net", self).children())
        last = layers.pop()
        for layer in layers:
            values = layer(values)
        if isinstance(last, nn.Linear):
            matrix = last.weight.index_select(0, self.order)
            return nn.functional.linear(
                values, matrix, last.bias.index_select(0, self.order)
            )
        variance = last.h_in * last.var_in / last.var_out
        return values @ (last.weight.index_select(1, self.order) / variance**0.5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Path:
    """One irrep of the input that is mixed into one of the output.

    Parameters
    ----------
    source, target
        Which of the input and of the output.
    n_components
        2l + 1
    factor
        The path's normalisation.
    shape
        Channels of the input, elements, channels of the output.
    """

    source: int
    target: int
    n_components: int
    factor: float
    shape: tuple[int, int, int]

    @property
    def size(self) -> int:
        """Number of weights."""
        n_in, n_elements, n_out = self.shape
        return n_in * n_elements * n_out

    def mixed(self, values: Tensor, matrix: Tensor) -> Tensor:
        """Return the output's share, shape (atoms, channels * components)."""
        values = values.unflatten(1, (self.shape[0], self.n_components))
        mixed = values.transpose(1, 2) @ (self.factor * matrix)
        return mixed.transpose(1, 2).flatten(1)


class ElementLinear(nn.Module):
    """An equivariant linear layer with matrices of its own for each element.

    Parameters
    ----------
    product
        MACE's ``skip_tp``: the fully connected product of features with a one-hot
        vector of the element.
    """

    def __init__(self, product: Any) -> None:  # noqa: ANN401 - e3nn's
        super().__init__()
        self.weight = product.weight
        self.sources = [some.dim for some in product.irreps_in1]
        self.targets = [some.dim for some in product.irreps_out]
        self.paths = [
            _Path(
                source=one.i_in1,
                target=one.i_out,
                n_components=product.irreps_out[one.i_out].ir.dim,
                factor=one.path_weight / product.irreps_out[one.i_out].ir.dim ** 0.5,
                shape=one.path_shape,
            )
            for one in product.instructions
        ]

    @staticmethod
    def fits(layer: Any) -> bool:  # noqa: ANN401 - e3nn's
        """Return whether a layer is such a product."""
        from e3nn.o3 import FullyConnectedTensorProduct

        if not isinstance(layer, FullyConnectedTensorProduct):
            return False
        product: Any = layer
        orders = [some.ir.l for some in product.irreps_in2]
        return orders == [0] and all(one.has_weight for one in product.instructions)

    def forward(self, features: Tensor, attributes: Tensor) -> Tensor:
        """Return the mixed features, shape (atoms, output components).

        Parameters
        ----------
        features
            Shape (atoms, input components).
        attributes
            One-hot vectors of the elements, shape (atoms, elements).
        """
        atoms = AtomsByElement.of(attributes)
        flat = self.weight.split([path.size for path in self.paths])
        matrices = [
            some.view(path.shape).index_select(1, atoms.present).unbind(1)
            for path, some in zip(self.paths, flat, strict=True)
        ]
        return atoms.joined(
            [
                self._mixed(group, [some[i] for some in matrices])
                for i, group in enumerate(atoms.groups(features))
            ]
        )

    def _mixed(self, features: Tensor, matrices: Sequence[Tensor]) -> Tensor:
        """Mix the features of one element's atoms."""
        sources = features.split(self.sources, 1)
        outputs: list[Tensor | None] = [None] * len(self.targets)
        for path, matrix in zip(self.paths, matrices, strict=True):
            share = path.mixed(sources[path.source], matrix)
            before = outputs[path.target]
            outputs[path.target] = share if before is None else before + share
        return torch.cat(
            [
                features.new_zeros(len(features), size) if one is None else one
                for one, size in zip(outputs, self.targets, strict=True)
            ],
            dim=1,
        )
