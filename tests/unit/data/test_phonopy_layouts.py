"""Every layout that phonopy and phono3py read, read as they read it."""

import functools
import re
import warnings

import numpy as np
import pytest
import yaml

from atomgraft.core.errors import BadInputError
from atomgraft.data.force_sets import read_force_sets
from atomgraft.data.labels import forces_of
from atomgraft.data.readers import read_structures
from atomgraft.lattice.reference import read_reference
from atomgraft.lattice.supercells import to_phonopy
from tests.vibrations import harmonic_silicon, save, silicon, write_force_sets

TEXT = 1e-9
"""eV/Å and Å; what the ten decimals and more of these files leave."""

X = [0.5, 0.5, 0.0]
"""In reciprocal vectors of a primitive cell."""

HAS_FORCES = {"force_sets": True, "displacements": True}
NO_FORCES = {"force_sets": False, "displacements": True}


@functools.cache
def pairs(cutoff=3.0):
    """Return silicon with pairs displaced and forces by lot; not to be changed."""
    from phono3py import Phono3py

    crystal = Phono3py(
        to_phonopy(silicon()),
        supercell_matrix=np.diag([2, 2, 2]),
        primitive_matrix=np.eye(3),
        phonon_supercell_matrix=np.diag([3, 3, 3]),
    )
    crystal.generate_displacements(distance=0.03, cutoff_pair_distance=cutoff)
    crystal.generate_fc2_displacements(distance=0.02)
    shape = crystal.displacements.shape
    lots = np.random.default_rng(0)
    is_there = [one is not None for one in crystal.supercells_with_displacements]
    crystal.forces = lots.normal(size=shape) * np.array(is_there)[:, None, None]
    crystal.phonon_forces = lots.normal(size=crystal.phonon_displacements.shape)
    return crystal


def rewritten(path, change):
    document = yaml.safe_load(path.read_text())
    change(document)
    path.write_text(yaml.safe_dump(document))


def inline(folder):
    pairs().save(folder / "phono3py_params.yaml", settings=HAS_FORCES)
    return folder / "phono3py_params.yaml"


def in_older_words(folder):
    def change(document):
        for one in document["displacement_pairs"]:
            one["second_atoms"] = one.pop("paired_with")
        document["displacements"] = document.pop("phonon_displacements")

    path = inline(folder)
    rewritten(path, change)
    return path


def in_files_beside(folder):
    from phono3py.file_IO import write_FORCES_FC2, write_FORCES_FC3

    crystal = pairs()
    crystal.save(folder / "phono3py_disp.yaml", settings=NO_FORCES)
    is_there = [one is not None for one in crystal.supercells_with_displacements]
    write_FORCES_FC3(
        crystal.dataset, crystal.forces[is_there], filename=folder / "FORCES_FC3"
    )
    write_FORCES_FC2(
        crystal.phonon_dataset, crystal.phonon_forces, filename=folder / "FORCES_FC2"
    )
    return folder / "phono3py_disp.yaml"


LAYOUTS = {
    "inline": inline,
    "older words": in_older_words,
    "files beside": in_files_beside,
}


@pytest.fixture(params=LAYOUTS)
def file_of_pairs(request, tmp_path):
    return LAYOUTS[request.param](tmp_path)


def loaded(path, monkeypatch):
    """Let phono3py load the file its own way, from its own folder."""
    import phono3py

    monkeypatch.chdir(path.parent)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a layout is an old one
        return phono3py.load(path.name, produce_fc=False, log_level=0)


def all_forces(mapping):
    firsts = mapping["first_atoms"]
    seconds = [one for first in firsts for one in first["second_atoms"]]
    return np.array([one["forces"] for one in (*firsts, *seconds)])


def test_pairs_are_what_phono3py_reads(file_of_pairs, monkeypatch):
    known = loaded(file_of_pairs, monkeypatch)
    third = read_force_sets(f"{file_of_pairs}#dataset")
    np.testing.assert_allclose(all_forces(third.pairs), known.forces, atol=TEXT)
    second = read_force_sets(file_of_pairs)
    np.testing.assert_allclose(second.forces, known.phonon_forces, atol=TEXT)
    np.testing.assert_allclose(
        second.displacements, known.phonon_displacements, atol=TEXT
    )
    assert len(second.ideal) == 54


def test_second_order_is_of_single_atoms(file_of_pairs):
    found = read_force_sets(f"{file_of_pairs}#dataset")
    n_single = len(pairs().dataset["first_atoms"])
    assert found.is_single
    assert len(found.forces) == n_single < len(pairs().displacements)


def test_training_takes_singles_and_pairs(file_of_pairs):
    frames = read_structures([f"{file_of_pairs}#dataset"])
    cells = [one for one in pairs().supercells_with_displacements if one is not None]
    assert 0 < len(cells) == len(frames)
    for frame, cell in zip(frames, cells, strict=True):
        np.testing.assert_allclose(frame.positions, cell.positions, atol=1e-9)
    known = pairs().forces[0]
    np.testing.assert_allclose(forces_of(frames[0]), known, atol=TEXT)


