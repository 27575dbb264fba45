"""Named recipes: a table of four columns, and the learning rate that suits each."""

from pydantic import ConfigDict, NonNegativeInt, PositiveFloat
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
    learning_rate: PositiveFloat
    steps: NonNegativeInt | None = None


RECIPES = Registry[Recipe](
    "recipe",
    Plugins("recipe", "atomgraft.recipes", lambda one: isinstance(one, Recipe)),
)

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
RECIPES.retire(
    "l2sp",
    "With 7net-0 it learned less than 'full' on five materials and forgot hardly less, "
    "or more, whatever its strength.",
    "Use 'decay' or 'ewc'; or 'custom' with axes.pulls {kind: l2sp, strength: ...}.",
)
RECIPES.add(
    "decay",
    Recipe(
        summary="as full, a step back towards the source after each step",
        axes=Axes(moves=WholeWeights(), pulls=DecayToSource()),
        learning_rate=1e-3,
    ),
)
RECIPES.add(
    "ewc",
    Recipe(
        summary="as full, weights that matter to the source are pulled back",
        axes=Axes(moves=WholeWeights(), pulls=FisherDistance()),
        learning_rate=1e-3,
    ),
)
RECIPES.add(
    "interpolated",
    Recipe(
        summary="as full, then a share of the way back to the source",
        axes=Axes(moves=WholeWeights(), pulls=Interpolation()),
        learning_rate=1e-3,
    ),
)
RECIPES.add(
    "replay",
    Recipe(
        summary="as full, rehearsing structures that the source has labelled",
        axes=Axes(moves=WholeWeights(), rehearses=PseudoLabels()),
        learning_rate=1e-3,
    ),
)
RECIPES.add(
    "lora-replay",
    Recipe(
        summary="as lora, rehearsing structures that the source has labelled",
        axes=Axes(moves=LowRankDeltas(), rehearses=PseudoLabels()),
        learning_rate=5e-3,
    ),
)
RECIPES.add(
    "predictions",
    Recipe(
        summary="as full, pulled to the source's predictions on rehearsed structures",
        axes=Axes(
            moves=WholeWeights(), pulls=SourcePredictions(), rehearses=PseudoLabels()
        ),
        learning_rate=1e-3,
    ),
)
RECIPES.add(
    "ridge",
    Recipe(
        summary="the readout in closed form: one pass, no steps",
        axes=Axes(
            moves=WholeWeights(roles=("readout",)), starts=Start(readout="ridge")
        ),
        learning_rate=3e-2,
        steps=0,
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
