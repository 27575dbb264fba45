"""What pulls back: nothing at the source, more the further the weights are."""

import pytest
import torch

from atomgraft.adaptation.axes import Axes, DistanceToSource, LowRankDeltas
from tests.trials import adapted_by, in_precision

STRENGTH = 7.0


@pytest.fixture
def adapted():
    axes = Axes(moves={"kind": "whole"}, pulls=DistanceToSource(strength=STRENGTH))
    return adapted_by(axes, in_precision("pair:sw-sige", torch.float64))


def test_it_is_zero_at_the_source(adapted):
    assert float(adapted.penalty(adapted.movement.weights()).detach()) == 0.0


def test_it_is_the_mean_square_times_the_strength(adapted):
    weights = adapted.movement.weights()
    for distance in (0.1, 0.2):
        moved = {name: value + distance for name, value in weights.items()}
        expected = STRENGTH * distance**2
        assert float(adapted.penalty(moved).detach()) == pytest.approx(expected)


def test_it_pulls_towards_the_source(adapted):
    with torch.no_grad():
        for one in adapted.movement.parameters():
            one.add_(0.5)
    adapted.penalty(adapted.movement.weights()).backward()
    assert all(bool((one.grad > 0).all()) for one in adapted.movement.parameters())


def test_it_holds_low_rank_deltas_too():
    axes = Axes(moves=LowRankDeltas(rank=1), pulls=DistanceToSource())
    adapted = adapted_by(axes, in_precision("pair:sw-sige", torch.float64))
    assert float(adapted.penalty(adapted.movement.weights()).detach()) == 0.0
    with torch.no_grad():
        for one in adapted.movement.parameters():
            one.add_(1.0)
    assert float(adapted.penalty(adapted.movement.weights()).detach()) > 0.0


def test_no_pull_is_no_penalty():
    adapted = adapted_by("full", in_precision("pair:sw-si", torch.float64))
    assert adapted.penalty is None


def test_it_is_no_part_of_the_trained_state(adapted):
    assert not list(adapted.penalty.parameters())
    assert not adapted.penalty.state_dict()
