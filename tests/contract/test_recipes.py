"""Every recipe on every adapter: starts as its source, moves, merges, comes back."""

import copy
import functools

import pytest
import torch

from atomgraft.adaptation.graft import GRAFT, GraftCard, load_graft, write_graft
from atomgraft.adaptation.movement import coverage
from atomgraft.adaptation.recipes import RECIPES
from atomgraft.core.properties import Property
from atomgraft.models.graph import find_neighbours, make_graph
from atomgraft.models.prediction import predict, predict_structures
from atomgraft.testing import ADAPTER_CHECKS, Tolerances, structures_for
from tests.trials import (
    NEEDS_SEVENN,
    adapted_by,
    in_precision,
    labelled_for,
    loaded,
    same_bits,
    tensors_of,
    train,
)

MERGED = 1e-10
"""eV, eV/Å, eV/Å³: the same weights, added up in the same order."""

MOVED = 1e-7
"""Far above rounding in float64: a step of the optimiser did something."""

ADAPTERS = {
    "pair:sw-si": [],
    "pair:lj-ar": [],
    "sevennet:tiny:Si": [NEEDS_SEVENN],
    "7net-0": [NEEDS_SEVENN, pytest.mark.slow],
}

CASES = [
    pytest.param(adapter, recipe, marks=marks, id=f"{recipe}-{adapter}")
    for adapter, marks in ADAPTERS.items()
    for recipe in RECIPES
]

every_case = pytest.mark.parametrize(("adapter", "recipe"), CASES)

OF_ITS_OWN_KIND = [
    case
    for case in CASES
    if "7net-0" not in case.values or case.values[1] in {"full", "lora", "scratch"}
]
"""On the large model one recipe of each kind of movement and start."""

each_case = pytest.mark.parametrize(("adapter", "recipe"), OF_ITS_OWN_KIND)


def source_of(adapter):
    return in_precision(adapter, torch.float64)


def adapted_for(adapter, recipe, seed=0):
    """Return an adaptation of the adapter's model, in float64."""
    return adapted_by(recipe, source_of(adapter), seed=seed)


def start_of(adapter, recipe):
    """Return what step 0 must equal: the source, or for scratch its fresh start."""
    if recipe != "scratch":
        return source_of(adapter)
    return adapted_for(adapter, recipe).potential


def predictions(potential, frames):
    return list(predict_structures(potential, frames))


