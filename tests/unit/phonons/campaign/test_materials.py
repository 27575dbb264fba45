"""Which files of a folder are materials, and what is told of each."""

import lzma

import pytest
from ase.build import bulk
from ase.io import write

from atomgraft.phonons.campaign.materials import family_of, listed, read_materials
from tests.phonon_folders import CRYSTALS, make_folder

EVERYTHING = frozenset(range(1, 100))


def read(folder):
    found, _ = read_materials(folder, symprec=1e-5, known=EVERYTHING)
    return {one.name: one for one in found}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = make_folder(tmp_path_factory.mktemp("materials"), ["rocksalt"])
    text = (place / "rocksalt.yaml").read_bytes()
    (place / "packed.yaml.xz").write_bytes(lzma.compress(text))
    (place / "kept").mkdir()
    (place / "kept" / "phonopy_params.yaml").write_bytes(text)
    write(place / "POSCAR-ge", bulk("Ge"), format="vasp")
    (place / "README.md").write_text("words")
    (place / "figures").mkdir()
    return place


def test_calculations_structures_and_folders_are_materials(folder):
    found = read(folder)
    assert sorted(found) == ["POSCAR-ge", "kept", "packed", "rocksalt"]
    assert {name: one.card.n_supercells for name, one in found.items()} == {
        "POSCAR-ge": 0,
        "kept": 2,
        "packed": 2,
        "rocksalt": 2,
    }


def test_the_card_says_what_it_is(folder):
    card = read(folder)["rocksalt"].card
    assert card.formula in {"ClNa", "NaCl"}
    assert card.space_group == "Fm-3m (225)"
    assert card.elements == ("Cl", "Na")
    assert card.file == "rocksalt.yaml"
    assert card.has_reference
    assert card.n_atoms_supercell == len(CRYSTALS["rocksalt"][0])


def test_labels_are_read_from_the_file_itself_where_that_can_be(folder):
    found = read(folder)
    assert found["rocksalt"].has_own_labels
    assert found["packed"].has_own_labels
    assert not found["kept"].has_own_labels
    assert not found["POSCAR-ge"].has_own_labels


def test_the_content_does_not_depend_on_the_file(folder):
    found = read(folder)
    assert found["packed"].card.content == found["rocksalt"].card.content
    assert found["POSCAR-ge"].card.content != found["rocksalt"].card.content


def test_what_is_no_material_is_named(folder):
    _, [notice] = read_materials(folder, symprec=1e-5, known=EVERYTHING)
    assert "README.md" in notice
    assert "figures" in notice


@pytest.mark.parametrize(
    ("atoms", "family"),
    [
        (bulk("MgO", "rocksalt", a=4.2), "AB Fm-3m (225) O"),
        (bulk("CaO", "rocksalt", a=4.8), "AB Fm-3m (225) O"),
        (bulk("MgS", "rocksalt", a=5.2), "AB Fm-3m (225) S"),
        (bulk("NaCl", "rocksalt", a=5.6), "AB Fm-3m (225) Cl"),
        (bulk("Si"), "A Fm-3m (225)"),
    ],
    ids=lambda one: str(getattr(one, "symbols", one)),
)
def test_a_family_is_prototype_and_anion(atoms, family):
    assert family_of(atoms, "Fm-3m (225)") == family


def test_many_names_are_counted():
    assert listed([str(i) for i in range(8)]) == "0, 1, 2, 3, 4 and 3 more"
