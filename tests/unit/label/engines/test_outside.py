"""Does a program in a process of its own answer, fail and end as it must?"""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from atomgraft.core.errors import BadInputError, MissingExtraError
from atomgraft.label.engines import outside
from atomgraft.label.engines.base import EngineFailureError, make_engine
from tests.unit.label.engines.inside import try_inside

EMT_ENGINE = "ase:ase.calculators.emt.EMT"

ODD = '''
"""Calculators that behave in strange ways."""

import os
import signal
import time

from ase.calculators.calculator import Calculator, all_changes


class Odd(Calculator):
    implemented_properties = ["energy", "forces"]
    default_parameters = {"how": "fine", "place": ""}

    def calculate(self, atoms=None, properties=("energy",), changes=all_changes):
        super().calculate(atoms, properties, changes)
        how = self.parameters["how"]
        print("a program that talks")
        os.system("echo and its child")
        if how == "reads":
            import subprocess

            subprocess.run(["head", "-c", "1"])
        if how == "raise":
            raise RuntimeError("no convergence")
        if how == "memory":
            raise MemoryError
        if how == "die":
            os._exit(3)
        if how == "killed":
            with open(self.parameters["place"], "a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "sleep":
            with open(self.parameters["place"], "w") as file:
                file.write(f"{os.getpid()} {os.getcwd()}")
            time.sleep(60)
        energy = float("nan") if how == "nan" else 1.0
        self.results = {"energy": energy, "forces": 0 * atoms.positions}


class Nothing:
    pass
'''


@pytest.fixture
def odd(tmp_path, monkeypatch):
    (tmp_path / "odd_calculators.py").write_text(ODD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "odd_calculators", raising=False)
    return tmp_path


def engine_that(how, **more):
    return make_engine("ase:odd_calculators.Odd", {"how": how, **more})


def test_labels_are_those_of_the_calculator_to_the_last_digit():
    atoms = bulk("Cu", a=3.7, cubic=True)
    atoms.rattle(0.1, seed=1)
    found = make_engine(EMT_ENGINE, {}).label(atoms)
    atoms.calc = EMT()
    assert found.energy == atoms.get_potential_energy()
    np.testing.assert_array_equal(found.forces, atoms.get_forces())
    np.testing.assert_array_equal(found.stress, atoms.get_stress())
    assert found.seconds > 0
    assert found.cpu_seconds > 0


def test_a_molecule_has_no_stress():
    assert make_engine(EMT_ENGINE, {}).label(molecule("H2O")).stress is None


def test_what_a_program_prints_is_no_answer(odd):
    assert engine_that("fine").label(Atoms("H")).energy == 1.0


def test_the_program_stays_from_one_structure_to_the_next(odd):
    engine = engine_that("fine")
    engine.label(Atoms("H"))
    own = psutil.Process().children()
    [child] = [one for one in own if "engines.child" in str(one.cmdline())]
    engine.label(Atoms("He"))
    assert child.is_running()


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("raise", "H2O has no labels: RuntimeError: no convergence"),
        ("memory", "the memory is too small"),
        ("die", "The program ended with code 3: .*and its child"),
        ("nan", "The labels of H2O are not finite"),
    ],
)
def test_a_failure_is_that_of_one_structure(odd, how, what):
    engine = engine_that(how)
    for _ in range(2):  # the process that died is started again
        with pytest.raises(EngineFailureError, match=what):
            engine.label(molecule("H2O"))


def test_a_process_that_is_killed_is_tried_once_more(odd):
    place = odd / "tries"
    with pytest.raises(EngineFailureError, match="killed 2 times at H2O"):
        engine_that("killed", place=str(place)).label(molecule("H2O"))
    assert place.read_text() == "xx"


def test_wall_time_ends_it(odd):
    place = odd / "pid"
    started = time.monotonic()
    with pytest.raises(EngineFailureError, match="took longer than 5 s"):
        engine_that("sleep", place=str(place)).label(molecule("H2O"), wall_time=5.0)
    assert time.monotonic() - started < 50
    pid, folder = place.read_text().split()
    assert not psutil.pid_exists(int(pid))
    assert not Path(folder).exists()


SLEEPER = """
import sys
from ase import Atoms
from atomgraft.label.engines.base import make_engine
make_engine("ase:odd_calculators.Odd", {"how": "sleep", "place": sys.argv[1]}).label(
    Atoms("H")
)
"""


