"""A killed run goes on to the same bits; trajectories lose and repeat nothing."""

import dataclasses
import json

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from ase.io import read

from atomgraft.core.errors import BadInputError
from atomgraft.dynamics import recording
from atomgraft.dynamics.mover import OWN_ENGINE, Baoab, Engine
from atomgraft.dynamics.recording import (
    STATE,
    Recording,
    refuse_others_file,
    trajectory_name,
)
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


def rewritten(folder, change, *, with_hash=False):
    """Change the card or the arrays of a saved state."""
    path = folder / STATE
    with safetensors.safe_open(path, framework="np") as stream:
        card = json.loads(stream.metadata()["run"])
        arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    card = change(card, arrays) or card
    if with_hash:
        card["hash"] = recording._hash_of(card, arrays)
    content = safetensors.numpy.save(arrays, {"run": json.dumps(card)})
    path.write_bytes(content)


def with_lengths(names):
    def change(card, arrays):
        card["lengths"] |= names
        card["pins"] = {"model": "other"}

    return change


@pytest.mark.parametrize("name", ["../mine.txt", "mine.txt", "/etc/x", "1.extxyz"])
@pytest.mark.parametrize("with_hash", [False, True])
def test_a_state_never_removes_files_that_are_no_trajectories(
    name, with_hash, tmp_path
):
    folder = tmp_path / "run"
    done(folder, pins={"model": "a"})
    kept = [tmp_path / "mine.txt", folder / "mine.txt", folder / "1.extxyz"]
    for path in kept:
        path.write_text("mine")
    rewritten(folder, with_lengths({name: 0}), with_hash=with_hash)
    with pytest.raises(BadInputError, match=f"{STATE} is damaged"):
        done(folder, pins={"model": "a"})
    assert [path.read_text() for path in kept] == ["mine"] * 3


def replaced(**fields):
    return lambda card, arrays: {**card, **fields}


def cut(name):
    def change(card, arrays):
        arrays[name] = arrays[name][:1].copy()

    return change


def without(name):
    return lambda card, arrays: arrays.pop(name) is None


@pytest.mark.parametrize(
    "change",
    [
        replaced(step=20),
        replaced(step=-3),
        replaced(step=None),
        replaced(step=20.7),
        replaced(lengths=[]),
        replaced(lengths=None),
        replaced(lengths={"000.extxyz": True}),
        cut("positions"),
        cut("energies"),
        without("velocities"),
        without("observed.temperatures"),
    ],
)
def test_a_changed_state_is_damaged(change, tmp_path):
    done(tmp_path)
    rewritten(tmp_path, change)
    with pytest.raises(BadInputError, match=f"{STATE} is damaged"):
        done(tmp_path)


@pytest.mark.parametrize(
    "change",
    [cut("positions"), cut("energies"), without("observed.temperatures")],
)
def test_a_state_of_another_shape_is_damaged_whatever_it_says_of_itself(
    change, tmp_path
):
    done(tmp_path)
    rewritten(tmp_path, change, with_hash=True)
    with pytest.raises(BadInputError, match=f"{STATE} is damaged"):
        done(tmp_path)


def test_a_card_that_is_none_is_damaged(tmp_path):
    done(tmp_path)
    path = tmp_path / STATE
    path.write_bytes(safetensors.numpy.save({"a": np.zeros(1)}, {"run": "[]"}))
    with pytest.raises(BadInputError, match=f"{STATE} is damaged"):
        done(tmp_path)


def test_files_of_others_are_refused_before_anything_runs(tmp_path):
    (tmp_path / trajectory_name(1)).write_text("MY OWN DATA")
    with pytest.raises(BadInputError, match="did not write it for this run"):
        done(tmp_path)
    assert (tmp_path / trajectory_name(1)).read_text() == "MY OWN DATA"
    assert not (tmp_path / trajectory_name(0)).exists()


def test_the_beginning_of_a_run_is_known_before_and_after_its_first_frame(tmp_path):
    done(tmp_path)
    path = tmp_path / trajectory_name(0)
    whole = path.read_bytes()
    count, about, *_ = whole.splitlines(keepends=True)
    first = whole[: whole.index(count, len(count))]
    for left in (b"", count, first[:-9], whole):
        path.write_bytes(left)
        refuse_others_file(path, first)
        refuse_others_file(path, int(count))
    another = first.replace(b"step=0", b"step=5")
    for left in (b"MINE", count + b"mine\n", another):
        path.write_bytes(left)
        for known in (first, int(count)):
            with pytest.raises(BadInputError, match="did not write it for this run"):
                refuse_others_file(path, known)
    path.write_bytes(count + about + b"Ge 0.0 0.0 0.0\n")
    refuse_others_file(path, int(count))
    with pytest.raises(BadInputError, match="did not write it for this run"):
        refuse_others_file(path, first)


@pytest.mark.parametrize("name", [STATE, trajectory_name(0)])
def test_no_link_is_followed(name, tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("MY OWN DATA")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(mine)
    with pytest.raises(BadInputError, match="is a link"):
        done(tmp_path / "run")
    assert mine.read_text() == "MY OWN DATA"


def test_what_a_run_left_that_died_before_its_first_state_is_taken_over(tmp_path):
    done(tmp_path / "whole")
    (tmp_path / "killed").mkdir()
    begun = (tmp_path / "whole" / trajectory_name(0)).read_bytes()
    for n_bytes in (0, 40, len(begun) // 2):
        (tmp_path / "killed" / trajectory_name(0)).write_bytes(begun[:n_bytes])
        (tmp_path / "killed" / STATE).unlink(missing_ok=True)
        done(tmp_path / "killed")
        assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def unpinned(folder, *, timestep=2.0, n_steps=20, **changes):
    replica = dataclasses.replace(hot(1), **changes)
    mover = mover_of([replica], timestep=timestep)
    schedule = Schedule(n_steps=n_steps, look_every=5, frame_every=10, save_every=20)
    return run(mover, schedule, recording=Recording(folder)), mover


@pytest.mark.parametrize(
    "changes", [{"timestep": 0.5}, {"seed": 7}, {"temperature": 50.0}]
)
def test_a_recording_without_pins_belongs_to_its_mover(changes, tmp_path):
    unpinned(tmp_path)
    found, mover = unpinned(tmp_path, **changes)
    fresh, _ = unpinned(tmp_path / "fresh", **changes)
    assert np.array_equal(found.positions, fresh.positions)
    times = [one.info["time"] for one in read(tmp_path / trajectory_name(0), ":")]
    assert times == [0, 10 * mover.timestep, 20 * mover.timestep]


def test_a_recording_grows_and_does_not_shrink(tmp_path):
    unpinned(tmp_path, n_steps=20)
    found, _ = unpinned(tmp_path, n_steps=40)
    assert found.step == 40
    with pytest.raises(BadInputError, match="has 40 steps, the schedule 20"):
        unpinned(tmp_path, n_steps=20)


@pytest.mark.parametrize(
    "wrong", [{"n_steps": 0}, {"frame_every": 15}, {"save_every": 7}]
)
def test_intervals_fit_into_each_other(wrong):
    with pytest.raises(BadInputError, match="schedule of a run"):
        Schedule(**{"n_steps": 100} | wrong)
