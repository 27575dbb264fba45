"""Campaign files: round trips, refusals, and versions."""

import json

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.results import phonon_campaign_files
from atomgraft.results.phonon_campaign import CAMPAIGN_VERSION
from atomgraft.results.phonon_campaign_files import (
    CAMPAIGN,
    has_phonon_campaign,
    read_phonon_campaign,
    write_phonon_campaign,
)
from tests.phonon_campaigns import make_campaign


def written(folder, **changes):
    document = json.loads(make_campaign().model_dump_json()) | changes
    (folder / CAMPAIGN).write_text(json.dumps(document))
    return folder


def test_a_campaign_comes_back_as_it_was(tmp_path):
    path = write_phonon_campaign(tmp_path, make_campaign())
    assert read_phonon_campaign(tmp_path) == make_campaign()
    assert read_phonon_campaign(path) == make_campaign()
    assert has_phonon_campaign(tmp_path)


def test_an_empty_folder_holds_none(tmp_path):
    assert not has_phonon_campaign(tmp_path)
    with pytest.raises(BadInputError, match=r"holds no campaign\.json"):
        read_phonon_campaign(tmp_path)


@pytest.mark.parametrize(
    "version", [CAMPAIGN_VERSION + 1, 0, None, "1", 1.0, True], ids=repr
)
def test_a_version_that_is_none_of_ours_is_refused(version, tmp_path):
    with pytest.raises(BadInputError, match="schema version"):
        read_phonon_campaign(written(tmp_path, schema_version=version))


@pytest.mark.parametrize(
    "changes", [{"rows": [{}]}, {"unknown": 1}, {"kind": "elastic"}], ids=str
)
def test_a_broken_file_is_told(changes, tmp_path):
    with pytest.raises(BadInputError, match="not a readable campaign"):
        read_phonon_campaign(written(tmp_path, **changes))


def test_an_older_version_takes_every_step(tmp_path, monkeypatch):
    """What the next version will do: one step for each version."""

    def step(document):
        return {k: v for k, v in document.items() if k != "gone"} | {
            "schema_version": CAMPAIGN_VERSION + 1
        }

    monkeypatch.setattr(phonon_campaign_files, "CAMPAIGN_VERSION", CAMPAIGN_VERSION + 1)
    monkeypatch.setitem(phonon_campaign_files.UPGRADES, CAMPAIGN_VERSION, step)
    found = read_phonon_campaign(written(tmp_path, gone=True))
    assert found.rows == make_campaign().rows
