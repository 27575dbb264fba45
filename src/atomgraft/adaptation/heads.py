"""Heads: a shared movement, and the own weights of each head."""

from collections.abc import Mapping, Sequence, Set

from torch import Tensor, nn

from atomgraft.adaptation.axes import LowRankDeltas, WholeWeights
from atomgraft.adaptation.movement import (
    TARGET,
    AbstractMovement,
    LowRankMovement,
    chosen_names,
    make_movement,
)
from atomgraft.core.seeding import torch_generator
from atomgraft.models.base import AbstractPotential, RowKey


class HeadMovement(AbstractMovement):
    """Several heads: what they share, and what each moves for itself.

    An owned parameter that moves as a whole takes the place of the shared one; an
    owned low-rank delta is added to it.

    Parameters
    ----------
    shared
        What all heads move together.
    own
        What each moves for itself, by head; `TARGET` is one of them. A head that is
        not named here shares what the target moves.
    """

    def __init__(
        self, shared: AbstractMovement | None, own: Mapping[str, AbstractMovement]
    ) -> None:
        super().__init__()
        self.shared = shared
        self.heads = tuple(own)
        self.own = nn.ModuleList(own.values())

    def _parts(self) -> dict[str, AbstractMovement]:
        """Return every part under the prefix that its tensors carry."""
        parts = {} if self.shared is None else {"": self.shared}
        for head, own in zip(self.heads, self.own, strict=True):
            assert isinstance(own, AbstractMovement)
            parts[f"{head}/"] = own
        return parts

    def weights(self, head: str = TARGET) -> dict[str, Tensor]:
        """Return the shared weights with those of one head put in."""
        weights = {} if self.shared is None else self.shared.weights(head)
        parts = self._parts()
        own = parts.get(f"{head}/", parts[f"{TARGET}/"])
        if not isinstance(own, LowRankMovement):
            return {**weights, **own.weights(head)}
        alone = own.weights(head)
        for name, change in own.changes().items():
            weights[name] = weights[name] + change if name in weights else alone[name]
        return weights

    def changes(self) -> dict[str, Tensor]:
        """Return those of all parts, those of a head as ``head/name``."""
        return {
            f"{prefix}{name}": change
            for prefix, part in self._parts().items()
            for name, change in part.changes().items()
        }

    def retreat(self, share: float) -> None:
        """Let every part go back."""
        for part in self._parts().values():
            part.retreat(share)

    def named_trainables(self) -> dict[str, nn.Parameter]:
        """Return the tensors of all parts, those of a head as ``head/name``."""
        return {
            f"{prefix}{name}": tensor
            for prefix, part in self._parts().items()
            for name, tensor in part.named_trainables().items()
        }

    def transposed(self) -> frozenset[str]:
        """Return those of all parts, with the prefix of their tensors."""
        return frozenset(
            f"{prefix}{name}"
            for prefix, part in self._parts().items()
            for name in part.transposed()
        )

    def trainable_count(self, parameter: str) -> int:
        """Return the trained numbers behind a parameter, of all heads together."""
        return sum(part.trainable_count(parameter) for part in self._parts().values())


def make_head_movement(
    potentials: Mapping[str, AbstractPotential],
    moves: WholeWeights | LowRankDeltas,
    owns: WholeWeights | LowRankDeltas,
    owners: Sequence[str],
    seed: int,
    present: Mapping[str, Set[RowKey]] | None = None,
) -> AbstractMovement:
    """Build what several heads move, together and each for itself.

    Parameters
    ----------
    potentials
        The source as each head sees it; one is called `TARGET`.
    moves, owns
        The first axis, and what a head moves for itself.
    owners
        Heads that own something; where there is one alone, nothing needs an owner.
    seed
        Source of random first factors.
    present
        Atomic numbers and heads of the base that the run has data of, by head; none
        takes all.

    Raises
    ------
    BadInputError
        A role is unknown, or nothing can move this way.
    """
    target = potentials[TARGET]
    every = None if present is None else frozenset[RowKey]().union(*present.values())
    if len(owners) < 2:
        generator = torch_generator(seed, "movement")
        return make_movement(target, moves, generator, present=every)
    owned = frozenset[str]()
    if isinstance(owns, WholeWeights):
        owned = frozenset(chosen_names(target, owns))
    shared = None
    if not owned.issuperset(chosen_names(target, moves)):
        generator = torch_generator(seed, "movement")
        shared = make_movement(target, moves, generator, without=owned, present=every)
    own = {
        head: make_movement(
            potentials[head],
            owns,
            torch_generator(seed, "movement", head),
            present=None if present is None else _present_in(head, present, owners),
        )
        for head in owners
    }
    return HeadMovement(shared, own)


def _present_in(
    head: str, present: Mapping[str, Set[RowKey]], owners: Sequence[str]
) -> Set[RowKey]:
    """Return what the data of a head's own movement select.

    The target's own movement serves heads without one too.
    """
    served = {head}
    if head == TARGET:
        served |= present.keys() - set(owners)
    return frozenset[RowKey]().union(*(present.get(one, ()) for one in served))
