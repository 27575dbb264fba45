"""What is written exactly is read back with the same bits."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from atomgraft.core.errors import StorageError
from atomgraft.data.exact_files import write_exactly
from atomgraft.data.labels import forces_of, set_labels, structures_fingerprint
from atomgraft.data.partners import find_partners
from atomgraft.data.readers import read_structures
from tests.displaced import along, displaced


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set.extxyz"


def labelled(*, seed=0, **labels):
    """Return a rattled skewed crystal whose numbers have all their digits."""
    rng = np.random.default_rng(seed)
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    atoms.set_cell(atoms.cell + rng.normal(size=(3, 3)) / 7, scale_atoms=True)
    atoms.positions += rng.normal(size=atoms.positions.shape) / 9
    given = {
        "energy": float(rng.normal()) / 3,
        "forces": rng.normal(size=(len(atoms), 3)) / 3,
        "stress": rng.normal(size=6) / 1700,
    }
    set_labels(atoms, **{k: v for k, v in given.items() if labels.get(k, True)})
    return atoms


def read_back(path, structures):
    write_exactly(path, structures)
    return read_structures([path])


def test_every_bit_comes_back(path):
    structures = [labelled(seed=i) for i in range(4)]
    again = read_back(path, structures)
    assert structures_fingerprint(again) == structures_fingerprint(structures)


def test_ase_rounds():
    """Negative control, and the reason for a writer of our own."""
    import io

    stream = io.StringIO()
    atoms = labelled()
    ase.io.write(stream, atoms, format="extxyz")
    stream.seek(0)
    rounded = ase.io.read(stream, format="extxyz")
    assert not np.array_equal(rounded.positions, atoms.positions)


@pytest.mark.parametrize("missing", ["energy", "forces", "stress"])
def test_what_is_absent_stays_absent(path, missing):
    atoms = labelled(**{missing: False})
    [again] = read_back(path, [atoms])
    assert structures_fingerprint([again]) == structures_fingerprint([atoms])


def test_molecules_have_no_cell(path):
    atoms = molecule("H2O")
    set_labels(atoms, energy=-1 / 3)
    [again] = read_back(path, [atoms])
    assert structures_fingerprint([again]) == structures_fingerprint([atoms])
    assert not again.pbc.any()


def test_slabs_keep_their_boundary(path):
    atoms = labelled()
    atoms.pbc = (True, True, False)
    [again] = read_back(path, [atoms])
    assert again.pbc.tolist() == [True, True, False]


@pytest.mark.parametrize("text", ["hot md", 'with "quotes"', "3", "a=b", "{x}", "[1]"])
def test_words_come_back(path, text):
    atoms = labelled()
    atoms.info |= {"config_type": text, "trajectory": "run 1", "comment": "dropped"}
    [again] = read_back(path, [atoms])
    assert str(again.info["config_type"]) == text
    assert again.info["trajectory"] == "run 1"
    assert "comment" not in again.info


def test_lone_atoms_stay_lone(path):
    atoms = Atoms("Si", info={"REF_energy": -0.1, "config_type": "IsolatedAtom"})
    [again] = read_back(path, [atoms])
    assert again.info["config_type"] == "IsolatedAtom"


def test_what_cannot_be_written_is_told(tmp_path):
    with pytest.raises(StorageError, match="Cannot write"):
        write_exactly(tmp_path / "nowhere" / "set.extxyz", [labelled()])


def test_displacements_are_kept(tmp_path):
    frame = displaced(along(0, step=0.01))
    frame.info["symmetry_tolerance"] = 1e-4
    write_exactly(tmp_path / "one.extxyz", [frame])
    [again] = read_structures([tmp_path / "one.extxyz"])
    assert again.info["symmetry_tolerance"] == 1e-4
    assert np.array_equal(again.arrays["displacement"], frame.arrays["displacement"])
    assert np.array_equal(forces_of(again), forces_of(frame))
    assert find_partners([again], "auto")[0].kind == "symmetry"
