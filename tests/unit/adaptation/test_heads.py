"""Heads: what is shared is shared, what is owned is a head's own."""

import pytest
import torch

from atomgraft.adaptation.axes import (
    SOURCE,
    TARGET,
    Axes,
    LowRankDeltas,
    PseudoLabels,
    WholeWeights,
)
from atomgraft.adaptation.base import HeadStart
from atomgraft.adaptation.heads import HeadMovement
from atomgraft.core.errors import BadInputError
from atomgraft.models.prediction import predict_structures
from tests.trials import (
    NEEDS_SEVENN,
    adapted_by,
    in_precision,
    labelled_for,
    same_bits,
)

pytestmark = NEEDS_SEVENN

HEADS = {"pbe": HeadStart(reference_shifts={14: -0.5}), "xtb": HeadStart()}


@pytest.fixture
def potential():
    return in_precision("sevennet:tiny:Si", torch.float64)


def adapted_with(potential, heads=None, **axes):
    given = Axes(**{"moves": WholeWeights(), **axes})
    return adapted_by(given, potential, heads=HEADS if heads is None else heads)


def readout_of(potential):
    return potential.parameters_of("readout")


def nudge(adapted, part):
    """Move the tensors whose name begins with a prefix."""
    with torch.no_grad():
        for name, one in adapted.movement.named_trainables().items():
            if name.startswith(part):
                one.add_(0.1)


def test_at_the_start_every_head_is_the_source(potential):
    adapted = adapted_with(potential)
    frames = labelled_for(potential, 1)
    [source] = predict_structures(potential, frames)
    for head, shift in ((TARGET, 0.0), ("pbe", -0.5), ("xtb", 0.0)):
        [one] = predict_structures(adapted.merged(head), frames)
        assert one.energy == pytest.approx(source.energy + shift * len(frames[0]))
        assert one.forces == pytest.approx(source.forces, abs=1e-12)


def test_what_a_head_owns_moves_it_alone(potential):
    adapted = adapted_with(potential)
    before = {head: adapted.movement.weights(head) for head in (TARGET, "pbe", "xtb")}
    before = {
        head: {k: v.detach().clone() for k, v in one.items()}
        for head, one in before.items()
    }
    nudge(adapted, "pbe/")
    for head, weights in before.items():
        after = adapted.movement.weights(head)
        moved = {k for k, v in after.items() if not torch.equal(v, weights[k])}
        assert moved == (set(readout_of(potential)) if head == "pbe" else set())


def test_what_is_shared_moves_all(potential):
    adapted = adapted_with(potential)
    frames = labelled_for(potential, 1)
    heads = (TARGET, "pbe", "xtb")
    before = [next(predict_structures(adapted.merged(one), frames)) for one in heads]
    nudge(adapted, "0_convolution")
    for head, old in zip(heads, before, strict=True):
        [new] = predict_structures(adapted.merged(head), frames)
        assert abs(new.energy - old.energy) > 1e-6


def test_trained_numbers_are_counted_once_for_each_owner(potential):
    alone = adapted_by(Axes(moves=WholeWeights()), potential)
    adapted = adapted_with(potential)
    own = sum(
        potential.module.get_parameter(name).numel() for name in readout_of(potential)
    )
    n_alone = sum(one.numel() for one in alone.movement.parameters())
    n_heads = sum(one.numel() for one in adapted.movement.parameters())
    assert n_heads == n_alone + 2 * own
    declared = sum(
        adapted.movement.trainable_count(name)
        for name, _ in potential.module.named_parameters()
    )
    assert declared == n_heads


def test_a_head_may_own_a_low_rank_delta_of_everything(potential):
    adapted = adapted_with(potential, owns=LowRankDeltas(rank=1))
    shared = adapted.movement.shared.named_trainables()
    nudge(adapted, "0_convolution")
    nudge(adapted, "xtb/")
    base = adapted.movement.weights(TARGET)
    other = adapted.movement.weights("xtb")
    name = next(name for name in shared if potential.blocks(name))
    assert torch.equal(base[name], shared[name])
    change = other[name] - base[name]
    [block, *_] = potential.blocks(name)
    matrix = change.detach().flatten()[block.offset : block.offset + block.size]
    singular = torch.linalg.svdvals(matrix.view(block.rows, block.columns))
    assert float(singular[0]) > 1e-6
    assert float(singular[1:].sum()) < 1e-10


