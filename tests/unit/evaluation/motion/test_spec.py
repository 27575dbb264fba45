"""Settings that do not fit each other, and what follows from those that do."""

import pytest
from ase import Atoms
from ase.build import bulk
from pydantic import ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.dynamics.mover import OWN_ENGINE
from atomgraft.evaluation.motion import trials
from atomgraft.evaluation.motion.setup import plan_of
from atomgraft.evaluation.motion.spec import MotionOptions
from atomgraft.evaluation.motion.trajectory import is_trajectory
from atomgraft.models.pair import PRESETS

SILICON = bulk("Si", cubic=True)

BAD = {
    "a short run": ({"time": 1.0, "window": 2.0}, "no whole window"),
    "a cold melt": ({"melt": 300.0}, "not above the highest temperature"),
    "no melt": ({"melt_time": 5.0}, "melt_time is given, and melt is not"),
    "few replicas": ({"replicas": 2}, "greater than or equal to 5"),
    "a long step": ({"timestep": 20.0}, "less than or equal to 10"),
    "unknown": ({"heat": 300.0}, "Extra inputs"),
}


@pytest.mark.parametrize("case", BAD)
def test_settings_that_do_not_fit_are_refused(case):
    values, said = BAD[case]
    with pytest.raises(ValidationError, match=said):
        MotionOptions.model_validate(values)


def test_g_ends_where_the_cell_holds_spheres():
    assert plan_of(MotionOptions(), SILICON).reach == pytest.approx(5.4, abs=0.05)
    assert plan_of(MotionOptions(atoms=500), SILICON).reach == 6.0
    assert plan_of(MotionOptions(r_max=4.0), SILICON).reach == 4.0
    with pytest.raises(BadInputError, match="holds spheres of 5"):
        plan_of(MotionOptions(r_max=6.0), SILICON)


def test_times_are_whole_intervals():
    plan = plan_of(MotionOptions(timestep=3.0, melt=2000.0), SILICON)
    assert plan.n_steps % (plan.look_every * plan.sample_every) == 0
    assert plan.n_samples * plan.sample_interval == pytest.approx(4000, rel=0.02)
    assert plan.n_window % 2 == 0
    assert plan.n_window * plan.interval == pytest.approx(2000, rel=0.01)


def test_hydrogen_takes_short_steps_and_sees_its_stretch():
    hydride = Atoms(
        "LiH", cell=[2.0, 2.0, 4.1], pbc=True, positions=[[0] * 3, [1, 1, 2]]
    )
    plan = plan_of(MotionOptions(supercell=(4, 4, 2)), hydride)
    assert plan.timestep == 0.5
    assert plan.frequencies[-1] == pytest.approx(125)


def test_long_runs_keep_as_many_configurations():
    plan = plan_of(MotionOptions(time=100.0), SILICON)
    assert plan.n_samples <= 250


def test_a_window_that_cannot_be_kept_is_refused():
    endless = MotionOptions(time=1e5, window=1e5, replicas=1000)
    with pytest.raises(BadInputError, match="Keeping a window of 100000 ps"):
        plan_of(endless, SILICON)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.extxyz.gz", True), ("XDATCAR", True), ("md.traj", True),
        ("pair:sw-si", False), ("model.pth", False), ("", False),
    ],
)  # fmt: skip
def test_trajectories_are_known_by_their_names(name, expected):
    assert is_trajectory(name) is expected


def test_all_steps_are_counted():
    options = MotionOptions(melt=3000.0, temperatures=(300.0, 900.0))
    plan = plan_of(options, SILICON)
    steps = plan.steps_of_runs()
    assert len(steps) == 5 + 5 * 4
    assert sum(steps) == 5 * (plan.n_melt + 4 * (plan.n_settle + plan.n_steps))


def test_the_engine_that_was_named_makes_the_steps(monkeypatch):
    """Without it: it is named, and its steps are those of our own."""
    named = []

    def engine_named(name):
        named.append(name)
        return OWN_ENGINE

    monkeypatch.setattr(trials, "engine_named", engine_named)
    options = MotionOptions(
        time=0.1, window=0.05, settle=0.02, supercell=(1,), engine="torch-sim"
    )
    plan = plan_of(options, SILICON)
    [found] = trials.run_trial(PRESETS["pair:sw-si"](), plan, seed=0)
    assert found.seeds == (0, 1, 2, 3, 4)
    assert named == ["torch-sim"] * 2, "settling and measuring"
