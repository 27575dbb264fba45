"""The conformance kit for adaptations: how they start, pull back and come back."""

import copy
import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from pydantic import BaseModel

from atomgraft.adaptation.axes import (
    Axes,
    FisherDistance,
    Interpolation,
    SourcePredictions,
)
from atomgraft.adaptation.base import Adapted
from atomgraft.adaptation.graft import GRAFT, GraftCard, load_graft, write_graft
from atomgraft.adaptation.movement import coverage
from atomgraft.core.errors import BadInputError
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict
from atomgraft.testing.adaptation_trials import (
    AdaptationTrial,
    adaptation_trial,
    differing,
    distance,
    elements_of,
    moved_weights,
    trained_tensors,
    weights_of,
    without_elements,
)
from atomgraft.testing.measuring import (
    Tolerances,
    assert_close,
    energies_of,
    graph_of,
    measure,
)

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


def check_graft_comes_back(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require that a graft, written and put back, has the same bits."""
    adapted = trial.after
    with tempfile.TemporaryDirectory() as folder:
        path = _written(trial, adapted, Path(folder))
        again = load_graft(path, trial.source)
    if lost := differing(trained_tensors(again), trained_tensors(adapted)):
        raise AssertionError(f"the file does not keep {', '.join(lost)}")
    if away := differing(moved_weights(again), moved_weights(adapted)):
        raise AssertionError(f"put back on its base, {', '.join(away)} differ")


def check_graft_refuses_another_base(
    trial: AdaptationTrial, tolerances: Tolerances
) -> None:
    """Require that a base of which one bit has changed is refused."""
    other = _with_one_bit_changed(trial.source)
    with tempfile.TemporaryDirectory() as folder:
        path = _written(trial, trial.before, Path(folder))
        try:
            load_graft(path, other)
        except BadInputError:
            return
    raise AssertionError("the graft was put on weights that it did not grow on")


def check_same_seed_same_weights(
    trial: AdaptationTrial, tolerances: Tolerances
) -> None:
    """Require that training twice gives the same bits."""
    one, other = trained_tensors(trial.after), trained_tensors(trial.train_anew())
    if away := differing(one, other):
        raise AssertionError(f"a second time {', '.join(away)} become something else")


def _written(trial: AdaptationTrial, adapted: Adapted, folder: Path) -> Path:
    card = GraftCard(
        base=trial.source.card.name,
        base_hash=trial.source.weights_hash(),
        head=trial.source.card.head,
        licence=trial.source.card.licence,
        axes=trial.axes.model_dump(mode="json"),
        seed=trial.seed,
        reference_shifts={},
        elements=(),
        data_fingerprint="",
        dtype="float64",
    )
    write_graft(folder / GRAFT, adapted, card)
    return folder / GRAFT


def _with_one_bit_changed(potential: AbstractPotential) -> AbstractPotential:
    other = potential.clone(device=potential.device)
    first = next(other.module.parameters()).detach().view(-1)
    first[0] = torch.nextafter(first[0], first[0] + 1)
    return other


def check_step_0_is_the_start(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require the source's weights, to the last bit, before the first step.

    Fresh weights are their own start: they must not be the source's, and the same
    seed must draw the same.
    """
    merged = weights_of(trial.before.merged())
    is_fresh = trial.axes.starts.weights == "fresh"
    expected = trial.start().potential if is_fresh else trial.source
    if changed := differing(merged, weights_of(expected)):
        raise AssertionError(f"before the first step {', '.join(changed)} differ")
    if is_fresh and not differing(merged, weights_of(trial.source)):
        raise AssertionError("fresh weights are those of the source")


def check_shifts_are_declared(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require that shifted reference energies shift energies and nothing else."""
    shifts = {number: 0.5 + 0.01 * number for number in _numbers(trial)}
    adapted = trial.start(shifts)
    if dict(adapted.reference_shifts) != shifts:
        raise AssertionError(f"{adapted.reference_shifts} are declared for {shifts}")
    before = measure(trial.before.potential, trial.train)
    after = measure(adapted.merged(), trial.train)
    gained = [sum(shifts[one] for one in atoms.numbers) for atoms in trial.train]
    assert_close(
        "energies gained by reference shifts, eV",
        [two.energy - one.energy for one, two in zip(before, after, strict=True)],
        gained,
        tolerances.round_off,
    )
    for one, two in zip(before, after, strict=True):
        assert_close("forces, eV/Å", two.forces, one.forces, tolerances.round_off)


def _numbers(trial: AdaptationTrial) -> list[int]:
    return sorted({int(one) for atoms in trial.train for one in atoms.numbers})


def check_frozen_weights_stay(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require that training changes nothing but what is said to move."""
    adapted, start = trial.after, weights_of(trial.before.potential)
    if trial.source.weights_hash() != trial.source_hash:
        raise AssertionError("the source is no longer what it was")
    if touched := differing(weights_of(adapted.potential), start):
        raise AssertionError(f"training changed what is frozen: {', '.join(touched)}")
    moving = adapted.movement.weights().keys()
    changed = set(differing(weights_of(adapted.merged()), start))
    if undeclared := sorted(changed - moving):
        raise AssertionError(f"{', '.join(undeclared)} moved and are not declared")


def check_declared_numbers_are_trained(
    trial: AdaptationTrial, tolerances: Tolerances
) -> None:
    """Require that what is declared, named and trained are the same numbers."""
    adapted = trial.before
    rows = coverage(adapted.potential, adapted.movement)
    trained = [one for one in adapted.movement.parameters() if one.requires_grad]
    counts = {
        "declared": sum(row.n_trainable for row in rows),
        "named": sum(
            one.numel() for one in adapted.movement.named_trainables().values()
        ),
        "trained": sum(one.numel() for one in trained),
    }
    if len(set(counts.values())) > 1 or not counts["trained"]:
        raise AssertionError(f"these numbers are not the same: {counts}")
    loose = [
        name
        for name, one in adapted.potential.module.named_parameters()
        if one.requires_grad
    ]
    if loose:
        raise AssertionError(f"the source is not frozen: {', '.join(loose)}")


def check_everything_trained_moves(
    trial: AdaptationTrial, tolerances: Tolerances
) -> None:
    """Require that training changes every tensor and every weight that is declared."""
    before, after = trained_tensors(trial.before), trained_tensors(trial.after)
    if asleep := sorted(before.keys() - set(differing(after, before))):
        raise AssertionError(f"training leaves {', '.join(asleep)} as they are")
    moved = set(differing(moved_weights(trial.after), moved_weights(trial.before)))
    if asleep := sorted(trial.after.movement.weights().keys() - moved):
        raise AssertionError(f"{', '.join(asleep)} are declared and do not move")


def check_merged_is_adapted(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require the same predictions with the graft merged and beside."""
    adapted, merged = trial.after, trial.after.merged()
    graph = graph_of(adapted.potential, trial.train)
    weights = moved_weights(adapted)
    if away := differing(weights_of(merged), weights):
        raise AssertionError(f"merging changes {', '.join(away)}")
    beside, inside = (
        predict(adapted.potential, graph, weights=weights),
        predict(merged, graph),
    )
    for field in ("energy", "forces", "stress"):
        got, expected = getattr(inside, field), getattr(beside, field)
        assert_close(f"{field}, merged", got, expected, tolerances.round_off)
    if np.array_equal(
        energies_of(merged, trial.train),
        energies_of(trial.before.potential, trial.train),
    ):
        raise AssertionError("merging gives back the energies of the start")


def check_absent_elements_stay(trial: AdaptationTrial, tolerances: Tolerances) -> None:
    """Require the same bits in every row of an element that no structure holds.

    Other rows must move; a potential that knows one element has nothing to compare.
    """
    kept, *absent = sorted(elements_of(trial.train))
    if not absent:
        return
    alone = without_elements(trial, kept)
    start, end = weights_of(alone.before.potential), moved_weights(alone.after)
    n_moved = 0
    for name in alone.after.movement.weights():
        change = end[name] - start[name]
        for block in trial.source.blocks(name):
            moved = block.matrix(change).ne(0).any(1).tolist()
            keys = block.row_keys or (0,) * block.rows
            n_moved += sum(moved)
            for row, key in enumerate(keys):
                if moved[row] and key in absent:
                    raise AssertionError(
                        f"row {row} of {name} belongs to the element {key}, which no "
                        "training structure holds, and it moved"
                    )
    if not n_moved:
        raise AssertionError("training on one element moves nothing")


AdaptationCheck = Callable[[AdaptationTrial, Tolerances], None]
"""Raises AssertionError with what was found; takes keyword arguments too."""

_CHECKS: tuple[AdaptationCheck, ...] = (
    check_step_0_is_the_start,
    check_shifts_are_declared,
    check_frozen_weights_stay,
    check_declared_numbers_are_trained,
    check_everything_trained_moves,
    check_merged_is_adapted,
    check_absent_elements_stay,
    check_pull_pulls,
    check_rehearsal_reminds,
    check_retreat_ends,
    check_interpolation_lies_between,
    check_graft_comes_back,
    check_graft_refuses_another_base,
    check_same_seed_same_weights,
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
