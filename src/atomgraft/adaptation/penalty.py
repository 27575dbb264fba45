"""What pulls back: a number that grows as the weights leave their source."""

import abc
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from atomgraft.adaptation.movement import AbstractMovement


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
