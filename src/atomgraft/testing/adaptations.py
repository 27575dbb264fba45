"""The conformance kit for adaptations: named checks over any potential and axes."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from atomgraft.adaptation.axes import Axes
from atomgraft.models.base import AbstractPotential
from atomgraft.testing import adaptation_files, adaptation_pulls, adaptation_steps
from atomgraft.testing.adaptation_trials import AdaptationTrial, adaptation_trial
from atomgraft.testing.tolerances import Tolerances

AdaptationCheck = Callable[[AdaptationTrial, Tolerances], None]
"""Raises AssertionError with what was found; takes keyword arguments too."""

_CHECKS: tuple[AdaptationCheck, ...] = (
    adaptation_steps.check_step_0_is_the_start,
    adaptation_steps.check_shifts_are_declared,
    adaptation_steps.check_frozen_weights_stay,
    adaptation_steps.check_declared_numbers_are_trained,
    adaptation_steps.check_everything_trained_moves,
    adaptation_steps.check_merged_is_adapted,
    adaptation_steps.check_absent_elements_stay,
    adaptation_pulls.check_pull_pulls,
    adaptation_pulls.check_rehearsal_reminds,
    adaptation_pulls.check_retreat_ends,
    adaptation_pulls.check_interpolation_lies_between,
    adaptation_files.check_graft_comes_back,
    adaptation_files.check_graft_refuses_another_base,
    adaptation_files.check_same_seed_same_weights,
)

ADAPTATION_CHECKS: Mapping[str, AdaptationCheck] = MappingProxyType(
    {check.__name__.removeprefix("check_"): check for check in _CHECKS}
)
"""Every check by name, to parametrise a test over::

    @pytest.mark.parametrize("name", ADAPTATION_CHECKS)
    def test_my_recipe(name):
        trial = adaptation_trial(load_potential("pair:sw-si"), MY_RECIPE.axes)
        ADAPTATION_CHECKS[name](trial, Tolerances())
"""


def failed_adaptation_checks(
    potential: AbstractPotential, axes: Axes, tolerances: Tolerances | None = None
) -> dict[str, str]:
    """Run the whole kit and return what failed, with the reason, by name.

    Parameters
    ----------
    potential
        A small one: it is trained about a dozen times, a few steps each. Not
        changed.
    axes
        The adaptation.
    tolerances
        The kit's own unless given.

    Examples
    --------
    >>> from atomgraft.adaptation.recipes import RECIPES
    >>> from atomgraft.models.pair import PRESETS
    >>> failed_adaptation_checks(PRESETS["pair:lj-ar"](), RECIPES["readout"].axes)
    {}
    """
    trial = adaptation_trial(potential, axes)
    limits = tolerances or Tolerances()
    failures: dict[str, str] = {}
    for name, check in ADAPTATION_CHECKS.items():
        try:
            check(trial, limits)
        except AssertionError as failure:
            failures[name] = str(failure)
    return failures
