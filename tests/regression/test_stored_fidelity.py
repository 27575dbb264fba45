"""Studies of levels of older versions stay readable, and have a page."""

import json
from pathlib import Path

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.fidelity.budget import page as budget_page
from atomgraft.fidelity.budget.record import BUDGET, BUDGET_VERSION
from atomgraft.fidelity.page import write_page
from atomgraft.fidelity.record import FIDELITY, FIDELITY_VERSION
from atomgraft.fidelity.spec import parse_fidelity_spec

STORED = sorted((Path(__file__).parent / "stored").glob("fidelity-*.json"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / FIDELITY.file).write_text(STORED[-1].read_text())
    return tmp_path


def test_every_version_is_stored():
    versions = [json.loads(path.read_text())["schema_version"] for path in STORED]
    assert versions == list(range(1, FIDELITY_VERSION + 1))


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_study_keeps_its_numbers(path):
    document = json.loads(path.read_text())
    found = FIDELITY.read(path)
    assert found.headline == document["headline"]
    assert [one.name for one in found.models] == [m["name"] for m in document["models"]]
    assert [row.value for row in found.rows] == [r["value"] for r in document["rows"]]
    answers = [one["answer"] for one in document["claims"]]
    assert [one.answer for one in found.claims] == answers


def test_it_is_written_as_it_was_read(folder):
    before = (folder / FIDELITY.file).read_text()
    FIDELITY.write(folder, FIDELITY.read(folder))
    assert json.loads((folder / FIDELITY.file).read_text()) == json.loads(before)


def test_its_spec_can_be_run_again(folder):
    stored = FIDELITY.read(folder).spec
    spec = parse_fidelity_spec(stored, "stored")
    assert spec.model_dump(mode="json") == stored


def test_it_has_a_page(folder):
    study = FIDELITY.read(folder)
    text = write_page(folder, study).read_text()
    assert study.headline in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a readable study"),
        ("[]", "where keys are needed"),
        ('{"schema_version": 99}', "version 99"),
        ('{"schema_version": 1}', "not a readable study"),
    ],
)
def test_what_is_no_study_is_refused(text, said, folder):
    (folder / FIDELITY.file).write_text(text)
    with pytest.raises(BadInputError, match=said):
        FIDELITY.read(folder)


def test_nothing_is_no_study(tmp_path):
    with pytest.raises(BadInputError, match="atomgraft fidelity"):
        FIDELITY.read(tmp_path)


BUDGETS = sorted((Path(__file__).parent / "stored").glob("budget-*.json"))


def test_every_version_of_a_budget_is_stored():
    versions = [json.loads(path.read_text())["schema_version"] for path in BUDGETS]
    assert versions == list(range(1, BUDGET_VERSION + 1))


@pytest.mark.parametrize("path", BUDGETS, ids=lambda path: path.stem)
def test_a_stored_budget_keeps_its_numbers_and_has_a_page(path, tmp_path):
    document = json.loads(path.read_text())
    found = BUDGET.read(path)
    assert [one.error for one in found.mixtures] == [
        one["error"] for one in document["mixtures"]
    ]
    BUDGET.write(tmp_path, found)
    assert json.loads((tmp_path / BUDGET.file).read_text()) == document
    assert found.headline in budget_page.write_page(tmp_path, found).read_text()
