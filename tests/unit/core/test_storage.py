"""Writing: whole or not at all, whatever fails, and one process at a time."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.core.errors import BadInputError, StorageError
from atomgraft.core.storage import (
    LOCK,
    append_after,
    append_line,
    exposure,
    is_file,
    is_folder,
    locked,
    make_folder,
    make_private_folder,
    remove_leftovers,
    with_ending,
    write_atomically,
)

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
TOO_LONG = Path("x" * 5000)


def failing(*_, **__):
    raise FULL


def names_in(folder):
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")
    return path


@pytest.mark.parametrize("content", ["grün, 5 Å", b"\x00\xff", "", b""])
def test_content_arrives_as_given(content, old):
    write_atomically(old, content)
    assert old.read_bytes() == (
        content.encode() if isinstance(content, str) else content
    )
    assert names_in(old.parent) == [old.name]


@pytest.mark.parametrize(
    ("owner", "name"),
    [(os, "fsync"), (Path, "replace")],
    ids=["flushing", "renaming"],
)
def test_what_was_there_stays_where_a_step_fails(owner, name, old, monkeypatch):
    monkeypatch.setattr(owner, name, failing)
    with pytest.raises(StorageError, match="No space left") as caught:
        write_atomically(old, "new")
    assert str(old) in caught.value.came
    assert old.read_text() == "old"
    assert names_in(old.parent) == [old.name]


@pytest.mark.parametrize(
    ("n_bytes", "found"), [(0, b"new"), (2, b"olnew"), (3, b"oldnew")]
)
def test_what_is_appended_follows_the_bytes_that_stay(n_bytes, found, old):
    append_after(old, n_bytes, b"new")
    assert old.read_bytes() == found


def test_a_file_is_made_to_append_to_and_a_full_disk_is_told(tmp_path, monkeypatch):
    append_after(tmp_path / "new", 0, b"first")
    assert (tmp_path / "new").read_bytes() == b"first"
    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(StorageError, match="No space left"):
        append_after(tmp_path / "new", 5, b"second")


WRITER = """
import resource, signal, sys
from pathlib import Path
from atomgraft.core.errors import StorageError
from atomgraft.core.storage import append_line, write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
path, verb = Path(sys.argv[1]), sys.argv[2]
write = {"replace": write_atomically, "append": append_line}[verb]
try:
    write(path, "x" * 100_000)
except StorageError:
    sys.exit(7)
"""


@pytest.mark.parametrize("verb", ["replace", "append"])
def test_a_write_that_the_system_cuts_short_is_told(verb, old):
    """The kernel itself refuses the 1001st byte; nothing of ours is replaced."""
    process = subprocess.run([sys.executable, "-c", WRITER, old, verb], check=False)
    assert process.returncode == 7
    assert old.read_text().startswith("old")
    assert names_in(old.parent) == [old.name]
    if verb == "replace":
        assert old.read_text() == "old"


def test_a_killed_writer_leaves_the_old_content_and_one_temporary_file(old):
    die = "os.fsync = lambda _: os.kill(os.getpid(), 9)"
    write = f"write_atomically(__import__('pathlib').Path({str(old)!r}), 'new')"
    code = f"import os; {die}; from atomgraft.core.storage import *; {write}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert old.read_text() == "old"
    assert len(names_in(old.parent)) == 2
    remove_leftovers(old.parent)
    assert names_in(old.parent) == [old.name]


@pytest.mark.parametrize("write", [write_atomically, append_line])
@pytest.mark.parametrize("path", ["absent/a.json", "a" * 300])
def test_a_place_that_cannot_be_written_is_told(write, path, tmp_path):
    with pytest.raises(StorageError, match="Cannot write"):
        write(tmp_path / path, "new")
    assert not names_in(tmp_path)


def test_leftovers_are_temporary_files_only(tmp_path):
    kept = {".lock", "a.part", ".a.json", "checkpoint.pt", ".big.part", ".a.12.part"}
    kept |= {".atomgraft-1-notes.part", ".atomgraft-1-0123abcd.part.gz"}
    for name in (*kept, ".atomgraft-12-0123abcd.part", ".atomgraft-9-00000000.part"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert set(names_in(tmp_path)) == kept


def test_leftovers_that_stay_are_told(tmp_path, monkeypatch):
    (tmp_path / ".atomgraft-1-0123abcd.part").touch()
    monkeypatch.setattr(Path, "unlink", failing)
    with pytest.raises(StorageError):
        remove_leftovers(tmp_path)


@given(lines=st.lists(st.text("abc å", max_size=5), max_size=5))
def test_lines_are_appended_in_order(lines, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "metrics.jsonl"
    path.touch()
    for line in lines:
        append_line(path, line)
    assert path.read_text() == "".join(line + "\n" for line in lines)


@given(name=st.from_regex(r"[a-z0-9][a-z0-9.]{0,8}", fullmatch=True))
def test_an_ending_is_added_once_and_nothing_is_cut_off(name):
    path = Path("folder") / name
    ended = with_ending(path, ".pth")
    assert ended.suffix == ".pth"
    assert ended.name.startswith(name)
    assert ended.parent == path.parent
    assert with_ending(ended, ".pth") == ended


@pytest.mark.parametrize("folder", [".", "/"])
def test_a_folder_gets_no_ending(folder):
    assert with_ending(Path(folder), ".pth") == Path(folder)


def test_files_folders_and_neither(tmp_path):
    file = tmp_path / "a"
    file.touch()
    assert is_file(file)
    assert is_folder(tmp_path)
    assert not is_file(tmp_path)
    assert not is_folder(file)
    for none in (TOO_LONG, tmp_path / "absent", file / "below"):
        assert not is_file(none)
        assert not is_folder(none)


def test_the_over_long_name_is_one_that_pathlib_stumbles_over():
    with pytest.raises(OSError, match="too long"):
        TOO_LONG.is_file()


def test_folders_are_made_with_their_parents_and_twice(tmp_path):
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_in_the_way_of_a_folder_is_the_user_s_to_solve(name, tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(
        BadInputError, match=r"cannot be created: part of the path is a file\."
    ):
        make_folder(tmp_path / name)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_that_the_disk_refuses_is_a_matter_of_storage(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "mkdir", failing)
    with pytest.raises(StorageError, match="No space left"):
        make_folder(tmp_path / "a")


HOLDER = """
import errno, fcntl, os, sys, warnings
from pathlib import Path
from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import held

