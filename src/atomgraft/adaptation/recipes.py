"""Named recipes: a table of four columns, and the learning rate that suits each."""

import dataclasses

from atomgraft.adaptation.axes import (
    Axes,
    DistanceToSource,
    LowRankDeltas,
    Start,
    WholeWeights,
)
from atomgraft.core.registry import Registry


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """A named adaptation.

    Parameters
    ----------
    summary
        One line for people.
    axes
        What moves, pulls back, is rehearsed, and how it starts.
    learning_rate
        Peak of the schedule where the user gives none.
    """

    summary: str
    axes: Axes
    learning_rate: float


RECIPES = Registry[Recipe]("recipe")

RECIPES.add(
    "full",
    Recipe(
        summary="every weight but reference energies and scales moves",
        axes=Axes(moves=WholeWeights()),
        learning_rate=1e-3,
    ),
)
RECIPES.add(
    "readout",
    Recipe(
        summary="only the readout moves",
        axes=Axes(moves=WholeWeights(roles=("readout",))),
        learning_rate=3e-2,
    ),
)
RECIPES.add(
    "lora",
    Recipe(
        summary="low-rank deltas on every matrix",
        axes=Axes(moves=LowRankDeltas()),
        learning_rate=5e-3,
    ),
)
RECIPES.add(
    "l2sp",
    Recipe(
        summary="as full, pulled back to the source",
        axes=Axes(moves=WholeWeights(), pulls=DistanceToSource()),
        learning_rate=1e-3,
    ),
)
RECIPES.add(
    "scratch",
    Recipe(
        summary="the same architecture from fresh weights: the honest baseline",
        axes=Axes(moves=WholeWeights(), starts=Start(weights="fresh")),
        learning_rate=2e-2,
    ),
)
