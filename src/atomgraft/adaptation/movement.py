"""Movements: from trained tensors to the weights of the model."""

import abc
import dataclasses
from collections.abc import Sequence, Set

import torch
from torch import Tensor, nn

from atomgraft.adaptation.axes import TARGET, LowRankDeltas, WholeWeights
from atomgraft.core.errors import BadInputError
from atomgraft.models.base import (
    REFERENCE_ENERGIES,
    SCALE,
    AbstractPotential,
    Block,
    Role,
    RowKey,
)

FIXED: frozenset[Role] = frozenset({REFERENCE_ENERGIES, SCALE})
"""Roles that move only where they are asked for by name."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoleMovement:
    """How much of one role moves.

    Parameters
    ----------
    role
        The role.
    n_tensors, n_tensors_moving
        Parameters of the role, and those of them that move.
    n_weights, n_weights_moving
        The same in numbers.
    n_trainable
        Trained numbers behind them.
    """

    role: Role
    n_tensors: int
    n_tensors_moving: int
    n_weights: int
    n_weights_moving: int
    n_trainable: int


class AbstractMovement(nn.Module, abc.ABC):
    """Trained tensors, and the model weights that follow from them.

    The tensors are the module's parameters, so optimisers and distributed
    wrappers see nothing but what is trained.
    """

    @abc.abstractmethod
    def weights(self, head: str = TARGET) -> dict[str, Tensor]:
        """Return the moved parameters of the model, by name.

        Parameters
        ----------
        head
            Whose; all heads have the same where nothing is owned.
        """

    @abc.abstractmethod
    def changes(self) -> dict[str, Tensor]:
        """Return all that moves as differences from the source, each once.

        Under the parameter's name, and what a head moves for itself as ``head/name``.
        """

    @abc.abstractmethod
    def retreat(self, share: float) -> None:
        """Go a share of the way back to the source, in place.

        Parameters
        ----------
        share
            Zero changes nothing, one gives the source.
        """

    @abc.abstractmethod
    def named_trainables(self) -> dict[str, nn.Parameter]:
        """Return the trained tensors under names that a graft file keeps."""

    @abc.abstractmethod
    def trainable_count(self, parameter: str) -> int:
        """Return how many trained numbers stand behind a parameter of the model."""

    def transposed(self) -> frozenset[str]:
        """Return the deltas that files of before had the other way round, by name."""
        return frozenset()


class WholeMovement(AbstractMovement):
    """Whole parameters move.

    Parameters
    ----------
    potential
        Where the parameters start.
    names
        The parameters that move.
    """

    def __init__(self, potential: AbstractPotential, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        sources = [potential.module.get_parameter(name).detach() for name in names]
        self.values = nn.ParameterList(one.clone() for one in sources)
        for i, source in enumerate(sources):
            self.register_buffer(f"source_{i}", source.clone(), persistent=False)

    def weights(self, head: str = TARGET) -> dict[str, Tensor]:
        """Return the trained tensors themselves."""
        return dict(zip(self.names, self.values, strict=True))

    def changes(self) -> dict[str, Tensor]:
        """Return the trained tensors less what they started from."""
        return {
            name: value - self.get_buffer(f"source_{i}")
            for i, (name, value) in enumerate(self.weights().items())
        }

    def retreat(self, share: float) -> None:
        """Move each tensor towards where it came from."""
        with torch.no_grad():
            for i, value in enumerate(self.values):
                value.lerp_(self.get_buffer(f"source_{i}"), share)

    def named_trainables(self) -> dict[str, nn.Parameter]:
        """Return the trained tensors under the model's names."""
        return dict(zip(self.names, self.values, strict=True))

    def trainable_count(self, parameter: str) -> int:
        """Return the size of the parameter, or zero if it stays."""
        return self.weights()[parameter].numel() if parameter in self.names else 0


