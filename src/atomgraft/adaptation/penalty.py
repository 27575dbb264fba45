"""What pulls back: a number that grows as the weights leave their source."""

import abc
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from atomgraft.models.base import AbstractPotential


class AbstractPenalty(nn.Module, abc.ABC):
    """A term added to the objective."""

    @abc.abstractmethod
    def forward(self, weights: Mapping[str, Tensor]) -> Tensor:
        """Return the penalty of moved weights, a scalar without unit."""


class SourceDistance(AbstractPenalty):
    """``strength`` times the mean squared distance to the source weights.

    Li, Grandvalet and Davoine, ICML 2018, eq. 2, with the mean in place of the
    sum, so that one strength suits small and large models. With an importance for
    each weight it is elastic weight consolidation (Kirkpatrick et al., PNAS 114, 3521
    (2017), eq. 3).

    Parameters
    ----------
    potential
        The source.
    names
        The parameters that move.
    strength
        Factor of the whole.
    importance
        Factor of each weight, of mean one; none counts all alike.
    """

    def __init__(
        self,
        potential: AbstractPotential,
        names: Sequence[str],
        strength: float,
        importance: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.names = tuple(names)
        self.strength = strength
        self.is_weighted = importance is not None
        for i, name in enumerate(names):
            source = potential.module.get_parameter(name).detach().clone()
            self.register_buffer(f"source_{i}", source, persistent=False)
            if importance is not None:
                self.register_buffer(
                    f"importance_{i}", importance[name].detach(), persistent=False
                )

    def forward(self, weights: Mapping[str, Tensor]) -> Tensor:
        """Return the penalty."""
        squares = [self._squares(i, weights[name]) for i, name in enumerate(self.names)]
        count = sum(weights[name].numel() for name in self.names)
        return self.strength * torch.stack(squares).sum() / count

    def _squares(self, i: int, weight: Tensor) -> Tensor:
        """Return the sum of weighted squares of one parameter."""
        squares = (weight - self.get_buffer(f"source_{i}")) ** 2
        if self.is_weighted:
            squares = squares * self.get_buffer(f"importance_{i}")
        return squares.sum()
