"""Are folders checked before the first run, and references that are none told?"""

import pytest
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.dynamics.recording import STATE
from atomgraft.evaluation.moving import check_folders, named_reference
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
    (whole / "adapted" / "000.extxyz").write_text("whatever its state says")
    (whole / "adapted" / STATE).write_bytes(b"")
    (whole / "base" / "notes.txt").write_text("mine")
    check_folders(whole, NAMES, 8)


@pytest.mark.parametrize("text", ["MINE\n8\n", BEGUN.replace("8", "9", 1), "8\n\n"])
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
