"""A tree on disk: gone on with, kept from other questions, held by one process."""

import dataclasses
import shutil
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import held
from atomgraft.core.storage import locked
from atomgraft.lattice.supercells import prepare
from atomgraft.models.pair import lennard_jones
from atomgraft.stabilise.engine import MEMORY, RememberingEngine
from atomgraft.stabilise.record import STABILISE
from atomgraft.stabilise.spec import StabiliseSpec
from atomgraft.stabilise.work import stabilise

ARGON = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=6.0)

TREE = Path("tree")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a model, a crystal, and its tree, which was made once."""
    folder = tmp_path_factory.mktemp("finished")
    ARGON.export(folder / "argon.safetensors")
    ase.io.write(folder / "fcc.vasp", bulk("Ar", "fcc", a=5.3))
    told = []
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        stabilise(spec_of(), TREE, device="cpu", progress=lambda *a: told.append(a))
    assert told[0] == ("relaxing the first crystal", 0, 0)
    assert told[-1][0] == "done"
    return folder


@pytest.fixture(autouse=True)
def workplace(finished, tmp_path, monkeypatch):
    """A copy of it, to work in."""
    shutil.copytree(finished, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")


def spec_of(**changes):
    given = {
        "crystal": "fcc.vasp",
        "model": "argon.safetensors",
        "supercell": [[2, 0, 0], [0, 2, 0], [0, 0, 2]],
    }
    return StabiliseSpec(**given | changes)


def test_a_stable_crystal_is_a_tree_of_one():
    result = STABILISE.read(TREE)
    assert result.finished
    assert [one.space_group for one in result.crystals] == ["Fm-3m"]
    assert result.settings.supercell[0] == (2.0, 0.0, 0.0)
    assert result.steps == ()


def test_a_folder_in_use_is_refused_and_left_alone():
    folder = Path("new")
    folder.mkdir()
    with (
        locked(folder),
        pytest.raises(BadInputError, match="in use by another atomgraft"),
    ):
        stabilise(spec_of(), folder, device="cpu")
    assert not (folder / STABILISE.file).exists()
    assert not (folder / MEMORY).exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"depth": 1},
        {"threshold": 0.3},
        {"fmax": 1e-3},
        {"distance": 0.02},
        {"dtype": "float32"},
        {"supercell": [[3, 0, 0], [0, 3, 0], [0, 0, 3]]},
    ],
)
def test_another_question_is_refused_and_the_tree_stays(changes):
    before = (TREE / STABILISE.file).read_bytes()
    with pytest.raises(BadInputError, match="another crystal, model or setting"):
        stabilise(spec_of(**changes), TREE, device="cpu")
    assert (TREE / STABILISE.file).read_bytes() == before


def test_how_many_atoms_share_a_call_is_no_other_question():
    same = stabilise(spec_of(max_atoms=99), TREE, device="cpu")
    assert same == STABILISE.read(TREE)


@pytest.mark.parametrize("what", ["crystal", "model"])
def test_another_file_of_the_same_name_is_another_question(what):
    if what == "crystal":
        ase.io.write("fcc.vasp", bulk("Ar", "fcc", a=5.4))
    else:
        softer = lennard_jones(["Ar"], epsilon=[0.0102], sigma=[3.4], cutoff=6.0)
        softer.export(Path("argon.safetensors"))
    with pytest.raises(BadInputError, match="another crystal, model or setting"):
        stabilise(spec_of(), TREE, device="cpu")


def test_a_tree_that_was_not_finished_keeps_its_sessions(monkeypatch):
    first = STABILISE.read(TREE)
    with held(TREE, "stabilise"):
        STABILISE.write(TREE, first.model_copy(update={"finished": False}))

    def forbidden(*_, **__):
        raise AssertionError("computed again")

    for name in ("_energies", "_forces"):
        monkeypatch.setattr(RememberingEngine, name, forbidden)
    again = stabilise(spec_of(), TREE, device="cpu")
    assert again.finished
    assert again.crystals == first.crystals
    assert len(again.provenance) == 2
    assert again.provenance[0] == first.provenance[0]


def test_what_the_model_does_not_know_is_refused_before_anything_is_written():
    ase.io.write("si.vasp", bulk("Si"))
    with pytest.raises(BadInputError, match="Si"):
        stabilise(spec_of(crystal="si.vasp"), Path("new"), device="cpu")
    assert not Path("new").exists()


def test_a_crystal_without_a_supercell_follows_the_length():
    asked = {"supercell": None, "length": 5.0, "depth": 0}
    result = stabilise(spec_of(**asked), Path("new"), device="cpu")
    rows = np.array(result.settings.supercell)
    assert np.array_equal(rows, np.diag(rows.diagonal()))
    assert set(rows.diagonal() % 2) == {0}  # the boundary of the zone is in
    assert result.settings.length == 5.0


@pytest.fixture
def engine(tmp_path):
    return RememberingEngine(
        potential=ARGON.clone(dtype=torch.float64),
        folder=tmp_path,
        identity="argon",
        fmax=1e-4,
        max_steps=500,
    )


def n_remembered(folder):
    return len(list((folder / MEMORY).glob("*.json")))


def test_an_answer_is_given_twice_and_computed_once(engine, tmp_path):
    structures = [bulk("Ar", "fcc", a=a) for a in (5.2, 5.3, 5.4)]
    first = engine.energies(structures)
    assert n_remembered(tmp_path) == 1
    assert engine.energies(structures) == first
    assert n_remembered(tmp_path) == 1
    assert engine.energies(structures[::-1]) == pytest.approx(first[::-1])
    assert n_remembered(tmp_path) == 2


def test_energies_are_per_atom_whatever_shares_a_call(engine):
    """A supercell has the energy per atom of its cell; alone or with others."""
    small, large = bulk("Ar", "fcc", a=5.3), bulk("Ar", "fcc", a=5.3, cubic=True)
    both = engine.energies([small, large])
    assert both[0] == pytest.approx(both[1], abs=1e-10)
    assert engine.energies([large])[0] == pytest.approx(both[1], abs=1e-10)


def test_a_relaxed_crystal_comes_back_from_disk_to_the_last_digit(engine):
    start = bulk("Ar", "fcc", a=5.27)
    first = engine.relax(start, keep_symmetry=True)
    again = engine.relax(start, keep_symmetry=True)
    assert np.array_equal(first.atoms.positions, again.atoms.positions)
    assert np.array_equal(first.atoms.cell.array, again.atoms.cell.array)
    assert (first.energy, first.groups) == (again.energy, again.groups)
    assert (first.n_steps, first.is_converged) == (again.n_steps, True)


@pytest.mark.parametrize(
    "changes", [{"identity": "other"}, {"fmax": 1e-2}, {"max_steps": 3}]
)
def test_other_settings_remember_nothing_of_it(engine, tmp_path, changes):
    engine.energies([bulk("Ar", "fcc", a=5.3)])
    dataclasses.replace(engine, **changes).energies([bulk("Ar", "fcc", a=5.3)])
    assert n_remembered(tmp_path) == 2


def test_vibrations_come_back_as_they_were(engine):
    phonons = [
        prepare(bulk("Ar", "fcc", a=5.3), supercell=np.diag([2, 2, 2])) for _ in "ab"
    ]
    first, again = (
        np.asarray(engine.vibrate(one).phonon.force_constants) for one in phonons
    )
    assert np.array_equal(first, again)
