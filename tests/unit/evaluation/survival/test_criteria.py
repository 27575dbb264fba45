"""A run fails at the first criterion it passes, and the reference at none."""

import dataclasses

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.dynamics.replicas import Replica, heated
from atomgraft.evaluation.survival.criteria import (
    COORDINATION,
    STRUCTURE,
    heats_up,
    limits_of_frames,
    limits_of_run,
    outcomes,
)
from atomgraft.evaluation.survival.trials import run_trial
from atomgraft.evaluation.survival.watcher import (
    BROKEN,
    CLOSE,
    DONE,
    HOT,
    Watcher,
    highest_temperature,
)
from atomgraft.evaluation.systems import (
    features,
    histogram,
    repeated,
    system_of,
)
from atomgraft.models.pair import PRESETS
from tests.unit.dynamics.crystals import mover_of
from tests.unit.evaluation.survival.runs import PLAN, SYSTEM, changed, quiet


def ends(trial, limits=None):
    found = outcomes(trial, limits or limits_of_run(quiet()), PLAN)
    return list(zip(found.times.tolist(), found.reasons, strict=True))


def test_the_reference_raises_no_alarm():
    reference = quiet(3)
    assert ends(reference, limits_of_run(reference)) == [(2.0, "")] * 5


def test_another_seed_raises_no_alarm():
    assert ends(quiet(1)) == [(2.0, "")] * 5


def test_the_first_failure_counts():
    trial = changed(
        quiet(1),
        stopped={0: 600, 1: 100, 4: 1000},
        reasons={0: HOT, 1: CLOSE, 4: BROKEN},
        structure={(0, 1): 0.5, (2, 3): 0.5},
        intact={(3, 2): 0.7, (4, 0): 0.7},
    )
    assert ends(trial) == [
        (1.0, STRUCTURE),
        (0.2, "atoms too close"),
        (2.0, STRUCTURE),
        (1.5, COORDINATION),
        (0.5, COORDINATION),
    ]


def test_windows_that_were_not_finished_are_not_judged():
    trial = changed(
        quiet(1),
        stopped={0: 600},
        reasons={0: HOT},
        structure={(0, 2): np.nan, (0, 3): np.nan},
        intact={(0, 2): np.nan, (0, 3): np.nan},
    )
    assert ends(trial)[0] == (1.2, "too hot")


def test_a_reference_that_melts_lets_coordination_go():
    reference = changed(quiet(), intact={(2, 3): 0.4})
    limits = limits_of_run(reference)
    assert not limits.is_solid
    assert ends(changed(quiet(1), intact={(1, 1): 0.2}), limits) == [(2.0, "")] * 5


def test_a_reference_that_fails_sets_no_limit():
    assert limits_of_run(changed(quiet(), stopped={0: 10}, reasons={0: HOT})) is None


@pytest.mark.parametrize(
    ("drifts", "is_hot"),
    [([0.1] * 5, False), ([2.0] * 5, True), ([-2.0] * 5, False), ([0, np.nan], True)],
)
def test_a_timestep_that_heats_is_seen(drifts, is_hot):
    """Three kT at 300 K are 78 meV; one per cent of them a ps is allowed."""
    trial = changed(quiet(n=len(drifts)), drifts=dict(enumerate(drifts)))
    assert heats_up(trial, 300.0) == is_hot


def hot_frames(size, n=8, *, strain=0.0):
    frames = []
    for seed, stretch in enumerate(np.linspace(1 - strain, 1 + strain, n)):
        one = bulk("Si", a=5.43 * stretch, cubic=True) * 2
        one.rattle(size, seed=seed)
        frames.append(one)
    return frames


def seen(frames, system):
    """Return a trial that has seen some frames, one a replica."""
    rows = [histogram(system, one.positions)[0].astype(float) for one in frames]
    structure = features(system, np.array(rows))[:, None].repeat(4, axis=1)
    return dataclasses.replace(quiet(n=len(frames)), structure=structure)


