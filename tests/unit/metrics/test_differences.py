"""Differences that are there are found, and chance is called chance."""

import numpy as np
import pytest

from atomgraft.metrics.differences import (
    chance_of,
    change_interval,
    difference,
    overlap_error,
    own_noise,
    radial_error,
    relative_error,
)

X = np.linspace(-3, 3, 60)


def bell(shift=0.0):
    return 0.2 + np.exp(-((X - shift) ** 2))


SHAPE = bell()


def runs(rng, n=5, *, shift=0.0, noise=0.03):
    """Return noisy copies of a bell, moved by a share of its width."""
    return bell(shift) * (1 + noise * rng.normal(size=(n, 60)))


@pytest.mark.parametrize("distance", [overlap_error, radial_error])
def test_errors_are_between_the_same_and_no_overlap(distance):
    left, right = np.array([1.0, 2.0, 0, 0]), np.array([0, 0, 1.0, 2.0])
    assert distance(left, left) == 0
    assert distance(left, right) == pytest.approx(100)
    assert distance(left, left + right) == distance(left + right, left)
    assert distance(np.zeros(3), np.zeros(3)) == 0


def test_a_scale_counts_in_g_and_not_in_densities():
    assert radial_error(SHAPE, 2 * SHAPE) == pytest.approx(100 / 3)
    assert overlap_error(SHAPE, 2 * SHAPE) == pytest.approx(0)


def test_without_a_difference_one_in_twenty_is_called_different():
    rng = np.random.default_rng(0)
    found = [
        difference(runs(rng), runs(rng), overlap_error).is_distinguishable
        for _ in range(300)
    ]
    assert 0.02 <= np.mean(found) <= 0.08


def test_the_noise_is_the_distance_of_two_sets_of_one_model():
    rng = np.random.default_rng(1)
    pairs = [(runs(rng), runs(rng)) for _ in range(60)]
    apart = [overlap_error(a.mean(axis=0), b.mean(axis=0)) for a, b in pairs]
    told = [own_noise(a, overlap_error) for a, _ in pairs]
    assert np.mean(told) == pytest.approx(np.mean(apart), rel=0.05)


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.5])
def test_intervals_contain_the_true_difference(shift):
    """No difference, one that is as large as the noise, and a large one."""
    rng = np.random.default_rng(2)
    exact = overlap_error(bell(shift), SHAPE)
    found = [
        difference(runs(rng, shift=shift), runs(rng), overlap_error) for _ in range(200)
    ]
    held = [one.interval[0] <= exact <= one.interval[1] for one in found]
    assert np.mean(held) >= 0.92
    if shift == 0.5:
        assert all(one.is_distinguishable for one in found)


def test_models_as_far_away_are_seldom_called_better_or_worse():
    rng = np.random.default_rng(7)
    n_called = 0
    for _ in range(200):
        sides = runs(rng, shift=0.1), runs(rng, shift=-0.1), runs(rng)
        low, high = change_interval(*sides, overlap_error)
        n_called += not low <= 0 <= high
    assert n_called <= 16


def test_numbers_are_compared_as_distributions_of_one_bin():
    rng = np.random.default_rng(3)
    one = rng.normal(4.2, 0.01, size=(5, 1))
    other = rng.normal(4.0, 0.01, size=(5, 1))
    found = difference(one, other, relative_error)
    assert found.value == pytest.approx(5, abs=0.5)
    assert found.is_distinguishable
    assert found.noise < 0.5


@pytest.mark.parametrize("n", [5, 6])
@pytest.mark.parametrize("distance", [relative_error, overlap_error, radial_error])
def test_chance_does_not_depend_on_which_set_is_the_second(n, distance):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        one, other = runs(rng, n, shift=0.1, noise=0.3), runs(rng, noise=0.3)
        if distance is relative_error:  # 40 % apart, as noisy diffusion is
            one, other = rng.normal(1.0, 0.3, (n, 1)), rng.normal(0.6, 0.3, (5, 1))
        there, back = chance_of(one, other, distance), chance_of(other, one, distance)
        assert there == pytest.approx(back)


def test_what_is_nearer_than_the_base_is_found():
    rng = np.random.default_rng(4)
    reference = runs(rng)
    near, far = runs(rng, shift=0.1), runs(rng, shift=0.6)
    low, high = change_interval(near, far, reference, overlap_error)
    assert low < high < 0
    low, high = change_interval(near, runs(rng, shift=0.1), reference, overlap_error)
    assert low < 0 < high
    assert change_interval(near[:4], far, reference, overlap_error) is None


def test_four_runs_have_a_difference_and_no_interval():
    rng = np.random.default_rng(5)
    found = difference(runs(rng, 4), runs(rng), overlap_error)
    assert (found.interval, found.p, found.is_distinguishable) == (None, None, None)
    assert found.value > 0


def test_many_runs_are_not_split_in_all_ways():
    rng = np.random.default_rng(6)
    found = difference(runs(rng, 12), runs(rng, 12), overlap_error)
    assert found.p is not None
    assert found.noise == pytest.approx(
        own_noise(runs(rng, 12), overlap_error), rel=0.3
    )


def test_overlap_with_what_is_no_number_is_none():
    assert np.isnan(overlap_error(np.array([np.nan, 1.0]), np.ones(2)))
    assert overlap_error(np.zeros(2), np.ones(2)) == 100.0
