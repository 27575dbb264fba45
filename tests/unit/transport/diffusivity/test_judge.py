"""Does a number appear where ions diffuse, and a limit where they do not?"""

import numpy as np
import pytest

from atomgraft.transport.diffusivity.judge import (
    HOP_LENGTH,
    UNSEEN,
    judged,
    scatter_p,
    tensor_of,
    upper_limit,
)
from atomgraft.transport.diffusivity.regression import Regression
from atomgraft.transport.diffusivity.spec import DiffusivitySpec
from atomgraft.transport.diffusivity.windows import displacements_of
from tests.hopping import brownian, diffusivity_of, hops

STEP = 0.1


def spec_of(**changes):
    values = {"files": ("a",), "mobile": ("Li",), "temperature": (600.0,)}
    return DiffusivitySpec(**(values | changes))


def estimate(path, *, spec=None, **options):
    regression = Regression(displacements_of([path], STEP))
    return judged(regression, spec or spec_of(), "test", **options)


def vibrating(n_frames=400, n_ions=30, seed=0, amplitude=0.5):
    return amplitude * np.random.default_rng(seed).normal(size=(n_frames, n_ions, 3))


def caged(n_frames=400, n_ions=30, seed=0, memory=0.97):
    """Return ions that wander within cages for many frames (Ornstein-Uhlenbeck)."""
    generator = np.random.default_rng(seed)
    path = np.zeros((n_frames, n_ions, 3))
    for i in range(1, n_frames):
        path[i] = memory * path[i - 1] + 0.3 * generator.normal(size=(n_ions, 3))
    return path


@pytest.mark.parametrize("seed", range(5))
def test_hops_have_their_diffusivity(seed):
    found = estimate(hops(400, 30, rate=0.01, seed=seed))
    assert found.is_diffusive
    assert found.limit is None
    assert not found.reason
    truth = diffusivity_of(0.01, STEP)
    spread = np.log(found.samples).std()
    assert np.log(np.median(found.samples) / truth) == pytest.approx(0, abs=4 * spread)
    assert found.exponent == pytest.approx(1.0, abs=4 * found.exponent_error + 0.05)


@pytest.mark.parametrize("seed", range(5))
def test_vibrations_have_a_limit_and_no_number(seed):
    found = estimate(vibrating(seed=seed))
    assert found.samples is None
    assert "cages" in found.reason
    assert 0 < found.limit < 1e-4


@pytest.mark.parametrize("seed", range(5))
def test_wandering_in_cages_has_no_number(seed):
    assert estimate(caged(seed=seed)).samples is None


def test_a_flow_is_no_diffusion():
    path = brownian(400, 30, variance=0.01, seed=1)
    generator = np.random.default_rng(2)
    speeds = generator.normal(size=(1, 30, 3))
    found = estimate(path + speeds * np.arange(400)[:, None, None])
    assert found.samples is None
    assert "faster than diffusion" in found.reason


def test_few_hops_have_a_limit_above_the_truth():
    n_covered = 0
    for seed in range(30):
        found = estimate(hops(400, 30, rate=2e-5, seed=seed) + vibrating(seed=seed))
        assert found.samples is None
        n_covered += found.limit > diffusivity_of(2e-5, STEP)
    assert n_covered >= 27


def test_a_limit_counts_the_hops_that_were_not_seen():
    still = Regression(displacements_of([np.zeros((101, 10, 3)) + 1e-9], 1.0))
    expected = UNSEEN * HOP_LENGTH**2 / (10 * 100.0) / 6 * 1e-4
    assert upper_limit(still, 3) == pytest.approx(expected)
    assert upper_limit(still, 1) == pytest.approx(3 * expected)


def test_the_smallest_msd_is_an_option():
    path = hops(400, 200, rate=2e-4, seed=3)
    growth = 6 * 2e-4 * 9 * 199
    assert growth < 3
    assert estimate(path, spec=spec_of(smallest_msd=0.5)).is_diffusive
    refused = estimate(path, spec=spec_of(smallest_msd=5.0))
    assert refused.samples is None
    assert "5 Å² are needed" in refused.reason


def test_a_given_start_is_used_and_judged():
    path = hops(400, 30, rate=0.01, seed=4)
    found = estimate(path, spec=spec_of(start=2.0))
    times = displacements_of([path], STEP).times
    assert times[found.line.first] >= 2.0 > times[found.line.first - 1]
    curved = path + caged(seed=4) * 5
    assert any(
        "not a straight line" in one
        for one in estimate(curved, spec=spec_of(start=0.1)).notes
    )
    late = estimate(path, spec=spec_of(start=1000.0))
    assert late.samples is None
    assert "no straight part" in late.reason


def test_the_tensor_is_that_of_an_anisotropic_walk():
    path = brownian(600, 200, seed=5, axes=(1.0, 0.25, 0.0))
    data = displacements_of([path], STEP)
    line = Regression(data).first_linear()
    found = tensor_of(data, line) * 1e4 * 2 * STEP
    assert np.diag(found) == pytest.approx([1.0, 0.25, 0.0], abs=0.03)
    assert np.trace(tensor_of(data, line)) / 3 == pytest.approx(line.slope / 6 * 1e-4)


def test_a_still_axis_has_a_limit_beside_moving_ones():
    path = brownian(600, 50, seed=6, axes=(1.0, 1.0, 0.0))
    path[..., 2] += vibrating(600, 50, seed=6)[..., 2]
    along = [
        judged(
            Regression(displacements_of([path], STEP, axis=i)),
            spec_of(),
            n_axes=1,
        )
        for i in range(3)
    ]
    assert [one.is_diffusive for one in along] == [True, True, False]
    assert np.median(along[0].samples) == pytest.approx(0.5 / STEP * 1e-4, rel=0.1)


def test_samples_depend_on_seed_and_purpose_alone():
    path = hops(400, 30, rate=0.01, seed=7)
    again = estimate(path).samples
    assert (estimate(path).samples == again).all()
    assert (estimate(path, spec=spec_of(seed=1)).samples != again).any()


def test_equal_runs_scatter_by_chance_and_others_by_more():
    alike = [estimate(hops(400, 30, rate=0.01, seed=s)) for s in range(4)]
    assert scatter_p(alike) > 0.001
    other = estimate(hops(400, 30, rate=0.03, seed=9))
    assert scatter_p([*alike, other]) < 1e-6
    assert scatter_p(alike[:1]) is None
    assert scatter_p([estimate(vibrating()), alike[0]]) is None
