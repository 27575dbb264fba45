"""The four axes as specs: what moves, pulls back, is rehearsed, and how it starts."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Roles = Annotated[tuple[str, ...], Field(min_length=1)]


class WholeWeights(_Spec):
    """Every weight of the given roles moves freely."""

    kind: Literal["whole"] = "whole"
    roles: Roles | None = None
    """``interaction`` means every layer, ``interaction.2`` the third; none means
    every role but reference energies and scales."""


class LowRankDeltas(_Spec):
    """Every matrix of the given roles moves by a product of two thin ones."""

    kind: Literal["low_rank"] = "low_rank"
    roles: Roles | None = None
    """As for whole weights; what holds no matrix stays."""
    rank: Annotated[int, Field(ge=1, le=512)] = 4
    alpha: Positive | None = None
    """Scale of the delta, ``alpha / rank``; none means `rank`, a factor of one."""


class DistanceToSource(_Spec):
    """Pull the weights back to the source's (L2-SP; Li et al., ICML 2018)."""

    kind: Literal["l2sp"] = "l2sp"
    strength: Positive = 100.0
    """Times the mean squared distance of the moved weights to the source's."""


class Start(_Spec):
    """How the adaptation starts."""

    weights: Literal["source", "fresh"] = "source"
    references: bool = True
    """Refit reference energies in closed form before the first step."""


class Axes(_Spec):
    """A point on the four axes: one adaptation."""

    moves: Annotated[WholeWeights | LowRankDeltas, Field(discriminator="kind")]
    pulls: DistanceToSource | None = None
    rehearses: None = None
    starts: Start = Start()
