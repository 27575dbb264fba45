"""Intervals from a handful of seeds: scipy's numbers, and they cover."""

import numpy as np
import pytest

from atomgraft.metrics.intervals import student_interval, student_quantile

stats = pytest.importorskip("scipy.stats")

N_TRIALS = 4000

SAMPLING = 0.02
"""Six standard deviations of the coverage found in so many trials."""


@pytest.mark.parametrize("n_free", [1, 2, 3, 3.3, 10, 30, 31, 60, 1000])
def test_quantiles_are_those_of_scipy(n_free):
    assert student_quantile(n_free) == pytest.approx(stats.t.ppf(0.975, n_free))


def test_no_freedom_no_interval():
    with pytest.raises(ValueError, match="degree of freedom"):
        student_quantile(0)
    assert student_interval(np.array([1.0, 2.0, 3.0, 4.0])) is None


def test_it_is_the_interval_of_scipy():
    values = np.array([1.0, 4.0, 4.5, 7.0, 7.5])
    expected = stats.t.interval(
        0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values)
    )
    assert student_interval(values) == pytest.approx(expected, rel=1e-3)


def coverage(interval_of):
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(N_TRIALS):
        low, high = interval_of(rng.normal(5.0, 2.0, size=5), rng)
        hits += low <= 5.0 <= high
    return hits / N_TRIALS


def test_five_draws_are_covered():
    assert coverage(lambda draws, _: student_interval(draws)) == pytest.approx(
        0.95, abs=SAMPLING
    )


def test_resampling_five_draws_is_not():
    """Negative control, and the reason why seeds are not resampled."""

    def bootstrap(draws, rng):
        means = rng.choice(draws, size=(200, 5)).mean(axis=1)
        return np.percentile(means, [2.5, 97.5])

    assert coverage(bootstrap) < 0.85
