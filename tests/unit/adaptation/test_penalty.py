"""What pulls back: nothing at the source, more the further the weights are."""

import dataclasses
from types import MappingProxyType

import pytest
import torch

from atomgraft.adaptation.axes import (
    Axes,
    DistanceToSource,
    FisherDistance,
    LowRankDeltas,
    WholeWeights,
)
from atomgraft.adaptation.base import HeadStart
from atomgraft.training.loop import fit
from atomgraft.training.streams import Stream
from tests.trials import adapted_by, fabric, in_precision, job_for, labelled_for

NAME = "pair:sw-sige"

OWNS = WholeWeights(roles=("readout",))

STRENGTH = 7.0


@pytest.fixture
def adapted():
    axes = Axes(moves={"kind": "whole"}, pulls=DistanceToSource(strength=STRENGTH))
    return adapted_by(axes, in_precision("pair:sw-sige", torch.float64))


def move(adapted, distance, part=""):
    """Move what is trained, of one part by its prefix."""
    with torch.no_grad():
        for name, one in adapted.movement.named_trainables().items():
            if name.startswith(part):
                one.add_(distance)


def penalty_of(adapted):
    return float(adapted.penalty(adapted.movement.changes()).detach())


def test_it_is_zero_at_the_source(adapted):
    assert penalty_of(adapted) == 0.0


def test_it_is_the_mean_square_times_the_strength(adapted):
    for distance in (0.1, 0.2):
        move(adapted, 0.1)
        assert penalty_of(adapted) == pytest.approx(STRENGTH * distance**2)


def test_it_pulls_towards_the_source(adapted):
    move(adapted, 0.5)
    adapted.penalty(adapted.movement.changes()).backward()
    assert all(bool((one.grad > 0).all()) for one in adapted.movement.parameters())


def test_it_holds_low_rank_deltas_too():
    axes = Axes(moves=LowRankDeltas(rank=1), pulls=DistanceToSource(strength=1.0))
    adapted = adapted_by(axes, in_precision("pair:sw-sige", torch.float64))
    assert penalty_of(adapted) == 0.0
    move(adapted, 1.0)
    assert penalty_of(adapted) > 0.0


def test_no_pull_is_no_penalty():
    adapted = adapted_by("full", in_precision("pair:sw-si", torch.float64))
    assert adapted.penalty is None


def test_it_is_no_part_of_the_trained_state(adapted):
    assert not list(adapted.penalty.parameters())
    assert not adapted.penalty.state_dict()


class TestHeads:
    """What is shared counts once, and so does what each head moves for itself."""

    HEADS = MappingProxyType({"pbe": HeadStart(), "xtb": HeadStart()})

    def adapted(self, pulls, owns=OWNS):
        axes = Axes(moves=WholeWeights(), pulls=pulls, owns=owns)
        potential = in_precision(NAME, torch.float64)
        return adapted_by(
            axes, potential, heads=self.HEADS, anchors=labelled_for(potential, 1)
        )

    def sizes(self, adapted):
        """Return how many weights one head sees, and how many of them are its own."""
        counts = {k: v.numel() for k, v in adapted.movement.weights().items()}
        return sum(counts.values()), counts["readout"]

    @pytest.mark.parametrize("part", ["target/", "pbe/", "xtb/"])
    def test_each_head_is_held_as_it_would_be_alone(self, part):
        adapted = self.adapted(DistanceToSource(strength=STRENGTH))
        every, own = self.sizes(adapted)
        move(adapted, 0.1, part)
        assert penalty_of(adapted) == pytest.approx(STRENGTH * 0.01 * own / every)

    def test_all_heads_together(self):
        adapted = self.adapted(DistanceToSource(strength=STRENGTH))
        every, own = self.sizes(adapted)
        move(adapted, 0.1)
        expected = STRENGTH * 0.01 * (every + 2 * own) / every
        assert penalty_of(adapted) == pytest.approx(expected)

    def test_a_weight_is_pulled_as_without_heads(self):
        axes = Axes(moves=WholeWeights(), pulls=DistanceToSource(strength=STRENGTH))
        alone = adapted_by(axes, in_precision(NAME, torch.float64))
        heads = self.adapted(DistanceToSource(strength=STRENGTH))
        gradients = []
        for adapted in (alone, heads):
            move(adapted, 0.1)
            adapted.penalty(adapted.movement.changes()).backward()
            found = adapted.movement.named_trainables()
            gradients.append({name: one.grad for name, one in found.items()})
        for name, one in gradients[1].items():
            expected = gradients[0][name.rpartition("/")[2]]
            assert torch.allclose(one, expected, rtol=1e-12, atol=0)

    def test_an_owned_low_rank_delta_is_held_beside_what_is_shared(self):
        pulls = DistanceToSource(strength=STRENGTH)
        adapted = self.adapted(pulls, LowRankDeltas(rank=1))
        every, _ = self.sizes(adapted)
        move(adapted, 0.1, "pbe/")
        moved = {k: v.detach() for k, v in adapted.movement.changes().items()}
        own = sum(float((moved[k] ** 2).sum()) for k in moved if k.startswith("pbe/"))
        assert own > 0
        assert penalty_of(adapted) == pytest.approx(STRENGTH * own / every)

    @pytest.mark.parametrize("head", ["target", "pbe", "xtb"])
    def test_fisher_information_holds_every_head(self, head):
        adapted = self.adapted(FisherDistance(strength=STRENGTH))
        move(adapted, 0.1, f"{head}/")
        first = penalty_of(adapted)
        move(adapted, -0.1, f"{head}/")
        move(adapted, 0.1, "target/")
        assert first == pytest.approx(penalty_of(adapted))
        assert first > 0

    def test_training_holds_a_head_that_the_last_stream_does_not_see(self, tmp_path):
        """The target's stream came last, and its weights alone were held."""
        ends = {}
        for strength in (1e-9, 1e5):
            adapted = self.adapted(DistanceToSource(strength=strength))
            potential = adapted.potential
            streams = [
                Stream(name=name, head=name, train=labelled_for(potential))
                for name in self.HEADS
            ]
            (tmp_path / str(strength)).mkdir()
            job = job_for(
                adapted, labelled_for(potential), tmp_path / str(strength), steps=10
            )
            fit(dataclasses.replace(job, others=streams), fabric())
            ends[strength] = {
                name: float(change.detach().norm())
                for name, change in adapted.movement.changes().items()
            }
        for name, free in ends[1e-9].items():
            assert ends[1e5][name] < 0.5 * free, name
