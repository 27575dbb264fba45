"""The advice of a budget against the best mixture by brute force."""

import dataclasses
import math

import numpy as np
import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.fidelity.budget.laws import Setting, fit_law, jacobian, log_errors
from atomgraft.fidelity.budget.mixtures import Way, affordable, gain_of, placed
from atomgraft.fidelity.budget.page import page_text
from atomgraft.fidelity.budget.spec import BudgetSpec
from atomgraft.fidelity.budget.work import advise
from tests.budgets import BASE, model, study_of

SIZES, SOURCE_SIZES = (10, 30, 100), (30, 300, 3000)
SECONDS = (0.5, 100.0)
"""Of a label of the source, and of the target."""

WITHIN = 1.10
"""Largest error of the advice over that of the best mixture."""

WORST_WITHIN = 1.2
"""The same where laws are drawn at random, and the pilot has noise of 5 %."""

HOURS = 3.0


def truth(n, n_source, rate=20.0, alpha=0.5, gamma=0.35):
    return 900.0 * n**-alpha * (1 + n_source / (rate * n)) ** -gamma


def spec(**more):
    return BudgetSpec(**{"study": "pilot", "cpu_hours": HOURS} | more)


def best_by_brute_force(error, seconds=SECONDS, hours=HOURS):
    """Return the smallest error of all mixtures that the sum buys."""
    found = []
    for n in range(10, int(3600 * hours / seconds[1]) + 1):
        n_source = int((3600 * hours - n * seconds[1]) / seconds[0])
        found.append((error(n, min(n_source, 30_000)), n))
    return min(found)


def test_the_advice_is_the_best_mixture_where_the_law_holds() -> None:
    found = advise(spec(), study_of(truth, SIZES, SOURCE_SIZES), "b")
    error, n = best_by_brute_force(truth)
    assert truth(found.best.n_target, found.best.n_source) < 1.01 * error
    assert found.best.n_target == pytest.approx(n, rel=0.2)
    assert found.best.error == pytest.approx(error, rel=0.02)
    assert found.best.cpu_hours <= HOURS


@pytest.mark.parametrize("i", range(12))
def test_the_advice_is_good_where_another_law_holds(i: int) -> None:
    rng = np.random.default_rng(i)
    alpha, gamma = rng.uniform(0.25, 0.7), rng.uniform(0.1, 0.5)
    rate, floor = np.exp(rng.uniform(1, 6)), rng.uniform(0.0, 0.1)

    def error(n, n_source):  # no law of ours: errors add up, with a floor
        cheap = (1 + n_source / rate) ** -gamma
        return 300 * (n / 10) ** -alpha * (floor + (1 - floor) * cheap) + 5.0

    pilot = study_of(error, SIZES, SOURCE_SIZES, noise=0.05)
    found = advise(spec(), pilot, "b")
    best, _ = best_by_brute_force(error)
    mine = error(found.best.n_target, found.best.n_source)
    assert mine < WORST_WITHIN * best


def test_costs_decide_what_is_bought() -> None:
    pilot = study_of(truth, SIZES, SOURCE_SIZES)
    cheap = advise(spec(), pilot, "b").best
    dear = advise(spec(costs={"xtb": 90.0}), pilot, "b")
    assert dear.best.n_source < cheap.n_source
    assert dear.best.n_target > cheap.n_target


def test_a_source_that_does_not_help_is_not_bought() -> None:
    pilot = study_of(lambda n, _: 900.0 * n**-0.5, SIZES, SOURCE_SIZES, noise=0.03)
    found = advise(spec(costs={"xtb": 20.0}), pilot, "b")
    alone = 900.0 * 108**-0.5
    assert 900.0 * found.best.n_target**-0.5 < WITHIN * alone


@pytest.mark.slow
def test_intervals_hold_the_truth() -> None:
    held = 0
    for i in range(40):
        rng = np.random.default_rng(100 + i)
        settings = [
            Setting(
                n=n,
                n_source=m,
                error=float(truth(n, m) * np.exp(0.05 * rng.standard_normal())),
                n_seeds=1,
            )
            for n in SIZES
            for m in (0, *SOURCE_SIZES)
        ]
        law = fit_law(settings)
        n, n_source = np.array([50.0]), np.array([1000.0])
        slopes = law.slopes(n, n_source)
        half = law.factor() * math.sqrt((slopes @ law.covariance @ slopes.T).item())
        held += abs(law.logs(n, n_source)[0] - math.log(truth(50, 1000))) < half
    assert held >= 34  # 95 % of 40 is 38; fewer than 34 has a chance of 0.3 %


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_the_jacobian_agrees_with_finite_differences(power: float) -> None:
    law = np.array([5.0, 0.5, 0.3, 2.0])
    n, n_source = np.array([10.0, 40.0, 90.0]), np.array([0.0, 300.0, 5000.0])
    found = jacobian(law, power, n, n_source)
    for k in range(4):
        step = np.zeros(4)
        step[k] = 1e-6
        ends = [log_errors(law + sign * step, power, n, n_source) for sign in (1, -1)]
        assert found[:, k] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-7)


