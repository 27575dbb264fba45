"""Comparisons of older versions stay readable, and have a page."""

import json
from pathlib import Path

import pytest

from atomgraft.compare.page import write_page
from atomgraft.compare.record import COMPARISON, COMPARISON_VERSION
from atomgraft.core.errors import BadInputError

STORED = sorted((Path(__file__).parent / "stored").glob("compare-*.json"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / COMPARISON.file).write_text(STORED[-1].read_text())
    return tmp_path


def test_every_version_is_stored():
    versions = [json.loads(path.read_text())["schema_version"] for path in STORED]
    assert versions == list(range(1, COMPARISON_VERSION + 1))


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_comparison_keeps_its_numbers(path):
    document = json.loads(path.read_text())
    found = COMPARISON.read(path)
    assert found.advice.headline == document["advice"]["headline"]
    assert [one.name for one in found.cells] == [c["name"] for c in document["cells"]]
    values = [row.value for row in found.summaries]
    assert values == [row["value"] for row in document["summaries"]]


def test_it_is_written_as_it_was_read(folder):
    before = (folder / COMPARISON.file).read_text()
    COMPARISON.write(folder, COMPARISON.read(folder))
    assert json.loads((folder / COMPARISON.file).read_text()) == json.loads(before)


def test_one_without_element_maps_is_read(folder):
    file = folder / COMPARISON.file
    before = COMPARISON.read(folder)
    document = json.loads(file.read_text())
    del document["crossings"]
    for contestant in document["contestants"]:
        del contestant["element_map"], contestant["is_fresh"]
    for base in document["bases"]:
        del base["element_map"]
    file.write_text(json.dumps(document))
    assert COMPARISON.read(folder) == before


def test_it_has_a_page(folder):
    comparison = COMPARISON.read(folder)
    text = write_page(folder, comparison).read_text()
    assert comparison.advice.headline in text


def test_folders_tell_what_they_hold(folder, tmp_path_factory):
    assert COMPARISON.is_at(folder)
    assert not COMPARISON.is_at(tmp_path_factory.mktemp("empty"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a readable comparison"),
        ("[]", "where keys are needed"),
        ('{"schema_version": 99}', "version 99"),
        ('{"schema_version": true}', "version True"),
        ('{"schema_version": 1}', "not a readable comparison"),
    ],
)
def test_what_is_no_comparison_is_refused(text, said, folder):
    (folder / COMPARISON.file).write_text(text)
    with pytest.raises(BadInputError, match=said):
        COMPARISON.read(folder)


def test_nothing_is_no_comparison(tmp_path):
    with pytest.raises(BadInputError, match="atomgraft compare"):
        COMPARISON.read(tmp_path)
