"""Crystals as they are named: structures, calculations, frames; and who is asked."""

from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk
from ase.io import write

from atomgraft.core.errors import BadInputError
from atomgraft.data.sources import shipped_path
from atomgraft.models.loading import load_potential
from atomgraft.phonons.crystals import read_crystal
from atomgraft.phonons.setup import load_contestants, prepared
from atomgraft.phonons.spec import PhononSpec
from atomgraft.phonons.suite import crystals_for
from tests.vibrations import (
    BORN,
    harmonic_salt,
    harmonic_silicon,
    salt_law,
    save,
    silicon_law,
)


def spec(crystal="POSCAR", **changes):
    return PhononSpec(crystal=str(crystal), models=("pair:sw-si",), **changes)


@pytest.mark.parametrize("name", ["POSCAR", "a.cif", "silicon.vasp", "one.extxyz"])
def test_a_structure_is_a_crystal_without_reference(name, tmp_path):
    atoms = bulk("Si", a=5.431, cubic=True)
    write(tmp_path / name, atoms)
    found = read_crystal(str(tmp_path / name))
    assert found.name == name.partition(".")[0]
    assert found.reference is None
    assert found.atoms.pbc.all()
    np.testing.assert_allclose(found.atoms.cell.lengths(), 5.431, atol=1e-6)


def test_a_calculation_has_a_reference(tmp_path):
    path = save(harmonic_silicon().phonon, tmp_path / "silicon.yaml")
    found = read_crystal(str(path))
    assert found.name == "silicon"
    assert found.reference is not None
    assert len(found.atoms) == 2


def test_frames_are_a_calculation_and_one_frame_is_a_structure():
    assert read_crystal("shipped:si-phonons").reference is not None
    path = shipped_path("si-phonons")
    assert read_crystal(str(path)).reference is not None
    assert read_crystal(f"{path}@0").reference is None


def test_one_of_several_structures_is_chosen_and_not_guessed(tmp_path):
    path = tmp_path / "XDATCAR"
    write(path, [bulk("Si", a=5.4), bulk("Si", a=5.5)])
    with pytest.raises(BadInputError, match="holds 2 structures") as caught:
        read_crystal(str(path))
    assert "@0 is the first" in caught.value.remedy
    first, last = (read_crystal(f"{path}@{one}") for one in (0, -1))
    assert first.atoms.cell.volume < last.atoms.cell.volume
    with pytest.raises(BadInputError, match="no such frame"):
        read_crystal(f"{path}@7")


def test_forces_for_a_structure_are_refused(tmp_path):
    write(tmp_path / "POSCAR", bulk("Si"))
    with pytest.raises(BadInputError, match="has no displacements"):
        read_crystal(str(tmp_path / "POSCAR"), outputs=("FORCE_SETS",))


@pytest.mark.parametrize(
    ("given", "trained", "expected"),
    [
        (["POSCAR"], ["shipped:si-train"], ("POSCAR",)),
        ([], ["shipped:si-train@:10"], ("shipped:si-phonons",)),
        ([], ["shipped:ge-train", "shipped:ge-test"], ("shipped:ge-phonons",)),
        ([], ["a.extxyz", "phonopy.yaml.xz@:5"], ("phonopy.yaml.xz",)),
    ],
)
def test_crystals_follow_from_what_was_trained_on(given, trained, expected):
    assert crystals_for(given, trained) == expected


def test_without_a_crystal_one_is_asked_for():
    with pytest.raises(BadInputError, match=r"a\.extxyz.*contain no phonopy"):
        crystals_for([], ["a.extxyz"])


def test_the_first_model_is_the_base(tmp_path):
    other = tmp_path / "{}.safetensors"
    names = ["pair:sw-si", *(str(other).format(one) for one in "ab")]
    for name in names[1:]:
        load_potential("pair:sw-si").export(Path(name))

    def called(*models):
        asked = PhononSpec(crystal="POSCAR", models=models)
        return load_contestants(asked, torch.device("cpu"), trust={})

    assert list(called(*names[:1])) == ["base"]
    assert list(called(*names[:2])) == ["base", "adapted"]
    found = called(*names)
    assert list(found) == ["base", "model-2", "model-3"]
    assert {one.dtype for one in found.values()} == {torch.float64}


def test_a_reference_is_not_moved(tmp_path):
    path = save(harmonic_silicon().phonon, tmp_path / "silicon.yaml")
    crystal = read_crystal(str(path))
    found = prepared(spec(path), crystal, {"base": silicon_law()})
    assert found.crystal.reference is crystal.reference
    assert found.phonons["base"] is crystal.reference.phonon
    assert not found.relaxations
    with pytest.raises(BadInputError, match=r"defines its own\."):
        prepared(
            spec(path, supercell=((2, 0, 0), (0, 2, 0), (0, 0, 2))),
            crystal,
            {"base": silicon_law()},
        )


def test_relaxing_keeps_the_supercell_and_the_charges_and_drops_the_forces(tmp_path):
    path = save(harmonic_salt().phonon, tmp_path / "salt.yaml")
    (tmp_path / "BORN").write_text(BORN.format(1.1))
    crystal = read_crystal(str(path), born=str(tmp_path / "BORN"))
    found = prepared(spec(path, relax=True), crystal, {"base": salt_law()})
    assert found.crystal.reference is None
    assert found.has_lost_reference
    phonon = found.phonons["base"]
    known = crystal.reference.phonon
    np.testing.assert_array_equal(phonon.supercell_matrix, known.supercell_matrix)
    np.testing.assert_allclose(phonon.primitive_matrix, known.primitive_matrix)
    np.testing.assert_allclose(phonon.nac_params["born"], known.nac_params["born"])


def test_each_model_has_its_own_geometry(tmp_path):
    write(tmp_path / "POSCAR", bulk("NaCl", "rocksalt", a=5.6))
    crystal = read_crystal(str(tmp_path / "POSCAR"))
    told = []
    found = prepared(
        spec(supercell=((2, 0, 0), (0, 2, 0), (0, 0, 2))),
        crystal,
        {"base": salt_law(), "adapted": salt_law(1.3)},
        progress=lambda *what: told.append(what[1:]),
    )
    assert told == [(0, 2), (1, 2)]
    assert set(found.relaxations) == set(found.phonons) == {"base", "adapted"}
    assert not found.has_lost_reference
    bare = prepared(spec(relax=False, length=5.0), crystal, {"base": salt_law()})
    assert not bare.relaxations
    assert bare.phonons["base"].unitcell.volume == pytest.approx(5.6**3 / 4)


@pytest.mark.parametrize(
    "change",
    [
        {"mesh": (4, 4, 5)},
        {"threshold": 0.2},
        {"distance": 0.02},
        {"relax": False},
        {"born": "BORN"},
        {"dtype": "float32"},
    ],
    ids=str,
)
def test_the_identity_changes_with_the_numbers(change):
    assert spec(**change).identity() != spec().identity()
    assert spec(max_atoms=64).identity() == spec().identity()


def test_a_model_named_twice_is_told_in_a_few_words():
    with pytest.raises(ValueError, match="a model is given twice"):
        PhononSpec(crystal="a", models=("7net-0", "7net-0"))
