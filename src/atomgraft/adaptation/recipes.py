"""Named recipes: one point on each axis, and a learning rate."""

from typing import Annotated

from pydantic import ConfigDict, Field, NonNegativeInt
from pydantic.dataclasses import dataclass

from atomgraft.adaptation.axes import (
    Axes,
    DecayToSource,
    FisherDistance,
    Interpolation,
    LowRankDeltas,
    PseudoLabels,
    SourcePredictions,
    Start,
    WholeWeights,
)
from atomgraft.core.registry import Plugins, Registry


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
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
    steps
        Steps of the optimiser where the user gives none; none is the plan's default.
    """

    summary: str
    axes: Axes
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    steps: NonNegativeInt | None = None


RECIPES = Registry[Recipe](
    "recipe",
    Plugins("recipe", "atomgraft.recipes", lambda one: isinstance(one, Recipe)),
)

RECIPES.add(
    "full",
    Recipe(
        summary="train all weights except reference energies and scales",
        axes=Axes(moves=WholeWeights()),
        learning_rate=1e-3,
    ),
)
RECIPES.add(
    "readout",
    Recipe(
        summary="train only the readout",
        axes=Axes(moves=WholeWeights(roles=("readout",))),
        learning_rate=3e-2,
    ),
)
RECIPES.add(
    "lora",
    Recipe(
        summary="train low-rank deltas on every matrix",
        axes=Axes(moves=LowRankDeltas()),
        learning_rate=5e-3,
    ),
)
RECIPES.retire(
    "l2sp",
    "On five materials with 7net-0 its errors were larger than those of 'full', "
    "and forgetting was similar, at every strength.",
    "Use 'decay' or 'ewc'; or 'custom' with axes.pulls {kind: l2sp, strength: ...}.",
)
RECIPES.add(
    "decay",
    Recipe(
        summary="as full, with a step back towards the source after each step",
        axes=Axes(moves=WholeWeights(), pulls=DecayToSource()),
        learning_rate=1e-3,
    ),
)
RECIPES.add(
    "ewc",
    Recipe(
        summary="as full, with a penalty on weights that are important for the source",
        axes=Axes(moves=WholeWeights(), pulls=FisherDistance()),
        learning_rate=1e-3,
    ),
)
RECIPES.add(
    "interpolated",
    Recipe(
        summary="as full, then interpolated with the source",
        axes=Axes(moves=WholeWeights(), pulls=Interpolation()),
        learning_rate=1e-3,
    ),
)
RECIPES.add(
    "replay",
    Recipe(
        summary="as full, with replay of structures labelled by the source",
        axes=Axes(moves=WholeWeights(), rehearses=PseudoLabels()),
        learning_rate=1e-3,
    ),
)
RECIPES.add(
    "lora-replay",
    Recipe(
        summary="as lora, with replay of structures labelled by the source",
        axes=Axes(moves=LowRankDeltas(), rehearses=PseudoLabels()),
        learning_rate=5e-3,
    ),
)
RECIPES.add(
    "predictions",
    Recipe(
        summary="as full, with a penalty on changed predictions for replayed "
        "structures",
        axes=Axes(
            moves=WholeWeights(), pulls=SourcePredictions(), rehearses=PseudoLabels()
        ),
        learning_rate=1e-3,
    ),
)
RECIPES.add(
    "ridge",
    Recipe(
        summary="solve the readout in closed form, without training steps",
        axes=Axes(
            moves=WholeWeights(roles=("readout",)), starts=Start(readout="ridge")
        ),
        learning_rate=3e-2,
        steps=0,
    ),
)
RECIPES.add(
    "linear",
    Recipe(
        summary="fit a linear model of the base's features in closed form, as a "
        "baseline",
        axes=Axes(
            moves=WholeWeights(roles=("readout",)), starts=Start(readout="linear")
        ),
        learning_rate=3e-2,
        steps=0,
    ),
)
RECIPES.add(
    "scratch",
    Recipe(
        summary="train the same architecture from fresh weights, as a baseline",
        axes=Axes(moves=WholeWeights(), starts=Start(weights="fresh")),
        learning_rate=2e-2,
    ),
)
