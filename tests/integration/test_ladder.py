"""A run that makes the base of another: trained first, resumed, moved and judged."""

import json
import shutil
import signal
from pathlib import Path

import pytest
import yaml
from ase.io import write
from safetensors.torch import load_file

import atomgraft as ag
from atomgraft.adaptation.graft import GRAFT
from atomgraft.core.errors import BadInputError
from atomgraft.data.readers import read_structures
from atomgraft.run.adapt import adapt
from atomgraft.run.inputs import load_base
from atomgraft.run.plan import draw_up
from atomgraft.run.record import RESULT
from atomgraft.run.spec import parse_spec, read_spec
from tests.integration.test_bad_input import run
from tests.trials import NEEDS_SEVENN, Listener, same_bits

TRAINING = {"steps": 8, "batch_size": 2, "checkpoint_every": 3}

CHEAP = {
    "base": "pair:sw-si",
    "train": "shipped:si-train@:6",
    "recipe": "full",
    "training": TRAINING,
}

LADDER = CHEAP | {"base": CHEAP, "train": "shipped:si-train@6:10"}

TEST = "shipped:si-test@:3"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working directory with the ladder as a file."""
    monkeypatch.chdir(tmp_path)
    Path("ladder.yaml").write_text(yaml.safe_dump(LADDER))
    return tmp_path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A ladder from the command line, with the run from fresh weights beside it."""
    home = tmp_path_factory.mktemp("ladder")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        Path("ladder.yaml").write_text(yaml.safe_dump(LADDER))
        assert run("adapt ladder.yaml --out runs/x --with-scratch") == 0
    return home / "runs/x"


@pytest.fixture
def copied(made, tmp_path, monkeypatch):
    """A copy of it that is seen from another directory; the first is not there."""
    away = made.with_name("away")
    made.rename(away)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(away, tmp_path / "moved")
    yield Path("moved")
    away.rename(made)


def tensors(folder):
    return load_file(Path(folder) / GRAFT)


def last_line(capsys):
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_it_is_what_two_commands_make(made, place):
    Path("base.yaml").write_text(yaml.safe_dump(CHEAP))
    Path("next.yaml").write_text(yaml.safe_dump(LADDER | {"base": "one"}))
    assert run("adapt base.yaml --out one") == 0
    assert run("adapt next.yaml --out two") == 0
    assert same_bits(tensors("one"), tensors(made / "base"))
    assert same_bits(tensors("two"), tensors(made))
    assert not same_bits(tensors(made / "base"), tensors(made))


def test_both_folders_hold_whole_runs(made):
    inner, outer = (RESULT.read(one) for one in (made / "base", made))
    assert inner.finished
    assert outer.finished
    assert read_spec(made / "base" / "spec.yaml") == read_spec(made / "spec.yaml").base
    assert outer.base.weights_hash == load_base(str(made / "base")).weights_hash()
    assert outer.base.weights_hash != inner.base.weights_hash
    assert not (made / "scratch" / "base").exists()
    assert RESULT.read(made / "scratch").base.weights_hash == outer.base.weights_hash


class Stop(Listener):
    """Interrupts the process after some steps of some run, as Ctrl-C does."""

    def __init__(self, number, n_steps):
        super().__init__()
        self.number, self.n_steps = number, n_steps

    def on_step(self, record):
        super().on_step(record)
        if self.runs[-1][0] == self.number and record["step"] == self.n_steps:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [1, 2])
def test_a_stopped_ladder_goes_on_to_the_same_bits(number, made, place):
    stop = Stop(number, 5)
    result = adapt(parse_spec(LADDER, "here"), Path("x"), observer=stop)
    assert not result.finished
    assert "Continue with: atomgraft adapt x" in result.verdict.sentences
    assert stop.runs == [(1, 2), (2, 2)][:number]
    assert Path("x/base/graft.safetensors").exists() == (number == 2)
    listener = Listener()
    adapt(read_spec(Path("x/spec.yaml")), Path("x"), observer=listener)
    assert listener.starts[0] == 5
    assert len(listener.starts) == 3 - number
    assert same_bits(tensors("x"), tensors(made))


