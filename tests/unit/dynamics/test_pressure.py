"""Cells follow the pressure, by ASE's integrator."""

import dataclasses

import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms

from atomgraft.core.errors import BadInputError
from atomgraft.dynamics.pressure import Barostat, at_pressure
from atomgraft.dynamics.replicas import Replica
from atomgraft.models.pair import PRESETS
from tests.unit.dynamics.crystals import hot


def volumes(pressure, **more):
    barostat = Barostat(pressure=pressure, time=100.0, **more)
    frames = at_pressure(
        hot(), PRESETS["pair:sw-si"](), barostat, timestep=2.0, n_steps=100
    )
    return [one.cell.volume for one in frames]


def test_pressure_makes_a_crystal_smaller():
    squeezed, pulled = volumes(10.0), volumes(-5.0)
    assert len(squeezed) == 11
    assert np.mean(squeezed[6:]) < squeezed[0] < np.mean(pulled[6:])


def test_the_shape_is_kept_where_it_is_to_be():
    barostat = Barostat(pressure=5.0, time=100.0, keeps_shape=True)
    *_, last = at_pressure(
        hot(), PRESETS["pair:sw-si"](), barostat, timestep=2.0, n_steps=50
    )
    lengths = last.cell.lengths()
    assert np.ptp(lengths) < 1e-9
    assert lengths[0] != pytest.approx(hot().atoms.cell.lengths()[0], abs=1e-4)


def test_all_frames_say_their_step_and_time():
    frames = at_pressure(
        hot(),
        PRESETS["pair:sw-si"](),
        Barostat(),
        timestep=2.0,
        n_steps=10,
        frame_every=5,
    )
    told = [(one.info["step"], one.info["time"]) for one in frames]
    assert told == [(0, 0.0), (5, 10.0), (10, 20.0)]


def test_seeds_repeat():
    assert volumes(0.0) == volumes(0.0)


@pytest.mark.parametrize(
    "replica",
    [hot(thermostat=False), Replica(atoms=Atoms("Si"), temperature=300.0)],
    ids=["no temperature", "no cell"],
)
def test_bad_input_is_told(replica):
    run = at_pressure(
        replica, PRESETS["pair:sw-si"](), Barostat(), timestep=1.0, n_steps=10
    )
    with pytest.raises(BadInputError, match="at constant pressure"):
        next(run)


def test_atoms_that_are_held_fixed_are_refused():
    held = hot()
    held.atoms.set_constraint(FixAtoms([0]))
    run = at_pressure(
        held, PRESETS["pair:sw-si"](), Barostat(), timestep=1.0, n_steps=10
    )
    with pytest.raises(BadInputError, match="has constraints"):
        next(run)


@pytest.mark.parametrize(
    "given", [{"pressure": float("nan")}, {"time": 0.0}, {"time": float("inf")}]
)
def test_a_barostat_has_finite_numbers(given):
    with pytest.raises(BadInputError, match="The barostat has"):
        Barostat(**given)


@pytest.mark.parametrize(
    "given", [{"timestep": float("nan")}, {"n_steps": 0}, {"frame_every": 0}]
)
def test_a_run_has_positive_numbers(given):
    asked = {"timestep": 2.0, "n_steps": 10, "frame_every": 10} | given
    run = at_pressure(hot(), PRESETS["pair:sw-si"](), Barostat(), **asked)
    with pytest.raises(BadInputError, match="Expected positive numbers"):
        next(run)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"friction": 0.0}, "friction of 0 couples it to no thermostat"),
        ({"friction": -0.01}, "friction of replica 0 is -0.01"),
        ({"temperature": float("nan")}, "temperature of replica 0 is nan"),
    ],
)
def test_a_thermostat_is_needed(changes, word):
    replica = dataclasses.replace(hot(), **changes)
    run = at_pressure(
        replica, PRESETS["pair:sw-si"](), Barostat(), timestep=1.0, n_steps=10
    )
    with pytest.raises(BadInputError, match=word):
        next(run)
