"""The main job from start to end: adapt, prove, report, merge."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.data.readers import read_structures
from atomgraft.models.prediction import predict_structures
from atomgraft.run.inputs import load_base
from tests.integration.test_bad_input import run
from tests.trials import NEEDS_SEVENN

TRAIN = "shipped:si-train@:10"
TEST = "shipped:si-test@:5"

CALCULATORS = 1e-4
"""eV, eV/Å: SevenNet's own calculator runs in float32 and adds up in its own order."""


def as_json(command, capsys):
    capsys.readouterr()
    assert run(f"{command} --json") == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of a fast potential, with a baseline from fresh weights."""
    folder = tmp_path_factory.mktemp("job") / "run"
    options = f"--train {TRAIN} --recipe full --steps 20 --out {folder}"
    assert run(f"adapt --base pair:sw-si {options} --with-scratch") == 0
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_what_a_run_leaves(finished):
    names = {one.name for one in finished.iterdir()}
    assert names == {
        ".atomgraft.json", ".lock", "checkpoint.pt", "graft.safetensors",
        "metrics.jsonl", "result.json", "scratch", "spec.yaml",
    }  # fmt: skip
    document = json.loads((finished / "result.json").read_text())
    assert document["finished"] is True
    assert document["verdict"]["took"] is None
    assert document["training"]["n_steps_done"] == 20
    assert len(document["training"]["curve"]) == 20
    assert document["reference"]["was_refitted"] is True
    assert document["provenance"][0]["versions"]["atomgraft"]


def test_adapt_prints_json_and_nothing_else(tmp_path, capsys):
    command = f"adapt --base pair:sw-si --train {TRAIN} --recipe full --steps 2"
    document = as_json(f"{command} --out {tmp_path / 'run'}", capsys)
    assert document["finished"] is True
    again = as_json(f"{command} --out {tmp_path / 'run'}", capsys)
    assert again == document  # finished already


def test_a_run_without_steps_never_took(tmp_path, capsys):
    """Reference energies are refitted; float32 rounds them differently."""
    out = tmp_path / "run"
    command = f"adapt --base pair:sw-si --train {TRAIN} --steps 0 --out {out}"
    as_json(command, capsys)
    document = as_json(f"prove {out} --test shipped:si-test@:8", capsys)
    assert document["moved"]["n_moved"] == 0
    assert document["verdict"]["took"] is False
    assert document["verdict"]["is_partial"] is False
    headline = document["verdict"]["headline"]
    assert headline.startswith("Nothing was learned: no weight changed: ")
    assert "better" not in headline


def test_a_run_with_steps_moves_and_takes(copied, capsys):
    document = as_json(f"prove {copied} --test shipped:si-test@::5", capsys)
    assert document["moved"]["n_moved"] > 0
    assert document["moved"]["relative_change"] > 1e-5
    assert "better" in document["verdict"]["headline"]
    assert document["verdict"]["forgetting"] in {"little", "moderate", "severe"}


def test_prove_judges_all_three(copied, capsys):
    document = as_json(f"prove {copied} --test {TEST}", capsys)
    scores = {
        (one["model"], one["suite"], one["quantity"], one["metric"]): one["value"]
        for one in document["scores"]
    }
    assert {key[0] for key in scores} == {"base", "adapted", "scratch"}
    forces = [
        scores[model, "labels", "forces", "mae"]
        for model in ("adapted", "base", "scratch")
    ]
    assert forces == sorted(forces)
    assert {one["role"] for one in document["data"]} == {"train", "test"}
    assert len(document["provenance"]) == 2
    assert document == json.loads((copied / "result.json").read_text())
    assert (copied / "report.html").stat().st_size > 1000


def test_prove_again_replaces_the_scores(copied, capsys):
    first = as_json(f"prove {copied} --test {TEST}", capsys)
    second = as_json(f"prove {copied} --test {TEST}", capsys)
    assert second["scores"] == first["scores"]
    assert [one["role"] for one in second["data"]].count("test") == 1
    assert [one["verb"] for one in second["provenance"]] == ["adapt", "prove"]


def test_report_needs_the_result_alone(finished, tmp_path, capsys):
    shutil.copy(finished / "result.json", tmp_path)
    document = as_json(f"report {tmp_path}", capsys)
    assert document["finished"] is True
    page = (tmp_path / "report.html").read_text()
    assert "The model has not been tested yet" in page


def test_merge_gives_a_plain_model(copied, capsys):
    document = as_json(f"merge {copied}", capsys)
    frames = read_structures([TEST])
    merged, run_itself = load_base(document["file"]), load_base(str(copied))
    assert merged.weights_hash() == run_itself.weights_hash()
    assert merged.weights_hash() == document["weights_hash"]
    for one, other in zip(
        predict_structures(merged, frames),
        predict_structures(run_itself, frames),
        strict=True,
    ):
        assert one.energy == other.energy
        assert np.array_equal(one.forces, other.forces)
        assert np.array_equal(one.stress, other.stress)


def test_merge_into_a_file_of_ones_own(copied, tmp_path, capsys):
    document = as_json(f"merge {copied} --out {tmp_path / 'si-300.5K'}", capsys)
    assert Path(document["file"]) == tmp_path / "si-300.5K.safetensors"
    document = as_json(f"merge {copied} --out {tmp_path / 'si.safetensors'}", capsys)
    assert Path(document["file"]) == tmp_path / "si.safetensors"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_run_is_a_base(dtype, tmp_path, capsys):
    """A chain: adapt a base, adapt the result, merge the end."""
    first, second = tmp_path / "first", tmp_path / "second"
    options = f"--train {TRAIN} --recipe full --steps 3 --dtype {dtype}"
    as_json(f"adapt --base pair:sw-si {options} --out {first}", capsys)
    document = as_json(f"adapt --base {first} {options} --out {second}", capsys)
    assert document["base"]["name"] == str(first)
    assert document["base"]["weights_hash"] == load_base(str(first)).weights_hash()
    shift = document["reference"]["shifts"]["Si"]
    assert abs(shift) < 0.05  # the first run has put the references right
    merged = as_json(f"merge {second}", capsys)
    assert load_base(merged["file"]).weights_hash() == merged["weights_hash"]
    as_json(f"prove {second} --test {TEST}", capsys)


def test_a_chain_notices_a_changed_link(tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    options = f"--train {TRAIN} --recipe full --steps 2"
    as_json(f"adapt --base pair:sw-si {options} --out {first}", capsys)
    as_json(f"adapt --base {first} {options} --out {second}", capsys)
    as_json(f"adapt --base pair:sw-si {options} --seed 1 --fresh --out {first}", capsys)
    with pytest.raises(BadInputError, match="was trained on"):
        load_base(str(second))


def test_compositions_that_tell_nothing_apart(tmp_path, capsys):
    """NaCl alone: the result says so, and can be read again."""
    from ase.io import write

    from tests.trials import labelled_for, loaded

    frames = labelled_for(loaded("pair:lj-nacl"), n=4)
    write(tmp_path / "nacl.extxyz", frames, format="extxyz")
    out = tmp_path / "run"
    document = as_json(
        f"adapt --base pair:lj-nacl --train {tmp_path / 'nacl.extxyz'} --recipe full "
        f"--steps 2 --out {out}",
        capsys,
    )
    assert document["reference"]["is_identifiable"] is False
    assert as_json(f"report {out}", capsys) == document


def test_forces_alone_train_and_are_judged(tmp_path, capsys):
    from ase.io import write

    for name, files in (("train", TRAIN), ("test", TEST)):
        frames = read_structures([files])
        for atoms in frames:
            atoms.info.clear()
        write(tmp_path / f"{name}.extxyz", frames, format="extxyz")
    out = tmp_path / "run"
    document = as_json(
        f"adapt --base pair:sw-si --train {tmp_path / 'train.extxyz'} --recipe full "
        f"--steps 5 --out {out}",
        capsys,
    )
    assert document["reference"]["was_refitted"] is False
    assert document["reference"]["shifts"] == {}
    document = as_json(f"prove {out} --test {tmp_path / 'test.extxyz'}", capsys)
    kinds = {one["quantity"] for one in document["scores"] if one["suite"] == "labels"}
    assert kinds == {"forces"}


def test_the_schema_is_json(capsys):
    assert run("schema") == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["additionalProperties"] is False
    assert {"base", "train", "recipe"} <= schema["properties"].keys()


@NEEDS_SEVENN
def test_upstream_kernels_are_used_and_recorded(tmp_path, capsys):
    base = f"--base sevennet:tiny:Si --kernels upstream --train {TRAIN} --recipe full"
    result = as_json(f"adapt {base} --steps 1 --out {tmp_path / 'run'}", capsys)
    assert result["spec"]["kernels"] == "upstream"
    assert result["provenance"][0]["kernels"] == "upstream"
    prove = f"prove {tmp_path / 'run'} --suite labels --test {TEST}"
    theirs, ours = as_json(prove, capsys), as_json(f"{prove} --kernels ours", capsys)
    assert theirs["provenance"][-1]["kernels"] == "upstream"
    assert "kernels" not in ours["provenance"][-1]  # as in records of before
    for one, other in zip(theirs["scores"], ours["scores"], strict=True):
        assert one["value"] == pytest.approx(other["value"], abs=1e-3)
    assert run(f"prove {tmp_path / 'run'} --kernels theirs") == 2
    assert "There are no kernels 'theirs'" in capsys.readouterr().err


@NEEDS_SEVENN
@pytest.mark.slow
def test_7net_0_on_silicon(tmp_path, capsys):
    """The merged model is one that SevenNet itself loads, with equal predictions."""
    out = tmp_path / "run"
    document = as_json(
        f"adapt --base 7net-0 --train {TRAIN} --recipe lora --steps 15 --out {out}",
        capsys,
    )
    assert document["graft_bytes"] < 0.1 * document["base_bytes"]
    document = as_json(f"prove {out} --test {TEST}", capsys)
    scores = {
        (one["model"], one["suite"], one["quantity"], one["metric"]): one["value"]
        for one in document["scores"]
        if one["group"] is None
    }
    key = ("labels", "forces", "mae")
    assert scores["adapted", *key] < scores["base", *key]
    merged = as_json(f"merge {out}", capsys)
    from sevenn.calculator import SevenNetCalculator

    theirs = SevenNetCalculator(merged["file"], device="cpu")
    frames = read_structures([TEST])
    ours = predict_structures(load_base(merged["file"]), frames)
    for atoms, known in zip(frames, ours, strict=True):
        theirs.calculate(atoms)
        found = theirs.results
        assert found["energy"] == pytest.approx(known.energy, abs=CALCULATORS)
        assert np.allclose(found["forces"], known.forces, atol=CALCULATORS)
        assert np.allclose(found["stress"], known.stress, atol=CALCULATORS)