def measured_way(noise):
    """Return a way with the law of a pilot with noise."""
    rng = np.random.default_rng(3)
    settings = [
        Setting(
            n=n,
            n_source=m,
            error=float(truth(n, m) * np.exp(noise * rng.standard_normal())),
            n_seeds=1,
        )
        for n in SIZES
        for m in (0, *SOURCE_SIZES)
    ]
    law = fit_law(settings)
    assert law is not None
    return Way(
        name="w", law=law, cost=100.0, source_cost=0.5, n=(10, 100), n_source=(30, 3000)
    )


def test_an_experiment_is_worth_more_the_less_is_known() -> None:
    way = measured_way(0.1)
    unknown = dataclasses.replace(way.law, covariance=9 * way.law.covariance)
    gains = []
    for law in (way.law, unknown):
        one = dataclasses.replace(way, law=law)
        mixtures = affordable(one, 3600 * HOURS)
        [tried] = placed(one, [400], [0])
        gains.append(gain_of(tried, mixtures, 0.1))
    assert 0 < 3 * gains[0] < gains[1]


def test_the_gain_of_an_experiment_agrees_with_drawn_laws() -> None:
    way, noise = measured_way(0.1), 0.1
    law, mixtures = way.law, affordable(way, 3600 * HOURS)
    [tried] = placed(way, [400], [0])
    slopes = law.slopes(
        np.array([float(one.n) for one in mixtures]),
        np.array([float(one.n_source) for one in mixtures]),
    )
    place = law.slopes(np.array([400.0]), np.array([0.0]))[0]
    rng = np.random.default_rng(3)
    drawn = rng.multivariate_normal(np.zeros(4), law.covariance, 20_000)
    seen = drawn @ place + noise * rng.standard_normal(20_000)
    weights = law.covariance @ place / (place @ law.covariance @ place + noise**2)
    logs = np.array([one.log_error for one in mixtures])
    after = logs[:, None] + (slopes @ weights)[:, None] * seen
    expected = (
        logs.min()
        - (after - (slopes @ weights)[:, None] * seen.mean()).min(axis=0).mean()
    )
    assert gain_of(tried, mixtures, noise) == pytest.approx(expected, rel=0.1)


def test_two_numbers_of_labels_are_too_few() -> None:
    pilot = study_of(truth, (10,), SOURCE_SIZES)
    with pytest.raises(BadInputError, match="too few for a law"):
        advise(spec(), pilot, "b")


def test_an_unknown_cost_is_asked_for() -> None:
    pilot = study_of(truth, SIZES, SOURCE_SIZES, seconds=(0.5, None))
    with pytest.raises(BadInputError, match="--cost target=SECONDS"):
        advise(spec(), pilot, "b")
    known = advise(spec(costs={"target": 100.0}), pilot, "b")
    assert known.costs == {"target": 100.0, "xtb": 0.5}
    with pytest.raises(BadInputError, match="no level 'gfn'"):
        advise(spec(costs={"gfn": 1.0}), pilot, "b")


def test_a_sum_that_buys_nothing_is_refused() -> None:
    pilot = study_of(truth, SIZES, SOURCE_SIZES)
    with pytest.raises(BadInputError, match="give more hours"):
        advise(spec(cpu_hours=0.01), pilot, "b")


def test_a_study_of_several_bases_needs_a_choice() -> None:
    pilot = study_of(truth, SIZES, SOURCE_SIZES)
    more = tuple(one.model_copy(update={"base": "other"}) for one in pilot.models)
    both = pilot.model_copy(update={"models": (*pilot.models, *more)})
    with pytest.raises(BadInputError, match="--base"):
        advise(spec(), both, "b")
    assert advise(spec(base=BASE), both, "b").base == BASE


def test_delta_learning_pays_for_both_labels() -> None:
    pilot = study_of(truth, SIZES, SOURCE_SIZES)
    deltas = tuple(
        model("delta", 100.0 * n**-0.5, n, seed=seed)
        for n in (10, 30, 100)
        for seed in range(3)
    )
    both = pilot.model_copy(update={"models": (*pilot.models, *deltas)})
    found = advise(spec(), both, "b").best
    assert found.way.startswith("delta")
    assert found.n_target == int(HOURS * 3600 / 100.5)


def test_the_page_shows_the_advice_and_that_it_is_extrapolated() -> None:
    pilot = study_of(truth, SIZES, SOURCE_SIZES)
    near = advise(spec(cpu_hours=1.0), pilot, "b")
    far = advise(spec(cpu_hours=100.0), pilot, "b")
    assert near.headline in page_text(near)
    assert not far.best.is_measured_range
    assert "Extrapolated" in page_text(far)
