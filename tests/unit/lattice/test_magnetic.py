"""Magnetic moments lower the symmetry of DFT's force constants, as in phonopy."""

import numpy as np
import pytest
import yaml
from ase.build import bulk

from atomgraft.data.exact_files import write_exactly
from atomgraft.data.force_sets import read_force_sets
from atomgraft.data.partners import count_kinds, find_partners
from atomgraft.data.phonopy_files import read_calculation
from atomgraft.data.readers import read_structures
from atomgraft.data.rehearsal.disturbances import bare
from atomgraft.data.sources import parse_source
from atomgraft.label.work import repeated
from atomgraft.lattice.reference import read_reference
from atomgraft.lattice.supercells import prepare
from atomgraft.lattice.symmetry import (
    images_of_atoms,
    magnetic_order,
    named_group,
    symmetry_notices,
)
from atomgraft.phonons.campaign.materials import read_materials
from atomgraft.phonons.crystals import read_crystal
from atomgraft.phonons.spec import PhononSpec
from atomgraft.phonons.supercell_choice import displaced
from atomgraft.phonons.work import compute_phonons
from tests.magnets import MOMENTS, antiferromagnet, iron
from tests.vibrations import save

SAME = 1e-3
"""THz; masses of two tables, forces of sixteen decimals."""

Q = [[0, 0, 0], [0.25, 0, 0], [0, 0, 0.5]]


@pytest.fixture
def magnet_file(tmp_path):
    return save(antiferromagnet().phonon, tmp_path / "phonopy_params.yaml")


def frequencies(phonon):
    return np.asarray(phonon.run_qpoints(Q).frequencies)


def as_phonopy_has_it(path):
    import phonopy

    phonon = phonopy.load(path, produce_fc=False, log_level=0)
    phonon.produce_force_constants(fc_calculator="traditional")
    phonon.symmetrize_force_constants(level=3)
    return frequencies(phonon)


def without_moments(path):
    document = yaml.safe_load(path.read_text())
    for cell in ("unit_cell", "primitive_cell", "supercell"):
        for point in document[cell]["points"]:
            del point["magnetic_moment"]
    path.write_text(yaml.safe_dump(document))
    return path


def test_frequencies_are_those_of_phonopy(magnet_file):
    found = frequencies(read_reference(magnet_file).harmonic.phonon)
    np.testing.assert_allclose(found, as_phonopy_has_it(magnet_file), atol=SAME)


def test_without_moments_they_are_others(magnet_file):
    known = frequencies(read_reference(magnet_file).harmonic.phonon)
    bare = read_reference(without_moments(magnet_file)).harmonic.phonon
    cubic = np.asarray(bare.run_qpoints([[0, 0, 0]]).frequencies)
    assert bare.symmetry.pointgroup_symbol == "m-3m"
    assert cubic.shape != known[:1].shape or np.abs(cubic - known[0]).max() > 0.1


def test_every_cell_has_the_moments(magnet_file):
    phonon = read_reference(magnet_file).phonon
    assert phonon.unitcell.magnetic_moments.tolist() == list(MOMENTS)
    for cell in (phonon.supercell, phonon.primitive):
        assert np.abs(cell.magnetic_moments).tolist() == [2.0] * len(cell)
        assert cell.magnetic_moments.sum() == 0.0
    assert phonon.symmetry.pointgroup_symbol == "4/mmm"


def test_files_that_are_written_have_them(magnet_file, tmp_path):
    again = save(read_reference(magnet_file).harmonic.phonon, tmp_path / "again.yaml")
    found = read_force_sets(again).unit_cell
    assert found.get_initial_magnetic_moments().tolist() == list(MOMENTS)


def test_the_content_knows_them(magnet_file):
    before = read_force_sets(magnet_file).content
    assert read_force_sets(without_moments(magnet_file)).content != before


def test_vectors_are_kept(tmp_path):
    vectors = np.array([[0, 0, 2.0], [0, 2.0, 0], [2.0, 0, 0], [0, 0, 2.0]])
    phonon = prepare(iron(vectors), supercell=np.diag([2, 2, 2]))
    path = save(phonon, tmp_path / "phonopy_disp.yaml", has_forces=False)
    assert "magnetic_moment: [" in path.read_text()
    [notice] = symmetry_notices(phonon)
    assert "non-collinear" in notice
    found = read_calculation(parse_source(path)).unit_cell
    np.testing.assert_allclose(found.get_initial_magnetic_moments(), vectors)


def test_the_symmetry_is_said(magnet_file):
    phonon = read_reference(magnet_file).phonon
    assert named_group(phonon, 1e-5) == "Fm-3m (225), antiferromagnetic"
    [notice] = symmetry_notices(phonon)
    assert "lowered by moments, point group 4/mmm in place of m-3m" in notice
    assert "Models do not use moments" in notice


