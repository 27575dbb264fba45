"""Result files: round trips, refusals, upgrades, and writing whole or not at all."""

import dataclasses
import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from atomgraft.core.errors import BadInputError, StorageError
from atomgraft.records.scores import Score
from atomgraft.run.record import RESULT, SCHEMA_VERSION, RunResult
from tests.example_result import make_failed, make_result, make_unproved

MAKERS = (make_result, make_unproved, make_failed)

finite = st.floats(allow_nan=False, allow_infinity=False)


def document(**changes):
    return json.loads(make_unproved().model_dump_json()) | changes


def write_document(folder, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / RESULT.file).write_text(text)


@pytest.mark.parametrize("make", MAKERS)
def test_a_result_comes_back_as_it_was(make, tmp_path):
    result = make()
    path = RESULT.write(tmp_path, result)
    assert path == tmp_path / RESULT.file
    assert RESULT.read(tmp_path) == result
    assert RESULT.read(path) == result


@pytest.mark.slow
@given(value=finite, low=finite, group=st.none() | st.text(max_size=9))
def test_numbers_come_back_to_the_last_bit(value, low, group, tmp_path_factory):
    score = Score(
        model="base",
        suite="labels",
        quantity="forces",
        metric="mae",
        value=value,
        unit="meV/Å",
        interval=(low, value),
        n=3,
        group=group,
    )
    result = make_unproved().model_copy(update={"scores": (score,)})
    folder = tmp_path_factory.mktemp("run")
    RESULT.write(folder, result)
    assert RESULT.read(folder).scores == (score,)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_numbers_that_are_not_finite_come_back(value, tmp_path):
    """A loss that broke is part of the story; its page must stay readable."""
    result = make_unproved()
    curve = (result.training.curve[0].model_copy(update={"loss": value}),)
    training = result.training.model_copy(update={"curve": curve})
    RESULT.write(tmp_path, result.model_copy(update={"training": training}))
    loss = RESULT.read(tmp_path).training.curve[0].loss
    assert loss == pytest.approx(value, nan_ok=True)


def test_files_say_their_version_and_are_text_for_people(tmp_path):
    path = RESULT.write(tmp_path, make_unproved())
    assert path.read_text().startswith(f'{{\n "schema_version": {SCHEMA_VERSION},')


def test_a_result_is_not_edited():
    with pytest.raises(ValidationError, match="frozen"):
        make_unproved().name = "another"


PLACES = (
    (),
    ("base",),
    ("data", 0),
    ("coverage", 0),
    ("reference",),
    ("training",),
    ("training", "curve", 0),
    ("verdict",),
    ("provenance", 0),
)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_keys_that_nobody_knows_are_refused(place, tmp_path):
    content = document()
    RunResult.model_validate(content)  # the negative control
    part = content
    for step in place:
        part = part[step]
    part["hostname"] = "secret"
    write_document(tmp_path, content)
    with pytest.raises(BadInputError, match="not a readable result"):
        RESULT.read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        '{"schema_version": 1}',
        document(scores=[{}]),
        document(finished="perhaps"),
        document(base=None),
    ],
    ids=["empty", "cut", "bare", "bare score", "not a bool", "no base"],
)
def test_a_broken_file_is_told(content, tmp_path):
    write_document(tmp_path, content)
    with pytest.raises(BadInputError, match="not a readable result") as caught:
        RESULT.read(tmp_path)
    assert str(tmp_path / RESULT.file) in caught.value.came
    assert "\n" not in str(caught.value)


def test_a_binary_file_is_told(tmp_path):
    (tmp_path / RESULT.file).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match="not a readable result"):
        RESULT.read(tmp_path)


@pytest.mark.parametrize("name", ["absent", ".", "x" * 5000])
def test_where_no_result_is_the_command_is_told(name, tmp_path):
    with pytest.raises(BadInputError, match=r"holds no result\.json") as caught:
        RESULT.read(tmp_path / name)
    assert "atomgraft adapt --out NEW_FOLDER" in caught.value.remedy


@pytest.mark.parametrize(
    "version", [SCHEMA_VERSION + 1, 0, -1, None, "1", 1.0, True], ids=repr
)
def test_a_version_that_is_none_of_ours_is_refused(version, tmp_path):
    write_document(tmp_path, document(schema_version=version))
    with pytest.raises(BadInputError, match="schema version"):
        RESULT.read(tmp_path)


@pytest.mark.parametrize("content", ["[]", '"text"', "3", "null"])
def test_a_document_that_is_no_result_is_refused(content, tmp_path):
    write_document(tmp_path, content)
    with pytest.raises(BadInputError, match="not a readable result"):
        RESULT.read(tmp_path)


def test_every_old_version_has_its_step():
    assert set(RESULT.upgrades) == set(range(1, SCHEMA_VERSION))


def test_old_files_are_upgraded_one_version_at_a_time(tmp_path):
    """Version 1 called the run's name 'title', version 2 'label'; both are invented."""

    def renaming(old, new, version):
        def step(known):
            kept = {key: value for key, value in known.items() if key != old}
            return kept | {new: known[old], "schema_version": version}

        return step

    steps = {1: renaming("title", "label", 2), 2: renaming("label", "name", 3)}
    newer = dataclasses.replace(RESULT, version=3, upgrades=steps)
    wanted = document(schema_version=3)
    older = {key: value for key, value in wanted.items() if key != "name"}
    for version, key in ((1, "title"), (2, "label"), (3, "name")):
        write_document(
            tmp_path, older | {key: wanted["name"], "schema_version": version}
        )
        read = newer.read(tmp_path)
        assert read.name == wanted["name"]
        assert read.schema_version == 3


def test_an_older_result_stays_where_the_disk_is_full(tmp_path, monkeypatch):
    RESULT.write(tmp_path, make_unproved())

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        RESULT.write(tmp_path, make_result())
    assert RESULT.read(tmp_path) == make_unproved()
    assert [path.name for path in Path(tmp_path).iterdir()] == [RESULT.file]
