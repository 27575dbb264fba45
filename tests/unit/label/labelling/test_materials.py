"""Are structures read, named and repeated, and broken ones left out?"""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from ase.spacegroup import crystal

from atomgraft.core.errors import BadInputError
from atomgraft.label.labelling.materials import read_materials, repeats_for
from tests.mixed_salts import rock_salt_cif


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "crystals"
    place.mkdir()
    write(place / "MgO.cif", bulk("MgO", "rocksalt", a=4.2, cubic=True))
    write(place / "POSCAR", bulk("CaO", "rocksalt", a=4.8))
    (place / "mixed.cif").write_text(rock_salt_cif())
    (place / "notes.txt").write_text("nothing to see")
    (place / ".hidden").write_text("x")
    return place


def test_a_folder_is_read_and_what_is_broken_is_counted(folder):
    found = {one.name: one for one in read_materials([str(folder)])}
    assert set(found) == {"MgO", "POSCAR", "mixed", "notes"}
    assert found["MgO"].reason is None
    assert len(found["MgO"].atoms) == 8
    assert found["mixed"].reason == "it has partial occupancies"
    assert "cannot be read as a structure" in found["notes"].reason


def test_examples_of_partial_occupancies_are_drawn(folder):
    pytest.importorskip("gemmi", reason="needs the extra transport")
    found = {one.name: one for one in read_materials([str(folder)], 2)}
    assert set(found) == {"MgO", "POSCAR", "mixed", "notes"}
    assert found["mixed"].reason is None
    assert found["mixed"].atoms.symbols.formula.format("hill") == "LiMgO2"
    assert found["MgO"].reason is None


def test_a_disordered_crystal_without_examples_says_why(tmp_path):
    pytest.importorskip("gemmi", reason="needs the extra transport")
    (tmp_path / "odd.cif").write_text(rock_salt_cif(a=1.0))
    [found] = read_materials([str(tmp_path)], 1)
    assert "per atom" in found.reason


def test_a_file_that_was_named_must_be_readable(folder):
    with pytest.raises(BadInputError, match="cannot be read"):
        read_materials([str(folder / "notes.txt")])
    with pytest.raises(BadInputError):
        read_materials([str(folder / "absent.cif")])
    (folder.parent / "empty").mkdir()
    with pytest.raises(BadInputError, match="holds no structures"):
        read_materials([str(folder.parent / "empty")])


def test_frames_get_numbers_and_names_are_unique(tmp_path):
    frames = [bulk("Si"), bulk("Si", a=5.5)]
    (tmp_path / "a").mkdir()
    write(tmp_path / "si.extxyz", frames)
    write(tmp_path / "a" / "Si.extxyz", bulk("Si"))
    found = read_materials([str(tmp_path / "si.extxyz"), str(tmp_path / "a")])
    assert [one.name for one in found] == ["si-0", "si-1", "Si"]
    one = str(tmp_path / "si.extxyz@1")
    assert [item.name for item in read_materials([one, one])] == ["si-1", "si-2"]


def test_atoms_on_one_site_are_left_out(tmp_path):
    write(tmp_path / "x.extxyz", Atoms("LiO", cell=[4, 4, 4], pbc=True))
    [found] = read_materials([str(tmp_path)])
    assert "apart" in found.reason


@pytest.mark.parametrize("n_atoms", [1, 50, 400])
def test_supercells_are_large_and_compact(n_atoms):
    flat = crystal("Si", [(0, 0, 0)], cellpar=[4, 5, 30, 90, 90, 90])
    repeats = repeats_for(flat, n_atoms)
    assert np.prod(repeats) * len(flat) >= n_atoms
    lengths = flat.cell.lengths() * repeats
    assert repeats == (1, 1, 1) or lengths.max() / lengths.min() < 7.5
    if n_atoms == 400:
        assert lengths.max() / lengths.min() < 1.6


def test_open_directions_are_not_repeated():
    slab = Atoms("Si", cell=[3, 3, 3], pbc=[True, True, False])
    assert repeats_for(slab, 16) == (4, 4, 1)
    assert repeats_for(Atoms("Si"), 16) == (1, 1, 1)
