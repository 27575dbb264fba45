"""Do 95 % intervals hold the truth in 95 of 100 cases? On a simulation of test sets.

``benchmarks/results/intervals.md`` has the whole table.
"""

import numpy as np
import pytest

from atomgraft.metrics.intervals import mean_interval

N_TRIALS = 2000

PROMISED = 0.02
"""What 95 % may be off by, in a method that knows no distribution."""

SAMPLING = 3.5 * np.sqrt(0.95 * 0.05 / N_TRIALS)
"""Of the share that is found: 3.5 standard errors, 1.7 %. Eight shares are tested, so
that one in 250 runs of other seeds would fail by chance."""

TAIL = 0.025


def ours(values, clusters=None, *, is_signed):
    found = mean_interval(values, np.ones(len(values)), clusters, is_signed=is_signed)
    return found.interval


def percentile(values, rng):
    drawn = rng.integers(len(values), size=(400, len(values)))
    return np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])


def normal(rng, n):
    return rng.normal(size=n)


def skewed(rng, n):
    return np.exp(0.5 * rng.normal(size=n))


SHAPES = {normal: (0.0, True), skewed: (np.exp(0.125), False)}


def shares(shape, n, interval, n_trials=N_TRIALS):
    """Return the shares of intervals that hold the truth, lie below and above."""
    truth, is_signed = SHAPES[shape]
    counts = np.zeros(3)
    for seed in range(n_trials):
        rng = np.random.default_rng([7, n, seed])
        low, high = interval(shape(rng, n), rng, is_signed)
        counts += [low <= truth <= high, high < truth, low > truth]
    return counts / n_trials


def of_today(values, _, is_signed):
    return ours(values, is_signed=is_signed)


def as_before(values, rng, _):
    return percentile(values, rng)


IN_BETWEEN = pytest.mark.slow  # the quick set has the ends

SIZES = [5, pytest.param(10, marks=IN_BETWEEN), pytest.param(20, marks=IN_BETWEEN), 50]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_independent_structures_are_covered(shape, n):
    held, below, above = shares(shape, n, of_today)
    assert held == pytest.approx(0.95, abs=PROMISED + SAMPLING)
    if shape is normal:  # a change; the promise is that of each side
        assert max(below, above) < TAIL + SAMPLING


@pytest.mark.parametrize("n", [5, 10])
def test_the_percentile_bootstrap_fails_this_test(n):
    """The negative control: what was given before."""
    held, below, above = shares(normal, n, as_before)
    assert held < 0.95 - PROMISED - SAMPLING
    assert min(below, above) > TAIL + SAMPLING


def autoregressive(rng, n, memory=0.9):
    series, noise = [rng.normal()], rng.normal(size=n)
    for one in noise[1:]:
        series.append(memory * series[-1] + np.sqrt(1 - memory**2) * one)
    return np.array(series)


@pytest.mark.parametrize("n", SIZES)
def test_frames_of_one_trajectory_are_not_called_better_by_chance(n):
    """One frame is 0.9 of the one before: fifty are worth less than three."""
    n_naive = 0
    for seed in range(400):
        series = autoregressive(np.random.default_rng([8, n, seed]), n)
        assert ours(series, [range(n)], is_signed=True) is None
        n_naive += ours(series, is_signed=True)[1] < 0
    assert n_naive > 4 * TAIL * 400  # the negative control: each frame by itself


@pytest.mark.parametrize("n_runs", [5, 20])
def test_trajectories_are_covered_however_their_frames_are_related(n_runs):
    n_held = 0
    clusters = [range(10 * i, 10 * i + 10) for i in range(n_runs)]
    for seed in range(N_TRIALS):
        rng = np.random.default_rng([9, n_runs, seed])
        series = np.concatenate([autoregressive(rng, 10) for _ in clusters])
        low, high = ours(series, clusters, is_signed=True)
        n_held += low <= 0 <= high
    assert n_held / N_TRIALS == pytest.approx(0.95, abs=PROMISED + SAMPLING)


@pytest.mark.parametrize("n", [5, 10])
def test_a_model_that_spoils_a_few_structures_is_not_called_better(n):
    """Small samples rarely hold those few, and look better without them."""
    n_better = 0
    for seed in range(N_TRIALS):
        z = np.random.default_rng([11, n, seed]).normal(size=n)
        _, high = ours(np.exp(0.5 * z) - np.exp(0.125), is_signed=True)
        n_better += high < 0
    error = np.sqrt(TAIL * (1 - TAIL) / N_TRIALS)
    assert n_better / N_TRIALS < TAIL + PROMISED + 2 * error


def of_residuals(rng, n, n_elements):
    """Return by how much errors left by a fit of shifts differ, and its leverages."""
    fractions = rng.dirichlet(np.full(n_elements, 0.6), size=n)
    basis = np.linalg.svd(fractions, full_matrices=False)[0]
    left = np.eye(n) - basis @ basis.T
    before, after = (np.abs(left @ rng.normal(size=n)) for _ in range(2))
    return after - before, (basis**2).sum(axis=1)


@pytest.mark.parametrize(("n", "n_elements"), [(10, 5), (20, 12), (20, 16)])
def test_shifts_that_were_taken_out_are_no_structures(n, n_elements):
    """Errors that are left by a fit through almost every point agree by chance."""
    rng, ones, n_draws = np.random.default_rng(n_elements), np.ones(n), 600
    n_better = np.zeros(2)
    for _ in range(n_draws):
        change, leverages = of_residuals(rng, n, n_elements)
        for i, told in enumerate((leverages, None)):
            found = mean_interval(change, ones, is_signed=True, leverages=told)
            n_better[i] += found.interval[1] < 0
    with_fit, without = n_better / n_draws
    assert with_fit < TAIL + PROMISED < without


def test_shifts_that_use_up_almost_everything_leave_no_interval():
    found = mean_interval(
        np.arange(10.0), np.ones(10), is_signed=True, leverages=np.full(10, 0.7)
    )
    assert (found.interval, found.obstacle, found.n_fitted) == (None, "few", 6.0)
