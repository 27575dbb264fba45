"""What DFT says: force constants that come back, and charges that fit, or not."""

import dataclasses

import numpy as np
import pytest
import yaml

from atomgraft.core.errors import BadInputError
from atomgraft.data.force_sets import read_force_sets
from atomgraft.lattice.harmonic import harmonic_of
from atomgraft.lattice.reference import read_reference, reference_of
from atomgraft.lattice.spectra import mesh_frequencies
from tests.vibrations import (
    BORN,
    constants,
    harmonic_salt,
    harmonic_silicon,
    outputs_of,
    salt_law,
    save,
)

TEXT = 1e-5
"""eV/Å²; forces in files have ten decimals, and displacements are 0.01 Å."""

KINDS = {
    "one atom": harmonic_salt,
    "all atoms": lambda: harmonic_silicon("all atoms"),
}


@pytest.fixture
def salt_file(tmp_path):
    return save(harmonic_salt().phonon, tmp_path / "salt.yaml")


@pytest.fixture
def born_file(tmp_path):
    path = tmp_path / "BORN"
    path.write_text(BORN.format(1.1))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_force_constants_come_back(kind, tmp_path):
    harmonic = KINDS[kind]()
    found = read_reference(save(harmonic.phonon, tmp_path / "phonopy.yaml"))
    np.testing.assert_allclose(
        constants(found.harmonic), constants(harmonic), atol=TEXT
    )
    assert found.harmonic.residual is None


def test_models_are_asked_for_the_same_supercells(salt_file):
    found = read_reference(salt_file)
    again = harmonic_of(salt_law(), found.phonon)
    np.testing.assert_allclose(again.forces, found.harmonic.forces, atol=1e-7)
    softer = harmonic_of(salt_law(0.5), found.phonon)  # the negative control
    np.testing.assert_allclose(softer.forces, 0.5 * found.harmonic.forces, atol=1e-7)


def test_outputs_beside_the_displacements(tmp_path):
    harmonic = harmonic_salt()
    path = save(harmonic.phonon, tmp_path / "phonopy_disp.yaml", has_forces=False)
    found = read_reference(path, outputs=outputs_of(harmonic, tmp_path))
    np.testing.assert_allclose(
        constants(found.harmonic), constants(harmonic), atol=TEXT
    )


def test_a_slice_of_the_supercells(tmp_path):
    harmonic = harmonic_silicon("all atoms")
    path = save(harmonic.phonon, tmp_path / "phonopy.yaml")
    found = read_reference(f"{path}@:2")
    assert found.harmonic.forces.shape == (2, 16, 3)
    apart = constants(found.harmonic) - constants(harmonic)
    assert 0 < np.abs(apart).max() < 0.2


def test_a_slice_that_is_not_enough_is_refused(salt_file):
    with pytest.raises(BadInputError, match="do not determine the force constants"):
        read_reference(f"{salt_file}@:1")


def test_frames_are_a_reference_too():
    found = read_reference("shipped:si-phonons")
    assert len(found.phonon.primitive) == 2
    frequencies = mesh_frequencies(found.harmonic, (4, 4, 4)).frequencies
    assert frequencies.max() == pytest.approx(15.3, abs=0.5)  # of silicon: 15.5 THz


def at_x(reference):
    phonon = reference.harmonic.phonon
    return np.array(phonon.run_qpoints([[0.01, 0, 0]]).frequencies)[0]


def test_charges_split_the_optic_modes(salt_file, born_file):
    bare, charged = read_reference(salt_file), read_reference(salt_file, born=born_file)
    assert np.ptp(at_x(bare)[3:]) < 0.05
    assert np.ptp(at_x(charged)[3:]) > 0.5
    assert bare.phonon.nac_params is None
    assert charged.phonon.nac_params is not None


def test_charges_of_the_file_itself(salt_file, born_file):
    """As phonopy writes them, with the charges of every atom of the primitive cell."""
    charged = read_reference(salt_file, born=born_file)
    path = save(charged.harmonic.phonon, salt_file.with_name("charged.yaml"))
    assert "nac" in yaml.safe_load(path.read_text())
    np.testing.assert_allclose(at_x(read_reference(path)), at_x(charged), atol=1e-4)
    none = salt_file.with_name("BORN-none")
    none.write_text(BORN.format(0.0))
    other = read_reference(path, born=none)  # what is given wins
    assert np.ptp(at_x(other)[3:]) < 0.05


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(BORN.format(1.1).splitlines()[:3]),
        BORN.format(1.1) + "1 0 0 0 1 0 0 0 1\n",
        "rubbish\n",
        "14.4\n1 2 3\n",
    ],
    ids=["too few", "too many", "rubbish", "cut"],
)
def test_charges_of_another_cell_are_refused(text, salt_file, tmp_path):
    path = tmp_path / "BORN"
    path.write_text(text)
    with pytest.raises(BadInputError, match="primitive cell of 2 atoms") as caught:
        read_reference(salt_file, born=path)
    assert "\n" not in str(caught.value)


def test_charges_that_are_no_text_or_not_there_are_refused(salt_file, tmp_path):
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "empty").touch()
    words = {"binary": "not a text file", "empty": "is empty", "nothing": "read"}
    for name, word in words.items():
        with pytest.raises(BadInputError, match=f"{name}.*{word}"):
            read_reference(salt_file, born=tmp_path / name)


def test_another_order_of_atoms_is_refused(salt_file):
    sets = read_force_sets(salt_file)
    turned = sets.ideal[::-1]
    with pytest.raises(BadInputError, match="atom by atom"):
        reference_of(dataclasses.replace(sets, ideal=turned))
    swapped = sets.ideal.copy()
    swapped.positions[[0, 1]] = swapped.positions[[1, 0]]
    with pytest.raises(BadInputError, match="atom by atom"):
        reference_of(dataclasses.replace(sets, ideal=swapped))


def test_atoms_in_another_image_are_the_same(salt_file):
    sets = read_force_sets(salt_file)
    moved = sets.ideal.copy()
    moved.positions[3] += moved.cell[0]
    reference_of(dataclasses.replace(sets, ideal=moved))


def test_a_public_calculation(shared_data):
    path = shared_data / "phonons" / "phonondb" / "mp-1265-Mg4O4.yaml.xz"
    found = read_reference(path)
    frequencies = mesh_frequencies(found.harmonic, (4, 4, 4)).frequencies
    assert 18 < frequencies.max() < 24  # magnesium oxide: 21.5 THz
    assert frequencies.min() > -0.1
