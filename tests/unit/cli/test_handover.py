"""A command goes on where its framework is: once, with the same words."""

import os
import sys

import pytest

from atomgraft.cli import handover, main
from atomgraft.cli.handover import SENT_FOR
from atomgraft.core.errors import BadInputError, MissingExtraError
from atomgraft.core.frameworks import missing
from atomgraft.core.installation import add_environment
from tests.unit.core.test_installation import Runner

WORDS = ["atomgraft", "check", "a file.xyz", "--base", "mace-mp"]


class Became(BaseException):
    """Stands for the process that this one becomes; nothing runs after that."""


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("ATOMGRAFT_ENVIRONMENTS", str(tmp_path))
    monkeypatch.delenv(SENT_FOR, raising=False)
    monkeypatch.setattr(sys, "argv", WORDS)
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
    kept = add_environment("mace", run=Runner())
    monkeypatch.setenv("PYTHONPATH", "/ours")
    with pytest.raises(Became):
        main.main()
    [(python, command, variables)] = becoming
    assert python == kept.python
    assert command == [str(python), "-P", "-m", "atomgraft", *WORDS[1:]]
    assert variables[SENT_FOR] == "mace"
    assert "PYTHONPATH" not in variables
    printed, said = capfd.readouterr()
    assert printed == ""
    assert said == f"MACE is not installed here; going on in {kept.folder}.\n"


def test_without_one_the_error_names_the_command(stopped, becoming, capfd):
    assert ended_with() == 2
    assert "Run: atomgraft env add mace" in capfd.readouterr().err
    assert becoming == []


def test_one_that_cannot_be_used_is_told(stopped, becoming, capfd):
    add_environment("mace", run=Runner()).python.unlink()
    assert ended_with() == 2
    assert "its Python is gone" in capfd.readouterr().err
    assert becoming == []


def test_a_command_that_was_sent_is_not_sent_on(stopped, becoming, monkeypatch, capfd):
    """Otherwise an environment without its framework would call itself for ever."""
    add_environment("mace", run=Runner())
    monkeypatch.setenv(SENT_FOR, "mace")
    assert ended_with() == 2
    assert "atomgraft env add mace --fresh" in capfd.readouterr().err
    assert becoming == []


def test_whom_a_sent_command_starts_may_be_sent(stopped, monkeypatch):
    monkeypatch.setenv(SENT_FOR, "mace")
    ended_with()
    assert SENT_FOR not in os.environ


@pytest.mark.parametrize(
    "error",
    [BadInputError("a", "b", "c"), MissingExtraError("a", "b", "c")],
    ids=["other input", "another extra"],
)
def test_other_errors_stay_where_they_are(error, stopped, becoming):
    add_environment("mace", run=Runner())
    stopped(error)
    assert ended_with() == 2
    assert becoming == []


def test_the_loop_guard_is_what_stops_the_loop(becoming):
    """Negative control: without the word that it was sent, it is sent."""
    add_environment("mace", run=Runner())
    with pytest.raises(Became):
        handover.hand_over(missing("mace"), None)
    with pytest.raises(MissingExtraError):
        handover.hand_over(missing("mace"), "mace")