def test_pairs_beyond_the_cutoff_are_no_labels(file_of_pairs):
    frames = read_structures([f"{file_of_pairs}#dataset"])
    assert len(frames) < len(pairs().displacements)
    assert all(np.abs(forces_of(one)).max() > 0 for one in frames)


def test_displacements_in_lists_of_a_pair(tmp_path, monkeypatch):
    path = in_files_beside(tmp_path)

    def change(document):
        for one in document["displacement_pairs"]:
            joined = {}
            for other in one["paired_with"]:
                key = other["atom"]
                entry = {"atom": key, "displacements": []}
                joined.setdefault(key, entry)
                vectors = other.get("displacements") or [other["displacement"]]
                joined[key]["displacements"] += vectors
                joined[key]["included"] = other.get("included", True)
            one["paired_with"] = list(joined.values())

    rewritten(path, change)
    known = loaded(path, monkeypatch)
    third = read_force_sets(f"{path}#dataset")
    np.testing.assert_allclose(all_forces(third.pairs), known.forces, atol=TEXT)


def shaken(n_frames=5):
    from phono3py import Phono3py

    crystal = Phono3py(
        to_phonopy(silicon()),
        supercell_matrix=np.diag([2, 2, 2]),
        primitive_matrix=np.eye(3),
    )
    crystal.generate_displacements(
        number_of_snapshots=n_frames, distance=0.03, random_seed=1
    )
    lots = np.random.default_rng(1)
    crystal.forces = lots.normal(size=crystal.displacements.shape)
    return crystal


def test_random_displacements_beside_six_columns(tmp_path, monkeypatch):
    crystal = shaken()
    crystal.save(tmp_path / "phono3py_disp.yaml", settings=NO_FORCES)
    write_force_sets(crystal.dataset, tmp_path / "FORCES_FC3")
    known = loaded(tmp_path / "phono3py_disp.yaml", monkeypatch)
    found = read_force_sets(tmp_path / "phono3py_disp.yaml")
    np.testing.assert_allclose(found.forces, known.forces, atol=1e-7)
    np.testing.assert_allclose(found.displacements, known.displacements, atol=1e-7)


def test_an_atom_a_line_with_displacement_and_force(tmp_path):
    harmonic = harmonic_silicon("all atoms")
    path = save(harmonic.phonon, tmp_path / "phonopy_params.yaml")

    def change(document):
        known = document.pop("dataset")
        document["displacements"] = [
            [{"displacement": u, "force": f} for u, f in zip(one, other, strict=True)]
            for one, other in zip(known["displacements"], known["forces"], strict=True)
        ]

    rewritten(path, change)
    import phonopy

    known = phonopy.load(path, produce_fc=False, log_level=0)
    found = read_force_sets(path)
    np.testing.assert_allclose(found.forces, known.forces, atol=TEXT)
    np.testing.assert_allclose(found.forces, harmonic.forces, atol=TEXT)


def test_a_supercell_that_is_left_out_is_built(tmp_path):
    path = save(harmonic_silicon().phonon, tmp_path / "phonopy_params.yaml")
    known = read_force_sets(path)
    rewritten(path, lambda document: document.pop("supercell"))
    found = read_force_sets(path)
    np.testing.assert_allclose(found.ideal.positions, known.ideal.positions)


def of_force_file(change):
    def make(folder):
        path = in_files_beside(folder)
        file = folder / "FORCES_FC3"
        file.write_text(change(file.read_text()))
        return f"{path}#dataset"

    return make


def of_document(change):
    def make(folder):
        path = inline(folder)
        rewritten(path, change)
        return f"{path}#dataset"

    return make


def first_pair(document):
    return document["displacement_pairs"][0]["paired_with"][0]


BROKEN = {
    "a force file that ends early": of_force_file(lambda text: text[:2000]),
    "a force file of words": of_force_file(lambda _: "one two three\n"),
    "a force file of nothing": of_force_file(lambda _: "# nothing\n"),
    "forces that are not finite": of_force_file(
        lambda text: re.sub(r"(?m)^\s+-?\d+\.\d+", "1e999", text, count=1)
    ),
    "a pair of an atom that is not there": of_document(
        lambda document: first_pair(document).update(atom=99)
    ),
    "a pair of half an atom": of_document(
        lambda document: first_pair(document).update(atom=1.5)
    ),
    "a pair without displacement": of_document(
        lambda document: first_pair(document).pop("displacement")
    ),
    "a pair that is displaced by nothing": of_document(
        lambda document: first_pair(document).update(displacement=[0, 0, 0])
    ),
    "a pair whose distance is a word": of_document(
        lambda document: first_pair(document).update(pair_distance="near")
    ),
    "a pair without forces": of_document(
        lambda document: first_pair(document).pop("forces")
    ),
    "forces of another number of atoms": of_document(
        lambda document: first_pair(document)["forces"].pop()
    ),
    "pairs that are a word": of_document(
        lambda document: document.update(displacement_pairs="all")
    ),
    "no pairs": of_document(lambda document: document.update(displacement_pairs=[])),
}


