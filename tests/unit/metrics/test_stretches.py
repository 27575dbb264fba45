"""Series in parts: none where memory is long, the right number where it is short."""

import numpy as np
import pytest

from atomgraft.metrics.stretches import _correlation, _time, independent_stretches


def autoregressive(r, n, seed=0):
    rng = np.random.default_rng(seed)
    series = [rng.normal()]
    for _ in range(n - 1):
        series.append(r * series[-1] + np.sqrt(1 - r**2) * rng.normal())
    return np.array(series)


def test_without_memory_there_are_many_stretches():
    found = independent_stretches(autoregressive(0.0, 400))
    assert len(found.bounds) == 21
    assert found.bounds[0] == 0
    assert found.bounds[-1] == 400


@pytest.mark.parametrize("n", [0, 1, 2, 5, 24])
def test_a_short_series_is_not_cut(n):
    assert independent_stretches(autoregressive(0.0, n or 1)[:n]).bounds is None


@pytest.mark.parametrize("seed", range(5))
def test_fifty_frames_with_a_long_memory_are_not_cut(seed):
    found = independent_stretches(autoregressive(0.9, 50, seed))
    assert found.bounds is None
    assert found.n_independent < 5


def test_the_correlation_time_is_that_of_the_series():
    """(1 + r) / (1 - r) is 9 for r = 0.8."""
    found = [_correlation(autoregressive(0.8, 2000, i), 0.0) for i in range(5)]
    assert np.mean([_time(one) for one in found]) == pytest.approx(9, rel=0.15)


def test_a_constant_series_has_no_memory():
    assert len(independent_stretches(np.ones(100)).bounds) == 21


def test_the_bias_of_short_series_is_put_back():
    plain, unbiased = [], []
    for seed in range(400):
        series = autoregressive(0.7, 30, seed)
        moves = series - series.mean()
        plain.append(moves[1:] @ moves[:-1] / (moves @ moves))
        unbiased.append(_correlation(series, 0.0))
    assert abs(np.mean(unbiased) - 0.7) < 0.4 * abs(np.mean(plain) - 0.7)