def absent(*_):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

if sys.argv[2] == "without flock":
    fcntl.flock = absent
    warnings.filterwarnings("ignore", "flock not supported")
try:
    with held(Path(sys.argv[1]), "adapt", patience=float(sys.argv[3])):
        print("held", flush=True)
        sys.stdin.read()
except BadInputError as error:
    print(error, flush=True)
"""


def holder(folder, disk="with flock", patience=0):
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder, disk, str(patience)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_folder_belongs_to_one_process(tmp_path):
    with locked(tmp_path), holder(tmp_path) as other:
        assert "is in use by another atomgraft process" in other.communicate()[0]
    with holder(tmp_path) as other:
        assert other.stdout.readline() == "held\n"
        other.communicate()


def test_the_lock_dies_with_its_process(tmp_path):
    with holder(tmp_path) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BadInputError, match="in use"), locked(tmp_path):
            pass
        other.kill()
    with locked(tmp_path):
        assert (tmp_path / LOCK).is_file()


@pytest.mark.parametrize("disk", ["with flock", "without flock"])
def test_disks_with_and_without_flock_hold_locks(disk, tmp_path):
    """Some clusters mount Lustre without it."""
    with holder(tmp_path, disk) as first:
        assert first.stdout.readline() == "held\n"
        with holder(tmp_path, disk) as other:
            assert "is in use" in other.communicate()[0]
        first.kill()
    with holder(tmp_path, disk, patience=5) as other:
        assert other.communicate()[0] == "held\n"


def test_an_error_inside_releases_the_lock(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path):
        pass


def test_a_folder_that_is_not_there_cannot_be_held(tmp_path):
    with pytest.raises(StorageError), locked(tmp_path / "absent"):
        pass


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_file_of_ours_is_no_lock(kind, tmp_path):
    elsewhere, lock = tmp_path / "mine.txt", tmp_path / "run" / LOCK
    lock.parent.mkdir()
    if kind == "link":
        lock.symlink_to(elsewhere)
    elif kind == "fifo":
        os.mkfifo(lock)
    else:
        lock.mkdir()
    with pytest.raises(BadInputError, match="as plain files"), locked(lock.parent):
        pass
    assert not elsewhere.exists()


def test_a_private_folder_is_this_user_s_alone(tmp_path):
    folder = tmp_path / "a" / "b"
    make_private_folder(folder)
    make_private_folder(folder)  # it may be there
    assert folder.stat().st_mode & 0o777 == 0o700
    assert exposure(folder) is None


@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_folder_that_others_can_write_is_not_private(mode, tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(BadInputError, match=r"other users.*chmod go-w"):
        make_private_folder(folder)


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(BadInputError, match="is a link"):
        make_private_folder(tmp_path / "link")


def test_what_belongs_to_another_user_is_exposed(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    if tmp_path.stat().st_uid == 0:
        os.chown(tmp_path, 1, -1)  # what is root's is anybody's to trust
        monkeypatch.setattr(os, "geteuid", lambda: 2)
    assert exposure(tmp_path) == "belongs to another user"


def test_what_is_not_there_cannot_be_judged(tmp_path):
    assert "cannot be looked at" in (exposure(tmp_path / "none") or "")
