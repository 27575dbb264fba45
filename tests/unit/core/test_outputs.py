"""Folders that we write into: what is ours is replaced, what is not stays."""

import json
import os
import sys

import pytest

from atomgraft.core.errors import BadInputError, StorageError
from atomgraft.core.manifest import MANIFEST, read_manifest
from atomgraft.core.outputs import (
    examine,
    held,
    list_folder,
    write_alone,
    write_beside,
)
from atomgraft.core.storage import append_line, make_folder, write_atomically

FOREIGN = "atomgraft did not write"
CHANGED = "was changed after"


def put(path, text="mine"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def out(tmp_path):
    """A folder with a text, bytes and a log of ours, and one file of the user."""
    folder = tmp_path / "out"
    with held(folder, "adapt"):
        write_atomically(folder / "spec.yaml", "ours\n")
        write_atomically(folder / "weights.pt", b"ours")
        append_line(folder / "log.jsonl", "{}")
        make_folder(folder / "data")
        write_atomically(folder / "data" / "train.extxyz", "ours\n")
    put(folder / "notes.txt")
    put(folder / "data" / "notes.txt")
    return folder


def listed(folder):
    return json.loads((folder / MANIFEST).read_text())


def test_a_folder_lists_what_was_written_and_nothing_else(out):
    assert set(listed(out)["files"]) == {
        "spec.yaml",
        "weights.pt",
        "log.jsonl",
        "data/train.extxyz",
    }
    assert listed(out)["verb"] == "adapt"


def test_what_is_ours_is_replaced(out):
    with held(out, "adapt"):
        for name in ("spec.yaml", "weights.pt", "log.jsonl"):
            write_atomically(out / name, "new")
            assert (out / name).read_text() == "new"
        append_line(out / "log.jsonl", "{}")
    with held(out, "adapt"):
        write_atomically(out / "spec.yaml", "newer")


def test_fresh_removes_what_is_listed_and_folders_that_it_leaves_empty(out):
    (out / "data" / "notes.txt").unlink()
    with held(out, "adapt", fresh=True):
        left = {one.name for one in out.iterdir()}
    assert left == {MANIFEST, ".lock", "notes.txt"}


def test_fresh_leaves_files_of_the_user(out):
    with held(out, "adapt", fresh=True):
        pass
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "data" / "notes.txt").read_text() == "mine"
    assert not (out / "data" / "train.extxyz").exists()


@pytest.mark.parametrize("content", ["other", b"other", None])
def test_a_file_of_the_user_is_never_replaced(content, out):
    before = (out / "notes.txt").stat()
    write = append_line if content is None else write_atomically
    with held(out, "adapt"), pytest.raises(BadInputError, match=FOREIGN):
        write(out / "notes.txt", content or "more")
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "notes.txt").stat().st_mtime_ns == before.st_mtime_ns


def test_a_file_that_holds_the_same_already_stays_the_user_s(out):
    put(out / "page.html", "same")
    before = (out / "page.html").stat()
    with held(out, "adapt"):
        write_atomically(out / "page.html", "same")
    after = (out / "page.html").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert "page.html" not in listed(out)["files"]


def test_text_that_was_changed_by_hand_is_neither_replaced_nor_removed(out):
    put(out / "spec.yaml", "mine now\n")
    with held(out, "adapt"), pytest.raises(BadInputError, match=CHANGED):
        write_atomically(out / "spec.yaml", "new")
    with pytest.raises(BadInputError, match=CHANGED), held(out, "adapt", fresh=True):
        pass
    assert (out / "spec.yaml").read_text() == "mine now\n"
    assert (out / "weights.pt").exists(), "nothing goes where one file has to stay"
    (out / "spec.yaml").rename(out / "kept.yaml")
    with held(out, "adapt", fresh=True):
        write_atomically(out / "spec.yaml", "new")
    assert (out / "kept.yaml").read_text() == "mine now\n"


def test_a_file_that_was_listed_and_not_written_is_ours_all_the_same(out, monkeypatch):
    """As after kill -9 between the list and the file, and just after the file."""
    place = "atomgraft.core.storage.replace_file"
    with held(out, "adapt"), monkeypatch.context() as patch:
        patch.setattr(place, lambda *_: None)
        write_atomically(out / "spec.yaml", "never arrives")
        write_atomically(out / "new.json", "never arrives")
    with held(out, "adapt"):
        write_atomically(out / "spec.yaml", "next")
        write_atomically(out / "new.json", "next")
    put(out / "spec.yaml", "mine")
    with held(out, "adapt"), pytest.raises(BadInputError, match=CHANGED):
        write_atomically(out / "spec.yaml", "next")