class BlockDelta(nn.Module):
    """The delta of one block: ``factor * scale * A B``, B zero at the start.

    Where two thin matrices would hold no fewer numbers than the block itself, the
    block moves whole: ``factor * scale * B``.

    Parameters
    ----------
    block
        The matrix that moves.
    rank
        Inner dimension of the product.
    factor
        alpha / rank
    like
        Gives precision and device.
    generator
        Source of A, whose entries are standard normal for every kind of layer;
        the block's scale brings the product to the layer's own unit.
    present
        Atomic numbers and heads that the run has data of; none takes all. B is shared
        by all rows, so a row of A that no data select would move the weights of an
        absent element at random. It starts at zero, its gradient is zero, and so is
        its delta at every step.
    """

    def __init__(
        self,
        block: Block,
        rank: int,
        factor: float,
        like: Tensor,
        generator: torch.Generator,
        present: Set[RowKey] | None = None,
    ) -> None:
        super().__init__()
        self.block = block
        self.factor = factor * block.scale
        self.is_thin = rank * (block.rows + block.columns) < block.size
        if self.is_thin:
            first = torch.randn(
                block.rows, rank, generator=generator, dtype=torch.float64
            )
            if present is not None:
                first[block.unused_rows(present)] = 0.0
            self.A = nn.Parameter(first.to(like))
        inner = rank if self.is_thin else block.rows
        self.B = nn.Parameter(like.new_zeros(inner, block.columns))

    def forward(self) -> Tensor:
        """Return the delta as its parameter stores it, shape (rows * columns,)."""
        product = self.A @ self.B if self.is_thin else self.B
        stored = product.T if self.block.is_transposed else product
        return self.factor * stored.flatten()


class LowRankMovement(AbstractMovement):
    """Every block of the named parameters moves by a low-rank delta.

    Hu et al., LoRA (ICLR 2022), eq. 3, on the blocks of equivariant, radial and
    dense weights alike, in weight space, so that merging is exact.

    Parameters
    ----------
    potential
        Where the parameters start.
    names
        The parameters whose blocks move.
    spec
        Rank and alpha.
    generator
        Source of the first factors.
    present
        Atomic numbers and heads that the run has data of; none takes all.
    """

    def __init__(
        self,
        potential: AbstractPotential,
        names: Sequence[str],
        spec: LowRankDeltas,
        generator: torch.Generator,
        present: Set[RowKey] | None = None,
    ) -> None:
        super().__init__()
        factor = (spec.alpha or float(spec.rank)) / spec.rank
        self.names = tuple(names)
        self.deltas = nn.ModuleList()
        for i, name in enumerate(names):
            source = potential.module.get_parameter(name).detach()
            self.register_buffer(f"source_{i}", source.clone(), persistent=False)
            self.deltas.append(
                nn.ModuleList(
                    BlockDelta(block, spec.rank, factor, source, generator, present)
                    for block in potential.blocks(name)
                )
            )

    def weights(self, head: str = TARGET) -> dict[str, Tensor]:
        """Return source plus deltas for each parameter."""
        return {
            name: self.get_buffer(f"source_{i}") + delta
            for i, (name, delta) in enumerate(self.changes().items())
        }

    def changes(self) -> dict[str, Tensor]:
        """Return the deltas alone, by parameter and in its shape."""
        return {name: self._change(i) for i, name in enumerate(self.names)}

    def retreat(self, share: float) -> None:
        """Shrink the second factors: the product goes with them."""
        with torch.no_grad():
            for i in range(len(self.names)):
                for delta in self._blocks(i):
                    delta.B.mul_(1 - share)

    def _change(self, i: int) -> Tensor:
        source = self.get_buffer(f"source_{i}")
        pieces: list[Tensor] = []
        position = 0
        for delta in self._blocks(i):
            if delta.block.offset > position:
                pieces.append(source.new_zeros(delta.block.offset - position))
            pieces.append(delta())
            position = delta.block.offset + delta.block.size
        if position < source.numel():
            pieces.append(source.new_zeros(source.numel() - position))
        return torch.cat(pieces).view_as(source)

    def _blocks(self, i: int) -> list[BlockDelta]:
        group = self.deltas[i]
        assert isinstance(group, nn.ModuleList)
        return [delta for delta in group if isinstance(delta, BlockDelta)]

    def named_trainables(self) -> dict[str, nn.Parameter]:
        """Return A and B of each block as ``parameter.block.A``."""
        return {
            f"{name}.{j}.{leaf}": tensor
            for i, name in enumerate(self.names)
            for j, delta in enumerate(self._blocks(i))
            for leaf, tensor in delta.named_parameters()
        }

    def transposed(self) -> frozenset[str]:
        """Return the blocks whose parameters store outputs by inputs."""
        return frozenset(
            f"{name}.{j}"
            for i, name in enumerate(self.names)
            for j, delta in enumerate(self._blocks(i))
            if delta.block.is_transposed
        )

    def trainable_count(self, parameter: str) -> int:
        """Return the size of the thin matrices behind a parameter."""
        if parameter not in self.names:
            return 0
        group = self.deltas[self.names.index(parameter)]
        return sum(tensor.numel() for tensor in group.parameters())


