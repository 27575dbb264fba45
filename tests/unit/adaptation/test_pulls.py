"""What pulls back: by weights, by what matters, by steps, after the end."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from atomgraft.adaptation.axes import (
    Axes,
    DecayToSource,
    DistanceToSource,
    FisherDistance,
)
from atomgraft.adaptation.penalty import fisher_information
from atomgraft.adaptation.recipes import RECIPES
from atomgraft.core.seeding import torch_generator
from atomgraft.models.prediction import predict_structures
from atomgraft.training.plan import Plan, learning_rate_factor
from tests.trials import adapted_by, in_precision, labelled_for, tensors_of, train

pytestmark = pytest.mark.slow

NAME = "pair:sw-sige"

STEP = 1e-5
"""Relative change of a weight for a finite difference, float64."""

SAMPLES = 400
"""Random signs; the estimate of a sum of squares is right to a tenth."""


@pytest.fixture
def potential():
    return in_precision(NAME, torch.float64)


def derivatives(potential, name, frame):
    """Return dE/dw per atom and dF/dw of one weight tensor by central differences."""
    clone = potential.clone(dtype=torch.float64)
    weight = clone.module.get_parameter(name).requires_grad_(requires_grad=False)
    found = []
    for i in range(weight.numel()):
        ends = []
        step = STEP * max(1.0, abs(float(weight.view(-1)[i])))
        for sign in (1, -1):
            with torch.no_grad():
                weight.view(-1)[i] += sign * step
            [one] = predict_structures(clone, [frame])
            ends.append((one.energy / len(frame), one.forces))
            with torch.no_grad():
                weight.view(-1)[i] -= sign * step
        (E, F), (e, f) = ends
        found.append(((E - e) / (2 * step), (F - f) / (2 * step)))
    return found


def test_information_is_that_of_finite_differences(potential):
    [frame] = labelled_for(potential, 1)
    names = [name for name, _ in potential.module.named_parameters()]
    exact = {
        name: np.array(
            [
                E**2 + (F**2).sum() / F.size
                for E, F in derivatives(potential, name, frame)
            ]
        )
        for name in names
    }
    generator = torch_generator(0, "test")
    found = fisher_information(potential, names, [frame] * SAMPLES, generator)
    mean = np.concatenate(list(exact.values())).mean()
    for name in names:
        expected = exact[name] / mean
        assert found[name].numpy().ravel() == pytest.approx(expected, rel=0.3, abs=1e-3)


def test_information_has_mean_one(potential):
    names = [name for name, _ in potential.module.named_parameters()]
    frames = labelled_for(potential, 2)
    found = fisher_information(potential, names, frames, torch_generator(0, "x"))
    values = torch.cat([one.flatten() for one in found.values()])
    assert float(values.mean()) == pytest.approx(1.0)
    assert float(values.min()) >= 0.0


def test_ewc_counts_each_weight_by_its_information(potential):
    axes = Axes(moves={"kind": "whole"}, pulls=FisherDistance(strength=3.0))
    frames = labelled_for(potential, 2)
    adapted = adapted_by(axes, potential, anchors=frames)
    changes = {k: v.detach() for k, v in adapted.movement.changes().items()}
    assert float(adapted.penalty(changes)) == 0.0
    names = list(changes)
    information = fisher_information(
        adapted.potential, names, frames, torch_generator(0, "Fisher information")
    )
    count = sum(one.numel() for one in changes.values())
    for name in names:
        moved = changes | {name: changes[name] + 0.1}
        expected = 3.0 * 0.01 * float(information[name].sum()) / count
        assert float(adapted.penalty(moved)) == pytest.approx(expected)


def test_without_anchors_nothing_is_measured(potential):
    assert adapted_by("ewc", potential).penalty is None


@pytest.mark.parametrize("recipe", ["full", "lora"])
def test_a_retreat_ends_at_the_source(recipe, potential):
    adapted = adapted_by(recipe, potential)
    source = {k: v.detach().clone() for k, v in adapted.movement.weights().items()}
    with torch.no_grad():
        for one in adapted.movement.parameters():
            one.add_(0.3)
    far = {k: v.detach().clone() for k, v in adapted.movement.weights().items()}
    adapted.movement.retreat(0.0)
    for name, value in adapted.movement.weights().items():
        assert torch.equal(value, far[name])
    adapted.movement.retreat(0.25)
    for name, value in adapted.movement.weights().items():
        expected = source[name] + 0.75 * (far[name] - source[name])
        assert torch.allclose(value, expected, rtol=0, atol=1e-12)
    adapted.movement.retreat(1.0)
    for name, value in adapted.movement.weights().items():
        assert torch.allclose(value, source[name], rtol=0, atol=1e-12)


def distance(adapted):
    total = 0.0
    for name, value in adapted.movement.weights().items():
        source = adapted.potential.module.get_parameter(name)
        total += float(((value - source).detach() ** 2).sum())
    return total


def pulled(pulls, potential, folder, rate=1e-2):
    """Train with a pull and return how far the weights went, squared."""
    axes = Axes(moves={"kind": "whole"}, pulls=pulls)
    adapted = adapted_by(axes, potential, anchors=labelled_for(potential, 1))
    folder.mkdir()
    train(adapted, labelled_for(potential), folder, steps=12, rate=rate, average=0.0)
    return distance(adapted)


def test_every_pull_pulls(potential, tmp_path):
    free = pulled(None, potential, tmp_path / "free")
    pulls = {"l2sp": DistanceToSource(strength=100.0)} | {
        name: RECIPES[name].axes.pulls for name in ("ewc", "decay", "interpolated")
    }
    for name, one in pulls.items():
        held = pulled(one, potential, tmp_path / name)
        assert 0.0 < held < 0.999 * free, name


def test_the_decay_follows_the_schedule_and_not_its_peak(potential, tmp_path):
    """With a vanishing rate weights that are away go back all the same.

    What counts is the rate in units of its peak: at the end nothing pulls any more.
    """
    axes = Axes(moves={"kind": "whole"}, pulls=DecayToSource(share=0.1))
    adapted = adapted_by(axes, potential)
    with torch.no_grad():
        for one in adapted.movement.parameters():
            one.add_(0.01)
    begin = distance(adapted)
    given = {"steps": 10, "warmup": 0.2, "average": 0.0}
    train(adapted, labelled_for(potential), tmp_path, rate=1e-12, **given)
    plan = Plan(**given)
    left = [1 - 0.1 * learning_rate_factor(step, plan) for step in range(plan.steps)]
    assert left[0] == pytest.approx(0.95)  # halfway up
    assert left[1] == pytest.approx(0.9)
    assert left[-1] > 0.99
    assert distance(adapted) == pytest.approx(begin * np.prod(left) ** 2, rel=1e-6)


def test_an_interpolation_is_the_adapted_run_on_its_way_back(potential, tmp_path):
    frames = labelled_for(potential)
    ends = {}
    for name in ("full", "interpolated"):
        (tmp_path / name).mkdir()
        adapted = adapted_by(name, potential)
        train(adapted, frames, tmp_path / name)
        ends[name] = tensors_of(adapted)
    share = RECIPES["interpolated"].axes.pulls.share
    for name, far in ends["full"].items():
        source = potential.module.get_parameter(name)
        expected = source + (1 - share) * (far - source)
        assert torch.allclose(ends["interpolated"][name], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("axes", "reason"),
    [
        ({"pulls": {"kind": "predictions"}}, "needs structures to compare on"),
        (
            {
                "pulls": {"kind": "l2sp", "strength": 1.0},
                "starts": {"weights": "fresh"},
            },
            "fresh weights cannot be pulled back to a source",
        ),
        (
            {"rehearses": {"kind": "pseudo"}, "starts": {"weights": "fresh"}},
            "fresh weights cannot be pulled back to a source",
        ),
        (
            {"moves": {"kind": "low_rank"}, "starts": {"readout": "ridge"}},
            "a readout solved in closed form must be trained as a whole",
        ),
        ({"rehearses": {"kind": "data", "files": []}}, "at least 1 item"),
        ({"pulls": {"kind": "decay", "share": 1.0}}, "less than 1"),
    ],
)
def test_contradictory_axes_are_refused(axes, reason):
    with pytest.raises(ValidationError, match=reason):
        Axes.model_validate({"moves": {"kind": "whole"}} | axes)
