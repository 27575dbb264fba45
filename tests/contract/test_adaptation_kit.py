"""Negative controls: each check of the adaptation kit fails on what it is for."""

import itertools

import pytest
import torch

from atomgraft.adaptation import base, graft
from atomgraft.adaptation.axes import (
    Axes,
    DecayToSource,
    DistanceToSource,
    Interpolation,
    PseudoLabels,
    SourcePredictions,
    Start,
    WholeWeights,
)
from atomgraft.adaptation.base import Adapted
from atomgraft.adaptation.movement import WholeMovement
from atomgraft.adaptation.penalty import SourceDistance
from atomgraft.models.base import AbstractPotential
from atomgraft.models.pair import PRESETS
from atomgraft.testing import (
    ADAPTATION_CHECKS,
    Tolerances,
    adaptation_trial,
    failed_adaptation_checks,
)
from atomgraft.testing import adaptation_trials as trials
from atomgraft.testing.adaptation_trials import differing, distance
from atomgraft.testing.adaptations import FIRM_SHARE, firmly

WHOLE = WholeWeights()
PLAIN = Axes(moves=WHOLE)
PULLED = Axes(moves=WHOLE, pulls=DistanceToSource(strength=100.0))
REHEARSED = Axes(moves=WHOLE, rehearses=PseudoLabels())
BETWEEN = Axes(moves=WHOLE, pulls=Interpolation())
FRESH = Axes(moves=WHOLE, starts=Start(weights="fresh"))


def starts_beside_the_source(monkeypatch):
    original = base.shift_references

    def shift(potential, shifts):
        original(potential, shifts)
        with torch.no_grad():
            next(potential.module.parameters()).mul_(1 + 1e-15)

    monkeypatch.setattr(base, "shift_references", shift)


def starts_fresh_at_the_source(monkeypatch):
    monkeypatch.setattr(AbstractPotential, "draw_weights", lambda self, generator: None)


def shifts_twice(monkeypatch):
    original = base.shift_references
    monkeypatch.setattr(
        base,
        "shift_references",
        lambda potential, shifts: original(
            potential, {number: 2 * one for number, one in shifts.items()}
        ),
    )


def moves_what_is_frozen(monkeypatch):
    original = Adapted.merged

    def merged(self):
        potential = original(self)
        with torch.no_grad():
            potential.module.get_parameter("reference_energies").add_(1e-9)
        return potential

    monkeypatch.setattr(Adapted, "merged", merged)


def counts_one_more(monkeypatch):
    original = WholeMovement.trainable_count
    monkeypatch.setattr(
        WholeMovement, "trainable_count", lambda self, name: original(self, name) + 1
    )


def cuts_a_gradient(monkeypatch):
    original = WholeMovement.weights

    def weights(self, head="target"):
        found = original(self)
        first = next(iter(found))
        return {**found, first: found[first].detach()}

    monkeypatch.setattr(WholeMovement, "weights", weights)


def forgets_to_merge(monkeypatch):
    monkeypatch.setattr(Adapted, "merged", lambda self: self.potential.clone())


def moves_rows_together(monkeypatch):
    original = WholeMovement.weights

    def weights(self, head="target"):
        start = [self.get_buffer(f"source_{i}") for i in range(len(self.names))]
        found = original(self).items()
        return {
            name: value + (value - source).mean()
            for (name, value), source in zip(found, start, strict=True)
        }

    monkeypatch.setattr(WholeMovement, "weights", weights)


def does_not_pull(monkeypatch):
    monkeypatch.setattr(
        SourceDistance,
        "forward",
        lambda self, weights: 0 * next(iter(weights.values())).sum(),
    )


def does_not_listen_to_the_past(monkeypatch):
    original = trials.Knobs
    monkeypatch.setattr(trials, "Knobs", lambda **given: original(weight=0))


def goes_half_the_way_back(monkeypatch):
    original = WholeMovement.retreat
    monkeypatch.setattr(
        WholeMovement, "retreat", lambda self, share: original(self, share / 2)
    )


