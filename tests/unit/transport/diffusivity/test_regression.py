"""The line, its error and its covariance, against many walks."""

import numpy as np
import pytest

from atomgraft.transport.diffusivity.regression import (
    FEWEST_WINDOWS,
    LINEAR_P,
    Regression,
    slope_samples,
)
from atomgraft.transport.diffusivity.windows import displacements_of
from tests.hopping import brownian, hops

N_WALKS = 120

SPREAD = 0.2
"""Relative; of a standard deviation or variance from so many walks."""


def regression(path, step=1.0, **options):
    return Regression(displacements_of([path], step, **options))


def scattered(make, first):
    """Return the MSD of many walks, and the mean covariance that is computed."""
    found, computed = [], []
    for seed in range(N_WALKS):
        one = regression(make(seed))
        line = one.line(first)
        found.append(one.data.mean[first:])
        computed.append(line.covariance)
    return np.array(found), np.mean(computed, axis=0)


WALKS = {
    "brownian": lambda seed: brownian(101, 8, seed=seed),
    "hops": lambda seed: hops(101, 8, rate=0.02, seed=seed),
    "vibrating": lambda seed: (
        brownian(101, 8, variance=0.1, seed=seed)
        + np.random.default_rng((seed, 9)).normal(size=(101, 8, 3))
    ),
}


@pytest.mark.parametrize("name", WALKS)
def test_the_covariance_is_that_of_many_walks(name):
    found, computed = scattered(WALKS[name], 0)
    scale = np.sqrt(np.diag(computed))
    measured = np.cov(found.T) / np.outer(scale, scale)
    expected = computed / np.outer(scale, scale)
    assert np.abs(measured - expected).max() < 3 * SPREAD
    assert np.abs(np.diag(measured) - 1).mean() < SPREAD


@pytest.mark.parametrize("first", [0, 6])
def test_slope_and_error_are_those_of_many_walks(first):
    lines = [regression(brownian(201, 10, seed=s)).line(first) for s in range(N_WALKS)]
    slopes = np.array([one.slope for one in lines])
    errors = np.array([one.error for one in lines])
    assert slopes.mean() == pytest.approx(3.0, abs=4 * slopes.std() / N_WALKS**0.5)
    assert errors.mean() == pytest.approx(slopes.std(), rel=SPREAD)


def test_the_slope_is_the_sum_of_weights_times_msd():
    one = regression(hops(200, 10, rate=0.05, seed=1))
    line = one.line(2)
    assert line.weights @ one.data.mean[2:] == pytest.approx(line.slope)
    assert line.weights.sum() == pytest.approx(0.0, abs=1e-9)
    assert line.weights @ one.data.times[2:] == pytest.approx(1.0)


def test_time_and_length_scale_as_units_do():
    path = brownian(150, 10, seed=2)
    one = regression(path).line(3)
    other = regression(2 * path, step=0.1).line(3)
    assert other.slope == pytest.approx(40 * one.slope, rel=1e-6)
    assert other.relative_error == pytest.approx(one.relative_error, rel=1e-6)
    assert other.intercept == pytest.approx(4 * one.intercept, rel=1e-4, abs=1e-6)


def test_vibrations_are_in_the_intercept():
    generator = np.random.default_rng(0)
    path = brownian(400, 40, variance=0.05, seed=3)
    line = regression(path + 0.5 * generator.normal(size=path.shape)).line(0)
    assert line.intercept == pytest.approx(6 * 0.25, rel=0.05)
    assert line.slope == pytest.approx(0.15, abs=3 * line.error)


def test_a_line_from_the_first_window_is_found_for_brownian_motion():
    lines = [regression(brownian(200, 10, seed=s)).first_linear() for s in range(40)]
    assert sum(one.first == 0 for one in lines) >= 36


def test_correlated_hops_start_the_line_later():
    """Ions that jump back within a few frames are no line at first."""
    generator = np.random.default_rng(1)
    path = hops(1000, 40, rate=0.01, seed=4)
    rattle = np.zeros(path.shape)
    for i in range(1, len(rattle)):
        rattle[i] = 0.9 * rattle[i - 1] + generator.normal(size=rattle.shape[1:])
    one = regression(path + rattle)
    line = one.first_linear()
    assert one.line(0).p_linear < LINEAR_P
    assert line.first > 3
    assert line.p_linear > LINEAR_P
    assert line.slope == pytest.approx(6 * 0.01 * 9, abs=4 * line.error)


def test_what_bends_the_msd_below_the_noise_does_not_bias_the_slope():
    """Ions wander in cages for several frames: a rest that one walk does not show."""
    truth, ratios = 6 * 0.01 * 9, []
    for seed in range(30):
        generator = np.random.default_rng((seed, 3))
        rattle = generator.normal(size=(501, 32, 3))
        for i in range(1, len(rattle)):
            rattle[i] = 0.8 * rattle[i - 1] + 0.6 * rattle[i]
        path = hops(501, 32, rate=0.01, seed=seed) + rattle
        line = regression(path).first_linear()
        if line is not None:
            ratios.append((line.slope / truth - 1, line.relative_error))
    assert len(ratios) >= 27
    shift, error = np.array(ratios).T
    assert abs(shift.mean()) < 0.5 * error.mean()


def test_unlike_ions_widen_the_interval():
    slow, fast = brownian(300, 20, seed=6), 4 * brownian(300, 20, seed=7)
    line = regression(np.concatenate([slow, fast], axis=1)).line(0)
    assert line.is_by_particle
    assert line.relative_error > 0.1
    alike = regression(brownian(300, 40, seed=8)).line(0)
    assert not alike.is_by_particle
    assert alike.relative_error < 0.05


def test_the_error_falls_with_the_root_of_ions_and_time():
    few = regression(brownian(200, 10, seed=9)).line(4).relative_error
    many = regression(brownian(200, 40, seed=10)).line(4).relative_error
    long = regression(brownian(800, 10, seed=11))
    assert few / many == pytest.approx(2.0, rel=0.15)
    place = int(np.searchsorted(long.data.windows, long.data.windows[2]))
    assert long.line(place).relative_error < few


def test_samples_have_the_slope_as_median_and_its_error():
    line = regression(brownian(200, 10, seed=12)).line(4)
    samples = slope_samples(line, 20_000, np.random.default_rng(0))
    assert np.median(samples) == pytest.approx(line.slope, rel=0.01)
    assert np.log(samples).std() == pytest.approx(line.relative_error, rel=0.03)
    assert (samples > 0).all()


def test_few_windows_have_no_line():
    one = regression(brownian(8, 10, seed=13))
    assert len(one.data.windows) < FEWEST_WINDOWS
    assert one.first_linear() is None