def test_it_is_gone_on_with_by_its_folder(place, capsys):
    adapt(parse_spec(LADDER, "here"), Path("x"), observer=Stop(1, 5))
    assert run("prove x") == 2
    assert "Finish it first: atomgraft adapt x" in capsys.readouterr().err
    assert run("adapt x") == 0
    told = capsys.readouterr().err
    assert "Run 1 of 2 (base): full from pair:sw-si into x/base" in told
    assert "Continuing from step 5." in told
    assert "Run 2 of 2: full from x/base into x" in told
    assert run("adapt x") == 0
    assert "x is already finished" in capsys.readouterr().err


def test_a_moved_ladder_is_judged_and_merged(copied):
    assert run(f"prove {copied} --test {TEST}") == 0
    assert run(f"prove {copied / 'base'} --test {TEST}") == 0
    assert run(f"merge {copied}") == 0
    models = {one.model for one in RESULT.read(copied).scores}
    assert models == {"base", "adapted", "scratch"}
    page = (copied / "report.html").read_text()
    assert "a run on shipped:si-train@:6, recipe full" in page


def test_a_moved_ladder_has_nothing_left_to_do(copied, capsys):
    for folder in (copied, copied / "scratch", copied / "base"):
        assert run(f"adapt {folder}") == 0
        told = " ".join(capsys.readouterr().err.split())
        assert f"{folder} is already finished" in told
        assert f"atomgraft prove {folder} --test" in told, "where it is today"


def test_a_base_that_was_trained_on_something_else_is_refused(copied, capsys):
    options = "--train shipped:si-train@:3 --recipe full --steps 1 --fresh"
    assert run(f"adapt --base pair:sw-si {options} --out {copied / 'base'}") == 0
    assert run(f"prove {copied} --test {TEST}") == 2
    assert "was trained on" in last_line(capsys)


@pytest.mark.parametrize("part", ["", "scratch"])
def test_a_base_that_was_deleted_is_trained_again(part, copied, capsys):
    shutil.rmtree(copied / "base")
    for command in ("prove", "merge"):
        assert run(f"{command} {copied / part}") == 2
        told = last_line(capsys)
        assert "moved/base is not there" in told
        assert "train it again: atomgraft adapt moved" in told
        assert "runs/x" not in told
        assert "7net-0" not in told
    assert run(f"adapt {copied}") == 0
    assert run(f"merge {copied / part}") == 0


def test_what_the_base_was_trained_on_is_no_test(made, capsys):
    before = RESULT.read(made)
    assert run(f"prove {made} --test shipped:si-train@2:4") == 2
    told = last_line(capsys)
    assert "2 test structures are also training structures of the base" in told
    assert str(made / "base") in told
    assert RESULT.read(made) == before


def test_geometries_are_held_out_of_the_base_of_a_spec_as_well(made, place, capsys):
    """Labels of another level make no other structure of it."""
    [frame] = read_structures(["shipped:si-train@2:3"])
    frame.info["REF_energy"] += 0.01
    write("test.extxyz", frame)
    before = RESULT.read(made)
    assert run(f"prove {made} --test test.extxyz") == 2
    assert "1 structures are on both sides of a split" in last_line(capsys)
    assert RESULT.read(made) == before


def test_validation_is_held_out_of_the_base_of_a_spec(place, capsys):
    given = LADDER | {"validation": "shipped:si-train@2:4"}
    Path("leak.yaml").write_text(yaml.safe_dump(given))
    assert run("adapt leak.yaml --out y") == 2
    told = last_line(capsys)
    assert "In the run that makes the base: 2 structures are on both sides" in told
    assert not Path("y").exists()


def test_what_a_named_base_was_trained_on_is_no_test(place, capsys):
    write("cheap.extxyz", read_structures(["shipped:si-train@:4"]))
    for base, train in {"pair:sw-si": "cheap.extxyz", "a": LADDER["train"]}.items():
        options = f"--base {base} --train {train} --recipe full --steps 1"
        assert run(f"adapt {options} --out {'b' if base == 'a' else 'a'}") == 0
    frames = read_structures(["cheap.extxyz@2:3", TEST])
    write("test.extxyz", frames)
    assert run("prove b --test test.extxyz") == 2
    assert "1 test structures are also training structures of t" in last_line(capsys)
    frames[0].info["REF_energy"] += 0.01  # as another level would
    write("test.extxyz", frames)
    assert run("prove b --test test.extxyz") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "The base in a was trained on some of them" in told
    Path("a").rename("c")
    assert run("prove b --test test.extxyz --base c") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "The base in c was trained on some of them" in told
    Path("cheap.extxyz").unlink()
    assert run("prove b --test test.extxyz --base c") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "not compared with what the base in c was trained on: cheap.extx" in told


