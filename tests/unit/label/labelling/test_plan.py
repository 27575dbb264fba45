"""Are jobs pinned to all that changes their numbers, and to nothing else?"""

import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.constraints import FixAtoms
from ase.io import write

from atomgraft.core.errors import BadInputError
from atomgraft.label.engines.base import (
    ENGINES,
    AbstractEngine,
    Electrons,
    Labelled,
    make_engine,
)
from atomgraft.label.labelling.plan import plan_labelling
from atomgraft.label.labelling.spec import parse_label_spec

MODEL = "model:pair:sw-si"

MOTION = {"temperatures": [300], "time": 0.1, "settle": 0.02, "atoms": 16}


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "si.extxyz", bulk("Si", cubic=True))
    return tmp_path


def planned(folder, engine=MODEL, structures=("si.extxyz",), **more):
    document = {
        "structures": [str(folder / one) for one in structures],
        "engine": engine,
        **more,
    }
    return plan_labelling(parse_label_spec(document, "this test"))


def identities(*given, **more):
    return [job.cell.identity for job in planned(*given, **more).jobs]


def test_every_temperature_and_seed_is_a_job(folder):
    plan = planned(folder, md=MOTION | {"temperatures": [300, 600], "seeds": [0, 1, 2]})
    assert len(plan.jobs) == 6
    assert len({job.cell.name for job in plan.jobs}) == 6
    [first, *_] = plan.jobs
    assert first.cell.name.startswith("si-300K-s0-")
    assert first.cell.payload["motion"]["repeats"] == (2, 1, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"temperatures": [301]},
        {"time": 0.2},
        {"settle": 0.04},
        {"timestep": 1.0},
        {"every": 50},
        {"seeds": [1]},
        {"atoms": 17},
        {"cell": "fixed"},
        {"thermostat": False},
        {"mobile": ["Si"]},
    ],
    ids=lambda one: next(iter(one)),
)
def test_what_changes_numbers_changes_the_hash(folder, change):
    assert identities(folder, md=MOTION) != identities(folder, md=MOTION | change)


def test_engine_and_structure_change_it_too(folder):
    write(folder / "moved.extxyz", bulk("Si", a=5.44, cubic=True))
    one = identities(folder)
    assert one != identities(folder, structures=("moved.extxyz",))
    assert one != identities(folder, settings={"dtype": "float32"})


@pytest.mark.parametrize("more", [{"wall_time": 5}, {"md": {"max_framework_msd": 3}}])
def test_what_changes_none_does_not(folder, more):
    md = {"md": MOTION | more.get("md", {})}
    assert identities(folder, md=MOTION) == identities(folder, **{**more, **md})


def test_a_structure_that_comes_twice_is_one_job(folder):
    write(folder / "again.extxyz", bulk("Si", cubic=True))
    plan = planned(folder, structures=("si.extxyz", "again.extxyz"))
    assert len(plan.jobs) == 1
    assert any("given twice" in one for one in plan.notices)


def test_what_an_engine_refuses_is_left_out_and_counted(folder):
    write(folder / "ge.extxyz", bulk("Ge"))
    plan = planned(folder, structures=("si.extxyz", "ge.extxyz"))
    assert len(plan.jobs) == 1
    [notice] = plan.notices
    assert "1 of 2 structures are left out: 1 because" in notice
    with pytest.raises(BadInputError, match="None of the 1 structures"):
        planned(folder, structures=("ge.extxyz",))


@pytest.mark.parametrize(
    ("engine", "more", "what"),
    [
        ("models:x", {}, "Did you mean 'model'"),
        ("model", {}, "without a model"),
        ("model:nowhere", {}, "names no potential"),
        (MODEL, {"settings": {"dtpye": "float32"}}, "did you mean 'dtype'"),
        (MODEL, {"md": MOTION | {"cell": "pressure"}}, "no --cell pressure"),
        (MODEL, {"md": MOTION | {"mobile": ["Xx"]}}, "'Xx' was given as a mobile"),
        (MODEL, {"md": MOTION | {"every": 1}}, "interval of at least one"),
        (MODEL, {"md": MOTION | {"temperatures": []}}, "temperatures"),
        (MODEL, {"md": MOTION | {"temperatures": [-5]}}, "greater than 0"),
        (MODEL, {"md": MOTION | {"seeds": [1, 1]}}, "given twice"),
        (MODEL, {"md": MOTION | {"times": 1}}, "did you mean 'time'"),
    ],
)
def test_what_cannot_be_used_is_refused(folder, engine, more, what):
    with pytest.raises(BadInputError, match=what):
        planned(folder, engine, **more)


class Still(AbstractEngine):
    """An engine of a plug-in that does not move atoms."""

    name, version, settings = "still", "1", {}

    def refusal(self, atoms):
        return None

    def label(self, atoms, wall_time=None):
        return Labelled(energy=0.0, forces=0 * atoms.positions)

    def move(self, atoms, motion, folder, tell):
        raise AssertionError


def test_a_plug_in_is_an_engine(folder, monkeypatch):
    monkeypatch.setitem(ENGINES._entries, "still", lambda request: Still())
    assert make_engine("still", {}).identity
    assert len(planned(folder, "still").jobs) == 1
    with pytest.raises(BadInputError, match="does not move atoms"):
        planned(folder, "still", md=MOTION)


