"""Lines of logarithms against scipy, and against points whose law is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from atomgraft.metrics.log_lines import (
    compare_lines,
    fit_log_line,
    points_at_floor,
)

SOURCE = np.geomspace(10.0, 300.0, 12)


def scattered(size, seed=0, n=12):
    return np.exp(size * np.random.default_rng(seed).normal(size=n))


# --- one line


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_regression_of_scipy(seed):
    y = 3.0 * SOURCE**0.6 * scattered(0.2, seed)
    line = fit_log_line(SOURCE, y)
    known = stats.linregress(np.log(SOURCE), np.log(y))
    half = stats.t.ppf(0.975, len(y) - 2) * known.stderr
    assert line.slope == pytest.approx(known.slope)
    assert line.amplitude == pytest.approx(np.exp(known.intercept))
    assert line.r_squared == pytest.approx(known.rvalue**2)
    assert line.slope_interval == pytest.approx(
        (known.slope - half, known.slope + half), rel=1e-6
    )


@given(
    slope=st.floats(-2.0, 2.0), amplitude=st.floats(0.1, 100.0), unit=st.floats(0.1, 10)
)
def test_points_of_a_law_have_its_slope_in_any_unit(slope, amplitude, unit):
    line = fit_log_line(unit * SOURCE, unit * amplitude * SOURCE**slope)
    assert line.slope == pytest.approx(slope, abs=1e-9)
    assert line.amplitude == pytest.approx(amplitude * unit ** (1 - slope), rel=1e-6)


def test_a_slope_is_in_its_interval_in_nineteen_of_twenty_cases():
    n = 400
    held = 0
    for seed in range(n):
        y = 2.0 * SOURCE**0.8 * scattered(0.3, seed)
        low, high = fit_log_line(SOURCE, y).slope_interval
        held += low < 0.8 < high
    assert stats.binomtest(held, n, 0.95).pvalue > 0.01


def test_points_without_a_law_have_no_slope():
    """Negative control: errors that do not depend on the source."""
    line = fit_log_line(SOURCE, 20.0 * scattered(0.2))
    low, high = line.slope_interval
    assert low < 0 < high
    assert line.r_squared < 0.3


@pytest.mark.parametrize(
    ("x", "y"), [([1.0, 1.0], [2.0, 3.0]), ([1.0, 2.0], [0.0, 1.0])]
)
def test_what_makes_no_line_is_refused(x, y):
    with pytest.raises(ValueError, match="power law needs"):
        fit_log_line(np.array(x), np.array(y))


# --- the floor


def test_a_floor_marks_the_points_that_it_limits():
    y = 0.5 * SOURCE + 20.0
    assert points_at_floor(SOURCE, y).tolist() == (0.5 * y < 20.0).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_a_line_has_no_points_at_a_floor(seed):
    assert not points_at_floor(SOURCE, 2 * SOURCE**0.5 * scattered(0.05, seed)).any()


def test_without_the_points_at_the_floor_the_slope_is_nearer_to_that_of_the_law():
    x = np.geomspace(1.0, 1e4, 40)
    y = 0.5 * x + 20.0
    whole, kept = fit_log_line(x, y), ~points_at_floor(x, y)
    assert abs(fit_log_line(x[kept], y[kept]).slope - 1) < abs(whole.slope - 1) / 3


# --- one line for all


def left_by_lines(x, y):
    return float(((np.polyval(np.polyfit(x, y, 1), x) - y) ** 2).sum())


def f_test(x, y, groups):
    """Return the probability from a line for each group and a line for all."""
    x, y, groups = np.log(x), np.log(y), np.array(groups)
    names = sorted(set(groups))
    own = sum(left_by_lines(x[groups == g], y[groups == g]) for g in names)
    n_more, n_free = 2 * (len(names) - 1), len(x) - 2 * len(names)
    gain = (left_by_lines(x, y) - own) / n_more
    return stats.f.sf(gain / (own / n_free), n_more, n_free)


def chance_of(x, y, groups):
    found = compare_lines(x, y, groups, ["one"] * len(x))
    assert found is not None
    return found.chance


@pytest.mark.parametrize("offset", [1.0, 1.1, 1.5])
def test_the_chance_is_that_of_the_f_test(offset):
    x = np.tile(SOURCE, 2)
    groups = ["a"] * 12 + ["b"] * 12
    y = x**0.7 * np.repeat([1.0, offset], 12) * scattered(0.1, 3, 24)
    assert chance_of(x, y, groups) == pytest.approx(f_test(x, y, groups))


def test_groups_on_one_line_rarely_differ():
    x, groups = np.tile(SOURCE, 3), ["a"] * 12 + ["b"] * 12 + ["c"] * 12
    n = 300
    found = [
        chance_of(x, x**0.7 * scattered(0.2, seed, 36), groups) for seed in range(n)
    ]
    n_small = sum(one < 0.05 for one in found)
    assert stats.binomtest(n_small, n, 0.05).pvalue > 0.01


def test_a_group_with_an_offset_differs():
    x, groups = np.tile(SOURCE, 2), ["a"] * 12 + ["b"] * 12
    y = x**0.7 * np.repeat([1.0, 1.6], 12) * scattered(0.1, 0, 24)
    assert chance_of(x, y, groups) < 1e-3


def test_groups_of_opposite_slopes_differ():
    x = np.array([1.0, 2.0, 4.0] * 2)
    y = np.array([0.5, 1.0, 2.0, 2.0, 1.0, 0.5]) * scattered(0.01, 0, 6)
    assert chance_of(x, y, ["a"] * 3 + ["b"] * 3) < 0.01


def test_an_offset_of_blocks_is_none_of_groups():
    x = np.tile(SOURCE, 4)
    groups = (["a"] * 12 + ["b"] * 12) * 2
    blocks = ["wide"] * 24 + ["narrow"] * 24
    y = x**0.7 * np.repeat([1.0, 3.0], 24) * scattered(0.05, 1, 48)
    assert compare_lines(x, y, groups, blocks).chance > 0.05
    assert chance_of(x, y, blocks) < 1e-6


def test_groups_that_lie_on_one_line_exactly_do_not_differ():
    x, groups = np.tile(SOURCE, 2), ["a"] * 12 + ["b"] * 12
    assert chance_of(x, 2 * x**0.7, groups) > 0.05


def test_more_scatter_and_fewer_points_tell_less():
    x, groups = np.tile(SOURCE, 2), ["a"] * 12 + ["b"] * 12
    widths = [
        compare_lines(x, x**0.7 * scattered(size, 2, 24), groups, ["one"] * 24).widest
        for size in (0.02, 0.2)
    ]
    assert 5 * widths[0] < widths[1]
    few = np.r_[0:3, 12:15]
    y = x**0.7 * scattered(0.2, 2, 24)
    small = compare_lines(x[few], y[few], ["a"] * 3 + ["b"] * 3, ["one"] * 6)
    assert small.widest > widths[1]


@pytest.mark.parametrize("groups", [["a"] * 4, ["a", "a", "b", "c"]])
def test_too_little_to_tell(groups):
    x = np.array([1.0, 2.0, 4.0, 8.0])
    assert compare_lines(x, x, groups, ["one"] * 4) is None
