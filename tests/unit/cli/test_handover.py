"""A command goes on where its framework is: once, with the same words."""

import os
import sys

import pytest

from atomgraft.cli import main
from atomgraft.cli.main import SENT_FOR
from atomgraft.core import environments
from atomgraft.core.environments import missing
from atomgraft.core.errors import BadInputError, MissingExtraError
from tests.environments import add

WORDS = ["atomgraft", "check", "a file.xyz", "--base", "mace-mp"]


class Became(BaseException):
    """Stands for the process that this one becomes; nothing runs after that."""


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("ATOMGRAFT_ENVIRONMENTS", str(tmp_path))
    monkeypatch.delenv(SENT_FOR, raising=False)
    monkeypatch.setattr(sys, "argv", WORDS)
    monkeypatch.setattr(environments, "is_installed", lambda name: False)
    return tmp_path


@pytest.fixture
def stopped(monkeypatch):
    """Let every command stop at a missing framework."""

    def stop(error):
        def run():
            raise error

        monkeypatch.setattr(main, "_run", run)

    stop(missing("mace"))
    return stop


@pytest.fixture
def becoming(monkeypatch):
    """Return what processes this one would have become."""
    calls = []

    def execve(*arguments):
        calls.append(arguments)
        raise Became

    monkeypatch.setattr(os, "execve", execve)
    return calls


def ended_with():
    with pytest.raises(SystemExit) as end:
        main.main()
    return end.value.code


def test_the_command_goes_on_in_the_kept_environment(
    stopped, becoming, monkeypatch, capfd
):
    folder, _ = add(monkeypatch)
    capfd.readouterr()
    monkeypatch.setenv("PYTHONPATH", "/ours")
    with pytest.raises(Became):
        main.main()
    [(python, command, variables)] = becoming
    assert python == folder / "bin" / "python"
    assert command == [str(python), "-P", "-m", "atomgraft", *WORDS[1:]]
    assert variables[SENT_FOR] == "mace"
    assert "PYTHONPATH" not in variables
    printed, said = capfd.readouterr()
    assert printed == ""
    assert said == f"MACE is not installed here; going on in {folder}.\n"


def test_without_one_the_error_names_the_command(stopped, becoming, capfd):
    assert ended_with() == 2
    assert "Run: atomgraft env add mace" in capfd.readouterr().err
    assert becoming == []


def test_one_that_cannot_be_used_is_told(stopped, becoming, monkeypatch, capfd):
    folder, _ = add(monkeypatch)
    (folder / "bin" / "python").unlink()
    assert ended_with() == 2
    assert "has no Python any more" in capfd.readouterr().err
    assert becoming == []


def test_a_command_that_was_sent_is_not_sent_on(stopped, becoming, monkeypatch, capfd):
    """Otherwise an environment without its framework would call itself for ever."""
    add(monkeypatch)
    monkeypatch.setenv(SENT_FOR, "mace")
    assert ended_with() == 2
    assert "atomgraft env add mace --fresh" in capfd.readouterr().err
    assert becoming == []
    with pytest.raises(Became):  # negative control: it was not sent
        main.main()


def test_whom_a_sent_command_starts_may_be_sent(stopped, monkeypatch):
    monkeypatch.setenv(SENT_FOR, "mace")
    ended_with()
    assert SENT_FOR not in os.environ


@pytest.mark.parametrize(
    "error",
    [BadInputError("a", "b", "c"), MissingExtraError("a", "b", "c")],
    ids=["other input", "another extra"],
)
def test_other_errors_stay_where_they_are(error, stopped, becoming, monkeypatch):
    add(monkeypatch)
    stopped(error)
    assert ended_with() == 2
    assert becoming == []