class Charged(Still):
    name, electrons = "charged", Electrons(charge=1, multiplicity=2)


class Flexible(Still):
    name, electrons = "flexible", Electrons()


class Spinless(Still):
    name, electrons = "spinless", Electrons(has_spin=False)


@pytest.mark.parametrize(
    ("info", "engine", "why"),
    [
        ({"charge": 1}, "charged", None),
        ({"total_charge": 1.0, "spin": 2}, "charged", None),
        ({"charge": 0}, "charged", "the charge 0, and the settings 1"),
        ({"multiplicity": 1}, "charged", "the multiplicity 1, and the settings"),
        ({"charge": -1, "spin": 3}, "still", None),
        ({"charge": -1}, "flexible", "the charge -1, and the settings 0"),
        ({"spin": 3}, "flexible", None),
        ({"spin": "up"}, "flexible", None),
        ({"spin": 0}, "flexible", "the multiplicity 0; expected 2S"),
        ({"spin": 0.5}, "flexible", "the multiplicity 0.5; expected 2S"),
        ({"spin": float("nan")}, "flexible", "the multiplicity nan"),
        ({"charge": float("nan")}, "flexible", "the charge nan"),
        ({"spin": 0}, "still", None),
        ({"charge": 1}, "spinless", "the charge 1, and the settings 0"),
        ({"spin": 3}, "spinless", "the multiplicity 3, of which spinless is not told"),
        ({"spin": 1}, "spinless", None),
    ],
)
def test_structures_of_another_charge_or_spin_are_left_out(
    info, engine, why, tmp_path, monkeypatch
):
    for kind in (Still, Charged, Flexible, Spinless):
        monkeypatch.setitem(ENGINES._entries, kind.name, lambda _, kind=kind: kind())
    atoms = molecule("H2O")
    atoms.info |= info
    write(tmp_path / "a.extxyz", atoms)
    if why is None:
        assert len(planned(tmp_path, engine, ["a.extxyz"]).jobs) == 1
        return
    with pytest.raises(BadInputError, match=why):
        planned(tmp_path, engine, ["a.extxyz"])


def test_the_spin_of_a_structure_is_part_of_its_job(tmp_path, monkeypatch):
    monkeypatch.setitem(ENGINES._entries, "flexible", lambda _: Flexible())
    atoms = molecule("O2")
    found = []
    for info in ({}, {"spin": 3}, {"spin": 1}):
        atoms.info = info
        write(tmp_path / "a.extxyz", atoms)
        found += planned(tmp_path, "flexible", ["a.extxyz"]).jobs
    assert len({job.cell.identity for job in found}) == 3
    assert found[1].cell.payload["atoms"]["info"] == {"multiplicity": 3}
    monkeypatch.setitem(ENGINES._entries, "still", lambda _: Still())
    write(tmp_path / "a.extxyz", Atoms("O2", atoms.positions, info={"spin": 3}))
    [job] = planned(tmp_path, "still", ["a.extxyz"]).jobs
    assert "info" not in job.cell.payload["atoms"], "it knows no electrons"


class Magnetic(Still):
    name, takes_moments = "magnetic", True

    def assumptions(self, atoms):
        return ("Moments are those of the structure.",)


def test_moments_are_part_of_a_job_where_they_change_numbers(tmp_path, monkeypatch):
    for kind in (Still, Magnetic):
        monkeypatch.setitem(ENGINES._entries, kind.name, lambda _, kind=kind: kind())
    found = {"still": [], "magnetic": []}
    for moments in (None, [2.0, -2.0], [2.0, 2.0]):
        atoms = bulk("Fe", cubic=True)
        atoms.set_initial_magnetic_moments(moments)
        write(tmp_path / "a.traj", atoms)
        for name, jobs in found.items():
            plan = planned(tmp_path, name, ["a.traj"])
            jobs += plan.jobs
            assert ("Moments are those of the structure." in plan.notices) == (
                name == "magnetic"
            )
    assert len({job.cell.identity for job in found["still"]}) == 1
    assert len({job.cell.identity for job in found["magnetic"]}) == 3
    assert found["magnetic"][1].cell.payload["atoms"]["magmoms"] == [2.0, -2.0]


class Refusing(Still):
    name = "refusing"

    def try_out(self):
        raise BadInputError("No such method.", "Another.", "Correct it.")


def test_an_engine_is_tried_out_before_jobs_are_made(folder, monkeypatch):
    monkeypatch.setitem(ENGINES._entries, "refusing", lambda request: Refusing())
    with pytest.raises(BadInputError, match="No such method"):
        planned(folder, "refusing")


def test_a_file_that_holds_atoms_fixed_is_not_moved(folder):
    held = bulk("Si", cubic=True)
    held.set_constraint(FixAtoms([0, 1]))
    write(folder / "held.extxyz", held, columns=["symbols", "positions", "move_mask"])
    with pytest.raises(BadInputError, match="holds atoms fixed"):
        planned(folder, structures=("held.extxyz",), md=MOTION)
    assert len(planned(folder, structures=("held.extxyz",)).jobs) == 1
