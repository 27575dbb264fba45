"""Does a potential of ours label and move as elsewhere, and go on where killed?"""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from atomgraft.dynamics.trajectories import read_trajectory
from atomgraft.label.engines.base import EngineFailureError, Motion, make_engine
from atomgraft.models.loading import load_potential
from atomgraft.models.prediction import predict_structures

MODEL = "model:pair:sw-si"


def silicon():
    atoms = bulk("Si", a=5.5)
    atoms.rattle(0.05, seed=1)
    return atoms


def motion(**more):
    given = {
        "temperature": 600.0,
        "seed": 3,
        "timestep": 2.0,
        "n_steps": 60,
        "frame_every": 6,
        "n_settle": 30,
        "repeats": (2, 2, 2),
    }
    return Motion(**given | more)


def silent(*_):
    """Listen to nothing."""


class KilledError(Exception):
    """What stands for a killed process here."""


def killed_at(stage, step):
    def tell(now, done, _):
        if (now, done) == (stage, step):
            raise KilledError

    return tell


@pytest.fixture(scope="module")
def engine():
    return make_engine(MODEL, {})


@pytest.fixture(scope="module")
def whole(engine, tmp_path_factory):
    """Return a run that nothing has disturbed, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    return engine.move(silicon(), motion(), folder, silent), folder


def test_labels_are_those_of_the_potential(engine):
    atoms = silicon()
    found = engine.label(atoms)
    [expected] = predict_structures(load_potential("pair:sw-si"), [atoms])
    assert found.energy == expected.energy
    assert np.array_equal(found.forces, expected.forces)
    assert np.array_equal(found.stress, expected.stress)


def test_molecules_have_no_stress(engine):
    molecule = Atoms("Si2", positions=[[0, 0, 0], [0, 0, 2.3]])
    assert engine.label(molecule).stress is None


def test_other_elements_are_refused(engine):
    assert engine.refusal(bulk("Ge")) == f"{MODEL} does not know Ge"


def test_labels_that_are_no_numbers_are_a_failure(engine):
    atoms = Atoms("Si2", positions=[[0, 0, 0], [0, 0, 0]], cell=[5] * 3, pbc=True)
    with pytest.raises(EngineFailureError, match="not finite"):
        engine.label(atoms)


def test_a_run_has_frames_and_its_temperature(engine, tmp_path):
    moved = engine.move(silicon(), motion(n_steps=300), tmp_path, silent)
    frames = read_trajectory(tmp_path / moved.file)
    assert len(frames) == len(moved.positions) == 51
    assert frames[1].info["time"] == 12.0
    assert len(moved.atoms) == 16
    assert moved.temperature == pytest.approx(600, rel=0.35)  # 16 atoms


def test_the_cell_is_relaxed_where_asked(engine, tmp_path):
    relaxed = engine.move(silicon(), motion(n_steps=6), tmp_path / "a", silent)
    fixed = engine.move(
        silicon(), motion(n_steps=6, cell="fixed"), tmp_path / "b", silent
    )
    assert relaxed.atoms.get_volume() / 16 == pytest.approx(5.431**3 / 8, rel=1e-3)
    assert fixed.atoms.get_volume() / 16 == pytest.approx(5.5**3 / 8)


@pytest.mark.parametrize(("stage", "step"), [("settle", 18), ("trajectory", 42)])
def test_a_killed_run_goes_on_to_the_same_bits(engine, whole, tmp_path, stage, step):
    expected, folder = whole
    with pytest.raises(KilledError):
        engine.move(silicon(), motion(), tmp_path / "cut", killed_at(stage, step))
    again = engine.move(silicon(), motion(), tmp_path / "cut", silent)
    assert np.array_equal(again.positions, expected.positions)
    assert again.temperature == expected.temperature
    found = (tmp_path / "cut" / again.file).read_bytes()
    assert found == (folder / expected.file).read_bytes()


def test_another_run_in_the_folder_is_not_gone_on_with(engine, whole, tmp_path):
    """Negative control of the one above."""
    other = killed_at("trajectory", 42)
    with pytest.raises(KilledError):
        engine.move(silicon(), motion(seed=4), tmp_path, other)
    again = engine.move(silicon(), motion(), tmp_path, silent)
    assert np.array_equal(again.positions, whole[0].positions)


def test_wall_time_ends_a_run(engine, tmp_path):
    with pytest.raises(EngineFailureError, match="wall time"):
        engine.move(silicon(), motion(wall_time=1e-9), tmp_path, silent)


def test_a_run_that_blows_up_is_a_failure(engine, tmp_path):
    hot = motion(temperature=1e7, timestep=20.0, cell="fixed")
    with pytest.raises(EngineFailureError, match="blew up"):
        engine.move(silicon(), hot, tmp_path, silent)


def test_without_a_thermostat_energy_is_conserved(engine, tmp_path):
    free = motion(has_thermostat=False, timestep=1.0, n_steps=200, frame_every=10)
    moved = engine.move(silicon(), free, tmp_path, silent)
    frames = read_trajectory(tmp_path / moved.file)
    totals = [one.info["potential_energy"] + one.get_kinetic_energy() for one in frames]
    assert np.ptp(totals) / 16 < 1e-3
    kinetic = [one.get_kinetic_energy() for one in frames]
    assert np.ptp(kinetic) / 16 > 1e-3  # negative control: it is not at rest