@pytest.mark.parametrize("verb", ["adapt", "compare", "phonons", "select"])
@pytest.mark.parametrize("name", ["spec.yaml", ".hidden", "cells/mine.txt", ".x.part"])
def test_a_folder_with_foreign_files_is_refused_and_left_as_it_was(
    verb, name, tmp_path
):
    put(tmp_path / name)
    with pytest.raises(BadInputError, match=FOREIGN), held(tmp_path, verb, fresh=True):
        pass
    assert [one.name for one in tmp_path.iterdir()] == [name.partition("/")[0]]


def test_an_empty_folder_and_one_with_a_lock_alone_are_free(tmp_path):
    with held(tmp_path, "adapt"):
        pass
    (tmp_path / MANIFEST).unlink()
    with held(tmp_path, "compare"):
        assert listed(tmp_path)["verb"] == "compare"


def test_another_verb_does_not_share_the_folder(out):
    with (
        pytest.raises(BadInputError, match="'atomgraft adapt' wrote"),
        held(out, "phonons"),
    ):
        pass
    with held(out, None):
        write_atomically(out / "report.html", "page")
    assert "report.html" in listed(out)["files"]


def test_a_moved_folder_is_still_ours(out, tmp_path):
    moved = out.rename(tmp_path / "moved")
    with held(moved, "adapt", fresh=True):
        pass
    assert not (moved / "spec.yaml").exists()


INPUTS = {
    "inside": lambda out: put(out / "mine.extxyz"),
    "inside, with frames": lambda out: f"{put(out / 'mine.extxyz')}@0:3",
    "inside, with a data set": lambda out: f"{put(out / 'mine.yaml')}#phonons",
    "ours": lambda out: out / "data" / "train.extxyz",
    "the folder": lambda out: out,
    "a folder inside": lambda out: out / "data",
    "by way of a link": lambda out: link(out.parent / "link", out / "notes.txt"),
    "a link to a folder inside": lambda out: link(out.parent / "link", out / "data"),
    "a hard link to ours": lambda out: hard_link(out.parent / "a", out / "spec.yaml"),
    "by way of its parent": lambda out: out / ".." / out.name / "notes.txt",
}


def link(path, target):
    path.symlink_to(target)
    return path


def hard_link(path, target):
    os.link(target, path)
    return path


@pytest.mark.parametrize("place", INPUTS)
def test_no_input_lies_where_we_write(place, out):
    given = INPUTS[place](out)
    with pytest.raises(BadInputError, match="is an input"):
        examine(out, "adapt", inputs=[None, "7net-0", str(given)])


def test_inputs_elsewhere_and_names_are_no_obstacle(out, tmp_path):
    beside = put(tmp_path / "out.extxyz")
    examine(out, "adapt", inputs=["full", "pair:sw-si", "a\0b", str(beside), tmp_path])


def test_a_list_of_earlier_inputs_may_stand_in_a_folder_that_is_added_to(out):
    examine(out, None, inputs=[out / "notes.txt"])
    with pytest.raises(BadInputError, match="is an input"):
        examine(out, None, inputs=[out / "spec.yaml"])


def test_links_inside_are_not_followed(out, tmp_path):
    precious = put(tmp_path / "elsewhere" / "train.extxyz")
    (out / "cells").symlink_to(tmp_path / "elsewhere")
    (out / "link.json").symlink_to(precious)
    for name in ("cells/train.extxyz", "cells/new.json", "link.json"):
        with held(out, "adapt"), pytest.raises(BadInputError, match="symbolic link"):
            write_atomically(out / name, "new")
    assert [one.name for one in precious.parent.iterdir()] == [precious.name]
    assert precious.read_text() == "mine"


@pytest.mark.parametrize("name", ["data", "data/train.extxyz", "weights.pt"])
def test_what_was_made_a_link_is_not_removed(name, out, tmp_path):
    target = put(tmp_path / "elsewhere" / "train.extxyz")
    old = (out / name).rename(tmp_path / "old")
    (out / name).symlink_to(target.parent if old.is_dir() else target)
    with (
        pytest.raises(BadInputError, match="symbolic link"),
        held(out, "adapt", fresh=True),
    ):
        pass
    assert target.read_text() == "mine"
    assert (out / "spec.yaml").exists()


def test_a_link_to_a_folder_means_the_folder(out, tmp_path):
    (tmp_path / "link").symlink_to(out)
    with held(tmp_path / "link", "adapt", fresh=True):
        write_atomically(tmp_path / "link" / "spec.yaml", "new")
    assert listed(out)["files"].keys() == {"spec.yaml"}
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(BadInputError, match="missing folder"):
        examine(tmp_path / "nowhere", "adapt")


