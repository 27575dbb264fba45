"""Intervals of means and medians: closed forms, invariances, and when there is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atomgraft.metrics.intervals import _freedom, mean_interval, median_interval

ROUND_OFF = 1e-9
"""Relative; sums of a handful of numbers, in another order."""

frames = st.integers(5, 9).flatmap(
    lambda n: st.tuples(
        arrays(float, n, elements=st.floats(0.01, 100)),
        arrays(float, n, elements=st.integers(8, 16).map(float)),
    )
)


def rng(seed=0):
    return np.random.default_rng(seed)


def interval(*given, **more):
    return mean_interval(*given, **more).interval


def test_a_symmetric_sample_has_the_interval_of_student():
    stats = pytest.importorskip("scipy.stats")
    values = np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
    expected = stats.t.interval(0.96, 6, loc=0.0, scale=stats.sem(values))
    found = interval(values, np.ones(7), is_signed=True)
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_skewed_sample_reaches_farther_on_its_long_side():
    values = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 11.0])
    low, high = interval(values, np.ones(6), is_signed=True)
    middle = values.mean()
    assert high - middle > 1.2 * (middle - low)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_below_five_there_is_a_word_and_no_interval(n):
    found = mean_interval(np.arange(1.0, n + 1), np.ones(n))
    assert (found.interval, found.obstacle, found.n_independent) == (None, "few", n)


def test_clusters_are_what_counts():
    """Ten frames of two trajectories are no ten structures."""
    errors = rng().exponential(size=10)
    alone = mean_interval(errors, np.ones(10))
    assert alone.n_independent == 10
    found = mean_interval(errors, np.ones(10), [range(5), range(5, 10)])
    assert (found.interval, found.obstacle) == (None, "few")


def test_frames_that_repeat_within_clusters_add_nothing():
    errors = rng().exponential(size=6)
    twice = [[i, i + 6] for i in range(6)]
    found = mean_interval(np.tile(errors, 2), np.ones(12), twice)
    assert found.interval == pytest.approx(interval(errors, np.ones(6)))
    as_if_alone = interval(np.tile(errors, 2), np.ones(12))
    assert np.diff(as_if_alone) < 0.75 * np.diff(found.interval)


def test_one_structure_that_outweighs_the_others_gives_no_interval():
    counts = np.array([8.0, 8, 8, 8, 8, 512])
    found = mean_interval(rng().exponential(size=6) * counts, counts)
    assert (found.interval, found.obstacle) == (None, "uneven")


def test_a_trajectory_beside_many_structures_is_called_too_large():
    """Sixteen groups are not few."""
    groups = [list(range(10)), *([i] for i in range(10, 25))]
    found = mean_interval(rng().exponential(size=25), np.ones(25), groups)
    assert (found.interval, found.obstacle) == (None, "uneven")
    assert found.n_independent == 16


def test_the_degrees_of_freedom_are_satterthwaites():
    """tr(A)² / tr(AA) with the matrices written out."""
    for weights in (np.full(7, 1 / 7), np.arange(1.0, 8) / 28):
        n = len(weights)
        residual = np.eye(n) - np.ones((n, 1)) * weights
        expected = 1 - 2 * weights + weights @ weights
        form = residual.T @ np.diag(weights**2 / expected) @ residual
        assert np.trace(form) == pytest.approx(weights @ weights)  # unbiased
        trace = np.trace(form) ** 2 / np.trace(form @ form)
        assert _freedom(weights) == pytest.approx(trace)
    assert _freedom(np.full(7, 1 / 7)) == pytest.approx(6)


@pytest.mark.parametrize("n_runs", [1, 2, 4, 5])
def test_fewer_than_five_trajectories_have_no_interval_however_long(n_runs):
    """A trajectory does not show how much others differ from it."""
    errors = rng(1).exponential(size=1000)
    runs = np.arange(1000).reshape(n_runs, -1).tolist()
    found = mean_interval(errors, np.ones(1000), runs)
    assert (found.interval is None, found.n_independent) == (n_runs < 5, n_runs)
    assert found.obstacle == ("few" if n_runs < 5 else None)


@given(given=frames, factor=st.floats(1e-3, 1e3))
def test_intervals_scale_with_the_unit(given, factor):
    sums, counts = given
    plain = np.array(interval(sums, counts))
    assert interval(sums * factor, counts) == pytest.approx(
        plain * factor, rel=1e-6, abs=1e-9 * factor
    )


@given(given=frames)
def test_an_rmse_is_the_root_of_the_mean_square(given):
    rooted = interval(*given, is_squared=True)
    assert np.square(rooted) == pytest.approx(interval(*given), rel=ROUND_OFF)


@given(given=frames)
def test_the_mean_lies_within_and_errors_stay_positive(given):
    sums, counts = given
    low, high = interval(sums, counts)
    assert 0 <= low <= (sums.sum() / counts.sum()) * (1 + ROUND_OFF)
    assert high >= (sums.sum() / counts.sum()) * (1 - ROUND_OFF)


@given(given=frames)
def test_swapping_the_models_turns_the_sign(given):
    before, counts = given
    change = before[::-1] - before
    low, high = interval(change, counts, is_signed=True)
    turned = interval(-change, counts, is_signed=True)
    assert turned == pytest.approx((-high, -low), rel=1e-6, abs=1e-7)


def test_the_order_of_independent_frames_does_not_matter():
    errors = rng().exponential(size=9)
    assert interval(errors[::-1], np.ones(9)) == pytest.approx(
        interval(errors, np.ones(9))
    )


def test_equal_models_have_not_changed():
    assert interval(np.zeros(6), np.ones(6), is_signed=True) == (0.0, 0.0)
    assert interval(np.zeros(6), np.ones(6)) == (0.0, 0.0)


def test_the_change_is_found_where_the_two_intervals_overlap():
    hard = 10 * rng().exponential(size=30)
    after = hard - 0.2 + rng(1).normal(scale=0.1, size=30)
    low, high = interval(after - hard, np.ones(30), is_signed=True)
    assert low <= high < 0
    assert interval(hard, np.ones(30))[0] < interval(after, np.ones(30))[1]


def test_no_structure_no_interval():
    with pytest.raises(ValueError, match="at least one structure"):
        mean_interval(np.zeros(0), np.zeros(0))


def test_a_median_lies_between_order_statistics():
    assert median_interval(np.array([5.0, 1, 4, 2, 3])) == (1, 5)
    low, high = median_interval(np.arange(10.0))
    assert 1 < low < 2
    assert 7 < high < 8
    assert median_interval(np.full(7, 0.25)) == (0.25, 0.25)
    assert median_interval(np.arange(4.0)) is None
