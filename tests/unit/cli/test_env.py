"""atomgraft env: add, list and remove, for people and as JSON."""

import json

import pytest
from typer.testing import CliRunner

from atomgraft.cli.main import app
from atomgraft.core import environments
from tests.environments import Installer


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("ATOMGRAFT_ENVIRONMENTS", str(tmp_path))
    monkeypatch.setattr("subprocess.run", Installer())
    monkeypatch.setattr(environments, "is_installed", lambda name: name == "sevennet")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["env", *arguments])


def of_mace(*arguments):
    document = json.loads(run(*arguments, "--json").stdout)
    return {one["framework"]: one for one in document}["mace"]


def test_what_is_added_is_listed_until_it_is_removed(root):
    assert of_mace("list")["python"] is None
    python = str(root / "mace" / "bin" / "python")
    assert of_mace("add", "mace") == {
        "framework": "mace",
        "python": python,
        "defect": None,
    }
    assert python in run("list").stderr.replace("\n", "")
    assert of_mace("remove", "mace")["python"] is None


def test_the_list_says_why_there_is_none_and_what_to_do(root):
    told = " ".join(run("list").stderr.split())
    assert "MACE, which is not installed here. Run: atomgraft env add mace" in told
    run("add", "mace")
    (root / "mace" / "bin" / "python").unlink()
    told = " ".join(run("list").stderr.split())
    assert "has no Python any more. Run: atomgraft env add mace" in told


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["add"], "with no framework"),
        (["remove"], "with no framework"),
        (["list", "mace"], "came with mace"),
        (["add", "gap"], "no framework named 'gap'"),
    ],
)
def test_what_makes_no_sense_is_refused(words, wrong):
    answer = run(*words)
    assert answer.exit_code != 0
    assert wrong in str(answer.exception)