def test_what_a_base_was_trained_on_tests_no_comparison(made, place, capsys):
    options = "--train shipped:si-train@10:14 --recipe full --steps 1 --size 2 --out x"
    command = f"compare --base {made} {options} --test"
    assert run(f"{command} shipped:si-train@5:7") == 2
    assert "also training structures of the base in" in last_line(capsys)
    assert not Path("x").exists()


def test_fresh_trains_both_again(place):
    assert run("adapt ladder.yaml --out x") == 0
    before = [RESULT.read(Path(one)).provenance for one in ("x/base", "x")]
    bits = tensors("x")
    assert run("adapt ladder.yaml --out x --fresh") == 0
    after = [RESULT.read(Path(one)).provenance for one in ("x/base", "x")]
    assert all(len(one) == 1 for one in (*before, *after))
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert same_bits(tensors("x"), bits)


def test_options_are_those_of_the_last_run_but_for_what_all_share(place, capsys):
    plan = "plan ladder.yaml --out x --steps 3 --accept zero-forces --device cpu --json"
    assert run(plan) == 0
    terms = json.loads(capsys.readouterr().out)["terms"]
    outer, inner = terms["spec"], terms["spec"]["base"]
    assert (outer["training"]["steps"], inner["training"]["steps"]) == (3, 8)
    for one in (outer, inner):
        assert (one["accept"], one["device"]) == (["zero-forces"], "cpu")


