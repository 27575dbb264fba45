"""What pulls back: a number that grows as the weights leave their source."""

import abc
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from atomgraft.adaptation.axes import DistanceToSource
from atomgraft.models.base import AbstractPotential


class AbstractPenalty(nn.Module, abc.ABC):
    """A term added to the objective."""

    @abc.abstractmethod
    def forward(self, weights: Mapping[str, Tensor]) -> Tensor:
        """Return the penalty of moved weights, a scalar without unit."""


class SourceDistance(AbstractPenalty):
    """``strength`` times the mean squared distance to the source weights.

    Li, Grandvalet and Davoine, ICML 2018, eq. 2, with the mean in place of the
    sum, so that one strength suits small and large models.

    Parameters
    ----------
    potential
        The source.
    names
        The parameters that move.
    spec
        The strength.
    """

    def __init__(
        self,
        potential: AbstractPotential,
        names: list[str],
        spec: DistanceToSource,
    ) -> None:
        super().__init__()
        self.names = tuple(names)
        self.strength = spec.strength
        for i, name in enumerate(names):
            source = potential.module.get_parameter(name).detach().clone()
            self.register_buffer(f"source_{i}", source, persistent=False)

    def forward(self, weights: Mapping[str, Tensor]) -> Tensor:
        """Return the penalty."""
        squares = [
            ((weights[name] - self.get_buffer(f"source_{i}")) ** 2).sum()
            for i, name in enumerate(self.names)
        ]
        count = sum(weights[name].numel() for name in self.names)
        return self.strength * torch.stack(squares).sum() / count
