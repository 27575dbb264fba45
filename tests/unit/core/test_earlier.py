"""Folders of versions that kept no list: known by content, never by name alone."""

import json

import pytest

from atomgraft.core.earlier import FILES, GENERATOR, earlier_files, earlier_verb
from atomgraft.experiments.compare_plan import TEST, VALIDATION
from atomgraft.experiments.compare_spec import COMPARE_SPEC
from atomgraft.experiments.phonon_campaign_cells import FORCES, OWNER, PSEUDO_LABELS
from atomgraft.experiments.phonon_campaign_spec import CAMPAIGN_SPEC
from atomgraft.results.comparison_files import COMPARISON
from atomgraft.results.files import RESULT
from atomgraft.results.instability_files import STABILISE
from atomgraft.results.phonon_campaign_files import CAMPAIGN
from atomgraft.results.phonon_files import PHONONS
from atomgraft.results.selection import SELECTION
from atomgraft.training.checkpoint import CHECKPOINT, METRICS

SPEC = "base: x\ntrain: y\nrecipe: full\naxes: {}\ntraining: {}\n"

RESULT_TEXT = json.dumps(
    {"schema_version": 3, "spec": {}, "training": {}, "verdict": {}}
)

RUN = {"spec.yaml": SPEC, "result.json": RESULT_TEXT}

KNOWN = {
    "adapt": RUN,
    "compare": {
        "compare.yaml": "base: x\ntrain: y\ntest: z\nrecipes: []\ntraining: {}\n",
        "data/fingerprint": "0",
    },
    "phonons": {
        "phonons.yaml": "identity: x\ncrystal: y\nmodels: []\n",
        "phonons.json": json.dumps({"schema_version": 1, "spectra": []}),
    },
    "stabilise": {
        "stabilise.json": json.dumps(
            {"schema_version": 1, "identity": "x", "crystals": []}
        )
    },
}


def fill(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize("verb", KNOWN)
def test_content_says_which_verb(verb, tmp_path):
    fill(tmp_path, KNOWN[verb])
    assert earlier_verb(tmp_path) == verb
    fill(tmp_path, {"notes.txt": "mine", "report.html": "<p>mine</p>"})
    assert not {"notes.txt", "report.html"} & set(earlier_files(tmp_path, verb))


@pytest.mark.parametrize("verb", KNOWN)
@pytest.mark.parametrize("text", ["mine", "[]", "{}", "", "\x00", "[" * 100_000])
def test_names_alone_say_nothing(verb, text, tmp_path):
    fill(tmp_path, dict.fromkeys(KNOWN[verb], text))
    if verb == "compare":  # the other half of its marks has no inner form
        fill(tmp_path, {"data/fingerprint": "0"})
    assert earlier_verb(tmp_path) is None


def test_a_hand_written_spec_is_no_run(tmp_path):
    fill(tmp_path, {"spec.yaml": SPEC, "checkpoint.pt": "mine"})
    assert earlier_verb(tmp_path) is None


def test_a_page_is_ours_by_what_it_says(tmp_path):
    fill(tmp_path, {**RUN, "report.html": f"<head>{GENERATOR}</head>"})
    assert "report.html" in earlier_files(tmp_path, "adapt")


def test_links_are_not_ours(tmp_path):
    fill(tmp_path / "out", RUN)
    fill(tmp_path / "mine", {"metrics.jsonl": "{}"})
    (tmp_path / "out" / "metrics.jsonl").symlink_to(tmp_path / "mine" / "metrics.jsonl")
    assert earlier_files(tmp_path / "out", "adapt") == ["spec.yaml", "result.json"]
    (tmp_path / "out" / "result.json").rename(tmp_path / "result.json")
    (tmp_path / "out" / "result.json").symlink_to(tmp_path / "result.json")
    assert earlier_verb(tmp_path / "out") is None


def test_names_are_those_that_verbs_write():
    assert {RESULT, CHECKPOINT, METRICS} <= set(FILES["adapt"])
    assert {COMPARE_SPEC, COMPARISON} <= set(FILES["compare"])
    assert {CAMPAIGN_SPEC, CAMPAIGN} <= set(FILES["campaign"])
    assert PHONONS in FILES["phonons"]
    assert STABILISE in FILES["stabilise"]
    assert SELECTION in FILES["select"]
    assert {FORCES, OWNER, PSEUDO_LABELS} <= set(FILES["cell"])
    for name in (TEST, VALIDATION):  # users name their own files like that
        assert f"data/{name}" not in FILES["compare"]
