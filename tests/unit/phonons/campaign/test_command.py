"""What the verb makes of its arguments, before anything is run."""

import json

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.phonons.campaign.command import _number, _triple
from atomgraft.phonons.campaign.spec import CAMPAIGN_SPEC, parse_campaign_spec
from atomgraft.study.calls import composed
from tests.integration.test_bad_input import run
from tests.phonon_folders import BASE, make_folder

LEAST = {"folder": "crystals", "base": BASE}
KIND = (CAMPAIGN_SPEC, parse_campaign_spec)


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("0.5", 0.5), ("half", "half")], ids=str
)
def test_labels_are_a_count_or_a_share(text, value):
    found = _number(text)
    assert found == value
    assert type(found) is type(value)


def test_a_mesh_is_one_number_or_three():
    assert _triple("8") == [8, 8, 8]
    assert _triple("8x8 4") == [8, 8, 4]
    for text in ("8 8", "a", "-3", ""):
        with pytest.raises(BadInputError, match="--mesh"):
            _triple(text)


def test_flags_win_over_the_file(tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_text("recipes: [full]\nfolds: 3\ntraining: {steps: 9, clip: 5}\n")
    found = composed(path, LEAST | {"folds": 5, "mode": None}, 11, KIND)
    assert found.folds == 5
    assert [one.name for one in found.recipes] == ["full"]
    assert (found.training.steps, found.training.clip) == (11, 5)


def test_a_file_that_is_no_campaign_is_refused(tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_text("- full\n")
    with pytest.raises(BadInputError, match="holds list"):
        composed(path, LEAST, None, KIND)


def test_a_base_is_needed():
    with pytest.raises(BadInputError, match="'base' is missing"):
        composed(None, {"folder": "crystals"}, None, KIND)


def test_a_dry_run_says_what_would_be_done(tmp_path, capsys):
    folder = make_folder(tmp_path, ["rocksalt", "zincblende"])
    out = tmp_path / "out"
    asked = f"campaign phonons {folder} --model {BASE} --recipe full --out {out}"
    assert run(f"{asked} --dry-run --json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "materials": ["rocksalt", "zincblende"],
        "trainings": ["train--rocksalt--full-s0", "train--zincblende--full-s0"],
    }
    assert not out.exists()
