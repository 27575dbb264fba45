"""Calculations of phonopy: what it wrote comes back, what does not fit does not."""

import lzma
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.io import read, write

from atomgraft.core.errors import BadInputError
from atomgraft.data.force_sets import (
    is_phonopy_calculation,
    read_force_sets,
)
from atomgraft.data.labels import forces_of
from atomgraft.data.phonopy_files import COULOMB
from atomgraft.data.readers import read_structures
from atomgraft.lattice.harmonic import with_forces
from atomgraft.lattice.supercells import all_displacements
from tests.vibrations import (
    displaced_salt,
    displaced_silicon,
    harmonic_salt,
    harmonic_silicon,
    outputs_of,
    save,
    shaken_silicon,
    write_force_sets,
)

TEXT = 1e-6
"""eV/Å; FORCE_SETS has ten decimals or fewer."""

KINDS = {
    "one atom": harmonic_salt,
    "all atoms": lambda: harmonic_silicon("all atoms"),
}


@pytest.fixture(params=KINDS)
def harmonic(request):
    return KINDS[request.param]()


@pytest.fixture
def whole(harmonic, tmp_path):
    return save(harmonic.phonon, tmp_path / "phonopy_params.yaml")


@pytest.fixture
def displaced(harmonic, tmp_path):
    return save(harmonic.phonon, tmp_path / "phonopy_disp.yaml", has_forces=False)


def edited(path, change):
    document = yaml.safe_load(path.read_text())
    change(document)
    path.write_text(yaml.safe_dump(document))
    return path


def one_paragraph(error):
    text = str(error.value)
    return "\n" not in text and len(text) < 800


def test_what_phonopy_wrote_comes_back(harmonic, whole):
    found = read_force_sets(whole)
    phonon = harmonic.phonon
    np.testing.assert_allclose(found.forces, harmonic.forces, atol=TEXT)
    np.testing.assert_allclose(
        found.displacements, all_displacements(phonon), atol=1e-12
    )
    np.testing.assert_array_equal(found.supercell_matrix, phonon.supercell_matrix)
    np.testing.assert_allclose(found.primitive_matrix, phonon.primitive_matrix)
    assert len(found.ideal) == len(phonon.supercell)
    assert found.is_single == ("first_atoms" in phonon.dataset)
    assert found.name == "phonopy_params"
    assert found.born is None


def test_structures_for_training_are_the_same_supercells(whole):
    sets, frames = read_force_sets(whole), read_structures([whole])
    for atoms, vectors, forces in zip(
        frames, sets.displacements, sets.forces, strict=True
    ):
        np.testing.assert_allclose(atoms.positions, sets.ideal.positions + vectors)
        np.testing.assert_allclose(forces_of(atoms), forces)


def test_a_folder_is_searched(whole):
    assert read_force_sets(whole.parent).content == read_force_sets(whole).content
    packed = whole.with_name("phonopy_params.yaml.xz")
    packed.write_bytes(lzma.compress(whole.read_bytes()))
    whole.unlink()
    found = read_force_sets(packed.parent)
    assert found.name == "phonopy_params"


def test_a_folder_without_a_calculation_is_told(tmp_path):
    with pytest.raises(BadInputError, match=r"holds none of phonopy_params\.yaml"):
        read_force_sets(tmp_path)


def test_a_slice_takes_the_first(tmp_path):
    path = save(harmonic_silicon("all atoms").phonon, tmp_path / "a.yaml")
    whole, part = read_force_sets(path), read_force_sets(f"{path}@:2")
    np.testing.assert_array_equal(part.forces, whole.forces[:2])
    np.testing.assert_array_equal(part.displacements, whole.displacements[:2])
    assert part.content != whole.content


def test_a_slice_of_nothing_is_told(whole):
    with pytest.raises(BadInputError, match=r"no supercell"):
        read_force_sets(f"{whole}@9:9")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("phonopy.yaml", True),
        ("phonopy_params.yaml.xz", True),
        ("phonopy.yml.gz", True),
        ("phonopy.yaml@:3", True),
        ("phono3py.yaml#phonon_dataset", True),
        ("phono3py.yaml#phonon_dataset@:3", True),
        ("POSCAR", False),
        ("a@b/POSCAR", False),
        ("train.extxyz@:3", False),
        ("shipped:si-phonons", False),
    ],
)
def test_a_calculation_is_told_from_a_structure(name, expected):
    assert is_phonopy_calculation(name) is expected