@pytest.mark.parametrize("make", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_is_told_in_a_paragraph(make, tmp_path):
    with pytest.raises(BadInputError) as error:
        read_force_sets(make(tmp_path))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 900


def whole(folder):
    return save(harmonic_silicon().phonon, folder / "phonopy_params.yaml")


IMPOSSIBLE = {
    "a point that is nothing": lambda one: one["unit_cell"]["points"].append(None),
    "displacements that are a truth": lambda one: one.update(displacements=True),
    "no displacements": lambda one: one.pop("displacements"),
    "a force of four": lambda one: one["displacements"][0]["forces"][0].append(0.0),
    "a force too large": lambda one: one["displacements"][0]["forces"].__setitem__(
        0, [1e200, 0, 0]
    ),
    "a primitive matrix that does not fit": lambda one: one["primitive_matrix"][
        0
    ].__setitem__(0, -1),
    "a primitive matrix that is flat": lambda one: one.update(
        primitive_matrix=[[1, 0, 0], [1, 0, 0], [0, 0, 1]]
    ),
    "a supercell matrix of fractions": lambda one: one.update(
        supercell_matrix=[[1.5, 0, 0], [0, 2, 0], [0, 0, 2]]
    ),
    "a supercell matrix of millions": lambda one: (
        one.update(supercell_matrix=[[10**6, 0, 0], [0, 2, 0], [0, 0, 2]]),
        one.pop("supercell"),
    ),
    "a cell that is not finite": lambda one: one["unit_cell"]["lattice"].__setitem__(
        0, [float("inf"), 0, 0]
    ),
    "a cell of no volume": lambda one: one["supercell"].update(lattice=[[0, 0, 0]] * 3),
    "coordinates that are not finite": lambda one: one["unit_cell"]["points"][0].update(
        coordinates=[float("nan"), 0, 0]
    ),
    "an element of no name": lambda one: one["unit_cell"]["points"][0].update(
        symbol="Qq"
    ),
    "a negative mass": lambda one: one["unit_cell"]["points"][0].update(mass=-28.0),
    "a moment of one atom alone": lambda one: one["unit_cell"]["points"][0].update(
        magnetic_moment=1.0
    ),
    "an atom far away": lambda one: one["displacements"][0].update(
        displacement=[7.0, 0, 0]
    ),
    "two elements at one place": lambda one: one["unit_cell"]["points"][0].update(
        weight=0.5
    ),
    "a header that is a number": lambda one: one.update(phonopy=7),
}


@pytest.mark.parametrize("change", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_values_that_cannot_be_are_told_in_a_paragraph(change, tmp_path):
    path = whole(tmp_path)
    rewritten(path, change)
    with pytest.raises(BadInputError) as error:
        read_reference(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 900


def test_masses_of_isotopes_are_kept(tmp_path):
    def change(document):
        for cell in ("unit_cell", "primitive_cell", "supercell"):
            for point in document[cell]["points"]:
                point["mass"] = 4 * 28.0855

    path = whole(tmp_path)
    before = read_reference(path).harmonic.phonon.run_qpoints([X]).frequencies
    rewritten(path, change)
    after = read_reference(path).harmonic.phonon.run_qpoints([X]).frequencies
    np.testing.assert_allclose(after, np.asarray(before) / 2, rtol=1e-4)


def one_of_each(folder):
    """Return every file of phono3py and of random displacements, and some of others."""
    files = sorted(folder.glob("*.yaml.xz"))
    assert len(files) == 4
    for kind, every in (("ladders", 2), ("phonondb", 5)):
        found = sorted(
            (folder / kind).glob("*.yaml.xz"), key=lambda one: one.stat().st_size
        )
        assert len(found) >= 2 * every
        files += found[::every]
    return files


@pytest.mark.slow
def test_public_files_are_what_phonopy_reads(shared_data, monkeypatch, tmp_path):
    """Forces to the last digit, frequencies to those of two tables of masses."""
    import phonopy

    files = one_of_each(shared_data / "phonons")
    assert len(files) > 15
    monkeypatch.chdir(tmp_path)
    for file in files:
        sets, phonon = read_force_sets(file), None
        if sets.is_phono3py:
            known = loaded(file, monkeypatch)
            has_own = known.phonon_dataset is not None
            forces = known.phonon_forces if has_own else known.forces
        else:
            phonon = phonopy.load(file, produce_fc=False, log_level=0)
            forces = phonon.forces
        np.testing.assert_array_equal(sets.forces, forces, err_msg=file.name)
        if phonon is None:
            continue
        found = read_reference(file)
        np.testing.assert_array_equal(found.sets.forces, forces, err_msg=file.name)
        if not sets.is_single:
            continue
        phonon.produce_force_constants(fc_calculator="traditional")
        phonon.symmetrize_force_constants(level=3)
        q = [X, [0.1, 0.2, 0.3]]
        np.testing.assert_allclose(
            found.harmonic.phonon.run_qpoints(q).frequencies,
            phonon.run_qpoints(q).frequencies,
            atol=2e-3,
            err_msg=file.name,
        )
