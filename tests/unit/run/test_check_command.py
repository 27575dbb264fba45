"""``atomgraft check``: what it says of data, and the code it leaves."""

import json

import pytest
from typer.testing import CliRunner

from atomgraft.cli.main import app
from atomgraft.core.errors import BadInputError

CLEAN = "shipped:si-train@::20"

FOREIGN = "shipped:ge-train@::20"

SILICON = "pair:sw-si"
"""A base that knows silicon alone."""


@pytest.fixture(autouse=True)
def first_process(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)


def check(*arguments):
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def codes(answer):
    document = json.loads(answer.stdout)
    return {one["code"]: one["severity"] for one in document["findings"]}


def test_clean_data_pass():
    answer = check(CLEAN)
    assert answer.exit_code == 0
    assert answer.stdout == ""
    assert "5 structures of Si: 5 energies, 5 with forces" in answer.stderr
    assert "No problems found." in answer.stderr
    assert "add --base" in answer.stderr


def test_an_error_exits_with_two():
    answer = check(FOREIGN, "--base", SILICON)
    assert answer.exit_code == 2
    assert "error unknown-element: pair:sw-si does not support Ge" in answer.stderr
    said = " ".join(answer.stderr.split())
    assert "Remove these structures, choose a base that supports the elements" in said
    assert "adapt --map auto:Ge" in said
    assert "No problems found." not in answer.stderr


def test_json_is_json_and_nothing_else():
    answer = check(CLEAN, "--json")
    assert answer.exit_code == 0
    assert answer.stderr == ""
    document = json.loads(answer.stdout)
    assert set(document) == {"data", "findings", "regressions"}
    assert document["data"]["n_structures"] == 5
    assert document["data"]["elements"] == ["Si"]
    assert document["findings"] == []


def test_json_keeps_the_exit_code():
    answer = check(FOREIGN, "--base", SILICON, "--json")
    assert answer.exit_code == 2
    (finding,) = json.loads(answer.stdout)["findings"]
    assert finding["severity"] == "error"
    assert len(finding["frames"]) == 5


@pytest.mark.parametrize(
    ("files", "added"),
    [(CLEAN, {"energy-reference": "note"}), (FOREIGN, {"unknown-element": "error"})],
)
def test_a_base_adds_findings(files, added):
    assert codes(check(files, "--json")) == {}
    assert codes(check(files, "--base", SILICON, "--json")) == added


@pytest.mark.parametrize("option", ["--validation", "--test"])
def test_splits_are_compared(option):
    leak = check(CLEAN, option, CLEAN, "--json")
    assert leak.exit_code == 2
    assert codes(leak) == {"split-leak": "error"}
    apart = check(CLEAN, option, "shipped:si-train@1::20", "--json")
    assert apart.exit_code == 0
    assert codes(apart) == {}


def test_brackets_in_a_file_name_are_no_markup(tmp_path):
    path = tmp_path / "[red]two[x].xyz"
    path.write_text("2\nProperties=species:S:1:pos:R:3\nH 0 0 0\nH 0 0 0\n")
    answer = check(path)
    assert answer.exit_code == 2
    assert "[red]two[x].xyz" in answer.stderr.replace("\n", "")


def test_a_missing_file_is_bad_input(tmp_path):
    answer = check(tmp_path / "gone.xyz")
    assert isinstance(answer.exception, BadInputError)
    assert "gone.xyz" in answer.exception.came


def test_a_warning_that_stops_a_run_says_so(tmp_path):
    path = tmp_path / "mixed.extxyz"
    frame = '8\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3'
    atoms = "".join(f"Si {x} {y} {z}\n" for x in (0, 3) for y in (0, 3) for z in (0, 3))
    path.write_text(
        "".join(
            f'{frame} REF_energy=-{i} head={head} pbc="T T T"\n{atoms}'
            for i, head in enumerate(("pbe", "scan"), start=40)
        )
    )
    answer = check(path)
    assert codes(check(path, "--json"))["heads-ignored"] == "warning"
    assert "adapt stops at this, unless --accept heads-ignored" in answer.stderr
    assert "unless --accept no-stress" not in answer.stderr