def test_a_folder_that_holds_one_is_a_calculation(whole):
    assert is_phonopy_calculation(whole.parent)
    whole.unlink()
    assert not is_phonopy_calculation(whole.parent)


def test_force_sets_beside_the_displacements(harmonic, displaced):
    write_force_sets(harmonic.phonon.dataset, filename=displaced.parent / "FORCE_SETS")
    for path in (displaced, displaced.parent):
        found = read_force_sets(path)
        np.testing.assert_allclose(found.forces, harmonic.forces, atol=TEXT)
    elsewhere = shutil.move(displaced.parent / "FORCE_SETS", displaced.parent / "mine")
    renamed = Path(elsewhere).rename(displaced.parent / "FORCE_SETS_of_DFT")
    given = read_force_sets(displaced, outputs=[renamed])
    np.testing.assert_allclose(given.forces, harmonic.forces, atol=TEXT)


def other_displacements(harmonic):
    """Return the same crystal with displacements of another length."""
    phonon = harmonic.phonon.replicate()
    if "first_atoms" in harmonic.phonon.dataset:
        phonon.generate_displacements(distance=0.03)
    else:
        phonon.generate_displacements(
            number_of_snapshots=4, distance=0.01, random_seed=7
        )
    return with_forces(phonon, harmonic.forces)


def test_force_sets_of_other_displacements_are_refused(harmonic, displaced):
    other = other_displacements(harmonic)
    write_force_sets(other.phonon.dataset, filename=displaced.parent / "FORCE_SETS")
    with pytest.raises(BadInputError, match="other displacements") as caught:
        read_force_sets(displaced)
    assert one_paragraph(caught)


def test_force_sets_of_fewer_displacements_are_refused(tmp_path):
    displaced = save(displaced_salt(), tmp_path / "phonopy_disp.yaml", has_forces=False)
    dataset = harmonic_salt().phonon.dataset
    fewer = dataset | {"first_atoms": dataset["first_atoms"][:1]}
    write_force_sets(fewer, filename=tmp_path / "FORCE_SETS")
    with pytest.raises(BadInputError, match="other displacements"):
        read_force_sets(displaced)


def test_force_sets_of_another_supercell_are_refused(tmp_path):
    displaced = save(
        displaced_silicon(), tmp_path / "phonopy_disp.yaml", has_forces=False
    )
    write_force_sets(
        harmonic_silicon(n=3).phonon.dataset, filename=tmp_path / "FORCE_SETS"
    )
    with pytest.raises(BadInputError, match="does not fit a supercell of 16") as caught:
        read_force_sets(displaced)
    assert one_paragraph(caught)


def test_rubbish_for_force_sets_is_told(displaced):
    (displaced.parent / "FORCE_SETS").write_text("forces\nof\nold")
    with pytest.raises(BadInputError, match="FORCE_SETS does not fit"):
        read_force_sets(displaced)


def test_displacements_alone_have_no_forces(displaced):
    with pytest.raises(BadInputError, match="has no forces"):
        read_force_sets(displaced)


def test_outputs_of_the_calculations(harmonic, displaced, tmp_path):
    files = outputs_of(harmonic, tmp_path)
    found = read_force_sets(displaced, outputs=files)
    np.testing.assert_allclose(found.forces, harmonic.forces, atol=1e-7)
    assert found.energies is not None
    np.testing.assert_allclose(found.energies, -np.arange(len(files)), atol=1e-9)


def changed_output(file, change):
    atoms = read(file)
    forces = atoms.get_forces()
    change(atoms)
    if atoms.calc is not None:
        atoms.calc.results = {"forces": forces[: len(atoms)]}
        atoms.calc.atoms = atoms.copy()
    write(file, atoms)


def strain(atoms):
    atoms.set_cell(atoms.cell * 1.01, scale_atoms=True)


def lose_an_atom(atoms):
    del atoms[-1]


def lose_forces(atoms):
    atoms.calc = None


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (strain, "has another cell"),
        (lose_an_atom, "is of "),
        (lose_forces, "has no forces"),
        (lambda atoms: atoms.rattle(0.05, seed=0), "away from where it was displaced"),
    ],
    ids=["cell", "atoms", "forces", "places"],
)
def test_an_output_of_something_else_is_refused(
    change, match, harmonic, displaced, tmp_path
):
    files = outputs_of(harmonic, tmp_path)
    changed_output(files[-1], change)
    with pytest.raises(BadInputError, match=match) as caught:
        read_force_sets(displaced, outputs=files)
    assert files[-1].name in str(caught.value)
    assert one_paragraph(caught)


