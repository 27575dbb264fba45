"""Does a stream give every usable structure, and count the others?"""

import gzip

import ase.db
import ase.io
import pytest
from ase import Atoms
from ase.build import bulk
from ase.db.row import AtomsRow

from atomgraft.core.errors import BadInputError
from atomgraft.data import ase_files
from atomgraft.data.structure_streams import (
    MAX_EXAMPLES,
    Exclusions,
    NotUsed,
    structures_of,
)
from tests.unit.data.disorder.cifs import cif

pytest.importorskip("gemmi")

SALT = bulk("NaCl", "rocksalt", a=5.64)


def read(*paths):
    left_out = Exclusions()
    return list(structures_of(paths, left_out)), left_out


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a file of each kind, one of them in a folder inside."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "half.cif").write_text(cif(["Li1 Li 0 0 0 0.5"]))
    with gzip.open(tmp_path / "z.cif.gz", "wt") as stream:
        stream.write(cif(["Li1 Li 0 0 0 1"]))
    ase.io.write(tmp_path / "POSCAR", SALT, format="vasp")
    ase.io.write(tmp_path / "b.vasp", SALT, format="vasp")
    ase.io.write(tmp_path / "c.extxyz", [SALT, SALT])
    ase.io.write(tmp_path / "d.traj", [SALT, SALT])
    with ase.db.connect(tmp_path / "e.db") as database:
        for _ in range(3):
            database.write(SALT)
    return tmp_path


def test_every_kind_of_file_is_read(folder):
    found, left_out = read(folder)
    assert len(found) == 11
    assert left_out.total == 0
    names = [one.name.removeprefix(f"{folder}/") for one in found]
    assert names[0].startswith("POSCAR")
    assert names[-1] == "deep/half.cif"
    assert len(set(names)) == 11
    disordered = [one.name for one in found if not one.structure.is_ordered]
    assert [name.endswith("half.cif") for name in disordered] == [True]
    assert found[0].structure.composition == {"Na": 1.0, "Cl": 1.0}


def test_what_cannot_be_used_is_counted(folder):
    (folder / "README.txt").write_text("nothing")
    (folder / "bad.cif").write_text("nothing")
    (folder / "POSCAR_bad").write_text("nothing")
    (folder / "bad.db").write_text("nothing")
    (folder / ".hidden.cif").write_text("nothing")
    ase.io.write(folder / "molecule.xyz", Atoms("H2", [[0, 0, 0], [0, 0, 1]]))
    close = Atoms("H2", [[0, 0, 0], [0, 0, 0.1]], cell=[3, 3, 3], pbc=True)
    ase.io.write(folder / "close.extxyz", [close, SALT])
    found, left_out = read(folder)
    assert len(found) == 12
    assert left_out.counts == {
        NotUsed.OTHER_FILE: 1,
        NotUsed.UNREADABLE: 3,
        NotUsed.NO_CRYSTAL: 2,
    }
    name, detail = left_out.examples[NotUsed.NO_CRYSTAL][0]
    assert name.endswith("close.extxyz, frame 0")
    assert "apart" in detail


def test_frames_before_a_damaged_one_are_used(tmp_path):
    path = tmp_path / "cut.extxyz"
    ase.io.write(path, [SALT, SALT, SALT])
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    found, left_out = read(path)
    assert len(found) == 2
    assert left_out.counts == {NotUsed.UNREADABLE: 1}


def test_frames_can_be_chosen(folder):
    assert len(read(f"{folder / 'c.extxyz'}@1")[0]) == 1
    assert len(read(f"{folder / 'e.db'}@1:")[0]) == 2


def test_a_path_that_is_not_there_is_refused_before_any_is_read(folder):
    with pytest.raises(BadInputError, match=r"nowhere\.cif"):
        structures_of([folder, folder / "nowhere.cif"], Exclusions())
    with pytest.raises(BadInputError, match="No file"):
        structures_of([], Exclusions())


def test_few_rows_of_a_database_are_in_memory(folder, monkeypatch):
    monkeypatch.setattr(ase_files, "ROWS", 2)
    made = []
    toatoms = AtomsRow.toatoms

    def counting(self, **options):
        made.append(self.id)
        return toatoms(self, **options)

    monkeypatch.setattr(AtomsRow, "toatoms", counting)
    stream = structures_of([folder / "e.db"], Exclusions())
    next(stream)
    assert made == [1, 2]
    assert len(list(stream)) == 2
    assert made == [1, 2, 3]


def test_a_folder_is_opened_file_by_file(tmp_path):
    (tmp_path / "a.cif").write_text(cif(["Li1 Li 0 0 0 1"]))
    (tmp_path / "b.cif").write_text("nothing yet")
    left_out = Exclusions()
    stream = structures_of([tmp_path], left_out)
    next(stream)
    assert left_out.total == 0
    (tmp_path / "b.cif").write_text(cif(["Na1 Na 0 0 0 1"]))
    assert next(stream).structure.composition == {"Na": 1.0}


def test_examples_of_a_reason_are_few():
    left_out = Exclusions()
    for i in range(100):
        left_out.add(NotUsed.UNREADABLE, f"{i}.cif", "broken")
    assert left_out.total == 100
    assert len(left_out.examples[NotUsed.UNREADABLE]) == MAX_EXAMPLES
