"""Is what torch-sim moves what we move, and who says that it is absent?"""

import types

import numpy as np
import pytest
import torch
from ase import Atoms

from atomgraft.core.errors import MissingExtraError
from atomgraft.dynamics import torch_sim
from atomgraft.dynamics.mover import BatchedMover
from atomgraft.dynamics.recording import Recording
from atomgraft.dynamics.replicas import (
    ACCELERATION,
    KELVIN,
    Replica,
    heated,
    places_of,
    temperatures,
)
from atomgraft.dynamics.runs import Schedule, run
from atomgraft.models.pair import PRESETS
from tests.unit.dynamics.crystals import SILICON, hot, mover_of

SAME_PATH = 1e-8
"""Å; rounding after some hundred steps."""


def engines(replicas, **more):
    """Return our mover and torch-sim's."""
    theirs = mover_of(replicas, engine=torch_sim.torch_sim_engine(), **more)
    return mover_of(replicas, **more), theirs


def after(mover, n_steps):
    return mover.advance(mover.start(), n_steps)


def apart(one, other):
    return np.abs(one.positions - other.positions).max()


def sheared():
    """Return hot silicon in a cell whose transpose is another cell, at 450 K."""
    atoms = SILICON * (2, 2, 1)
    atoms.set_cell(atoms.cell.array @ [[1, 0.1, 0], [0, 1, 0.05], [0, 0, 1]])
    atoms.set_scaled_positions((SILICON * (2, 2, 1)).get_scaled_positions())
    return Replica(atoms=heated(atoms, 900.0, 3), seed=3)


@pytest.mark.torch_sim
def test_velocity_verlet_is_ours():
    replicas = [hot(1, size=2, thermostat=False), sheared(), hot(2, thermostat=False)]
    ours, theirs = (after(one, 200) for one in engines(replicas, timestep=2.0))
    assert len(replicas[0].atoms) == 64
    assert apart(ours, theirs) < SAME_PATH
    assert np.abs(ours.velocities - theirs.velocities).max() < SAME_PATH
    assert np.abs(ours.forces - theirs.forces).max() < 1e-7
    start = engines(replicas)[1].start()
    assert apart(start, theirs) > 0.1


@pytest.mark.torch_sim
@pytest.mark.parametrize("name", ["FEMTOSECOND", "masses", "timestep"])
def test_a_wrong_unit_or_mass_is_another_path(name, monkeypatch):
    """Negative control."""
    ours, theirs = engines([hot(1, thermostat=False)], timestep=2.0)
    if name == "FEMTOSECOND":
        monkeypatch.setattr(torch_sim, name, torch_sim.FEMTOSECOND * 1.001)
    elif name == "masses":
        heavy = hot(1, thermostat=False)
        velocities = heavy.atoms.get_velocities()
        heavy.atoms.set_masses(heavy.atoms.get_masses() * 1.001)
        heavy.atoms.set_velocities(velocities)
        theirs = engines([heavy], timestep=2.0)[1]
        assert apart(*(after(one, 50) for one in engines([heavy]))) < SAME_PATH
    else:
        theirs = engines([hot(1, thermostat=False)], timestep=2.002)[1]
    assert apart(after(ours, 50), after(theirs, 50)) > 1e4 * SAME_PATH


@pytest.mark.torch_sim
def test_its_time_is_the_one_that_we_convert_to():
    units = pytest.importorskip("torch_sim.units").MetalUnits
    picosecond = float(units.time)
    assert pytest.approx(picosecond, rel=1e-9) == torch_sim.FEMTOSECOND * 1000
    assert float(units.temperature) == pytest.approx(KELVIN, rel=1e-9)
    assert pytest.approx(ACCELERATION) == torch_sim.FEMTOSECOND**2


@pytest.mark.torch_sim
def test_cells_become_columns_and_the_model_is_its_kind():
    interface = pytest.importorskip("torch_sim.models.interface").ModelInterface
    replicas = [sheared(), hot(1)]
    mover = engines(replicas)[1]
    _, steps = mover._batch_for(mover.start())
    rows = steps._state.row_vector_cell.numpy()
    for one, row in zip(replicas, rows, strict=True):
        assert row == pytest.approx(one.atoms.cell.array)
    assert not np.allclose(rows[0], rows[0].T)
    assert isinstance(steps._model, interface)
    steps(mover._batch_for(mover.start())[0].read(mover.start()), 0)
    found = steps._model(steps._state)
    assert {name: tuple(one.shape) for name, one in found.items()} == {
        "energy": (2,),
        "forces": (40, 3),
    }


