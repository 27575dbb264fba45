"""Is the run that trains on labels checked before there are any?"""

import dataclasses
from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import write

from atomgraft.core.errors import BadInputError
from atomgraft.label.labelling.plan import plan_labelling
from atomgraft.label.labelling.record import JobRecord
from atomgraft.label.labelling.spec import parse_label_spec
from atomgraft.label.labelling.then import (
    NOTHING,
    outcome_words,
    refuse_then,
    then_of,
)
from atomgraft.run.spec import SPEC, spec_text
from tests.labellings import FAILED, labelling_of

OUT = Path("runs/labels")
LABELS = "runs/labels/labels.extxyz"
RUN = {"base": "pair:sw-si", "recipe": "full", "training": {"steps": 2}}
CHEAP = {**RUN, "train": "cheap.extxyz"}


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("si.extxyz", bulk("Si"))
    given = {"structures": ["si.extxyz"], "engine": "model:pair:sw-si"}
    return plan_labelling(parse_label_spec(given, "this test"))


def test_a_run_without_data_trains_on_the_labels():
    then = then_of(RUN, "adapt.yaml", OUT)
    assert then.run.train == (LABELS,)
    assert then.folder == OUT / "adapted"


@pytest.mark.parametrize(
    "document",
    [
        {**RUN, "train": f"{LABELS}@:10"},
        {**RUN, "train": ["other.extxyz", f"./{LABELS}"]},
        {**CHEAP, "recipe": "custom", "heads": {"dear": {"train": LABELS}}},
        {**RUN, "train": "dear.extxyz", "base": {**RUN, "train": LABELS}},
    ],
)
def test_a_file_may_say_where_the_labels_go(document):
    if document["recipe"] == "custom":
        document = {**document, "recipe": "full"}
    run = then_of(document, "adapt.yaml", OUT).run
    given = document["train"]
    assert run.train == ((given,) if isinstance(given, str) else tuple(given))


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (CHEAP, f"trains on cheap.extxyz, and the labels will be in {LABELS}"),
        ({**RUN, "heads": {"dear": {"train": LABELS}}}, "has no 'train', and names"),
        ({**RUN, "recipe": "fll"}, "fll"),
        ({**RUN, "stepz": 3}, "stepz"),
        ([1], "a run"),
    ],
)
def test_what_does_not_train_on_the_labels_is_refused(document, what):
    with pytest.raises(BadInputError, match=what):
        then_of(document, "adapt.yaml", OUT)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, None),
        ({"base": "nowhere.pt"}, "nowhere.pt"),
        ({"head": "PBE"}, "head"),
        ({"validation": "nowhere.extxyz"}, "nowhere.extxyz"),
        ({"heads": {"dear": {"train": "nowhere.extxyz"}}}, "nowhere.extxyz"),
        (
            {"heads": {"dear": {"train": "si.extxyz", "source_head": "PBE"}}},
            "no head 'PBE'",
        ),
        (
            {"train": "si.extxyz", "base": {**RUN, "base": "gone", "train": LABELS}},
            "gone",
        ),
    ],
)
def test_what_needs_no_labels_is_checked_before(plan, changes, what):
    then = then_of({**RUN, **changes}, "adapt.yaml", OUT)
    if what is None:
        refuse_then(then, plan, {})
    else:
        with pytest.raises(BadInputError, match=what):
            refuse_then(then, plan, {})
    assert not OUT.exists()


def test_another_run_in_the_folder_is_refused_before(plan):
    folder = OUT / "adapted"
    folder.mkdir(parents=True)
    other = then_of({**RUN, "seed": 1}, "adapt.yaml", OUT)
    (folder / SPEC).write_text(spec_text(other.run))
    then = then_of(RUN, "adapt.yaml", OUT)
    with pytest.raises(BadInputError) as refused:
        refuse_then(then, plan, {})
    assert f"--train {LABELS}" in refused.value.remedy
    refuse_then(then, plan, {}, fresh=True)


def test_trajectories_train_nothing(plan):
    given = {"structures": ["si.extxyz"], "engine": "model:pair:sw-si"}
    md = parse_label_spec({**given, "md": {"temperatures": [300]}}, "this test")
    then = then_of(RUN, "adapt.yaml", OUT)
    with pytest.raises(BadInputError, match="no labels to train on"):
        refuse_then(then, dataclasses.replace(plan, spec=md), {})


def test_what_is_trained_on_is_said():
    job = JobRecord(name="a", material="a", status="done", path="a")
    some = labelling_of(task="labels", jobs=(job, job, FAILED))
    some = some.model_copy(update={"labels": "labels.extxyz"})
    assert "2 labelled structures; 1 structure without" in outcome_words(some)
    none = labelling_of(task="labels", jobs=(FAILED,))
    assert outcome_words(none) == NOTHING
    cut = labelling_of(task="labels", finished=False)
    assert "when all structures are labelled" in outcome_words(cut)
