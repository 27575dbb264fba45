"""Phonon files: round trips, refusals, and versions."""

import dataclasses
import json

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.phonons.record import PHONONS, PHONONS_VERSION
from atomgraft.phonons.suite import crystals_of
from tests.example_phonons import make_alone, make_phonons, make_unstable
from tests.example_result import make_result, with_phonons


def written(folder, **changes):
    document = json.loads(make_alone().model_dump_json()) | changes
    (folder / PHONONS.file).write_text(json.dumps(document))
    return folder


@pytest.mark.parametrize("make", [make_phonons, make_unstable, make_alone])
def test_a_result_comes_back_as_it_was(make, tmp_path):
    path = PHONONS.write(tmp_path, make())
    assert path == tmp_path / PHONONS.file
    assert PHONONS.read(tmp_path) == make()
    assert PHONONS.read(path) == make()
    assert path.read_text().startswith(f'{{\n "schema_version": {PHONONS_VERSION},')


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_numbers_that_are_not_finite_come_back(value, tmp_path):
    """A model that breaks has such frequencies; its file must stay readable."""
    result = make_alone()
    broken = result.spectra[0].model_copy(update={"minimum": value})
    PHONONS.write(tmp_path, result.model_copy(update={"spectra": (broken,)}))
    found = PHONONS.read(tmp_path).spectra[0].minimum
    assert found == pytest.approx(value, nan_ok=True)


def test_a_run_holds_phonons(tmp_path):
    from atomgraft.run.record import RESULT

    run = with_phonons(make_result(), make_phonons())
    RESULT.write(tmp_path, run)
    assert crystals_of(RESULT.read(tmp_path).details["phonons"]) == (make_phonons(),)


@pytest.mark.parametrize(
    "version", [PHONONS_VERSION + 1, 0, None, "1", 1.0, True], ids=repr
)
def test_a_version_that_is_none_of_ours_is_refused(version, tmp_path):
    with pytest.raises(BadInputError, match="schema version") as caught:
        PHONONS.read(written(tmp_path, schema_version=version))
    assert "pip install -U" in caught.value.remedy


def test_every_old_version_has_its_step():
    assert set(PHONONS.upgrades) == set(range(1, PHONONS_VERSION))


def test_old_files_are_upgraded_one_version_at_a_time(tmp_path):
    """Version 1 called the formula 'composition'; that is invented."""

    def renamed(known):
        formula = known["composition"]
        kept = {key: value for key, value in known.items() if key != "composition"}
        return kept | {"formula": formula, "schema_version": 2}

    newer = dataclasses.replace(PHONONS, version=2, upgrades={1: renamed})
    document = json.loads(make_alone().model_dump_json())
    document["composition"] = document.pop("formula")
    (tmp_path / PHONONS.file).write_text(json.dumps(document))
    assert newer.read(tmp_path).formula == make_alone().formula


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_broken_file_is_told(text, tmp_path):
    (tmp_path / PHONONS.file).write_text(text)
    with pytest.raises(BadInputError, match=r"not a readable|schema version None"):
        PHONONS.read(tmp_path)


@pytest.mark.parametrize(
    "change", [{"spectra": [{}]}, {"hostname": "secret"}, {"name": None}], ids=str
)
def test_what_does_not_fit_is_told_in_one_line(change, tmp_path):
    PHONONS.read(written(tmp_path))  # the negative control
    with pytest.raises(BadInputError, match="not a readable phonon result") as caught:
        PHONONS.read(written(tmp_path, **change))
    assert "\n" not in str(caught.value)


def test_a_binary_file_is_told(tmp_path):
    (tmp_path / PHONONS.file).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match="not a readable phonon result"):
        PHONONS.read(tmp_path)


def test_where_there_is_none_the_command_is_told(tmp_path):
    assert not PHONONS.is_at(tmp_path)
    with pytest.raises(BadInputError, match=r"holds no phonons\.json") as caught:
        PHONONS.read(tmp_path / "absent")
    assert "atomgraft phonons" in caught.value.remedy
    PHONONS.write(tmp_path, make_alone())
    assert PHONONS.is_at(tmp_path)
    assert PHONONS.is_at(tmp_path / PHONONS.file)