def largest_difference(one, other):
    return max(
        max(
            abs(a.energy - b.energy),
            abs(a.forces - b.forces).max(),
            abs(a.stress - b.stress).max(),
        )
        for a, b in zip(one, other, strict=True)
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return what trains a recipe on an adapter's model, each only once."""

    @functools.cache
    def run(adapter, recipe, steps=2, repeat=0):
        adapted = adapted_for(adapter, recipe)
        frames = labelled_for(source_of(adapter), n=2)
        rate = 1e-4 if recipe == "scratch" else 1e-2  # a fresh law is a wild one
        folder = tmp_path_factory.mktemp(f"repeat-{repeat}")
        train(adapted, frames, folder, steps=steps, rate=rate, batch_size=1)
        return adapted, frames

    return run


@every_case
def test_step_0_is_the_source(adapter, recipe, trained):
    adapted, frames = trained(adapter, recipe, steps=0)
    start = start_of(adapter, recipe)
    merged = adapted.merged()
    assert merged.weights_hash() == start.weights_hash()
    difference = largest_difference(
        predictions(merged, frames), predictions(start, frames)
    )
    assert difference == 0.0


@every_case
def test_then_the_model_moves(adapter, recipe, trained):
    """The negative control of the test above."""
    adapted, frames = trained(adapter, recipe)
    difference = largest_difference(
        predictions(adapted.merged(), frames),
        predictions(start_of(adapter, recipe), frames),
    )
    assert difference > MOVED


@each_case
def test_frozen_weights_stay_to_the_last_bit(adapter, recipe, trained):
    adapted, _ = trained(adapter, recipe)
    start = start_of(adapter, recipe)
    merged = adapted.merged().module
    moving = set(adapted.movement.weights())
    for name, value in start.module.named_parameters():
        assert torch.equal(adapted.potential.module.get_parameter(name), value)
        if name not in moving:
            assert torch.equal(merged.get_parameter(name), value)
    assert any(
        not torch.equal(merged.get_parameter(name), start.module.get_parameter(name))
        for name in moving
    )


@each_case
def test_declared_numbers_are_the_trained_ones(adapter, recipe):
    adapted = adapted_for(adapter, recipe)
    rows = coverage(adapted.potential, adapted.movement)
    actual = sum(
        one.numel() for one in adapted.movement.parameters() if one.requires_grad
    )
    assert sum(row.n_trainable for row in rows) == actual > 0
    assert [row.role for row in rows] == list(adapted.potential.roles)
    assert not any(one.requires_grad for one in adapted.potential.module.parameters())


@each_case
def test_merged_equals_unmerged(adapter, recipe, trained):
    adapted, frames = trained(adapter, recipe)
    potential = adapted.potential
    graph = make_graph(
        frames,
        [find_neighbours(atoms, potential.cutoff) for atoms in frames],
        dtype=potential.dtype,
    )
    wanted = frozenset(Property)
    weights = adapted.movement.weights()
    unmerged = predict(potential, graph, wanted, weights=weights)
    merged = predict(adapted.merged(), graph, wanted)
    for kind in ("energy", "forces", "stress"):
        difference = getattr(merged, kind) - getattr(unmerged, kind)
        assert float(difference.detach().abs().max()) <= MERGED


@each_case
def test_a_graft_comes_back(adapter, recipe, trained, tmp_path):
    adapted, frames = trained(adapter, recipe)
    card = GraftCard(
        base=adapter,
        base_hash=loaded(adapter).weights_hash(),
        head=None,
        licence="MIT",
        axes=RECIPES[recipe].axes.model_dump(mode="json"),
        seed=0,
        reference_shifts={},
        elements=(),
        data_fingerprint="",
        dtype="float64",
    )
    write_graft(tmp_path / GRAFT, adapted, card)
    again = load_graft(tmp_path / GRAFT, loaded(adapter))
    assert same_bits(tensors_of(again), tensors_of(adapted))
    difference = largest_difference(
        predictions(again.merged(), frames), predictions(adapted.merged(), frames)
    )
    assert difference == 0.0


@each_case
def test_the_same_seed_gives_the_same_weights(adapter, recipe, trained):
    one, _ = trained(adapter, recipe)
    other, _ = trained(adapter, recipe, repeat=1)
    assert one is not other
    assert same_bits(tensors_of(one), tensors_of(other))


@pytest.mark.parametrize("check", ["rotation", "lattice_translation", "permutation"])
@pytest.mark.parametrize(
    "adapter",
    [
        pytest.param("sevennet:tiny:Si", marks=[NEEDS_SEVENN]),
        pytest.param("7net-0", marks=[NEEDS_SEVENN, pytest.mark.slow]),
    ],
)
def test_symmetries_survive_low_rank_training(adapter, check, trained):
    adapted, _ = trained(adapter, "lora", steps=5)
    merged = adapted.merged()
    ADAPTER_CHECKS[check](merged, structures_for(source_of(adapter)), Tolerances())


@NEEDS_SEVENN
@pytest.mark.slow
def test_the_equivariance_error_of_7net_0_does_not_grow(trained):
    adapted, _ = trained("7net-0", "lora", steps=5)
    before = rotation_error(source_of("7net-0"))
    after = rotation_error(adapted.merged())
    assert after <= 2 * before + 1e-12


def rotation_error(potential):
    """Return how far forces are from turning with the crystal, relative to them."""
    from atomgraft.testing.adapter_symmetries import random_rotation

    atoms = structures_for(potential).crystal
    turn = random_rotation()
    turned = copy.deepcopy(atoms)
    turned.set_cell(atoms.cell.array @ turn)
    turned.set_positions(atoms.positions @ turn)
    [one], [other] = predictions(potential, [atoms]), predictions(potential, [turned])
    return abs(one.forces @ turn - other.forces).max() / abs(one.forces).max()
