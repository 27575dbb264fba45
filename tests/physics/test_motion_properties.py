"""Vibrations in motion are those of the force constants; heat is shared equally."""

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.evaluation.motion.measure import measured, radial_rows
from atomgraft.evaluation.motion.record import VIBRATIONAL
from atomgraft.evaluation.motion.setup import plan_of
from atomgraft.evaluation.motion.spec import MotionOptions
from atomgraft.evaluation.motion.trials import run_trial
from atomgraft.metrics.spectra import moment
from atomgraft.models.pair import PRESETS
from atomgraft.models.prediction import predict_structures

COLD = 20.0
"""K, at which silicon is harmonic to better than 0.1 %."""

STEP = 1e-3
"""Å, of finite differences."""


def exact_frequencies(potential, atoms):
    """Return all frequencies of a supercell from finite differences of forces, THz.

    The three translations are left out: motion has none.
    """
    moved = []
    for i in range(len(atoms)):
        for axis in range(3):
            for sign in (1, -1):
                one = atoms.copy()
                one.positions[i, axis] += sign * STEP
                moved.append(one)
    found = predict_structures(potential, moved)
    forces = np.array([np.asarray(one.forces) for one in found])
    pairs = forces.reshape(-1, 2, 3 * len(atoms))
    hessian = -(pairs[:, 0] - pairs[:, 1]) / (2 * STEP)
    roots = np.sqrt(np.repeat(atoms.get_masses(), 3))
    values = np.linalg.eigvalsh((hessian + hessian.T) / 2 / np.outer(roots, roots))
    return np.sqrt(values[3:]) * 15.633302  # √(eV/Å²/u) in THz


@pytest.fixture(scope="module")
def cold():
    potential = PRESETS["pair:sw-si"]()
    options = MotionOptions(
        temperatures=(COLD,), atoms=8, r_max=2.6, settle=1.0, time=16.0, window=4.0,
        replicas=16,
    )  # fmt: skip
    plan = plan_of(options, bulk("Si", cubic=True))
    [trial] = run_trial(potential, plan, seed=0)
    return potential, plan, trial


@pytest.mark.slow
def test_moments_of_the_density_of_states_are_those_of_the_force_constants(cold):
    """Each mode has the energy k T, so that all have the same weight.

    The first moment is known to 2 %: sixteen runs of a few modes each have a spread.
    """
    potential, plan, trial = cold
    exact = exact_frequencies(potential, plan.system.atoms)
    radial = radial_rows(trial, plan)
    rows = measured(trial, radial, 2.6, plan, is_melt=False).rows
    states = rows[VIBRATIONAL, ""].mean(axis=0)
    at = plan.frequencies
    assert moment(states, at, 1) == pytest.approx(exact.mean(), rel=0.02)
    assert moment(states, at, 2) == pytest.approx((exact**2).mean(), rel=0.03)
    top = at[states > states.max() / 100].max()
    assert top == pytest.approx(exact.max(), abs=1.0)


@pytest.mark.slow
def test_heat_is_that_of_the_thermostat(cold):
    _, _, trial = cold
    spread = trial.temperatures.std() / 4
    assert trial.temperatures.mean() == pytest.approx(COLD, abs=4 * spread)
    assert trial.failures == ()
    assert trial.intact == pytest.approx(np.ones(16))


@pytest.mark.slow
def test_a_melt_diffuses_and_its_crystal_does_not():
    options = MotionOptions(
        temperatures=(2000.0,), melt=5000.0, melt_time=1.0, settle=0.5, time=1.0,
        window=0.5,
    )  # fmt: skip
    plan = plan_of(options, bulk("Si", cubic=True))
    crystal, melt = run_trial(PRESETS["pair:sw-si"](), plan, seed=0)
    assert crystal.intact.mean() > 0.9
    assert melt.intact.mean() < 0.75
    found = [
        measured(one, radial_rows(one, plan), 3.1, plan, is_melt=True).rows
        for one in (crystal, melt)
    ]
    still, moving = (one["diffusion", ""].mean() for one in found)
    assert abs(still) < 5e-6
    assert 3e-5 < moving < 3e-4
    assert found[0]["coordination", ""].mean() < found[1]["coordination", ""].mean()