def loses_the_tensors(monkeypatch):
    monkeypatch.setattr(graft, "_fill", lambda *given: None)


def sees_no_difference(monkeypatch):
    monkeypatch.setattr(AbstractPotential, "weights_hash", lambda self: "0")


def draws_at_will(monkeypatch):
    counter = itertools.count()
    monkeypatch.setattr(
        base,
        "torch_generator",
        lambda *purpose: torch.Generator().manual_seed(next(counter)),
    )


BROKEN = {
    "step_0_is_the_start": (starts_beside_the_source, PLAIN),
    "shifts_are_declared": (shifts_twice, PLAIN),
    "frozen_weights_stay": (moves_what_is_frozen, PLAIN),
    "declared_numbers_are_trained": (counts_one_more, PLAIN),
    "everything_trained_moves": (cuts_a_gradient, PLAIN),
    "merged_is_adapted": (forgets_to_merge, PLAIN),
    "absent_elements_stay": (moves_rows_together, PLAIN),
    "pull_pulls": (does_not_pull, PULLED),
    "rehearsal_reminds": (does_not_listen_to_the_past, REHEARSED),
    "retreat_ends": (goes_half_the_way_back, PLAIN),
    "interpolation_lies_between": (goes_half_the_way_back, BETWEEN),
    "graft_comes_back": (loses_the_tensors, PLAIN),
    "graft_refuses_another_base": (sees_no_difference, PLAIN),
    "same_seed_same_weights": (draws_at_will, FRESH),
}

ALSO_BROKEN = {
    "step_0_is_the_start": (starts_fresh_at_the_source, FRESH),
    "pull_pulls": (
        does_not_listen_to_the_past,
        Axes(moves=WHOLE, pulls=SourcePredictions(), rehearses=PseudoLabels()),
    ),
}

CASES = [*BROKEN.items(), *ALSO_BROKEN.items()]


def potential(check=""):
    """Return a potential that a check can judge; an absent element needs a second."""
    needs_two = check == "absent_elements_stay"
    return PRESETS["pair:lj-nacl" if needs_two else "pair:lj-ar"]()


def test_every_check_has_a_negative_control():
    assert set(BROKEN) == set(ADAPTATION_CHECKS)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_check_fails_on_a_broken_adaptation(name, case, monkeypatch):
    spoil, axes = case
    spoil(monkeypatch)
    trial = adaptation_trial(potential(name), axes)
    with pytest.raises(AssertionError):
        ADAPTATION_CHECKS[name](trial, Tolerances())


@pytest.mark.parametrize(("name", "case"), CASES)
def test_check_passes_on_the_same_adaptation_in_one_piece(name, case):
    _, axes = case
    ADAPTATION_CHECKS[name](adaptation_trial(potential(name), axes), Tolerances())


def test_failures_are_told_by_name(monkeypatch):
    forgets_to_merge(monkeypatch)
    failed = failed_adaptation_checks(potential(), PLAIN)
    assert "merging changes" in failed["merged_is_adapted"]
    assert "graft_comes_back" not in failed


def test_a_trial_leaves_the_potential_alone():
    source = potential()
    before = source.weights_hash()
    adaptation_trial(source, PLAIN).train_anew()
    assert source.weights_hash() == before


def test_tensors_are_compared_by_bits_and_names():
    one = {"a": torch.zeros(2), "b": torch.ones(1)}
    assert differing(one, {name: value.clone() for name, value in one.items()}) == ()
    assert differing(one, {"a": torch.tensor([0.0, 1e-30])}) == ("a", "b")
    assert distance(one, {"a": torch.tensor([3.0, 4.0]), "b": torch.ones(1)}) == 5.0


def test_a_firm_pull_is_the_same_kind():
    assert firmly(DecayToSource()) == DecayToSource(share=FIRM_SHARE)
    assert firmly(DistanceToSource(strength=1.0)).strength > 1e5
