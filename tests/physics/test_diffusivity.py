"""Do the intervals keep their promise, and is what stands still never a number?"""

import numpy as np
import pytest

from atomgraft.transport.diffusivity.judge import judged
from atomgraft.transport.diffusivity.motion import motion_of
from atomgraft.transport.diffusivity.regression import Regression
from atomgraft.transport.diffusivity.spec import DiffusivitySpec
from atomgraft.transport.diffusivity.windows import displacements_of
from tests.hopping import brownian, crystal, diffusivity_of, hops

SPEC = DiffusivitySpec(
    files=("a",), mobile=("Li",), temperature=(600.0,), n_samples=1000
)

N_WALKS = 100

SLACK = 3.5
"""Standard deviations of a binomial count; beyond them chance is ruled out."""

WALKS = {
    "brownian": (lambda seed: brownian(301, 32, seed=seed), 0.5e-4),
    "hops": (lambda seed: hops(301, 32, rate=0.005, seed=seed), 0.005 * 9 * 1e-4),
    "rare hops": (lambda seed: hops(301, 64, rate=0.001, seed=seed), 0.001 * 9 * 1e-4),
    "one particle": (lambda seed: brownian(1001, 1, seed=seed), 0.5e-4),
}
"""Positions, and the diffusivity for frames every ps, cm²/s."""


@pytest.mark.parametrize("name", WALKS)
def test_intervals_cover_the_truth_as_often_as_they_say(name):
    make, truth = WALKS[name]
    levels = np.zeros(N_WALKS)
    for seed in range(N_WALKS):
        data = displacements_of([make(seed)], 1.0)
        found = judged(Regression(data), SPEC, seed)
        levels[seed] = (found.samples < truth).mean()
    for level in (0.68, 0.95):
        n = int((np.abs(levels - 0.5) < level / 2).sum())
        slack = SLACK * (N_WALKS * level * (1 - level)) ** 0.5
        assert n == pytest.approx(level * N_WALKS, abs=slack)


def estimate(**options):
    frames = crystal(**({"n_frames": 200} | options))
    motion = motion_of(frames, SPEC, step=0.1, temperature=600.0, place="run")
    data = displacements_of([motion.of("Li")], motion.step)
    return judged(Regression(data), SPEC, "test")


@pytest.mark.parametrize("seed", range(3))
def test_hops_in_a_crystal_that_vibrates_and_drifts(seed):
    found = estimate(rate=0.01, drift=0.07, vibration=0.15, seed=seed)
    low, high = np.quantile(found.samples, (0.0005, 0.9995))
    assert low < diffusivity_of(0.01, 0.1) < high


@pytest.mark.parametrize("drift", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_what_vibrates_and_drifts_does_not_diffuse(seed, drift):
    found = estimate(rate=0.0, drift=drift, vibration=0.2, seed=seed)
    assert found.samples is None
    assert found.limit < 1e-5


def test_the_result_does_not_depend_on_the_drift():
    still = estimate(rate=0.01, vibration=0.1, seed=4)
    drifting = estimate(rate=0.01, vibration=0.1, drift=0.2, seed=4)
    assert np.median(drifting.samples) == pytest.approx(np.median(still.samples))
