"""The plan: how long, how fast, how much at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from atomgraft.training.plan import Plan, learning_rate_factor

steps = st.integers(min_value=1, max_value=500)
warmups = st.floats(min_value=0, max_value=0.9)


@given(steps, warmups)
def test_the_rate_rises_once_and_falls_to_nearly_nothing(n, warmup):
    plan = Plan(steps=n, warmup=warmup)
    rates = [learning_rate_factor(step, plan) for step in range(n)]
    assert all(0 < rate <= 1 for rate in rates)
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    n_warm = round(warmup * n)
    assert max(rates) == pytest.approx(1.0) or n_warm == 0 or n == n_warm
    assert peak <= n_warm


def test_the_cosine_is_half_way_in_the_middle():
    plan = Plan(steps=100, warmup=0)
    assert learning_rate_factor(0, plan) == 1.0
    assert learning_rate_factor(50, plan) == pytest.approx(0.5)
    assert learning_rate_factor(99, plan) < 1e-3


@given(st.integers(min_value=1, max_value=10_000))
def test_a_batch_fits_the_set(n):
    assert 1 <= Plan().batch_for(n) <= min(n, 16)
    assert Plan(batch_size=8).batch_for(n) == min(8, n)


def test_ten_validations_a_run_unless_told():
    assert Plan(steps=200).validation_interval() == 20
    assert Plan(steps=5).validation_interval() == 1
    assert Plan(steps=200, validate_every=7).validation_interval() == 7


@pytest.mark.parametrize(
    "change",
    [
        {"steps": -1},
        {"steps": 1.5},
        {"batch_size": 0},
        {"batch_size": "all"},
        {"warmup": 1.0},
        {"warmup": -0.1},
        {"clip": 0},
        {"average": 1.0},
        {"validate_every": 0},
        {"patience": 0},
        {"checkpoint_every": 0},
        {"weight_decay": -1e-3},
        {"learning_rate": 1e-3},  # a run has one, outside of its plan
    ],
)
def test_what_is_no_plan_is_refused(change):
    with pytest.raises(ValidationError):
        Plan(**change)


@pytest.mark.parametrize("clip", [float("inf"), float("nan"), 0.0])
def test_the_largest_gradient_is_a_number(clip):
    with pytest.raises(ValidationError):
        Plan(clip=clip)