def test_a_low_rank_delta_alone_moves_a_frozen_backbone(potential):
    adapted = adapted_with(
        potential,
        moves=WholeWeights(roles=("readout",)),
        owns=LowRankDeltas(rank=1, roles=("interaction",)),
    )
    nudge(adapted, "pbe/")
    frozen = adapted.movement.weights(TARGET)
    moved = adapted.movement.weights("pbe")
    differing = {name for name in moved if not torch.equal(moved[name], frozen[name])}
    assert differing
    assert not differing & set(readout_of(potential))


def test_one_head_owns_nothing(potential):
    adapted = adapted_with(potential, heads={})
    assert not isinstance(adapted.movement, HeadMovement)


def test_what_is_rehearsed_may_own_its_readout(potential):
    axes = Axes(moves=WholeWeights(), rehearses=PseudoLabels(own_readout=True))
    adapted = adapted_by(axes, potential)
    nudge(adapted, f"{TARGET}/")
    source = adapted.movement.weights(SOURCE)
    for name in readout_of(potential):
        assert torch.equal(source[name], potential.module.get_parameter(name))


def test_what_owns_nothing_reads_as_the_target_does(potential):
    axes = Axes(moves=WholeWeights(), rehearses=PseudoLabels())
    adapted = adapted_by(axes, potential, heads=HEADS)
    nudge(adapted, f"{TARGET}/")
    same_bits(
        dict(adapted.movement.weights(SOURCE)), dict(adapted.movement.weights(TARGET))
    )


def test_a_role_that_the_model_lacks_is_refused(potential):
    with pytest.raises(BadInputError, match="no parameter with the role 'reedout'"):
        adapted_with(potential, owns=WholeWeights(roles=("reedout",)))


def test_a_head_that_the_base_lacks_is_refused(potential):
    heads = {"pbe": HeadStart(source_head="PBE52")}
    with pytest.raises(BadInputError, match="PBE52"):
        adapted_with(potential, heads=heads)


@pytest.mark.slow
def test_modalities_of_a_base_are_heads_too():
    from atomgraft.models.loading import load_potential

    base = load_potential("7net-mf-0", head="PBE")
    other = next(one for one in base.heads if one != "PBE")
    frames = labelled_for(in_precision("pair:sw-si", torch.float64), 1)
    direct = load_potential("7net-mf-0", head=other)
    [expected] = predict_structures(direct, frames)
    [found] = predict_structures(base.for_head(other), frames)
    assert found.energy == expected.energy
    assert (found.forces == expected.forces).all()
    [own] = predict_structures(base, frames)
    assert own.energy != expected.energy
    adapted = adapted_by(
        Axes(moves=WholeWeights(roles=("readout",))),
        base,
        heads={"r2scan": HeadStart(source_head=other)},
    )
    [start] = predict_structures(adapted.merged("r2scan"), frames)
    assert start.energy == expected.energy


OF_HEADS = {TARGET: {14}, "pbe": {32}, "xtb": frozenset()}
"""What each head was trained on."""


@pytest.mark.parametrize(
    ("name", "axes", "trained"),
    [
        ("sevennet:tiny:Si,Ge", {}, [{14, 32}, {14, 32}, {14, 32}]),
        ("sevennet:tiny:Si,Ge", {"moves": LowRankDeltas()}, [{14, 32}] * 3),
        ("sevennet:tiny:Si,Ge", {"owns": WholeWeights()}, [{14}, {32}, set()]),
        (
            "sevennet:tiny:Si,Ge",
            {"owns": LowRankDeltas(roles=("embedding",))},
            [{14}, {32}, set()],
        ),
        (
            "sevennet:tiny:Si,Ge",
            {"moves": WholeWeights(roles=("readout",))},
            [{14}, {32}, set()],
        ),
        ("pair:sw-sige", {}, [{14}, {32}, set()]),
    ],
    ids=["shared", "low rank", "owned", "owned delta", "readout alone", "pair"],
)
def test_an_element_of_another_head_is_trained_where_its_weights_are_shared(
    name, axes, trained
):
    heads = {"pbe": HeadStart(), "xtb": HeadStart()}
    adapted = adapted_with(in_precision(name, torch.float64), heads, **axes)
    found = [adapted.trained_elements(head, OF_HEADS) for head in OF_HEADS]
    assert found == trained


@pytest.mark.parametrize("moves", [WholeWeights(), WholeWeights(roles=("readout",))])
def test_without_further_heads_an_element_of_the_data_is_trained(potential, moves):
    adapted = adapted_with(potential, {}, moves=moves)
    assert adapted.trained_elements(TARGET, {TARGET: {14}}) == {14}
