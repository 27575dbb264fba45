"""A recipe of our own: what the atoms feel moves, how they are read does not."""

from atomgraft.adaptation.axes import Axes, WholeWeights
from atomgraft.adaptation.recipes import Recipe

INTERACTIONS = Recipe(
    summary="every interaction layer moves; embedding and readout stay",
    axes=Axes(moves=WholeWeights(roles=("interaction",))),
    learning_rate=1e-3,
)