@pytest.mark.parametrize(
    ("moments", "word"),
    [
        ([0, 0, 0], None),
        ([1, 1, 0], "ferromagnetic"),
        ([-1, -2, 0], "ferromagnetic"),
        ([1, -1, 0], "antiferromagnetic"),
        ([4, -2, -1], "ferrimagnetic"),
        ([[1, 0, 0], [0, 1, 0]], "non-collinear"),
    ],
)
def test_orders_have_names(moments, word):
    assert magnetic_order(np.array(moments, dtype=float)) == word


def test_moments_that_keep_the_symmetry_need_no_word():
    phonon = prepare(iron([2.0] * 4), supercell=np.diag([2, 2, 2]))
    assert list(symmetry_notices(phonon)) == []
    assert named_group(phonon, 1e-5) == "Fm-3m (225), ferromagnetic"


def test_a_supercell_of_another_shape_is_said():
    [notice] = symmetry_notices(prepare(iron(None), supercell=np.diag([2, 1, 1])))
    assert "point group 4/mmm, the primitive cell m-3m" in notice
    assert not list(
        symmetry_notices(prepare(iron(None), supercell=np.eye(3, dtype=int)))
    )


def test_images_are_counted_with_time_reversal():
    assert images_of_atoms(iron(), 1e-5).tolist() == [4] * 4
    assert images_of_atoms(iron([2.0, 0, 0, 2.0]), 1e-5).tolist() == [2] * 4
    assert images_of_atoms(iron(None), 1e-5).tolist() == [4] * 4


def test_frames_for_training_have_moments(magnet_file, tmp_path):
    frames = read_structures([magnet_file])
    assert all(np.abs(one.get_initial_magnetic_moments()).min() == 2 for one in frames)
    write_exactly(tmp_path / "again.extxyz", frames)
    again = read_structures([tmp_path / "again.extxyz"])
    for one, other in zip(frames, again, strict=True):
        np.testing.assert_array_equal(
            one.get_initial_magnetic_moments(), other.get_initial_magnetic_moments()
        )


def test_partners_keep_to_the_magnetic_symmetry(magnet_file):
    frames = read_structures([magnet_file])
    assert count_kinds(find_partners(frames, "auto"))["symmetry"] == len(frames)
    broken = [one.copy() for one in frames]
    for one in broken:  # nothing is equivalent to anything any more
        lots = np.random.default_rng(0).normal(size=len(one))
        one.set_initial_magnetic_moments(lots)
    assert count_kinds(find_partners(broken, "auto"))["symmetry"] == 0


def test_structures_keep_them_through_phonons(tmp_path):
    """In the file that phonopy goes on from, relaxed under a model or not."""
    argon = bulk("Ar", a=5.3, cubic=True)
    argon.set_initial_magnetic_moments(MOMENTS)
    write_exactly(tmp_path / "argon.extxyz", [argon])
    for relax in (True, False):
        spec = PhononSpec(
            crystal=str(tmp_path / "argon.extxyz"),
            models=("pair:lj-ar",),
            supercell=((1, 0, 0), (0, 1, 0), (0, 0, 1)),
            mesh=(2, 2, 2),
            relax=relax,
        )
        found = compute_phonons(spec, tmp_path / f"out-{relax}")
        assert found.settings.space_group == "Fm-3m (225), antiferromagnetic"
        assert any("lowered by moments" in one for one in found.notices)
        text = (tmp_path / f"out-{relax}" / "phonopy-base.yaml").read_text()
        assert text.count("magnetic_moment: -2.0") == 1 + 2 + 2  # in every cell


def test_proposals_keep_them(tmp_path):
    write_exactly(tmp_path / "iron.extxyz", [iron()])
    read = read_crystal(str(tmp_path / "iron.extxyz")).atoms
    twice = repeated(read, (2, 1, 1))
    assert twice.get_initial_magnetic_moments().tolist() == [*MOMENTS, *MOMENTS]
    assert bare(twice).get_initial_magnetic_moments().any()
    made = displaced(read, 0.01, 9)
    assert all(one.get_initial_magnetic_moments().any() for one in made)


def test_a_campaign_says_which_materials_are_magnetic(magnet_file, tmp_path):
    long = prepare(iron(None), supercell=np.diag([2, 1, 1]))
    long.forces = np.zeros((len(long.supercells_with_displacements), 8, 3))
    save(long, tmp_path / "long.yaml")
    materials, notices = read_materials(tmp_path, symprec=1e-5, known=frozenset({26}))
    assert [one.is_magnetic for one in materials] == [False, True]
    assert [one.has_unlike_supercell for one in materials] == [True, False]
    assert "with magnetic moments: phonopy_params" in notices[0]
    assert "equivalent q-points differ in frequency: long" in notices[1]