def test_folders_below_have_a_list_of_their_own(tmp_path):
    with held(tmp_path, "compare"):
        make_folder(tmp_path / "cells")
        list_folder(tmp_path / "cells" / "a", tmp_path / "cells" / "b")
        for name in "ab":
            with held(tmp_path / "cells" / name, "cell"):
                write_atomically(tmp_path / "cells" / name / "cell.json", "{}")
    put(tmp_path / "cells" / "b" / "notes.txt")
    put(tmp_path / "cells" / "c" / "notes.txt")
    with held(tmp_path, "compare", fresh=True):
        pass
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert sorted(one.relative_to(tmp_path).as_posix() for one in files) == [
        MANIFEST,
        ".lock",
        f"cells/b/{MANIFEST}",
        "cells/b/.lock",
        "cells/b/notes.txt",
        "cells/c/notes.txt",
    ]
    with held(tmp_path / "cells" / "b", "cell"):
        write_atomically(tmp_path / "cells" / "b" / "cell.json", "{}")


def test_a_fork_does_not_write_the_list_of_its_parent(out):
    with held(out, "adapt"):
        number = os.fork()
        if not number:
            write_atomically(out / "child.json", "{}")
            os._exit(0)
        os.waitpid(number, 0)
        write_atomically(out / "parent.json", "{}")
    assert "parent.json" in listed(out)["files"]
    assert "child.json" not in listed(out)["files"]


BROKEN = {
    "no JSON": "{",
    "a list": "[]",
    "no files": '{"format": 1, "verb": "adapt", "folders": []}',
    "another format": '{"format": 2, "verb": "adapt", "folders": [], "files": {}}',
    "a file above": {"../notes.txt": []},
    "a file of the system": {"/etc/passwd": []},
    "a detour": {"data/../../notes.txt": []},
    "itself": {".": []},
    "a name longer than a disk holds": {"x" * 5000: []},
    "a name that is no text": {"\ud800": []},
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_list_that_leads_elsewhere_or_cannot_be_read_is_refused(kind, out):
    broken = BROKEN[kind]
    if isinstance(broken, dict):
        broken = json.dumps({**listed(out), "files": broken})
    put(out / MANIFEST, broken)
    with (
        pytest.raises(BadInputError, match="cannot be used"),
        held(out, "adapt", fresh=True),
    ):
        pass
    assert (out / "spec.yaml").exists()


def test_a_deep_list_is_refused_where_a_library_has_lifted_the_limit(out):
    put(out / MANIFEST, "[" * 100_000)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10**5)  # as symfc does where it is imported
    try:
        with pytest.raises(BadInputError, match="recursion limit"), held(out, "adapt"):
            pass
    finally:
        sys.setrecursionlimit(limit)


def test_a_list_that_is_a_link_is_refused(out, tmp_path):
    (out / MANIFEST).rename(tmp_path / "list.json")
    (out / MANIFEST).symlink_to(tmp_path / "list.json")
    with pytest.raises(BadInputError, match="it is a link"):
        read_manifest(out)


def test_what_cannot_be_removed_is_told(out, monkeypatch):
    def failing(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.unlink", failing)
    with (
        pytest.raises(StorageError, match="Permission denied"),
        held(out, "adapt", fresh=True),
    ):
        pass


def test_a_file_on_its_own_is_not_replaced_unasked(tmp_path):
    path = put(tmp_path / "model.pth")
    with pytest.raises(BadInputError, match="--overwrite"):
        write_alone(path, b"new")
    assert path.read_text() == "mine"
    write_alone(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"


def test_a_file_on_its_own_never_replaces_an_input(tmp_path):
    base = put(tmp_path / "run" / "base.pth")
    link(tmp_path / "link.pth", base)
    hard_link(tmp_path / "hard.pth", base)
    for path in (base, tmp_path / "link.pth", tmp_path / "hard.pth"):
        for given in (base, tmp_path / "run"):
            if given.is_dir() and path.name == "hard.pth":
                continue  # another name of a file whose content stays
            with pytest.raises(BadInputError, match="is an input"):
                write_alone(path, b"new", overwrite=True, inputs=[str(given)])
    assert base.read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_or_a_dangling_link_is_no_file_to_replace(overwrite, tmp_path):
    (tmp_path / "folder").mkdir()
    link(tmp_path / "link", tmp_path / "gone")
    for name in ("folder", "link"):
        with pytest.raises(BadInputError, match="is no file"):
            write_alone(tmp_path / name, "new", overwrite=overwrite)


def test_a_file_needs_a_folder_that_is_there(tmp_path):
    with pytest.raises(BadInputError, match="below does not exist"):
        write_alone(tmp_path / "below" / "model.pth", b"new")


def test_a_page_is_listed_beside_results_and_must_be_new_elsewhere(out, tmp_path):
    write_beside(out / "report.html", "one")
    write_beside(out / "report.html", "two")
    assert (out / "report.html").read_text() == "two"
    write_beside(tmp_path / "report.html", "one")
    write_beside(tmp_path / "report.html", "one")
    with pytest.raises(BadInputError, match="--overwrite"):
        write_beside(tmp_path / "report.html", "two")
    write_beside(tmp_path / "report.html", "two", overwrite=True)
    assert not (tmp_path / MANIFEST).exists()
