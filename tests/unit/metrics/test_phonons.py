"""Distances of harmonic crystals, against closed forms, scipy and counting by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import wasserstein_distance

from atomgraft.metrics.phonons import (
    best_scalar,
    confusion,
    earth_movers_distance,
    force_slope,
    frequency_errors,
)

ROUNDING = 1e-9

SHAPE = (4, 3)

spectra = arrays(float, SHAPE, elements=st.floats(-5, 20, width=32))
stable = arrays(float, SHAPE, elements=st.floats(0.125, 20, width=32))
weights = arrays(float, SHAPE[0], elements=st.integers(1, 48).map(float))


def mae(predicted, reference, weights):
    return frequency_errors(predicted, reference, weights).mae


@given(spectra, spectra, weights)
def test_the_distance_is_that_of_scipy(one, other, weight):
    masses = np.repeat(weight, SHAPE[1])
    expected = wasserstein_distance(one.ravel(), other.ravel(), masses, masses)
    found = earth_movers_distance(one, other, weight)
    assert found == pytest.approx(expected, abs=ROUNDING)


@given(spectra, spectra, spectra, weights)
def test_it_is_a_metric(one, other, third, weight):
    def apart(a, b):
        return earth_movers_distance(a, b, weight)

    assert apart(one, one) == pytest.approx(0, abs=ROUNDING)
    assert apart(one, other) >= 0
    assert apart(one, other) == pytest.approx(apart(other, one), abs=ROUNDING)
    assert apart(one, other) <= apart(one, third) + apart(third, other) + ROUNDING


@given(spectra, spectra, weights)
def test_it_asks_for_the_spectrum_and_not_for_who_has_what(one, other, weight):
    """Modes may change places at a q-point; the mean error bounds the distance."""
    turned = one[:, ::-1]
    found = earth_movers_distance(one, other, weight)
    same = earth_movers_distance(turned, other, weight)
    assert found == pytest.approx(same, abs=ROUNDING)
    assert found <= mae(one, other, weight) + ROUNDING


def test_two_spectra_of_the_same_mean_are_apart():
    """The negative control: what is compared is the shape."""
    one, other = np.array([[1.0, 3.0]]), np.array([[2.0, 2.0]])
    assert earth_movers_distance(one, other, np.ones(1)) == 1.0


@given(spectra, weights, st.floats(-3, 3))
def test_a_shift_is_found_by_every_error(one, weight, shift):
    found = frequency_errors(one + shift, one, weight)
    for value in (found.mae, found.rmse, found.largest):
        assert value == pytest.approx(abs(shift), abs=1e-6)
    assert found.bias == pytest.approx(shift, abs=1e-6)
    assert found.highest == pytest.approx(shift, abs=1e-6)


@given(spectra, spectra, weights)
def test_errors_keep_their_order(one, other, weight):
    found = frequency_errors(one, other, weight)
    assert abs(found.bias) <= found.mae + ROUNDING
    assert found.mae <= found.rmse + ROUNDING
    assert found.rmse <= found.largest + ROUNDING


def test_a_point_that_stands_for_three_counts_three_times():
    one, other = np.array([[1.0], [5.0]]), np.array([[0.0], [5.0]])
    assert mae(one, other, np.array([3.0, 1.0])) == 0.75
    spread = np.array([[1.0], [1.0], [1.0], [5.0]])
    again = np.array([[0.0], [0.0], [0.0], [5.0]])
    assert mae(spread, again, np.ones(4)) == 0.75


def test_bands_that_cross_are_no_error():
    one = np.array([[1.0, 2.0]])
    assert mae(one[:, ::-1], one, np.ones(1)) == 0


@given(stable, weights, st.floats(0.3, 3))
def test_a_planted_factor_is_found(one, weight, factor):
    found = best_scalar(one, math.sqrt(factor) * one, weight)
    assert found == pytest.approx(factor, rel=1e-6)


@given(spectra, spectra, weights, st.floats(0.05, 4))
def test_no_other_factor_fits_better(one, other, weight, factor):
    def error(s):
        return mae(math.sqrt(s) * one, other, weight)

    best = best_scalar(one, other, weight)
    assert best > 0
    assert error(best) <= error(1.0) + 1e-6
    if best != 1.0:  # one is what is said where nothing positive fits
        assert error(best) <= error(factor) + 1e-6


@given(stable, stable, weights, st.floats(0.3, 1.5))
def test_it_is_at_least_as_good_as_one_over_the_slope(one, other, weight, slope):
    def error(s):
        return mae(math.sqrt(s) * one, other, weight)

    best = best_scalar(one, other, weight)
    assert error(best) <= error(1 / slope) + ROUNDING


def test_nothing_can_be_told_from_zeros():
    zeros = np.zeros((1, 3))
    assert best_scalar(zeros, zeros + 1, np.ones(1)) == 1.0


def test_a_base_of_the_other_sign_is_not_scaled():
    one = np.array([[1.0, 2.0]])
    assert best_scalar(-one, one, np.ones(1)) == 1.0


@given(arrays(float, (5, 3), elements=st.floats(0.125, 2)), st.floats(-2, 2))
def test_a_planted_slope_is_found(forces, slope):
    assert force_slope(slope * forces, forces) == pytest.approx(slope, abs=1e-9)


def test_the_slope_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    known, said = rng.normal(size=(2, 40))
    expected = np.linalg.lstsq(known[:, None], said, rcond=None)[0][0]
    assert force_slope(said, known) == pytest.approx(expected)


def test_confusion_by_hand():
    found = confusion(
        [True, True, True, False, False, False], [True, True, False, True, False, False]
    )
    counts = (found.hits, found.false_alarms, found.misses, found.rejections)
    assert counts == (2, 1, 1, 2)
    assert found.precision == found.recall == found.f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("said", "true", "expected"),
    [
        ([False], [False], (math.nan, math.nan, math.nan)),
        ([], [], (math.nan, math.nan, math.nan)),
        ([True], [False], (0.0, math.nan, 0.0)),
        ([False], [True], (math.nan, 0.0, 0.0)),
        ([True], [True], (1.0, 1.0, 1.0)),
    ],
)
def test_what_cannot_be_told_is_not_a_number(said, true, expected):
    found = confusion(said, true)
    assert (found.precision, found.recall, found.f1) == pytest.approx(
        expected, nan_ok=True
    )


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_f1_is_the_harmonic_mean(pairs):
    found = confusion([one for one, _ in pairs], [one for _, one in pairs])
    assert found.hits + found.false_alarms + found.misses + found.rejections == len(
        pairs
    )
    if found.hits:
        mean = 2 / (1 / found.precision + 1 / found.recall)
        assert found.f1 == pytest.approx(mean)