@pytest.mark.parametrize(
    ("change", "inner", "told"),
    [
        ({"train": "shipped:ge-train@:3"}, {}, "Error: x/base does not support Ge"),
        ({"train": "nowhere.extxyz"}, {}, "Error: nowhere.extxyz is not there"),
        ({"training": {"batch_size": 9}}, {}, "Error: The batch size is 9"),
        ({}, {"train": "no.extxyz"}, "the run that makes the base: no.extxyz is not"),
        ({}, {"base": "pair:sw-xx"}, "the base: There is no pair potential named"),
        ({}, {"training": {"batch_size": 9}}, "makes the base: The batch size is 9"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_trained(
    change, inner, told, place, capsys
):
    spec = LADDER | {"base": CHEAP | inner} | change
    Path("bad.yaml").write_text(yaml.safe_dump(spec))
    assert run("adapt bad.yaml --out x") == 2
    assert told in last_line(capsys)
    assert not Path("x").exists()


def test_a_plan_shows_both_runs_and_binds_them(place, capsys):
    assert run("plan ladder.yaml --out x --write plan.json") == 0
    told = capsys.readouterr().err
    assert "Run 1 of 2, in x/base" in told
    assert "Run 2 of 2, in x" in told
    assert "not trained yet" in told
    assert "refitted to 4 energies once the base is trained" in told
    assert told.count("at its peak") == 2
    assert "all runs" in told
    assert not Path("x").exists()
    other = LADDER | {"base": CHEAP | {"train": "shipped:si-train@:5"}}
    Path("other.yaml").write_text(yaml.safe_dump(other))
    assert run("adapt other.yaml --out y --plan plan.json") == 2
    assert "spec.base.train.0 was" in last_line(capsys)
    assert not Path("y").exists()
    assert run("adapt ladder.yaml --out y --plan plan.json") == 0


def test_the_plan_of_the_rest_has_the_trained_base(made, capsys):
    spec = read_spec(made / "spec.yaml")
    contract = draw_up(spec, made, budget=0.0)
    assert not contract.terms.has_stand_in
    assert contract.terms.base.weights_hash == RESULT.read(made).base.weights_hash
    [cost] = contract.base_costs
    assert (cost.n_steps_left, cost.basis) == (0, "already finished")


@NEEDS_SEVENN
def test_a_small_model_learns_silicon_and_then_germanium(place, capsys):
    scratch = {"base": "sevennet:tiny:Si", "recipe": "scratch"}
    spec = LADDER | {
        "base": CHEAP | scratch,
        "train": "shipped:ge-train@:3",
        "axes": {"starts": {"map": "Si:Ge@fit"}},
    }
    Path("map.yaml").write_text(yaml.safe_dump(spec))
    assert run("plan map.yaml --out x --write plan.json") == 0
    assert "fitted once the base is trained" in " ".join(
        capsys.readouterr().err.split()
    )
    assert run("adapt map.yaml --out x --plan plan.json") == 0
    assert run("prove x --test shipped:ge-test@:2") == 0
    assert RESULT.read(Path("x")).base.element_map.donors == {"Ge": "Si"}


def test_three_runs_start_from_each_other(place, capsys):
    last = LADDER | {"base": LADDER, "train": "shipped:si-train@10:13"}
    Path("three.yaml").write_text(yaml.safe_dump(last))
    assert run("plan three.yaml --out x") == 0
    assert "Run 2 of 3, in x/base" in capsys.readouterr().err
    assert run("adapt three.yaml --out x") == 0
    told = capsys.readouterr().err
    assert "Run 1 of 3 (base): full from pair:sw-si into x/base/base" in told
    assert "Run 3 of 3: full from x/base into x" in told
    Path("x").rename("y")
    assert run(f"prove y --test {TEST}") == 0


def test_a_notebook_gives_the_base_as_arguments(made, place):
    frames = read_structures(["shipped:si-train@:10"])
    cheap = {"base": ag.load("pair:sw-si"), "train": frames[:6], "recipe": "full"}
    options = {"recipe": "full", "training": TRAINING, "out": "x", "progress": False}
    ladder = cheap | {"training": TRAINING}
    first = ag.adapt(ladder, frames[6:], **options)
    assert same_bits(tensors("x"), tensors(made))
    assert first.finished
    before = first.result.provenance
    ag.adapt(ladder, frames[6:], **options | {"out": "./x"})
    assert first.result.provenance == before
    ag.adapt(ladder, frames[6:], **options, fresh=True)
    assert first.result.provenance != before
    kept = {one.name.split(".")[0] for one in Path("x/inputs").iterdir()}
    assert kept == {"base-train", "train"}
    spec = read_spec(Path("x/base/spec.yaml"))
    by_spec = ag.adapt(spec, frames[6:], **options | {"out": "y"})
    assert same_bits(tensors(by_spec.folder), tensors("x"))


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ({"base": "pair:sw-si"}, "base is a run without train"),
        ({"train": TEST}, "base is a run without base"),
        ({"base": "pair:sw-si", "train": TEST, "step": 1}, "base has no argument"),
        ({"base": "pair:sw-si", "train": TEST, "steps": "x"}, "argument base of adapt"),
    ],
)
def test_a_notebook_is_told_what_is_wrong_with_a_base(base, told, place):
    with pytest.raises(BadInputError, match=told):
        ag.adapt(base, TEST, out="x", progress=False)
    assert not Path("x").exists()


@pytest.mark.parametrize("base", [CHEAP, [CHEAP]])
def test_a_comparison_asks_for_a_base_that_is_there(base, place, capsys):
    document = {"base": base, "train": CHEAP["train"], "test": TEST}
    Path("compare.yaml").write_text(yaml.safe_dump(document))
    assert run("compare compare.yaml --out x") == 2
    assert "atomgraft adapt base.yaml --out runs/base makes one" in last_line(capsys)


def test_labels_need_not_agree_with_the_base_of_the_ladder(place, capsys):
    frames = read_structures([LADDER["train"]])
    for atoms in frames:
        atoms.info["REF_stress"] = -atoms.info["REF_stress"]
    write("other.extxyz", frames)
    Path("other.yaml").write_text(yaml.safe_dump(LADDER | {"train": "other.extxyz"}))
    assert run("adapt other.yaml --out x") == 0
    again = "--train other.extxyz --recipe full --steps 1 --out y"
    assert run(f"adapt --base x/base {again}") == 2
    assert "stress" in last_line(capsys)
