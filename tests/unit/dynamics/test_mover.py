"""Steps are ASE's steps, and no replica knows of another."""

import numpy as np
import pytest
import torch
from ase import Atoms, units
from ase.constraints import FixAtoms
from ase.md.langevinbaoab import LangevinBAOAB
from ase.md.verlet import VelocityVerlet

from atomgraft.core.errors import BadInputError
from atomgraft.dynamics.mover import BatchedMover
from atomgraft.dynamics.replicas import (
    Replica,
    frame,
    heated,
    kinetic_energies,
    places_of,
    temperatures,
)
from atomgraft.dynamics.runs import Schedule
from atomgraft.models.calculator import GraftCalculator
from atomgraft.models.pair import PRESETS
from tests.unit.dynamics.crystals import SILICON, hot, mover_of

SAME_PATH = 1e-8
"""Å; rounding after some hundred steps."""

ALONE = 1e-9
"""Å; sums of a batch are rounded in another order."""


def in_ase(replica):
    atoms = replica.atoms.copy()
    atoms.calc = GraftCalculator(PRESETS["pair:sw-si"]())
    return atoms


def total_energies(replicas, state):
    return state.energies + kinetic_energies(replicas, state)


def test_velocity_verlet_is_ase_s():
    replica = hot(temperature=900.0, thermostat=False)
    mover = mover_of([replica], timestep=2.0)
    atoms = in_ase(replica)
    state = mover.advance(mover.start(), 300)
    VelocityVerlet(atoms, 2.0 * units.fs).run(300)
    assert np.abs(state.positions - atoms.positions).max() < SAME_PATH
    assert np.abs(state.velocities - atoms.get_velocities() * units.fs).max() < 1e-9
    assert np.abs(state.positions - replica.atoms.positions).max() > 0.1


def test_energy_drifts_as_with_ase():
    replica = hot(temperature=900.0, thermostat=False)
    mover = mover_of([replica], timestep=5.0)
    atoms = in_ase(replica)
    state = mover.start()
    first = total_energies([replica], state)[0], atoms.get_total_energy()
    state = mover.advance(state, 100)
    VelocityVerlet(atoms, 5.0 * units.fs).run(100)
    ours = total_energies([replica], state)[0] - first[0]
    theirs = atoms.get_total_energy() - first[1]
    assert ours == pytest.approx(theirs, abs=1e-8)
    assert abs(ours) > 1e-4, "a step of 5 fs is large enough to see"


def test_friction_without_heat_is_ase_s():
    replica = Replica(atoms=heated(SILICON, 900.0, 1), temperature=0.0, friction=0.02)
    mover = mover_of([replica], timestep=2.0)
    atoms = in_ase(replica)
    theirs = LangevinBAOAB(
        atoms, 2.0 * units.fs, temperature_K=0.0, T_tau=50 * units.fs, rng=1
    )
    state = mover.advance(mover.start(), 100)
    theirs.run(100)
    assert np.abs(state.positions - atoms.positions).max() < SAME_PATH
    assert temperatures([replica], state)[0] < 200.0


def test_replicas_of_all_kinds_move_as_they_do_alone():
    replicas = [
        hot(1, temperature=300.0),
        hot(2, temperature=900.0, size=2),
        hot(3, temperature=600.0, thermostat=False),
        hot(1, temperature=300.0),
    ]
    together = mover_of(replicas).advance(mover_of(replicas).start(), 50)
    for one, place in zip(replicas, places_of(replicas), strict=True):
        alone = mover_of([one]).advance(mover_of([one]).start(), 50)
        assert np.abs(together.positions[place] - alone.positions).max() < ALONE
    first, last = (together.positions[place] for place in places_of(replicas)[::3])
    assert np.abs(first - last).max() < ALONE, "the same seed, the same path"


def test_another_seed_is_another_path():
    """Negative control."""
    same_start = hot(1)
    other = Replica(atoms=same_start.atoms, seed=2, temperature=600.0)
    mover = mover_of([same_start, other])
    state = mover.advance(mover.start(), 50)
    one, two = (state.positions[place] for place in places_of(mover.replicas))
    assert np.abs(one - two).max() > 0.01


