"""Survival curves, means and tests, against published numbers and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from atomgraft.metrics.intervals import mean_interval
from atomgraft.metrics.survival import kaplan_meier, log_rank, restricted_mean

# remission (weeks) under 6-mercaptopurine and placebo; Freireich et al., Blood 21, 699
# (1963), as tabulated in every textbook of survival analysis; + is censored
TREATED = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
PLACEBO = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23"


def runs(text):
    words = text.split()
    times = np.array([float(one.rstrip("+")) for one in words])
    return times, np.array([not one.endswith("+") for one in words])


def test_the_curve_is_the_published_one():
    curve = kaplan_meier(*runs(TREATED))
    assert curve.times.tolist() == [0, 6, 7, 10, 13, 16, 22, 23]
    published = [1.0, 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert curve.survival == pytest.approx(published, abs=5e-4)


def test_the_test_is_the_published_one():
    """Log-rank χ² = 16.79 with one degree of freedom."""
    found = log_rank(runs(TREATED), runs(PLACEBO))
    assert found == pytest.approx(chi2.sf(16.79, 1), rel=0.01)


def test_without_failures_there_is_no_test():
    times = np.full(5, 10.0)
    alive = np.zeros(5, dtype=bool)
    assert log_rank((times, alive), (times, alive)) is None
    assert log_rank((times, ~alive), (times, ~alive)) is None


def test_groups_that_fail_alike_are_not_told_apart():
    """Negative control of the published difference."""
    times, failed = runs(PLACEBO)
    assert log_rank((times, failed), (times, failed)) == pytest.approx(1.0)


@given(st.lists(st.floats(0.1, 20.0), min_size=5, max_size=30), st.floats(1.0, 25.0))
def test_without_early_censoring_it_is_the_mean_of_cut_times(drawn, horizon):
    drawn = np.array(drawn)
    found = restricted_mean(np.minimum(drawn, horizon), drawn < horizon, horizon)
    cut = np.minimum(drawn, horizon)
    assert found.value == pytest.approx(cut.mean())
    low, high = found.interval
    assert 0 <= low <= found.value * (1 + 1e-9)
    assert found.value <= high * (1 + 1e-9) <= horizon * (1 + 1e-8)


def test_the_interval_is_that_of_a_mean_where_all_fail():
    times = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    found = restricted_mean(times, times > 0, 100.0)
    assert found.interval == pytest.approx(mean_interval(times, np.ones(6)).interval)


def test_the_area_counts_censored_runs():
    """The textbook's area under the curve of the treated, up to 35 weeks: 23.3."""
    assert restricted_mean(*runs(TREATED), 35.0).value == pytest.approx(23.29, abs=0.01)


def test_runs_that_end_alike_leave_room():
    times, alive = np.full(5, 10.0), np.zeros(5, dtype=bool)
    survived = restricted_mean(times, alive, 10.0)
    assert survived.interval == pytest.approx((5.493, 10.0), abs=1e-3)
    failed = restricted_mean(np.full(5, 1.0), ~alive, 10.0)
    assert failed.interval == pytest.approx((0.549, 5.056), abs=1e-3)
    assert restricted_mean(times[:4], alive[:4], 10.0).interval is None


@pytest.mark.parametrize("rate", [0.3, 1.0, 3.0])
def test_intervals_cover(rate):
    """The closed form of an exponential law: (1 - exp(-rate)) / rate at horizon one."""
    rng = np.random.default_rng(0)
    truth = (1 - np.exp(-rate)) / rate
    hits = 0
    for _ in range(400):
        drawn = rng.exponential(1 / rate, size=5)
        found = restricted_mean(np.minimum(drawn, 1.0), drawn < 1.0, 1.0)
        low, high = found.interval
        hits += low <= truth <= high
    assert hits >= 0.92 * 400


def test_nothing_is_no_sample():
    nothing = np.zeros(0)
    with pytest.raises(ValueError, match="at least one run"):
        kaplan_meier(nothing, nothing.astype(bool))
