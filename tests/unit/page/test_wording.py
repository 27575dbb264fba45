"""Are numbers written with the digits they deserve?"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.page.wording import (
    decimals,
    number_text,
    percent_text,
    signed_text,
    time_text,
    value_text,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (0.99999, "1.00"),
        (9.996, "10.0"),
        (999.6, "1,000"),
        (-4.2, "−4.20"),
        (3e-7, "3.00 × 10⁻⁷"),
        (math.inf, "not finite"),
        (math.nan, "not finite"),
    ],
)
def test_three_digits(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-9, -1e-9, -0.0049])
def test_what_rounds_to_zero_has_no_sign(value: float) -> None:
    assert signed_text(value, n_decimals=2) == "0.00"


@given(st.floats(1e-3, 1e6))
def test_a_plain_number_is_right_to_three_digits(value: float) -> None:
    shown = float(number_text(value).replace(",", ""))
    assert math.isclose(shown, value, rel_tol=0.5e-2)


@given(st.floats(1e-3, 1e6))
def test_decimals_never_promise_more_than_three_digits_below_a_thousand(value) -> None:
    assert 0 <= decimals(value) <= 5


def test_an_interval_has_the_decimals_of_its_value() -> None:
    assert value_text(0.0, (-0.123, 0.123)) == "0.000 [−0.123, 0.123]"
    assert value_text(15.21, (1.0, 140.0)) == "15.2 [1.0, 140.0]"


def test_only_everything_is_a_hundred_percent() -> None:
    assert percent_text(999_999, 1_000_000) == "> 99.9 %"
    assert percent_text(0, 0) == "–"


def test_a_time_that_is_no_time_is_shown_as_it_came() -> None:
    assert time_text("yesterday") == "yesterday"
    assert time_text("2026-08-01T12:34:56") == "2026-08-01T12:34:56"
    assert time_text("2026-08-01T12:34:56+02:00") == "2026-08-01 10:34 UTC"