def test_outputs_in_another_order_are_refused(harmonic, displaced, tmp_path):
    files = outputs_of(harmonic, tmp_path)
    with pytest.raises(BadInputError, match="away from where it was displaced"):
        read_force_sets(displaced, outputs=files[::-1])


def test_too_few_outputs_are_refused(harmonic, displaced, tmp_path):
    files = outputs_of(harmonic, tmp_path)
    n = len(files)
    with pytest.raises(BadInputError, match=f"{n - 1} outputs were given for {n} "):
        read_force_sets(displaced, outputs=files[1:])


def test_two_sets_of_forces_are_one_too_many(harmonic, whole, tmp_path):
    files = outputs_of(harmonic, tmp_path)
    with pytest.raises(BadInputError, match="holds forces, and others were given"):
        read_force_sets(whole, outputs=files)


def test_a_supercell_of_another_matrix_is_refused(whole):
    def change(document):
        document["supercell_matrix"] = [[1, 0, 0], [0, 2, 0], [0, 0, 2]]

    with pytest.raises(BadInputError, match="unit cell and matrix make one of"):
        read_force_sets(edited(whole, change))


def test_a_supercell_of_another_shape_is_refused(whole):
    def change(document):
        document["unit_cell"]["lattice"][0][0] += 0.1

    with pytest.raises(BadInputError, match="of another shape"):
        read_force_sets(edited(whole, change))


@pytest.mark.parametrize("value", [None, "cubic", [[1, 2], [3, 4]]])
def test_a_matrix_that_is_none_is_refused(value, whole):
    def change(document):
        document["supercell_matrix"] = value

    with pytest.raises(BadInputError, match="supercell_matrix"):
        read_force_sets(edited(whole, change))


def put_charges(n_atoms, **more):
    def change(document):
        charges = (np.eye(3) * 1.1).tolist()
        document["nac"] = {
            "born_effective_charge": [charges] * n_atoms,
            "dielectric_constant": (np.eye(3) * 2.4).tolist(),
            **more,
        }

    return change


def test_born_charges_come_back(whole):
    born = read_force_sets(edited(whole, put_charges(2))).born
    assert born is not None
    assert born.charges.shape == (2, 3, 3)
    assert born.factor == pytest.approx(COULOMB)
    assert pytest.approx(14.39965, rel=1e-5) == COULOMB
    given = read_force_sets(edited(whole, put_charges(2, unit_conversion_factor=14.4)))
    assert given.born is not None
    assert given.born.factor == 14.4


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (put_charges(3), "Born charges for 3 atoms and a primitive cell of 2"),
        (
            put_charges(2, dielectric_constant="high"),
            "Born charges that are no numbers",
        ),
        (put_charges(2, dielectric_constant=[1, 2]), "Born charges"),
    ],
)
def test_charges_of_another_cell_are_refused(change, match, whole):
    with pytest.raises(BadInputError, match=match):
        read_force_sets(edited(whole, change))


def test_the_content_tells_calculations_apart(tmp_path):
    path = save(harmonic_salt().phonon, tmp_path / "a.yaml")
    before = read_force_sets(path).content
    shutil.copy(path, tmp_path / "b.yaml")
    assert read_force_sets(tmp_path / "b.yaml").content == before
    charged = read_force_sets(edited(path, put_charges(2))).content
    assert charged != before


def test_what_is_no_yaml_of_phonopy_is_told(tmp_path):
    path = tmp_path / "phonopy.yaml"
    for text in ("", "- 1", "a: [", "a: 1"):
        path.write_text(text)
        with pytest.raises(BadInputError):
            read_force_sets(path)


@pytest.mark.parametrize(
    ("name", "n_frames", "n_atoms"),
    [
        ("phonondb/mp-1265-Mg4O4.yaml.xz", 2, 64),
        ("ladders/mp-2998-BaO3Ti-sg221.yaml.xz", 4, 135),
    ],
)
def test_public_calculations(name, n_frames, n_atoms, shared_data):
    found = read_force_sets(shared_data / "phonons" / name)
    assert found.forces.shape == (n_frames, n_atoms, 3)
    assert found.is_single


def test_shaken_silicon_is_what_it_says():
    assert "first_atoms" not in shaken_silicon().dataset
