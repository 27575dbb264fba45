"""atomgraft env: add, list and remove, for people and as JSON."""

import json

import pytest
from typer.testing import CliRunner

from atomgraft.cli.main import app
from atomgraft.core import installation
from tests.unit.core.test_installation import Runner


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("ATOMGRAFT_ENVIRONMENTS", str(tmp_path))
    original = installation.add_environment

    def quick(framework, **options):
        return original(framework, run=Runner(), **options)

    monkeypatch.setattr(installation, "add_environment", quick)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["env", *arguments])


def listed():
    document = json.loads(run("list", "--json").stdout)
    return {one["framework"]: one for one in document}


def test_what_is_added_is_listed_until_it_is_removed(root):
    assert listed()["mace"]["environment"] is None
    added = run("add", "mace")
    assert added.exit_code == 0, added.output
    assert "Commands that need mace run in" in added.stderr
    environment = listed()["mace"]["environment"]
    assert environment["folder"].startswith(str(root / "mace"))
    assert listed()["mace"]["defect"] is None
    assert "mace" in run("list").stderr
    assert "is removed" in run("remove", "mace").stderr
    assert listed()["mace"]["environment"] is None


def test_without_an_environment_the_list_names_the_command():
    told = " ".join(run("list").stderr.split())
    assert "atomgraft env add mace" in told or listed()["mace"]["is_here"]


def test_a_defect_is_listed_with_what_to_do(root):
    run("add", "mace")
    [python] = root.glob("mace/*/bin/python")
    python.unlink()
    assert listed()["mace"]["defect"] == "its Python is gone"
    told = " ".join(run("list").stderr.split())
    assert "atomgraft env add mace" in told


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["add"], "without the name"),
        (["remove"], "without the name"),
        (["list", "mace"], "came with the name 'mace'"),
        (["add", "gap"], "no framework 'gap'"),
        (["remove", "mace"], "No environment is kept"),
    ],
)
def test_what_makes_no_sense_is_refused(words, wrong):
    answer = run(*words)
    assert answer.exit_code != 0
    assert wrong in str(answer.exception)


def test_json_comes_alone():
    added = run("add", "mace", "--json")
    assert json.loads(added.stdout)
    assert added.stderr == ""
