"""Making environments: whole or not at all, and every failure told in a paragraph."""

import errno
import importlib.metadata
import os
import shutil
import sys
from pathlib import Path

import pytest

from atomgraft.core.environments import (
    find_environment,
    list_made,
    own_requirement,
    remove_environment,
)
from atomgraft.core.errors import BadInputError, StorageError
from atomgraft.core.installation import add_environment, run_aloud
from atomgraft.core.storage import locked


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    folder = tmp_path / "environments"
    monkeypatch.setenv("ATOMGRAFT_ENVIRONMENTS", str(folder))
    return folder


class Runner:
    """Does what venv and pip do, as far as it can be seen, or fails as they do."""

    def __init__(self, fails_at=None, says=(), raises=None):
        self.fails_at, self.says, self.raises = fails_at, says, raises
        self.commands = []

    def __call__(self, command, report):
        self.commands.append(command)
        step = ("venv", "install", "-c")[len(self.commands) - 1]
        assert step in command
        if step == "venv":
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()
        if step != self.fails_at:
            report("all is well")
            return 0
        if self.raises:
            raise self.raises
        for line in self.says:
            report(line)
        return 1


def contents(root):
    """Return everything below a folder but the lock."""
    paths = (str(path.relative_to(root)) for path in root.rglob("*"))
    return sorted(path for path in paths if path != ".lock")


def test_three_commands_make_an_environment(root):
    runner, told, heard = Runner(), [], []
    made = add_environment(
        "mace", run=runner, report=told.append, overhear=heard.append
    )
    assert find_environment("mace") == made
    assert made.defect is None
    assert Path(made.folder).parent == root / "mace"
    venv, pip, trial = runner.commands
    assert venv == [sys.executable, "-m", "venv", made.folder]
    assert pip[0] == trial[0] == str(made.python)
    assert tuple(pip[-len(made.arguments) :]) == own_requirement("mace")
    assert trial[-1] == "import atomgraft, mace"
    assert len(told) == len(heard) == 3


def test_torch_is_the_one_of_this_environment():
    runner = Runner()
    made = add_environment("mace", run=runner)
    limits = Path(made.folder) / "constraints.txt"
    assert str(limits) in runner.commands[1]
    version = importlib.metadata.version("torch").split("+")[0]
    assert limits.read_text() == f"torch=={version}\n"


def test_a_second_time_there_is_nothing_to_do():
    first = add_environment("mace", run=Runner())
    runner = Runner()
    assert add_environment("mace", run=runner) == first
    assert runner.commands == []


def test_fresh_makes_it_anew_and_removes_the_former(root):
    first = add_environment("mace", run=Runner())
    second = add_environment("mace", fresh=True, run=Runner())
    assert second.folder != first.folder
    assert find_environment("mace") == second
    assert not Path(first.folder).exists()


def test_one_of_another_atomgraft_is_made_anew(monkeypatch):
    first = add_environment("mace", run=Runner())
    monkeypatch.setattr("atomgraft.core.environments.own_version", lambda: "99")
    monkeypatch.setattr("atomgraft.core.installation.own_version", lambda: "99")
    second = add_environment("mace", run=Runner())
    assert first.folder != second.folder
    assert second.version == "99"
    assert find_environment("mace") == second


NO_SPACE = os.strerror(errno.ENOSPC)

FAILURES = {
    "no venv": (
        Runner("venv", ["It was not created", "", "apt install x"]),
        BadInputError,
        ["could not be made: apt install x.", "apt install python3-venv"],
    ),
    "no network": (
        Runner(
            "install",
            ["WARNING: Retrying", "ERROR: No matching distribution found for x", "bye"],
        ),
        BadInputError,
        ["ERROR: No matching distribution found for x.", "atomgraft env add mace"],
    ),
    "a full disk": (
        Runner("install", [f"ERROR: Could not install: [Errno 28] {NO_SPACE}"]),
        StorageError,
        [NO_SPACE, "ATOMGRAFT_ENVIRONMENTS"],
    ),
    "a broken framework": (
        Runner("-c", ["Traceback", "ImportError: no e3nn"]),
        BadInputError,
        ["cannot be imported: ImportError: no e3nn."],
    ),
    "silence": (Runner("install"), BadInputError, ["it said nothing"]),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("has_former", [False, True])
def test_a_failure_leaves_what_was_there_and_nothing_else(failure, has_former, root):
    if has_former:
        former = add_environment("mace", run=Runner())
        before = contents(root)
    runner, kind, words = FAILURES[failure]
    runner.commands = []
    with pytest.raises(kind) as caught:
        add_environment("mace", fresh=True, run=runner)
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)
    if has_former:
        assert contents(root) == before
        assert find_environment("mace") == former
    else:
        assert contents(root) == []


def test_an_interruption_leaves_nothing(root):
    with pytest.raises(KeyboardInterrupt):
        add_environment("mace", run=Runner("install", raises=KeyboardInterrupt()))
    assert contents(root) == []


def test_leftovers_of_a_killed_process_are_removed(root):
    leftover = root / "mace" / "env-dead" / "lib"
    leftover.mkdir(parents=True)
    list_made(root / "mace", leftover.parent)
    assert find_environment("mace") is None  # a folder alone is no environment
    made = add_environment("mace", run=Runner())
    assert not leftover.exists()
    assert find_environment("mace") == made


def test_what_somebody_else_put_there_is_never_removed(root, tmp_path):
    made = add_environment("mace", run=Runner())
    mine = [
        root / "mace" / name for name in ("env-mine/notes", "notes", "env-0123abcd")
    ]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "notes").write_text("mine")
    shutil.rmtree(made.folder)
    Path(made.folder).symlink_to(tmp_path / "elsewhere")
    again = add_environment("mace", fresh=True, run=Runner())
    assert not Path(again.folder).is_symlink()
    remove_environment("mace")
    assert find_environment("mace") is None
    assert not Path(again.folder).exists()
    assert [path.read_text() for path in mine] == ["mine"] * len(mine)
    assert (tmp_path / "elsewhere" / "notes").read_text() == "mine"


def test_two_processes_do_not_make_it_at_once(root):
    root.mkdir()
    with locked(root), pytest.raises(BadInputError, match="in use by another"):
        add_environment("mace", run=Runner())


def test_an_unknown_framework_makes_no_folder(root):
    with pytest.raises(BadInputError, match="no framework"):
        add_environment("../mace", run=Runner())
    assert not root.exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ATOMGRAFT_ENVIRONMENTS", str(tmp_path / "file" / "below"))
    runner = Runner()
    with pytest.raises(BadInputError, match="a file of that name"):
        add_environment("mace", run=runner)
    assert runner.commands == []


def test_the_runner_reports_both_streams_and_the_status():
    lines = []
    code = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)"
    assert run_aloud([sys.executable, "-c", code], lines.append) == 3
    assert sorted(lines) == ["one", "two"]
