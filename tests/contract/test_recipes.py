"""Every recipe on every adapter passes the shipped kit; symmetries survive it."""

import copy
import dataclasses
import functools

import pytest

from atomgraft.adaptation.axes import (
    Axes,
    DecayToSource,
    DistanceToSource,
    FisherDistance,
    Interpolation,
    LowRankDeltas,
    PseudoLabels,
    SourcePredictions,
    WholeWeights,
)
from atomgraft.adaptation.recipes import RECIPES
from atomgraft.models.prediction import predict_structures
from atomgraft.testing import (
    ADAPTATION_CHECKS,
    ADAPTER_CHECKS,
    Tolerances,
    adaptation_trial,
    structures_for,
)
from tests.trials import NEEDS_SEVENN, loaded

ADAPTERS = {
    "pair:sw-si": [],
    "pair:lj-nacl": [],
    "sevennet:tiny:Si": [NEEDS_SEVENN],
    "mace:tiny:Si": [pytest.mark.mace],
    "7net-0": [NEEDS_SEVENN, pytest.mark.slow],
}

LOW_RANK = LowRankDeltas()
POINTS = {
    "full+l2sp": Axes(moves=WholeWeights(), pulls=DistanceToSource(strength=100.0)),
    "lora+l2sp": Axes(moves=LOW_RANK, pulls=DistanceToSource(strength=100.0)),
    "lora+ewc": Axes(moves=LOW_RANK, pulls=FisherDistance()),
    "lora+decay": Axes(moves=LOW_RANK, pulls=DecayToSource()),
    "lora+interpolation": Axes(moves=LOW_RANK, pulls=Interpolation()),
    "lora+predictions": Axes(
        moves=LOW_RANK, pulls=SourcePredictions(), rehearses=PseudoLabels()
    ),
    "full+own readout": Axes(
        moves=WholeWeights(), rehearses=PseudoLabels(own_readout=True)
    ),
}
"""Points on the four axes that have no name of their own."""

OF_ITS_OWN_KIND = {"full", "lora", "scratch"}
"""One of each kind of movement and start: on the large model, and in the quick set."""

AXES = {name: RECIPES[name].axes for name in RECIPES} | POINTS


def marks_of(adapter, name):
    is_slow = not adapter.startswith("pair:") and name not in OF_ITS_OWN_KIND
    return [*ADAPTERS[adapter], *([pytest.mark.slow] if is_slow else [])]


CASES = [
    pytest.param(adapter, name, marks=marks_of(adapter, name), id=f"{name}-{adapter}")
    for adapter in ADAPTERS
    for name in AXES
    if adapter != "7net-0" or name in OF_ITS_OWN_KIND
]


@functools.cache
def trial_on(adapter):
    return adaptation_trial(loaded(adapter), AXES["full"])


@functools.cache
def trial_of(adapter, name):
    """Return a trial that is trained once for all its checks."""
    return trial_on(adapter).with_axes(AXES[name])


@pytest.mark.parametrize(("adapter", "name"), CASES)
@pytest.mark.parametrize("check", ADAPTATION_CHECKS)
def test_adaptation_passes(check, adapter, name):
    ADAPTATION_CHECKS[check](trial_of(adapter, name), Tolerances())


@functools.cache
def after_low_rank_training(adapter):
    trial = dataclasses.replace(trial_of(adapter, "lora"), steps=5, learning_rate=1e-2)
    return trial.after.merged()


@pytest.mark.parametrize("check", ["rotation", "lattice_translation", "permutation"])
@pytest.mark.parametrize(
    "adapter",
    [
        pytest.param("sevennet:tiny:Si", marks=[NEEDS_SEVENN]),
        pytest.param("mace:tiny:Si", marks=[pytest.mark.mace]),
        pytest.param("7net-0", marks=[NEEDS_SEVENN, pytest.mark.slow]),
    ],
)
def test_symmetries_survive_low_rank_training(adapter, check):
    merged = after_low_rank_training(adapter)
    structures = structures_for(trial_on(adapter).source)
    ADAPTER_CHECKS[check](merged, structures, Tolerances())


@NEEDS_SEVENN
@pytest.mark.slow
def test_the_equivariance_error_of_7net_0_does_not_grow():
    before = rotation_error(trial_on("7net-0").source)
    after = rotation_error(after_low_rank_training("7net-0"))
    assert after <= 2 * before + 1e-12


def rotation_error(potential):
    """Return how far forces are from turning with the crystal, relative to them."""
    from atomgraft.testing.adapters import ANY_ROTATION

    atoms = structures_for(potential).crystal
    turned = copy.deepcopy(atoms)
    turned.set_cell(atoms.cell.array @ ANY_ROTATION)
    turned.set_positions(atoms.positions @ ANY_ROTATION)
    one, other = predict_structures(potential, [atoms, turned])
    return abs(one.forces @ ANY_ROTATION - other.forces).max() / abs(one.forces).max()
