"""Power laws against data whose law is known, and against data that have none."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atomgraft.metrics.power_law import (
    EXPONENTS,
    LARGEST_SHARE,
    PowerLaw,
    fit_power_law,
    is_floor_supported,
    jackknife_interval,
    line_interval,
)

SIZES = np.array([5.0, 10.0, 20.0, 40.0])

N_TRIALS = 600

SAMPLING = 0.05
"""Five standard deviations of the coverage found in so many trials."""


def learned(law, rng, *, n_seeds=3, noise=0.05, sizes=SIZES):
    """Return errors that follow a law: each seed is lucky or not as a whole, too."""
    exact = np.array([law.error(n) for n in sizes.tolist()])
    luck = rng.normal(0, noise, size=(n_seeds, 1))
    scatter = rng.normal(0, noise, size=(n_seeds, len(sizes)))
    return exact * np.exp(luck + scatter)


def fitted(errors, *, sizes=SIZES, floor=False):
    return fit_power_law(np.tile(sizes, len(errors)), errors.ravel(), floor=floor)


@given(st.floats(1e-3, 1e3), st.floats(-2, 3))
def test_an_exact_law_is_found(amplitude, exponent):
    law = PowerLaw(amplitude=amplitude, exponent=exponent)
    found = fitted(learned(law, np.random.default_rng(0), noise=0.0))
    assert found.amplitude == pytest.approx(amplitude, rel=1e-9)
    assert found.exponent == pytest.approx(exponent, abs=1e-9)
    assert found.floor == 0


@settings(max_examples=20, deadline=None)
@given(st.floats(0.3, 1.5), st.floats(0.05, 0.9))
def test_an_exact_law_with_a_floor_is_found(exponent, share):
    amplitude = (1 - share) * SIZES[-1] ** exponent
    law = PowerLaw(amplitude=float(amplitude), exponent=exponent, floor=share)
    sizes = 2.0 ** np.arange(2, 10)
    exact = learned(law, np.random.default_rng(0), noise=0.0, sizes=sizes)
    found = fitted(exact, sizes=sizes, floor=True)
    assert found.exponent == pytest.approx(exponent, rel=1e-3)
    assert found.floor == pytest.approx(share, rel=1e-3)


def test_the_line_is_that_of_numpy():
    rng = np.random.default_rng(3)
    errors = rng.uniform(1, 9, size=(3, 4))
    slope, level = np.polyfit(np.log(np.tile(SIZES, 3)), np.log(errors.ravel()), 1)
    found = fitted(errors)
    assert found.exponent == pytest.approx(-slope)
    assert math.log(found.amplitude) == pytest.approx(level)


@pytest.mark.parametrize(("share", "noise"), [(0.1, 0.05), (0.0, 0.3), (0.9, 0.1)])
def test_no_point_of_a_grid_fits_better_than_the_law_with_a_floor(share, noise):
    rng = np.random.default_rng(4)
    sizes = np.array([4.0, 8.0, 16.0, 32.0, 64.0])
    amplitude = 10 * (1 - share) * sizes[-1] ** 0.8
    law = PowerLaw(amplitude=amplitude, exponent=0.8, floor=10 * share)
    errors = learned(law, rng, sizes=sizes, noise=noise)
    found = fitted(errors, sizes=sizes, floor=True)
    y = np.log(errors)
    least = (y - [math.log(found.error(n)) for n in sizes.tolist()]).var()
    exponents = np.geomspace(*EXPONENTS, 80)[:, None, None]
    shares = np.linspace(0, LARGEST_SHARE, 80)[:, None]
    shapes = np.log((1 - shares) * (sizes / sizes[-1]) ** -exponents + shares)
    grid = (y[:, None, None] - shapes).var(axis=(0, 3))
    assert grid.shape == (80, 80)
    assert least <= grid.min() * (1 + 1e-9)
    assert least == pytest.approx(grid.min(), rel=0.05)  # and not by far


@pytest.mark.parametrize(
    ("sizes", "errors"),
    [([5.0, 5.0], [1.0, 2.0]), ([5.0, 0.0], [1.0, 1.0]), ([5.0, 9.0], [1.0, 0.0])],
)
def test_what_has_no_law_is_refused(sizes, errors):
    with pytest.raises(ValueError, match="power law needs"):
        fit_power_law(np.array(sizes), np.array(errors))


# --- is there a floor?


def share_with_floor(law):
    rng = np.random.default_rng(5)
    sizes = np.array([4.0, 8.0, 16.0, 32.0, 64.0])
    found = [
        is_floor_supported(
            np.tile(sizes, 3), learned(law, rng, sizes=sizes, noise=0.03).ravel()
        )
        for _ in range(60)
    ]
    return np.mean(found)


def test_a_floor_is_seen_where_there_is_one():
    assert share_with_floor(PowerLaw(amplitude=30.0, exponent=1.0, floor=2.0)) > 0.9


def test_no_floor_is_seen_where_there_is_none():
    assert share_with_floor(PowerLaw(amplitude=30.0, exponent=0.7)) < 0.15


def test_three_sizes_tell_nothing_of_a_floor():
    sizes = np.tile([4.0, 16.0, 64.0], 4)
    assert not is_floor_supported(sizes, 30 / sizes + 2)


# --- intervals


def coverage(interval_of, truth, law, *, n_seeds):
    rng = np.random.default_rng(6)
    hits = 0
    for _ in range(N_TRIALS):
        low, high = interval_of(learned(law, rng, n_seeds=n_seeds))
        hits += low <= truth <= high
    return hits / N_TRIALS


@pytest.mark.parametrize("n_seeds", [3, 5])
def test_the_exponent_is_covered(n_seeds):
    law = PowerLaw(amplitude=10.0, exponent=0.6)
    found = coverage(
        lambda errors: jackknife_interval(lambda one: fitted(one).exponent, errors),
        law.exponent,
        law,
        n_seeds=n_seeds,
    )
    assert found == pytest.approx(0.95, abs=SAMPLING)


def test_a_prediction_is_covered():
    law = PowerLaw(amplitude=10.0, exponent=0.6)
    found = coverage(
        lambda errors: jackknife_interval(
            lambda one: math.log(fitted(one).error(60.0)), errors
        ),
        math.log(law.error(60.0)),
        law,
        n_seeds=3,
    )
    assert found == pytest.approx(0.95, abs=SAMPLING)


def test_treating_points_as_independent_does_not_cover():
    """Negative control: sizes of one seed share their luck."""
    law = PowerLaw(amplitude=10.0, exponent=0.6)

    def naive(errors):
        x, y = np.log(np.tile(SIZES, len(errors))), np.log(errors.ravel())
        return line_interval(x, y, np.array([1.0, math.log(20.0)]))

    assert coverage(naive, math.log(law.error(20.0)), law, n_seeds=3) < 0.9


def test_the_jackknife_of_a_mean_is_students():
    from atomgraft.metrics.intervals import student_interval

    values = np.array([[1.0], [2.0], [4.0], [4.5], [6.0]])
    found = jackknife_interval(lambda one: float(one.mean()), values)
    assert found == pytest.approx(student_interval(values[:, 0]))


def test_one_seed_or_no_number_has_no_jackknife():
    one = np.ones((1, 4))
    assert jackknife_interval(lambda errors: 1.0, one) is None
    assert jackknife_interval(lambda errors: math.inf, np.ones((3, 4))) is None


def test_the_interval_of_a_slope_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    x, y = np.log(SIZES), np.array([2.0, 1.5, 1.4, 0.9])
    line = stats.linregress(x, y)
    half = stats.t.ppf(0.975, 2) * line.stderr
    low, high = line_interval(x, y, np.array([0.0, 1.0]))
    assert (low, high) == pytest.approx((line.slope - half, line.slope + half), 1e-4)
    assert line_interval(x[:2], y[:2], np.array([0.0, 1.0])) is None


# --- what a law says


@given(st.floats(0.1, 2.0), st.floats(0, 1.0), st.floats(1.5, 80))
def test_labels_for_an_error_give_that_error(exponent, floor, n):
    law = PowerLaw(amplitude=5.0, exponent=exponent, floor=floor)
    if law.error(n) - floor < 1e-6:
        return
    assert law.error(law.labels_for(law.error(n))) == pytest.approx(law.error(n))


def test_an_error_below_the_floor_is_never_reached():
    law = PowerLaw(amplitude=5.0, exponent=0.5, floor=1.0)
    assert law.labels_for(1.0) == math.inf
    assert PowerLaw(amplitude=5.0, exponent=-0.1).labels_for(1.0) == math.inf


def test_the_last_worthwhile_batch_gains_the_share():
    law = PowerLaw(amplitude=5.0, exponent=0.5)
    last = law.last_worthwhile(20.0, 0.05)
    assert law.gain(last, 20.0) == pytest.approx(0.05)
    # closed form without a floor: n = more / ((1 - share)**(-1/exponent) - 1)
    assert last == pytest.approx(20 / (0.95**-2 - 1))
    assert PowerLaw(amplitude=5.0, exponent=0.0).last_worthwhile(20.0, 0.05) == 0


def test_a_floor_ends_labelling_earlier():
    laws = [PowerLaw(amplitude=5.0, exponent=0.5, floor=one) for one in (0.0, 0.5)]
    first, second = (law.last_worthwhile(20.0, 0.05) for law in laws)
    assert second < first