def make_movement(
    potential: AbstractPotential,
    spec: WholeWeights | LowRankDeltas,
    generator: torch.Generator,
    *,
    without: frozenset[str] = frozenset(),
    present: Set[RowKey] | None = None,
) -> AbstractMovement:
    """Build what moves.

    Parameters
    ----------
    potential
        The source, in the precision of training.
    spec
        The first axis.
    generator
        Source of random first factors.
    without
        Parameters that shall stay.
    present
        Atomic numbers and heads that the run has data of; none takes all.

    Raises
    ------
    BadInputError
        A role is unknown, or nothing in the chosen roles can move this way.
    """
    names = [one for one in chosen_names(potential, spec) if one not in without]
    if isinstance(spec, WholeWeights):
        return WholeMovement(potential, names)
    matrices = [name for name in names if potential.blocks(name)]
    if not matrices:
        roles = spec.roles or tuple(potential.roles)
        raise BadInputError(
            f"No parameter in the roles {', '.join(roles)} of "
            f"{potential.card.name} holds a matrix.",
            "Low-rank deltas need at least one matrix.",
            "Add roles, or train whole weights.",
        )
    return LowRankMovement(potential, matrices, spec, generator, present)


def chosen_names(
    potential: AbstractPotential, spec: WholeWeights | LowRankDeltas
) -> list[str]:
    """Return the parameters in the roles of a spec.

    Raises
    ------
    BadInputError
        A role is unknown.
    """
    roles = spec.roles or tuple(one for one in potential.roles if one not in FIXED)
    # "interaction" and "interaction.0" may both be asked for
    return list(
        dict.fromkeys(name for role in roles for name in potential.parameters_of(role))
    )


def coverage(
    potential: AbstractPotential, movement: AbstractMovement
) -> tuple[RoleMovement, ...]:
    """Return, role by role, how much of the model moves."""
    moving = set(movement.weights())
    return tuple(
        _role_movement(potential, movement, role, moving) for role in potential.roles
    )


def _role_movement(
    potential: AbstractPotential,
    movement: AbstractMovement,
    role: Role,
    moving: set[str],
) -> RoleMovement:
    sizes = {
        name: potential.module.get_parameter(name).numel()
        for name in potential.roles[role]
    }
    return RoleMovement(
        role=role,
        n_tensors=len(sizes),
        n_tensors_moving=len(sizes.keys() & moving),
        n_weights=sum(sizes.values()),
        n_weights_moving=sum(sizes[name] for name in sizes.keys() & moving),
        n_trainable=sum(movement.trainable_count(name) for name in sizes),
    )