def test_training_frames_know_the_crystal_and_no_liquid():
    system = system_of(repeated(bulk("Si", cubic=True), 64))
    limits = limits_of_frames(hot_frames(0.1, strain=0.03), system)
    rng = np.random.default_rng(0)
    gas = [one.copy() for one in hot_frames(0.1, 2)]
    for one in gas:
        one.positions = rng.uniform(size=(64, 3)) @ one.cell.array
    for frames, is_another in ((hot_frames(0.11, 4), False), (gas, True)):
        told = outcomes(seen(frames, system), limits, PLAN)
        assert told.has_failed.tolist() == [is_another] * len(frames)


def displaced(size):
    """Return pairs of frames in which one atom has moved both ways, as phonopy's."""
    frames = []
    for i in range(3):
        for shift in (size, -size):
            one = bulk("Si", cubic=True) * 2
            one.positions[i, i] += shift
            frames.append(one)
    return frames


@pytest.mark.parametrize(
    "frames", [displaced(0.01), hot_frames(0.03)], ids=["pairs", "all atoms"]
)
def test_the_exact_model_survives_frames_of_small_displacements(frames):
    system = system_of(repeated(bulk("Si", cubic=True), 64))
    limits = limits_of_frames(frames, system)
    plan = dataclasses.replace(
        PLAN, system=system, temperatures=(300.0,), window=50, n_windows=2, n_drift=0
    )
    [trial] = run_trial(PRESETS["pair:sw-si"](), plan, seed=0)
    assert outcomes(trial, limits, plan).reasons == ("",) * 5
    assert limits.departure is None


def test_few_frames_or_other_crystals_set_no_limit():
    frames = [*hot_frames(0.1, 4), *(bulk("Ge", cubic=True) for _ in range(9))]
    assert limits_of_frames(frames, SYSTEM).departure is None


@pytest.mark.parametrize("n_atoms", [8, 64])
def test_a_canonical_temperature_stays_below_the_limit(n_atoms):
    rng = np.random.default_rng(0)
    limit = highest_temperature(300.0, n_atoms)
    drawn = 300.0 * rng.chisquare(3 * n_atoms, size=100_000) / (3 * n_atoms)
    assert drawn.max() < limit < 1.25 * drawn.max()


def watched(replicas, **more):
    mover = mover_of(replicas, timestep=2.0)
    watcher = Watcher(SYSTEM, replicas, window=20, n_windows=2, n_drift=20, **more)
    state = mover.start()
    for _ in range(4):
        state = mover.advance(state, 10)
        state = state.with_stopped(watcher.look(state))
    return watcher, state


def test_what_is_hot_close_or_done_stops():
    fast = SYSTEM.atoms.copy()
    fast.positions[0] += 0.4
    near = SYSTEM.atoms.copy()
    near.positions[1] += 0.28 * (near.positions[0] - near.positions[1])
    replicas = [
        Replica(atoms=heated(SYSTEM.atoms, 300.0, 1), seed=1, temperature=300.0),
        Replica(atoms=heated(fast, 9000.0, 2), seed=2, temperature=300.0),
        Replica(atoms=heated(near, 1.0, 3), seed=3, temperature=1e4, friction=0.0),
        Replica(atoms=heated(SYSTEM.atoms, 300.0, 4), seed=4),
    ]
    watcher, state = watched(replicas)
    assert watcher.reasons.tolist()[:2] == [0, HOT]
    assert watcher.reasons[3] == DONE
    assert state.stopped[[0, 3]].tolist() == [-1, 20]
    assert watcher.n_looks[0].tolist() == [2, 2]
    assert np.isfinite(watcher.energies[:2, 3]).all()
    assert np.isnan(watcher.energies[2:, 3]).all()


def test_what_was_seen_comes_back():
    replicas = [Replica(atoms=heated(SYSTEM.atoms, 300.0, 1), temperature=300.0)]
    watcher, _ = watched(replicas)
    other = Watcher(SYSTEM, replicas, window=20, n_windows=2, n_drift=20)
    other.restore(watcher.arrays())
    assert all(
        np.array_equal(one, two, equal_nan=True)
        for one, two in zip(
            watcher.arrays().values(), other.arrays().values(), strict=True
        )
    )
