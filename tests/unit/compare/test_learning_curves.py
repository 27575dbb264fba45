"""What is read from a learning curve, and when nothing is."""

import numpy as np
import pytest

from atomgraft.compare.learning_curves import TOO_WIDE, WIDEST, learning_curve
from tests.comparisons import SEEDS, SIZES

ASKED = {"more": 20, "target_error": None, "worthwhile": 0.05}


def errors(law, *, sizes=SIZES, seeds=SEEDS, noise=0.02):
    rng = np.random.default_rng(1)
    return {
        seed: {n: law(n) * float(np.exp(noise * rng.normal())) for n in sizes}
        for seed in seeds
    }


def falling(n):
    return 30 / n**0.6


def test_a_known_law_is_found_with_its_interval():
    curve = learning_curve("a", errors(falling), **ASKED)
    assert curve.is_identified
    low, high = curve.exponent_interval
    assert low < 0.6 < high
    assert (curve.n_now, curve.n_next) == (40, 60)
    low, high = curve.error_next_interval
    assert low < falling(60) < high
    assert "3 seeds" in curve.reason


def test_the_exact_law_gives_exact_predictions():
    asked = ASKED | {"target_error": falling(75)}
    curve = learning_curve("a", errors(falling, noise=0.0), **asked)
    assert curve.error_now == pytest.approx(falling(40))
    assert curve.error_next == pytest.approx(falling(60))
    assert curve.labels_for_target == pytest.approx(75)
    assert curve.labels_for_target_interval == pytest.approx((75, 75))
    assert curve.last_worthwhile == pytest.approx(20 / (0.95 ** (-1 / 0.6) - 1))


def test_a_floor_is_found_where_there_is_one():
    law = errors(lambda n: 60 / n + 2, sizes=(5, 10, 20, 40, 80, 160), noise=0.01)
    curve = learning_curve("a", law, **ASKED)
    assert curve.floor == pytest.approx(2, rel=0.1)
    assert "floor" in curve.reason


@pytest.mark.parametrize("sizes", [(5,), (5, 10)])
def test_two_sizes_tell_nothing(sizes):
    curve = learning_curve("a", errors(falling, sizes=sizes), **ASKED)
    assert not curve.is_identified
    assert "needs 3" in curve.reason
    assert curve.error_next is None


@pytest.mark.parametrize("law", [lambda n: 3.0, lambda n: 3.0 * n**0.3])
def test_an_error_that_does_not_fall_predicts_nothing(law):
    curve = learning_curve("a", errors(law, noise=0.1), **ASKED)
    assert not curve.is_identified
    assert "does not fall" in curve.reason
    assert curve.error_next is None
    assert curve.exponent_interval[0] <= 0


def test_scatter_hides_a_slow_fall():
    """Negative control: the same fall is seen once the scatter is small."""
    slow = [
        learning_curve("a", errors(lambda n: 3 / n**0.1, noise=noise), **ASKED)
        for noise in (0.3, 0.001)
    ]
    assert [one.is_identified for one in slow] == [False, True]


def test_one_seed_has_the_scatter_about_its_line():
    curve = learning_curve("a", errors(falling, seeds=(0,)), **ASKED)
    assert curve.is_identified
    assert "scatter about the line" in curve.reason
    assert curve.exponent_interval[0] < 0.6 < curve.exponent_interval[1]
    assert curve.error_next_interval[0] < falling(60) < curve.error_next_interval[1]


def test_two_seeds_have_the_scatter_about_their_lines():
    """Levels apart by a factor of three are no scatter of the slope."""
    found = errors(falling, seeds=(0, 1))
    found[1] = {n: 3 * error for n, error in found[1].items()}
    curve = learning_curve("a", found, **ASKED)
    assert "lines of 2 seeds" in curve.reason
    low, high = curve.exponent_interval
    assert 0.5 < low < 0.6 < high < 0.7


def test_a_seed_that_lacks_a_size_is_left_out():
    holes = errors(falling, seeds=(0, 1, 2, 3))
    del holes[2][20]
    holes[2][40] = 1e6  # would spoil the fit
    curve = learning_curve("a", holes, **ASKED)
    assert "3 seeds" in curve.reason
    assert curve.exponent == pytest.approx(0.6, abs=0.1)


def test_no_whole_seed_no_law():
    curve = learning_curve("a", {0: {5: 1.0, 10: 1.0}, 1: {20: 1.0}}, **ASKED)
    assert curve.reason == "no seed has every size yet"


@pytest.mark.parametrize("bad", [0.0, float("nan"), float("inf")])
def test_errors_without_a_logarithm(bad):
    found = errors(falling)
    found[0][5] = bad
    assert "zero or not finite" in learning_curve("a", found, **ASKED).reason


def test_nothing_is_nothing():
    assert learning_curve("a", {}, **ASKED) is None


def test_a_target_far_away_is_not_predicted():
    asked = ASKED | {"target_error": falling(1000)}
    curve = learning_curve("a", errors(falling, noise=0.0), **asked)
    assert curve.is_identified
    assert curve.labels_for_target is None


@pytest.mark.parametrize("n_seeds", [1, 2, 3, 5])
def test_no_interval_is_wider_than_what_it_could_say(n_seeds):
    """Whatever the scatter: a prediction is known to a factor, or there is none."""
    rng = np.random.default_rng(n_seeds)
    asked = ASKED | {"target_error": 1.0}
    found = [
        learning_curve(
            "a",
            {
                seed: {n: falling(n) * float(np.exp(rng.normal(0, 0.4))) for n in SIZES}
                for seed in range(n_seeds)
            },
            **asked,
        )
        for _ in range(60)
    ]
    known = [one for one in found if one.is_identified]
    assert known  # or nothing would be tested
    assert len(known) < len(found)
    ends = [one.error_next_interval for one in known]
    ends += [one.labels_for_target_interval for one in known]
    assert all(one[1] <= WIDEST * one[0] for one in ends if one is not None)
    assert all(one.error_next_interval is not None for one in known)


def test_scatter_that_leaves_nothing_to_say_is_named():
    wild = {0: {5: 100.0, 10: 70.0, 20: 10.0, 40: 5.0}}
    curve = learning_curve("a", wild, **ASKED)
    assert curve.exponent_interval[0] > 0
    assert curve.reason == TOO_WIDE
    assert not curve.is_identified
    assert curve.error_next is None
