"""A killed run goes on to the same bits; trajectories lose and repeat nothing."""

import numpy as np
import pytest
from ase.io import read

from atomgraft.core.errors import BadInputError
from atomgraft.dynamics.mover import OWN_ENGINE, Baoab, Engine
from atomgraft.dynamics.recording import STATE, Recording, trajectory_name
from atomgraft.dynamics.replicas import temperatures
from atomgraft.dynamics.runs import AbstractObserver, Schedule, run
from tests.unit.dynamics.crystals import hot, mover_of

SCHEDULE = Schedule(n_steps=60, look_every=5, frame_every=10, save_every=20)


class KilledError(Exception):
    """As if by a signal."""


class Watching(AbstractObserver):
    """Keeps temperatures; stops a replica, or the whole run, at a step."""

    def __init__(self, mover, *, stops=None, dies=None):
        self.mover, self.stops, self.dies = mover, stops or {}, dies
        self.seen = []

    def look(self, state):
        if state.step == self.dies:
            raise KilledError
        self.seen.append(temperatures(self.mover.replicas, state))
        return [i for i, step in self.stops.items() if step == state.step]

    def arrays(self):
        return {"temperatures": np.array(self.seen)}

    def restore(self, arrays):
        self.seen = list(arrays["temperatures"])


def done(folder, *, dies=None, stops=None, pins=None):
    mover = mover_of([hot(1), hot(2)], timestep=2.0)
    observer = Watching(mover, dies=dies, stops=stops)
    recording = Recording(folder, pins or {})
    state = run(mover, SCHEDULE, observer=observer, recording=recording)
    return state, observer


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("dies", [25, 40, 55])
@pytest.mark.parametrize("stops", [{}, {1: 35}], ids=["all", "one stops"])
def test_a_killed_run_ends_in_the_same_bits(dies, stops, tmp_path):
    whole, seen = done(tmp_path / "whole", stops=stops)
    with pytest.raises(KilledError):
        done(tmp_path / "killed", dies=dies, stops=stops)
    last = tmp_path / "killed" / trajectory_name(0)
    last.write_bytes(last.read_bytes() + b"8\nhalf a frame")
    state, again = done(tmp_path / "killed", stops=stops)
    assert np.array_equal(state.positions, whole.positions)
    assert np.array_equal(again.seen, seen.seen)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_frames_say_when_they_are(tmp_path):
    done(tmp_path, stops={1: 35})
    frames = read(tmp_path / trajectory_name(0), index=":")
    assert [one.info["time"] for one in frames] == [20 * i for i in range(7)]
    assert frames[-1].get_temperature() > 0
    stopped = read(tmp_path / trajectory_name(1), index=":")
    assert [one.info["step"] for one in stopped] == [0, 10, 20, 30, 35]


def test_a_finished_run_is_read_and_not_run_again(tmp_path):
    whole, _ = done(tmp_path)
    before = contents(tmp_path)
    again, _ = done(tmp_path, dies=5)
    assert np.array_equal(again.positions, whole.positions)
    assert contents(tmp_path) == before


def test_another_run_begins_anew(tmp_path):
    done(tmp_path, pins={"model": "a"})
    _, observer = done(tmp_path, pins={"model": "b"})
    assert len(observer.seen) == 12
    assert len(read(tmp_path / trajectory_name(0), index=":")) == 7


def test_another_engine_begins_anew_and_ours_is_the_one_without_a_name(tmp_path):
    def steps_done(engine):
        mover = mover_of([hot(1), hot(2)], timestep=2.0, engine=engine)
        observer = Watching(mover)
        done = []
        run(
            mover,
            SCHEDULE,
            observer=observer,
            recording=Recording(tmp_path, {"model": "a"}),
            progress=lambda n, _: done.append(n),
        )
        return len(done)

    other = Engine(name="other", prepare=Baoab)
    given = [OWN_ENGINE, other, other, OWN_ENGINE, OWN_ENGINE]
    assert [steps_done(one) for one in given] == [12, 12, 0, 12, 0]
    done(tmp_path, pins={"model": "a"}, dies=5)


def test_trajectories_of_a_larger_run_do_not_stay(tmp_path):
    done(tmp_path, pins={"model": "a"})
    mover = mover_of([hot(1)], timestep=2.0)
    run(mover, SCHEDULE, recording=Recording(tmp_path, {"model": "b"}))
    assert sorted(contents(tmp_path)) == [trajectory_name(0), STATE]


@pytest.mark.parametrize("name", [STATE, trajectory_name(1)])
def test_damage_is_told(name, tmp_path):
    done(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:100])
    with pytest.raises(BadInputError, match=f"{name} is damaged"):
        done(tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"n_steps": 0}, {"frame_every": 15}, {"save_every": 7}]
)
def test_intervals_fit_into_each_other(wrong):
    with pytest.raises(BadInputError, match="schedule of a run"):
        Schedule(**{"n_steps": 100} | wrong)
