"""Checks of what holds an adaptation back: it does, and ends where it must."""

import copy
import dataclasses
from collections.abc import Callable

from pydantic import BaseModel

from atomgraft.adaptation.axes import (
    Axes,
    FisherDistance,
    Interpolation,
    SourcePredictions,
)
from atomgraft.adaptation.base import Adapted
from atomgraft.testing.adaptation_trials import (
    AdaptationTrial,
    differing,
    distance,
    moved_weights,
    trained_tensors,
    weights_of,
)
from atomgraft.testing.measuring import measure
from atomgraft.testing.tolerances import Tolerances, assert_close

Measure = Callable[[AdaptationTrial, Adapted], float]
"""Returns how far an adaptation is from its source."""

FIRM = 1e6
"""Times its strength, a pull must win; at its own it must only take part."""

FIRM_SHARE = 0.9
"""The same for pulls that go a share of the way back."""

CLOSER = 0.8
"""A firm pull leaves at most this share of the way that is gone without it."""


def check_pull_pulls(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require that a firm pull ends closer to the source than none does."""
    pulls = trial.axes.pulls
    if pulls is None:
        return
    held = trial.axes.model_copy(update={"pulls": firmly(pulls)})
    free = trial.axes.model_copy(update={"pulls": None})
    if isinstance(pulls, SourcePredictions):  # its structures are compared, not seen
        free = free.model_copy(update={"rehearses": None})
    if isinstance(pulls, SourcePredictions | FisherDistance):
        _require_closer(trial, free, held, "its predictions", _function_distance)
    else:
        _require_closer(trial, free, held, "its weights", _weight_distance)


def check_rehearsal_reminds(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require that what is rehearsed firmly is predicted more as the source does."""
    rehearses = trial.axes.rehearses
    if rehearses is None or isinstance(trial.axes.pulls, SourcePredictions):
        return
    firm = rehearses.model_copy(update={"weight": FIRM, "own_readout": False})
    held = trial.axes.model_copy(update={"rehearses": firm})
    free = trial.axes.model_copy(update={"rehearses": None})
    _require_closer(trial, free, held, "its predictions", _function_distance)


def check_retreat_ends(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require that no way back changes nothing, and that all of it is the start."""
    movement = copy.deepcopy(trial.after.movement)
    adapted = dataclasses.replace(trial.after, movement=movement)
    movement.retreat(0.0)
    if changed := differing(trained_tensors(adapted), trained_tensors(trial.after)):
        raise AssertionError(f"a retreat by nothing changes {', '.join(changed)}")
    movement.retreat(1.0)
    if away := differing(moved_weights(adapted), moved_weights(trial.before)):
        raise AssertionError(f"after the whole way back {', '.join(away)} differ")


def check_interpolation_lies_between(
    trial: AdaptationTrial, tolerances: Tolerances
) -> None:
    """Require weights that lie on the line, the asked share of the way back."""
    pulls = trial.axes.pulls
    if not isinstance(pulls, Interpolation):
        return
    free = trial.with_axes(trial.axes.model_copy(update={"pulls": None}))
    start, end = moved_weights(trial.before), moved_weights(free.after)
    for name, value in moved_weights(trial.after).items():
        expected = end[name] + pulls.share * (start[name] - end[name])
        assert_close(name, value, expected, tolerances.round_off)


def firmly(pulls: BaseModel) -> BaseModel:
    """Return a pull that must win: a much larger strength, or nearly the whole share.

    Parameters
    ----------
    pulls
        The second axis; what has neither is returned as it is.

    Examples
    --------
    >>> from atomgraft.adaptation.axes import DistanceToSource
    >>> firmly(DistanceToSource(strength=2.0)).strength
    2000000.0
    """
    changes: dict[str, float] = {}
    if (strength := getattr(pulls, "strength", None)) is not None:
        changes["strength"] = FIRM * strength
    if getattr(pulls, "share", None) is not None:
        changes["share"] = FIRM_SHARE
    return pulls.model_copy(update=changes)


def _require_closer(
    trial: AdaptationTrial, free: Axes, held: Axes, what: str, measured: Measure
) -> None:
    far = measured(trial, trial.with_axes(free).after)
    near = measured(trial, trial.with_axes(held).after)
    if not far > 0:
        raise AssertionError(f"without a pull {what} do not leave the source at all")
    if not near <= CLOSER * far:
        raise AssertionError(
            f"a firm pull leaves {what} at {near:.2e} from the source, none at "
            f"{far:.2e}: it does not pull"
        )


def _weight_distance(trial: AdaptationTrial, adapted: Adapted) -> float:
    return distance(moved_weights(adapted), weights_of(adapted.potential))


def _function_distance(trial: AdaptationTrial, adapted: Adapted) -> float:
    """Return the largest difference of forces on what is rehearsed, eV/Å."""
    known = measure(trial.source, trial.rehearsed)
    found = measure(adapted.merged(), trial.rehearsed)
    return max(
        float(abs(two.forces - one.forces).max())
        for one, two in zip(known, found, strict=True)
    )