@pytest.mark.torch_sim
def test_friction_without_heat_is_ours():
    replicas = [
        Replica(atoms=heated(SILICON, 900.0, i), temperature=0.0, friction=friction)
        for i, friction in enumerate((0.02, 0.05))
    ]
    ours, theirs = (after(one, 100) for one in engines(replicas, timestep=2.0))
    assert apart(ours, theirs) < SAME_PATH
    assert temperatures(replicas, theirs).max() < 200.0


@pytest.mark.torch_sim
def test_energy_is_kept_beside_a_thermostat():
    replicas = [hot(1), hot(2, size=2, thermostat=False), hot(3)]
    ours, theirs = (after(one, 50) for one in engines(replicas, timestep=2.0))
    places = places_of(replicas)
    difference = np.abs(ours.positions - theirs.positions)
    assert difference[places[1]].max() < SAME_PATH
    assert min(difference[places[i]].max() for i in (0, 2)) > 0.01, "other noise"


@pytest.mark.torch_sim
def test_steps_may_be_taken_in_parts_to_the_same_bits(tmp_path):
    replicas = [hot(1), hot(2, size=2)]
    whole = after(engines(replicas)[1], 40)
    first = engines(replicas)[1]
    half = first.advance(first.start(), 20)
    parts = engines(replicas)[1].advance(half, 20)
    assert np.array_equal(parts.positions, whole.positions)
    schedule = Schedule(n_steps=40, look_every=20, frame_every=20, save_every=20)
    short = Schedule(n_steps=20, look_every=20, frame_every=20, save_every=20)
    for one in (short, schedule):
        state = run(engines(replicas)[1], one, recording=Recording(tmp_path))
    assert np.array_equal(state.positions, whole.positions)
    other = [hot(1), hot(3, size=2)]
    assert apart(after(engines(other)[1], 40), whole) > 0.01, "another seed"


@pytest.mark.torch_sim
def test_what_leaves_the_world_stops_and_the_others_go_on():
    atoms = Atoms("Si2", positions=[[5, 5, 5], [5, 5, 5.002]], cell=[10] * 3, pbc=True)
    replicas = [hot(1, thermostat=False), Replica(atoms=atoms), hot(2)]
    ours, theirs = (after(one, 30) for one in engines(replicas))
    assert theirs.is_moving.tolist() == [True, False, True]
    assert theirs.stopped[1] == ours.stopped[1]
    assert np.isfinite(theirs.positions).all()
    assert np.abs(ours.positions[:8] - theirs.positions[:8]).max() < SAME_PATH


@pytest.mark.torch_sim
def test_a_float32_model_keeps_positions_in_float64():
    replicas = [hot(1, thermostat=False)]
    ours, theirs = (after(one, 20) for one in engines(replicas, dtype=torch.float32))
    exact = after(engines(replicas)[1], 20)
    assert theirs.positions.dtype == np.float64
    assert 0 < apart(theirs, exact) < 1e-4
    assert apart(ours, theirs) < 1e-6


@pytest.mark.parametrize(
    ("version", "said"),
    [((3, 12, 1), "Run: pip"), ((3, 11, 7), "this is Python 3.11. With Python 3.12")],
)
def test_without_torch_sim_it_says_what_to_install(version, said, monkeypatch):
    absent = types.SimpleNamespace(find_spec=lambda name: None)
    monkeypatch.setattr(torch_sim.importlib, "util", absent)
    python = types.SimpleNamespace(version_info=version)
    monkeypatch.setattr(torch_sim, "sys", python)
    with pytest.raises(MissingExtraError, match=said) as raised:
        torch_sim.torch_sim_engine()
    assert "pip install 'atomgraft[torch-sim]'" in str(raised.value)


def test_ours_needs_nothing():
    mover = BatchedMover([hot()], PRESETS["pair:sw-si"](), timestep=1.0)
    assert mover.engine == "atomgraft"