def wait_for(condition, seconds=60.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_an_answer_that_nobody_waited_for_is_not_the_next_one(odd, monkeypatch):
    """An interrupted question leaves its answer in the pipe."""
    engine = make_engine(EMT_ENGINE, {})
    copper, nickel = bulk("Cu"), bulk("Ni")
    expected = engine.label(nickel).energy
    process = engine._process()
    with monkeypatch.context() as patch:
        patch.setattr(process, "_answer", lambda _: (_ for _ in ()).throw(KeyError))
        with pytest.raises(KeyError):
            engine.label(copper)
    assert engine.label(nickel).energy == expected


def test_threads_of_a_worker_get_their_own_labels():
    engine = make_engine(EMT_ENGINE, {})
    crystals = [bulk(symbol) for symbol in ("Cu", "Ni", "Au")] * 10
    expected = [engine.label(one).energy for one in crystals[:3]] * 10
    with ThreadPoolExecutor(3) as pool:
        found = [one.energy for one in pool.map(engine.label, crystals)]
    assert found == expected


def test_an_interrupted_start_leaves_nothing(odd, monkeypatch):
    engine = engine_that("fine", place="start")
    process = engine._process()
    with monkeypatch.context() as patch:
        patch.setattr(process, "_answer", lambda _: (_ for _ in ()).throw(KeyError))
        with pytest.raises(KeyError):
            engine.label(Atoms("H"))
    assert engine.label(Atoms("H")).energy == 1.0


def test_a_program_that_reads_finds_nothing_to_read(odd):
    assert engine_that("reads").label(Atoms("H"), wall_time=60.0).energy == 1.0


@pytest.mark.parametrize(
    ("settings", "charge", "multiplicity"),
    [({}, 0, None), ({"charge": 1.0}, 1, None), ({"multiplicity": 3}, 0, 3)],
)
def test_calculators_are_told_charge_and_spin_by_settings(
    odd, settings, charge, multiplicity
):
    electrons = engine_that("fine", **settings).electrons
    assert (electrons.charge, electrons.multiplicity) == (charge, multiplicity)
    assert electrons.has_spin == (multiplicity is not None)


@pytest.mark.parametrize("with_what", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_worker_however_that_one_ends(odd, with_what):
    place = odd / "pid"
    path = os.pathsep.join([str(odd), *sys.path])
    worker = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, str(place)],
        env=os.environ | {"PYTHONPATH": path},
    )
    wait_for(lambda: place.exists() and place.read_text().count(" "))
    pid, folder = place.read_text().split()
    worker.send_signal(with_what)
    worker.wait()
    wait_for(lambda: not psutil.pid_exists(int(pid)))
    wait_for(lambda: not Path(folder).exists())


@pytest.mark.parametrize(
    ("engine", "settings", "what"),
    [
        ("ase:", {}, "does not name a module and a class"),
        ("ase:EMT", {}, "does not name a module and a class"),
        ("ase:nowhere.at.All", {}, "No module named 'nowhere'"),
        ("ase:ase.calculators.emt.ETM", {}, "no attribute 'ETM'"),
        ("ase:odd_calculators.Nothing", {}, "no 'implemented_properties'"),
        (EMT_ENGINE, {"calculator": "x"}, "does not name"),
    ],
)
def test_what_is_no_calculator_is_refused_before_jobs_run(odd, engine, settings, what):
    with pytest.raises(BadInputError, match=what):
        try_inside(make_engine(engine, settings))


def test_a_process_that_cannot_start_says_why_before_jobs_run(odd):
    with pytest.raises(BadInputError, match="no 'implemented_properties'"):
        make_engine("ase:odd_calculators.Nothing", {}).try_out()


def test_the_version_is_that_of_the_package_or_of_the_file(odd):
    assert make_engine(EMT_ENGINE, {}).version.startswith("ase 3")
    before = engine_that("fine")
    assert "odd_calculators with the hash" in before.version
    (odd / "odd_calculators.py").write_text(ODD + "\n")
    assert engine_that("fine").identity != before.identity


def test_a_job_does_not_wait_for_a_search_of_all_packages(monkeypatch):
    make_engine(EMT_ENGINE, {})
    looked = []
    monkeypatch.setattr("importlib.metadata.packages_distributions", looked.append)
    assert make_engine(EMT_ENGINE, {}).version.startswith("ase 3")
    assert not looked


def test_settings_are_part_of_the_identity(odd):
    assert engine_that("fine").identity != engine_that("raise").identity


def test_files_among_settings_are_part_of_the_identity(tmp_path):
    file = tmp_path / "parameters"
    file.write_text("one")

    def engine(**settings):
        return make_engine(EMT_ENGINE, settings)

    before = engine(place=str(file), deep={"list": [str(file)]})
    assert list(before.settings[outside.HASHES]) == [str(file)]
    assert outside.HASHES not in before._document  # the calculator is not told
    file.write_text("other")
    assert engine(place=str(file), deep={"list": [str(file)]}).identity != (
        before.identity
    )
    nowhere = engine(place=str(tmp_path), name="parameters", n=3)
    assert outside.HASHES not in nowhere.settings


def test_what_is_not_installed_is_said_with_its_extra():
    with pytest.raises(MissingExtraError, match=r"pip install 'atomgraft\[xtb\]'"):
        outside.version_of("a-package-that-nobody-has", "xtb")
