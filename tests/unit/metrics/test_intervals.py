"""Bootstrap intervals: do they cover, and do they know what was drawn independently?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atomgraft.metrics.intervals import bootstrap_interval, paired_bootstrap_interval

LEVEL = 0.9
N_TRIALS = 400
COVERAGE = 0.06
"""Of 400 trials at 90 %: four standard errors (1.5 % each). The percentile interval of
30 structures itself covers 88 to 90 %."""

ROUND_OFF = 1e-9
"""Relative; sums of a handful of numbers, in another order."""

N_FRAMES, N_COMPONENTS = 30, 24

frames = st.integers(1, 8).flatmap(
    lambda n: st.tuples(
        arrays(float, n, elements=st.floats(0.01, 100)),
        arrays(float, n, elements=st.integers(1, 64).map(float)),
    )
)


def rng(seed=0):
    return np.random.default_rng(seed)


def errors_of_structures(rng, *, shared):
    """Absolute errors of mean 1 whose variance lies between structures by `shared`."""
    between = rng.exponential(size=(N_FRAMES, 1))
    within = rng.exponential(size=(N_FRAMES, N_COMPONENTS))
    return shared * between + (1 - shared) * within


def coverage(interval, truth, n_trials=N_TRIALS):
    hits = 0
    for seed in range(n_trials):
        low, high = interval(rng(seed))
        hits += low <= truth <= high
    return hits / n_trials


def by_structure(rng, *, shared):
    errors = errors_of_structures(rng, shared=shared)
    counts = np.full(N_FRAMES, float(N_COMPONENTS))
    return bootstrap_interval(
        errors.sum(axis=1), counts, rng, level=LEVEL, n_resamples=400
    )


def by_component(rng, *, shared):
    errors = errors_of_structures(rng, shared=shared).ravel()
    return bootstrap_interval(
        errors, np.ones_like(errors), rng, level=LEVEL, n_resamples=400
    )


@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_the_interval_covers_the_truth_as_often_as_it_says(shared):
    found = coverage(lambda rng: by_structure(rng, shared=shared), truth=1.0)
    assert found == pytest.approx(LEVEL, abs=COVERAGE)


def test_drawing_components_would_promise_too_much():
    """The negative control: components of one structure are not independent."""
    found = coverage(lambda rng: by_component(rng, shared=0.8), truth=1.0, n_trials=50)
    assert found < 0.6


def test_structures_weigh_by_their_components():
    low, high = bootstrap_interval(np.array([1.0, 0.0]), np.array([1.0, 99.0]), rng())
    assert (low, high) == (0.0, 1.0)
    low, high = bootstrap_interval(
        np.array([1.0, 0.0] * 200), np.array([1.0, 99.0] * 200), rng()
    )
    assert low < 0.01 < high < 0.02


def test_an_rmse_is_covered_too():
    def interval(rng):
        errors = rng.normal(scale=2.0, size=(N_FRAMES, N_COMPONENTS))
        return bootstrap_interval(
            (errors**2).sum(axis=1),
            np.full(N_FRAMES, float(N_COMPONENTS)),
            rng,
            level=LEVEL,
            n_resamples=400,
            is_squared=True,
        )

    assert coverage(interval, truth=2.0) == pytest.approx(LEVEL, abs=COVERAGE)


@given(given=frames)
def test_is_squared_takes_the_root_of_each_mean(given):
    """Of 41 resamples the 2.5th percentile is the second: nothing is interpolated."""
    plain = bootstrap_interval(*given, rng(), n_resamples=41)
    rooted = bootstrap_interval(*given, rng(), n_resamples=41, is_squared=True)
    assert rooted == pytest.approx(np.sqrt(plain), rel=ROUND_OFF)


@given(given=frames, factor=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_intervals_scale_with_the_unit(given, factor, seed):
    sums, counts = given
    plain = np.array(bootstrap_interval(sums, counts, rng(seed), n_resamples=50))
    scaled = bootstrap_interval(sums * factor, counts, rng(seed), n_resamples=50)
    assert scaled == pytest.approx(plain * factor, rel=ROUND_OFF)
    rooted, squared = (
        np.array(
            bootstrap_interval(one, counts, rng(seed), n_resamples=50, is_squared=True)
        )
        for one in (sums, sums * factor**2)
    )
    assert squared == pytest.approx(rooted * factor, rel=ROUND_OFF)


@given(given=frames, seed=st.integers(0, 99))
def test_intervals_lie_within_the_errors_of_single_structures(given, seed):
    sums, counts = given
    low, high = bootstrap_interval(sums, counts, rng(seed), n_resamples=50)
    assert (sums / counts).min() * (1 - ROUND_OFF) <= low <= high
    assert high <= (sums / counts).max() * (1 + ROUND_OFF)


@given(given=frames, seed=st.integers(0, 99))
def test_a_lower_level_lies_within_a_higher_one(given, seed):
    wide = bootstrap_interval(*given, rng(seed), level=0.95, n_resamples=50)
    narrow = bootstrap_interval(*given, rng(seed), level=0.5, n_resamples=50)
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


def test_the_same_seed_gives_the_same_interval():
    sums, counts = rng(3).exponential(size=9), np.ones(9)
    first = bootstrap_interval(sums, counts, rng(0))
    assert first == bootstrap_interval(sums, counts, rng(0))
    assert first != bootstrap_interval(sums, counts, rng(1))


def test_one_structure_has_an_interval_of_no_width():
    """True to what was asked; the verdict says that one structure says little."""
    assert bootstrap_interval(np.array([3.0]), np.array([2.0]), rng()) == (1.5, 1.5)


def test_no_structure_no_interval():
    none = np.zeros(0)
    with pytest.raises(ValueError, match="at least one structure"):
        bootstrap_interval(none, none, rng())
    with pytest.raises(ValueError, match="at least one structure"):
        paired_bootstrap_interval(none, none, none, rng())


def two_models(rng, *, gain):
    """Two models stumble over the same hard structures; the second is better."""
    hard = 10 * rng.exponential(size=N_FRAMES)
    noise = rng.normal(scale=0.1, size=N_FRAMES)
    return hard, hard - gain + noise, np.ones(N_FRAMES)


def test_the_change_is_found_where_the_two_intervals_overlap():
    before, after, counts = two_models(rng(), gain=0.2)
    low, high = paired_bootstrap_interval(before, after, counts, rng())
    assert low <= high < 0
    first = bootstrap_interval(before, counts, rng(1))
    second = bootstrap_interval(after, counts, rng(2))
    assert first[0] < second[1]


def test_the_change_is_covered_as_often_as_it_says():
    def interval(rng):
        return paired_bootstrap_interval(
            *two_models(rng, gain=0.2), rng, level=LEVEL, n_resamples=400
        )

    assert coverage(interval, truth=-0.2) == pytest.approx(LEVEL, abs=COVERAGE)


def test_equal_models_have_not_changed():
    before, _, counts = two_models(rng(), gain=0.0)
    assert paired_bootstrap_interval(before, before, counts, rng()) == (0.0, 0.0)


@given(given=frames, seed=st.integers(0, 99))
def test_swapping_the_models_turns_the_sign(given, seed):
    before, counts = given
    after = before[::-1].copy()
    low, high = paired_bootstrap_interval(
        before, after, counts, rng(seed), n_resamples=50
    )
    turned = paired_bootstrap_interval(after, before, counts, rng(seed), n_resamples=50)
    assert turned == pytest.approx((-high, -low), rel=1e-6, abs=1e-9)
