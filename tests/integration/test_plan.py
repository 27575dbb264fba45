"""What is printed is what runs: a plan, then the run, side by side."""

import json
import shutil
from pathlib import Path

import pytest

from tests.integration.test_bad_input import frames, run, write
from tests.trials import NEEDS_SEVENN

pytestmark = pytest.mark.slow

BASE = "--base pair:sw-si"
TRAIN = "shipped:si-train@:50"

FACTOR = 3.0
"""Between the estimate and the run; other work on the machine is meant."""

MEMORY_FACTOR = 1.5

AGREED = ("spec", "base", "data", "coverage", "reference", "heads", "rehearsal")
"""What a plan and a result both say, under one name."""


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Start in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def as_json(command, capsys):
    capsys.readouterr()
    assert run(f"{command} --json") == 0
    return json.loads(capsys.readouterr().out)


def errors(command, capsys):
    capsys.readouterr()
    assert run(command) == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    "options",
    [
        "--recipe full --steps 7",
        "--recipe decay --steps 3 --no-references --batch-size 5",
        "--recipe replay --steps 4",
        "--recipe ewc --steps 2 --seed 3 --dtype float64",
    ],
)
def test_a_run_does_what_its_plan_said(options, capsys, workplace):
    command = f"{BASE} --train {TRAIN} {options}"
    plan = as_json(f"plan {command}", capsys)
    assert list(workplace.iterdir()) == [], "a plan leaves nothing behind"
    result = as_json(f"adapt {command} --out run", capsys)
    terms = plan["terms"]
    assert {key: terms[key] for key in AGREED} == {key: result[key] for key in AGREED}
    assert terms["n_steps"] == result["training"]["n_steps_done"]
    target = result["training"]["streams"][0]
    assert terms["n_steps"] * terms["batch_size"] == target["n_seen"]
    assert terms["elements_kept"] == result["base"]["elements"]


@NEEDS_SEVENN
@pytest.mark.slow
def test_a_real_model_is_planned_as_well(capsys):
    options = "--train shipped:si-train@:12 --recipe lora-replay --steps 8"
    plan = as_json(f"plan --base 7net-0 {options} --write plan.json", capsys)
    result = as_json(
        f"adapt --base 7net-0 {options} --out run --plan plan.json", capsys
    )
    ratio = result["provenance"][0]["seconds"] / plan["cost"]["seconds"]
    assert 1 / FACTOR < ratio < FACTOR


def test_the_cost_is_near_what_it_comes_to(capsys):
    command = f"{BASE} --train {TRAIN} --recipe full --steps 300"
    cost = as_json(f"plan {command}", capsys)["cost"]
    training = as_json(f"adapt {command} --out run", capsys)["training"]
    assert 1 / FACTOR < training["seconds"] / cost["seconds"] < FACTOR
    low, high = cost["interval"]
    assert low < cost["seconds"] < high
    ratio = training["peak_memory_mib"] / cost["peak_memory_mib"]
    assert 1 / MEMORY_FACTOR < ratio < MEMORY_FACTOR
    validations = [one for one in training["curve"] if one["validation"]]
    assert cost["n_validations"] == len(validations)


def test_a_plan_is_readable(capsys):
    command = f"plan {BASE} --train {TRAIN} --recipe replay --with-scratch"
    assert run(command) == 0
    shown = capsys.readouterr().err
    for word in ("licence", "1 kept", "eV/atom: Si", "32 crystal", "from scratch"):
        assert word in shown


def test_adapt_keeps_to_a_plan(capsys):
    write(frames(12))
    command = f"{BASE} --train train.extxyz --recipe replay --steps 2"
    as_json(f"plan {command} --write plan.json", capsys)
    assert {one.name for one in Path().iterdir()} == {"train.extxyz", "plan.json"}
    result = as_json(f"adapt {command} --plan plan.json --out run", capsys)
    assert result["finished"]


def with_other_labels():
    write(frames(13)[1:])


@pytest.mark.parametrize(
    ("change", "more", "named"),
    [
        (with_other_labels, "", "data.0.fingerprint"),
        (lambda: None, "--steps 3", "spec.training.steps was 2 and is 3"),
        (lambda: None, "--lr 0.0010001", "spec.learning_rate"),
        (lambda: None, "--no-references", "spec.axes.starts.references"),
        (lambda: None, "--seed 1", "spec.seed was 0 and is 1"),
    ],
)
def test_adapt_does_nothing_else_than_its_plan(change, more, named, capsys):
    """Negative control: what differs is named, and nothing has been written."""
    write(frames(12))
    command = f"{BASE} --train train.extxyz --recipe full --steps 2"
    as_json(f"plan {command} --write plan.json", capsys)
    change()
    text = errors(f"adapt {command} {more} --plan plan.json --out run", capsys)
    assert named in text
    assert not Path("run").exists()


def test_device_and_folder_are_free(capsys):
    command = f"{BASE} --train {TRAIN} --recipe full --steps 2"
    as_json(f"plan {command} --device auto --out a --write plan.json", capsys)
    as_json(f"adapt {command} --device cpu --out b --plan plan.json", capsys)


@pytest.mark.parametrize(
    "command",
    [
        f"{BASE} --train gone.extxyz",
        f"--base nothing --train {TRAIN}",
        f"{BASE} --train {TRAIN} --recipe magic",
        f"{BASE} --train {TRAIN} --batch-size 51",
        f"{BASE} --train shipped:ge-train",
        f"{BASE} --train {TRAIN} --out done",
        f"--base done --train {TRAIN} --out done",
    ],
)
def test_a_plan_refuses_what_adapt_refuses(command, finished, capsys):
    shutil.copytree(finished, "done")
    before = sorted(Path("done").rglob("*"))
    refusals = {errors(f"{verb} {command}", capsys) for verb in ("plan", "adapt")}
    assert len(refusals) == 1
    assert sorted(Path("done").rglob("*")) == before


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan") / "run"
    options = f"--train {TRAIN} --recipe full --steps 4 --out {folder}"
    assert run(f"adapt {BASE} {options}") == 0
    return folder


def test_what_is_done_already_costs_nothing(finished, capsys):
    shutil.copytree(finished, "done")
    plan = as_json("plan done", capsys)
    assert plan["notices"][-1].startswith("done is already finished")
    assert plan["cost"]["n_steps_left"] == plan["cost"]["n_validations"] == 0
    assert plan["terms"]["n_steps"] == 4
    anew = as_json("plan done --fresh", capsys)
    assert anew["cost"]["n_steps_left"] == 4
    assert (Path("done") / "result.json").exists(), "--fresh of a plan removes nothing"


def test_a_plan_of_no_steps_is_a_plan(capsys):
    options = f"--train {TRAIN} --recipe full --steps 0"
    cost = as_json(f"plan {BASE} {options}", capsys)["cost"]
    assert cost["n_timed"] == cost["seconds_per_step"] == 0
    assert cost["seconds"] >= cost["startup_seconds"] > 0


def test_what_is_no_plan_is_refused(capsys):
    Path("plan.json").write_text("{}")
    command = f"adapt {BASE} --train {TRAIN} --plan plan.json --out run"
    assert "is not a readable contract" in errors(command, capsys)