def test_calls_of_any_size_give_the_same():
    replicas = [hot(seed) for seed in range(3)]
    small = mover_of(replicas, max_atoms=8)
    large = mover_of(replicas, max_atoms=64)
    found = [one.advance(one.start(), 30).positions for one in (small, large)]
    assert np.abs(found[0] - found[1]).max() < ALONE


def test_steps_may_be_taken_in_parts():
    mover, other = mover_of([hot()]), mover_of([hot()])
    whole = mover.advance(mover.start(), 40)
    parts = other.advance(other.advance(other.start(), 13), 27)
    assert parts.step == whole.step
    assert np.array_equal(parts.positions, whole.positions)


def test_a_float32_model_keeps_positions_in_float64():
    mover = mover_of([hot()], dtype=torch.float32)
    state = mover.advance(mover.start(), 20)
    exact = mover_of([hot()]).advance(mover_of([hot()]).start(), 20)
    assert state.positions.dtype == np.float64
    assert 0 < np.abs(state.positions - exact.positions).max() < 1e-4


def colliding():
    """Return two atoms that fly through each other and on, out of the world."""
    atoms = Atoms("Si2", positions=[[5, 5, 5], [5, 5, 5.002]], cell=[10] * 3, pbc=True)
    return Replica(atoms=atoms, seed=0)


def test_what_leaves_the_world_stops_and_the_others_go_on():
    replicas = [hot(1), colliding(), hot(2)]
    mover = mover_of(replicas)
    state = mover.advance(mover.start(), 30)
    alone = mover_of([hot(2)]).advance(mover_of([hot(2)]).start(), 30)
    assert state.is_moving.tolist() == [True, False, True]
    assert 0 <= state.stopped[1] < 30
    assert np.isfinite(state.positions).all()
    assert np.abs(state.positions[places_of(replicas)[2]] - alone.positions).max() < (
        ALONE
    )
    assert state.step == 30


def test_a_start_that_is_not_finite_stops_there():
    atoms = Atoms("Si2", positions=[[5, 5, 5]] * 2, cell=[10] * 3, pbc=True)
    mover = mover_of([Replica(atoms=atoms), hot()])
    state = mover.start()
    assert state.stopped.tolist() == [0, -1]
    assert mover.advance(state, 10).stopped.tolist() == [0, -1]


@pytest.mark.parametrize(
    ("replicas", "timestep", "said"),
    [
        ([], 1.0, "No replica"),
        ([hot()], 0.0, "The timestep is 0.0 fs"),
        ([hot()], float("nan"), "The timestep is nan fs"),
        ([hot(temperature=600.0), Replica(atoms=SILICON, temperature=-1.0)], 1.0, "-1"),
        ([Replica(atoms=SILICON, friction=float("inf"))], 1.0, "friction of replica 0"),
        ([Replica(atoms=Atoms("Au", cell=[4] * 3, pbc=True))], 1.0, "contains Au"),
    ],
)
def test_bad_input_is_told(replicas, timestep, said):
    with pytest.raises(BadInputError, match=said):
        BatchedMover(replicas, PRESETS["pair:sw-si"](), timestep=timestep)


def test_atoms_that_are_held_fixed_are_refused():
    held = hot()
    held.atoms.set_constraint(FixAtoms([0, 1]))
    with pytest.raises(BadInputError, match=r"Replica 1 has constraints \(FixAtoms\)"):
        BatchedMover([hot(), held], PRESETS["pair:sw-si"](), timestep=1.0)


@pytest.mark.parametrize("temperature", [float("nan"), float("inf"), -300.0])
def test_velocities_have_a_temperature(temperature):
    with pytest.raises(BadInputError, match="Velocities were asked for at"):
        heated(SILICON, temperature, 0)


@pytest.mark.parametrize(
    "given", [{"n_steps": 10.5}, {"n_steps": 10, "save_every": 20.0}, {"n_steps": True}]
)
def test_schedules_are_of_whole_steps(given):
    with pytest.raises(BadInputError, match="whole numbers of steps"):
        Schedule(**{"look_every": 5, "frame_every": 5, "save_every": 5} | given)


def test_momenta_come_from_the_structure_and_return_in_frames():
    replica = hot(4)
    mover = mover_of([replica])
    now = frame(replica, slice(0, 8), mover.start())
    assert now.get_momenta() == pytest.approx(replica.atoms.get_momenta())
    assert now.get_temperature() == pytest.approx(
        temperatures([replica], mover.start())[0] * 8 / 8
    )
