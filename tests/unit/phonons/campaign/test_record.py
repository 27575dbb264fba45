"""Campaign files: round trips, refusals, and versions."""

import dataclasses
import json

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.phonons.campaign.record import CAMPAIGN, CAMPAIGN_VERSION
from tests.phonon_campaigns import make_campaign


def written(folder, **changes):
    document = json.loads(make_campaign().model_dump_json()) | changes
    (folder / CAMPAIGN.file).write_text(json.dumps(document))
    return folder


def test_a_campaign_comes_back_as_it_was(tmp_path):
    path = CAMPAIGN.write(tmp_path, make_campaign())
    assert CAMPAIGN.read(tmp_path) == make_campaign()
    assert CAMPAIGN.read(path) == make_campaign()
    assert CAMPAIGN.is_at(tmp_path)


def test_an_empty_folder_holds_none(tmp_path):
    assert not CAMPAIGN.is_at(tmp_path)
    with pytest.raises(BadInputError, match=r"holds no campaign\.json"):
        CAMPAIGN.read(tmp_path)


@pytest.mark.parametrize(
    "version", [CAMPAIGN_VERSION + 1, 0, None, "1", 1.0, True], ids=repr
)
def test_a_version_that_is_none_of_ours_is_refused(version, tmp_path):
    with pytest.raises(BadInputError, match="schema version"):
        CAMPAIGN.read(written(tmp_path, schema_version=version))


@pytest.mark.parametrize(
    "changes", [{"rows": [{}]}, {"unknown": 1}, {"kind": "elastic"}], ids=str
)
def test_a_broken_file_is_told(changes, tmp_path):
    with pytest.raises(BadInputError, match="not a readable campaign"):
        CAMPAIGN.read(written(tmp_path, **changes))


def test_an_older_version_takes_every_step(tmp_path):
    """What the next version will do: one step for each version."""

    def step(document):
        return {k: v for k, v in document.items() if k != "gone"} | {
            "schema_version": CAMPAIGN_VERSION + 1
        }

    newer = dataclasses.replace(
        CAMPAIGN,
        version=CAMPAIGN_VERSION + 1,
        upgrades={**CAMPAIGN.upgrades, CAMPAIGN_VERSION: step},
    )
    found = newer.read(written(tmp_path, gone=True))
    assert found.rows == make_campaign().rows
