"""The honest baseline beside a run: the same plan from fresh weights."""

from atomgraft.adaptation.recipes import RECIPES
from atomgraft.run.spec import RunSpec

SCRATCH = "scratch"
"""Subfolder of the run from fresh weights, if one was asked for."""


def scratch_spec(spec: RunSpec) -> RunSpec:
    """Return the spec of the same run from fresh weights, at a rate that suits them.

    Parameters
    ----------
    spec
        The run to stand beside.
    """
    recipe = RECIPES["scratch"]
    return spec.model_copy(
        update={
            "recipe": "scratch",
            "axes": recipe.axes,
            "learning_rate": recipe.learning_rate,
        }
    )
