"""Are folders checked before the first run, and references that are none told?"""

import pytest
from ase.build import bulk
from ase.constraints import FixAtoms
from ase.io import write

from atomgraft.core.errors import BadInputError
from atomgraft.data.canonical import CONSTRAINED
from atomgraft.dynamics.recording import STATE
from atomgraft.evaluation.moving import check_folders, crystal_of, named_reference
from atomgraft.evaluation.suite import Subject
from atomgraft.models.pair import PRESETS

NAMES = ("reference", "base", "adapted")

BEGUN = '8\nLattice="1 0 0" Properties=species:S:1:pos:R:3 step=0 time=0.0\nSi 0 0 0\n'


@pytest.fixture
def whole(tmp_path):
    for name in NAMES:
        (tmp_path / "md" / name / "measure").mkdir(parents=True)
    return tmp_path / "md"


def test_a_new_folder_and_runs_that_were_begun_are_right(whole, tmp_path):
    check_folders(tmp_path / "new", NAMES, 8)
    (whole / "base" / "000.extxyz").write_text(BEGUN)
    (whole / "base" / "001.extxyz").write_text("")
    (whole / "base" / "002.extxyz").write_text("8\n")
    (whole / "adapted" / "000.extxyz").write_text("whatever its state says")
    (whole / "adapted" / STATE).write_bytes(b"")
    (whole / "base" / "notes.txt").write_text("mine")
    check_folders(whole, NAMES, 8)


@pytest.mark.parametrize(
    "text", ["MINE\n8\n", "one line of mine", BEGUN.replace("8", "9", 1), "8\n\n"]
)
@pytest.mark.parametrize("place", ["base", "adapted/measure"])
def test_a_file_of_somebody_else_is_found_first(whole, place, text):
    (whole / place / "005.extxyz").write_text(text)
    with pytest.raises(BadInputError, match=r"005\.extxyz exists, and atomgraft did"):
        check_folders(whole, NAMES, 8)


def test_nothing_is_made_behind_a_link(whole, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "linked").symlink_to(elsewhere)
    with pytest.raises(BadInputError, match="linked is a link"):
        check_folders(tmp_path / "linked", NAMES, 8)
    (whole / "scratch").symlink_to(elsewhere)
    with pytest.raises(BadInputError, match="scratch is a link"):
        check_folders(whole, [*NAMES, "scratch"], 8)
    assert not [*elsewhere.iterdir()]
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(BadInputError, match="taken is a file"):
        check_folders(tmp_path / "taken", NAMES, 8)


def test_a_folder_without_a_run_is_no_reference(tmp_path):
    silicon = bulk("Si")
    subject = Subject(
        files=(), structures=(silicon,), elements={14}, base=PRESETS["pair:sw-si"]()
    )
    with pytest.raises(BadInputError, match="is a folder, and no run") as error:
        named_reference(str(tmp_path), subject, silicon, remedy="Or so.")
    assert "the folder of a finished run" in str(error.value)


def rattled(n, atoms, **info):
    found = [atoms.copy() for _ in range(n)]
    for seed, one in enumerate(found):
        one.rattle(0.05, seed=seed)
        one.info.update(info)
    return found


@pytest.mark.parametrize("suite", ["md", "motion"])
def test_a_crystal_with_fixed_atoms_is_refused(suite, tmp_path):
    atoms = bulk("Si", cubic=True)
    atoms.set_constraint(FixAtoms([0]))
    write(tmp_path / "POSCAR", atoms, format="vasp")
    with pytest.raises(BadInputError, match=rf"--set {suite}\.structure=free\.cif"):
        crystal_of(str(tmp_path / "POSCAR"), [], suite)


def test_a_crystal_that_most_training_frames_hold_is_refused():
    silicon = bulk("Si", cubic=True)
    held = rattled(5, silicon, **{CONSTRAINED: [0]})
    with pytest.raises(BadInputError, match="of Si8, the crystal of the suite md"):
        crystal_of("", [*held, *rattled(4, silicon)], "md")
    found = crystal_of("", [*held[:3], *rattled(4, silicon)], "md")
    assert str(found.symbols) == "Si8"
    assert CONSTRAINED not in found.info
