"""Errors of conductivities, by examples done by hand and by what must always hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atomgraft.metrics.phonons import (
    symmetric_relative_error,
    symmetric_relative_mean_error,
)

MODES = arrays(float, (3, 2), elements=st.floats(1e-3, 1e3))
ROUNDING = 1e-12


def test_equal_modes_have_no_error():
    modes = np.array([[1.0, 2.0], [0.0, 4.0]])
    assert symmetric_relative_mean_error(modes, modes) == 0
    assert symmetric_relative_error(7.0, 7.0) == 0


def test_twice_as_much_is_two_thirds():
    modes = np.array([1.0, 2.0, 5.0])
    assert symmetric_relative_mean_error(2 * modes, modes) == pytest.approx(2 / 3)
    assert symmetric_relative_error(2.0, 1.0) == pytest.approx(2 / 3)


def test_errors_of_two_modes_do_not_cancel():
    predicted, reference = np.array([3.0, 1.0]), np.array([1.0, 3.0])
    assert symmetric_relative_error(predicted.sum(), reference.sum()) == 0
    assert symmetric_relative_mean_error(predicted, reference) == 1.0


def test_other_modes_altogether_are_the_worst():
    predicted, reference = np.array([3.0, 0.0]), np.array([0.0, 1.0])
    assert symmetric_relative_mean_error(predicted, reference) == 2.0
    assert symmetric_relative_error(0.0, 1.0) == 2.0


@given(MODES, MODES)
def test_it_is_symmetric_bounded_and_at_least_that_of_the_sums(one, other):
    error = symmetric_relative_mean_error(one, other)
    assert error == pytest.approx(symmetric_relative_mean_error(other, one))
    assert 0 <= error <= 2 + ROUNDING
    whole = symmetric_relative_error(float(one.sum()), float(other.sum()))
    assert error >= whole - ROUNDING


@pytest.mark.parametrize(
    ("predicted", "reference"),
    [
        ([0.0, 0.0], [0.0, 0.0]),
        ([1.0, -1.0], [1.0, 1.0]),
        ([1.0, np.nan], [1.0, 1.0]),
        ([1.0], [1.0, 1.0]),
    ],
)
def test_what_is_no_conductivity_is_refused(predicted, reference):
    with pytest.raises(ValueError, match=r"conductivities|modes"):
        symmetric_relative_mean_error(np.array(predicted), np.array(reference))


@given(MODES, MODES, st.floats(1e-2, 1e2))
def test_units_drop_out(one, other, factor):
    error = symmetric_relative_mean_error(factor * one, factor * other)
    assert error == pytest.approx(symmetric_relative_mean_error(one, other))


@given(MODES, st.floats(1.0, 50.0))
def test_one_factor_on_every_mode_is_the_error_of_the_sum(modes, factor):
    """Nothing to cancel: both errors are 2 (c - 1) / (c + 1)."""
    expected = 2 * (factor - 1) / (factor + 1)
    whole = symmetric_relative_error(float((factor * modes).sum()), float(modes.sum()))
    assert whole == pytest.approx(expected, abs=1e-9)
    error = symmetric_relative_mean_error(factor * modes, modes)
    assert error == pytest.approx(expected, abs=1e-9)


@given(MODES, MODES)
def test_modes_count_whatever_their_order(one, other):
    """As long as it is the same in both; else bands are taken for each other."""
    error = symmetric_relative_mean_error(one, other)
    turned = symmetric_relative_mean_error(one[::-1, ::-1], other[::-1, ::-1])
    assert turned == pytest.approx(error)


def test_bands_in_another_order_are_an_error():
    """Negative control of the test above."""
    modes = np.array([[1.0, 4.0], [2.0, 3.0]])
    assert symmetric_relative_mean_error(modes[:, ::-1], modes) == pytest.approx(0.8)
