"""Bad input through the command line: refused in one paragraph, nothing written."""

import gzip
import json
import os
import pickle
import sys
import zipfile
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
import yaml

from atomgraft.cli import main
from atomgraft.data.readers import read_structures
from atomgraft.run.record import RESULT
from tests.trials import NEEDS_SEVENN

BASE = "pair:sw-si"
OUT = "run"
LONG = "x" * 5000

RUN = {
    "base": BASE,
    "train": "train.extxyz",
    "recipe": "full",
    "training": {"steps": 2},
}
"""A run that would work; what is refused is edited from it."""


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def frames(n=3):
    return [atoms.copy() for atoms in read_structures([f"shipped:si-train@:{n}"])]


def write(structures, name="train.extxyz"):
    for atoms in structures:
        for key in [key for key in atoms.info if not key.startswith("REF_")]:
            del atoms.info[key]
    ase.io.write(name, structures, format="extxyz")


def spec(**changes):
    document = RUN | changes
    kept = {key: one for key, one in document.items() if one is not None}
    Path("run.yaml").write_text(yaml.safe_dump(kept))
    return "adapt run.yaml --out run"


def training(**changes):
    return spec(training=RUN["training"] | changes)


def text_spec(text):
    Path("run.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return "adapt run.yaml --out run"


def flags(more="", *, base=BASE, train="train.extxyz", recipe="full"):
    return f"adapt --base {base} --train {train} --recipe {recipe} --out run {more}"


def changed(change, more="", command=None):
    """Write training frames after a change of each."""
    structures = frames()
    for atoms in structures:
        change(atoms)
    write(structures)
    return command or flags(more)


def edited(old, new, count=-1):
    """Write training frames after a change of their text."""
    write(frames())
    path = Path("train.extxyz")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))
    return flags()


def cut(n_bytes):
    path = Path("train.extxyz")
    path.write_bytes(path.read_bytes()[:-n_bytes])
    return flags()


def set_forces(value):
    def change(atoms):
        atoms.arrays["REF_forces"][0, 0] = value

    return change


def times_stress(factor):
    def change(atoms):
        atoms.info["REF_stress"] = factor * np.asarray(atoms.info["REF_stress"])

    return change


def on_one_site(atoms):
    atoms.positions[1] = atoms.positions[0]


def without_cell(atoms):
    atoms.pbc = False
    atoms.cell = np.zeros((3, 3))
    atoms.info.pop("REF_stress", None)


def as_germanium(atoms):
    atoms.symbols[:] = "Ge"


def without_labels(atoms):
    atoms.info.clear()
    del atoms.arrays["REF_forces"]


def model_file(content, name="model.pth"):
    Path(name).write_bytes(content)
    return flags(base=name)


def with_payload(name="model.pth", more=""):
    Path(name).write_bytes(pickle.dumps(Payload(Path.cwd() / "pwned")))
    return flags(more, base=name)


def zip_with_payload():
    torch.save({"model_state_dict": Payload(Path.cwd() / "pwned")}, "model.pth")
    assert zipfile.is_zipfile("model.pth")
    return flags(base="model.pth")


def tensors_alone():
    torch.save({"weights": torch.zeros(3)}, "model.pth")
    return flags(base="model.pth")


def folder_named(name):
    Path(name).mkdir()
    Path(name, "notes.txt").write_text("mine")


def out_is_a_file(command):
    Path("run").write_text("mine")
    return command


def below_a_file():
    Path("file").write_text("mine")
    return f"adapt --base {BASE} --train train.extxyz --out file/run"


def empty_folder(command):
    Path("run").mkdir()
    return command


def folder_with(name, content, command):
    Path("run").mkdir()
    Path("run", name).write_text(content)
    return command


def finished(command, **changes):
    """Run an adaptation, spoil its result, and ask something of it."""
    run(flags("--steps 1"))
    if changes:
        path = Path("run", RESULT.file)
        document = json.loads(path.read_text()) | changes
        path.write_text(json.dumps(document))
    return command


def finished_and(change, command):
    run(flags("--steps 1"))
    change()
    return command


def other_test(change):
    structures = read_structures(["shipped:si-train@10:20"])
    for atoms in structures:
        change(atoms)
    write(structures, "test.extxyz")
    return finished("prove run --test test.extxyz")


DATA = {
    "file is not there": lambda: flags(train="nothing.extxyz"),
    "file is a folder": lambda: flags(train="."),
    "unknown format": lambda: (Path("a.cif").write_text("x"), flags(train="a.cif"))[1],
    "zero frames": lambda: (Path("train.extxyz").write_text(""), flags())[1],
    "truncated file": lambda: cut(40),
    "truncated archive": lambda: (
        Path("t.extxyz.gz").write_bytes(gzip.compress(b"2\n" * 500)[:-9]),
        flags(train="t.extxyz.gz"),
    )[1],
    "a header of three billion": lambda: edited("8\nLattice", "3000000000\nLattice"),
    "no frames chosen": lambda: flags(train="train.extxyz@7:9"),
    "selection is a word": lambda: flags(train="train.extxyz@first"),
    "shipped set unknown": lambda: flags(train="shipped:gold"),
    "NaN forces": lambda: changed(set_forces(np.nan)),
    "infinite forces": lambda: changed(set_forces(np.inf)),
    "two force columns": lambda: edited("REF_forces:R:3", "REF_forces:R:2:x:R:1"),
    "NaN energy": lambda: changed(lambda atoms: atoms.info.update(REF_energy=np.nan)),
    "stress of four": lambda: changed(
        lambda atoms: atoms.info.update(REF_stress=np.ones(4))
    ),
    "stress in kbar": lambda: changed(times_stress(1602.18)),
    "stress in GPa": lambda: changed(times_stress(160.218)),
    "stress of the other sign": lambda: changed(times_stress(-1.0)),
    "two atoms on one site": lambda: changed(on_one_site),
    "element the base lacks": lambda: changed(as_germanium),
    "no labels": lambda: changed(without_labels),
    "no label with a weight": lambda: (
        changed(lambda atoms: atoms.info.clear()),
        training(objective={"energy": 1.0, "forces": 0.0, "stress": 0.0}),
    )[1],
    "periodic without a cell": lambda: edited("Lattice=", "Grid="),
    "unit without a stress": lambda: changed(without_cell, "--stress-unit GPa"),
    "unknown unit": lambda: flags("--stress-unit psi"),
    "unknown key": lambda: flags("--energy-key dft_energy"),
    "validation file is not there": lambda: flags("--validation nothing.extxyz"),
    "train and validation share frames": lambda: flags("--validation train.extxyz"),
}

SPECS = {
    "not there": lambda: "adapt nothing.yaml",
    "a list": lambda: text_spec("- 1\n- 2\n"),
    "a number": lambda: text_spec("3"),
    "empty": lambda: text_spec(""),
    "broken YAML": lambda: text_spec("base: [1, 2\ntrain: x"),
    "code in YAML": lambda: text_spec("!!python/object/apply:os.getcwd []"),
    "binary": lambda: text_spec(bytes(range(256))),
    "binary with a flag": lambda: text_spec(bytes(range(256))) + " --seed 1",
    "keys that are numbers": lambda: text_spec("1: 2"),
    "unknown key": lambda: spec(epochs=10),
    "unknown key inside": lambda: training(epochs=10),
    "a rate nobody would read": lambda: training(learning_rate=1e-3),
    "no base": lambda: spec(base=None),
    "no training files": lambda: spec(train=None),
    "empty training files": lambda: spec(train=[]),
    "base is a number": lambda: spec(base=7),
    "recipe typo": lambda: spec(recipe="loar"),
    "recipe is a list": lambda: spec(recipe=["full"]),
    "custom without axes": lambda: spec(recipe="custom"),
    "axes are text": lambda: spec(axes="everything\nmoves"),
    "a role the base lacks": lambda: spec(
        axes={"moves": {"kind": "whole", "roles": ["embedding"]}}
    ),
    "low rank without a matrix": lambda: spec(
        axes={"moves": {"kind": "low_rank", "roles": ["reference_energies"]}}
    ),
    "objective of nothing": lambda: training(
        objective={"energy": 0.0, "forces": 0.0, "stress": 0.0}
    ),
    "validation fraction of 1.5": lambda: spec(validation_fraction=1.5),
    "steps in words": lambda: training(steps="many"),
    "seed of minus one": lambda: spec(seed=-1),
    "head on a model without": lambda: spec(head="PBE"),
    "clip of zero": lambda: training(clip=0),
}

FLAGS = {
    "no verb of this name": lambda: "adopt",
    "no option of this name": lambda: flags("--epochs 3"),
    "nothing at all": lambda: "adapt",
    "no training data": lambda: f"adapt --base {BASE} --out run",
    "unknown recipe": lambda: flags(recipe="magic"),
    "rate of zero": lambda: flags("--lr 0"),
    "seed of twenty digits": lambda: flags("--seed 99999999999999999999"),
    "steps of twenty digits": lambda: flags("--steps 99999999999999999999"),
    "name that no disk holds": lambda: flags(train=LONG),
    "base that no disk holds": lambda: flags(base=LONG),
    "output that no disk holds": lambda: flags().replace("--out run", "--out " + LONG),
    "name that is no text": lambda: flags(train="a\udcff.extxyz"),
    "output that is no text": lambda: flags().replace("--out run", "--out o\udcff"),
    "negative rate": lambda: flags("--lr -1e-3"),
    "rate that is no number": lambda: flags("--lr nan"),
    "infinite rate": lambda: flags("--lr inf"),
    "huge rate": lambda: flags("--lr 1e9"),
    "rate in words": lambda: flags("--lr fast"),
    "steps of minus one": lambda: flags("--steps -1"),
    "half a step": lambda: flags("--steps 1.5"),
    "rank of zero": lambda: flags("--rank 0", recipe="lora"),
    "rank without low rank": lambda: flags("--rank 4"),
    "batch of none": lambda: flags("--batch-size 0"),
    "half precision": lambda: flags("--dtype float16"),
    "unknown device": lambda: flags("--device tpu"),
    "head on a model without": lambda: flags("--head PBE"),
    "output is a file": lambda: out_is_a_file(flags()),
    "output below a file": below_a_file,
    "check without a file": lambda: "check",
    "check of nothing": lambda: "check nothing.extxyz",
    "check against nothing": lambda: "check train.extxyz --base nothing",
}

BASES = {
    "unknown name": lambda: flags(base="8net-0"),
    "unknown preset": lambda: flags(base="pair:sw-gold"),
    "file that is not there": lambda: flags(base="nothing.pth"),
    "random bytes": lambda: model_file(bytes(range(256)) * 8),
    "rubbish": lambda: model_file(b"rubbish"),
    "empty file": lambda: model_file(b""),
    "random bytes as safetensors": lambda: model_file(bytes(99), "model.safetensors"),
    "pickle with a payload": with_payload,
    "pickle with a payload as .pt": lambda: with_payload("model.pt"),
    "zip with a payload": zip_with_payload,
    "tensors of something else": tensors_alone,
    "a folder that is no run": lambda: (folder_named("other"), flags(base="other"))[1],
    "its own folder": lambda: finished(flags("--fresh", base="run")),
    "another head than the run": lambda: finished(
        flags("--head PBE", base="run").replace("--out run", "--out next")
    ),
}

RUNS = {
    "another spec in the folder": lambda: finished(flags("--steps 2")),
    "rubbish in the folder": lambda: folder_with("spec.yaml", "{", flags()),
    "a broken checkpoint": lambda: (
        finished("adapt run"),
        Path("run", RESULT.file).unlink(),
        Path("run", "checkpoint.pt").write_bytes(b"rubbish"),
        "adapt run",
    )[-1],
    "prove nothing": lambda: "prove nothing --test train.extxyz",
    "prove a folder that is no run": lambda: empty_folder("prove run"),
    "prove a run that has not finished": lambda: finished("prove run", finished=False),
    "prove on training frames": lambda: finished("prove run --test train.extxyz"),
    "prove on nothing": lambda: finished("prove run --test nothing.extxyz"),
    "prove on another element": lambda: other_test(as_germanium),
    "prove on frames without labels": lambda: other_test(without_labels),
    "prove with a broken graft": lambda: finished_and(
        lambda: Path("run", "graft.safetensors").write_bytes(b"rubbish"), "prove run"
    ),
    "report on nothing": lambda: "report nothing",
    "report on an empty folder": lambda: empty_folder("report run"),
    "report on a broken result": lambda: folder_with(RESULT.file, "{", "report run"),
    "report on a list": lambda: folder_with(RESULT.file, "[]", "report run"),
    "report on a newer result": lambda: finished("report run", schema_version=99),
    "report on an unknown key": lambda: finished("report run", colour="red"),
    "merge into a folder": lambda: finished("merge run --out ."),
    "merge into a folder that is not there": lambda: finished(
        "merge run --out below/model"
    ),
    "merge into a file of structures": lambda: finished("merge run --out x.extxyz"),
    "merge into another format": lambda: finished("merge run --out x.pth"),
    "merge nothing": lambda: "merge nothing",
    "merge an empty folder": lambda: empty_folder("merge run"),
    "merge a run that has not finished": lambda: finished("merge run", finished=False),
}

SEVENNET = {
    "no head for a model with several": lambda: flags(base="7net-mf-0"),
    "a head that it lacks": lambda: flags("--head CCSD", base="7net-mf-0"),
    "a head on a model without": lambda: flags("--head PBE", base="7net-0"),
    "low rank without a matrix": lambda: spec(
        base="7net-0",
        axes={"moves": {"kind": "low_rank", "roles": ["radial_basis"]}},
    ),
    "unknown architecture": lambda: flags(base="sevennet:gigantic:Si"),
    "unknown element": lambda: flags(base="sevennet:tiny:Qq"),
}

CASES = [
    pytest.param(make, id=f"{kind}: {name}", marks=marks)
    for kind, table, marks in (
        ("data", DATA, []),
        ("spec", SPECS, []),
        ("flags", FLAGS, []),
        ("base", BASES, []),
        ("run", RUNS, []),
        ("sevennet", SEVENNET, [NEEDS_SEVENN]),
    )
    for name, make in table.items()
]


def run(command):
    """Run a command line in this process; return its exit code."""
    arguments, sys.argv = sys.argv, ["atomgraft", *command.split()]
    try:
        main.main()
    except SystemExit as end:
        return end.code
    finally:
        sys.argv = arguments
    raise AssertionError("the command line did not exit")


def contents():
    """Return every file below here, with its bytes; locks are empty and stay."""
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in sorted(Path().rglob("*"))
        if path.name != ".lock"
    }


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(frames())


@pytest.mark.parametrize("make", CASES)
def test_it_is_refused(make, capsys):
    command = make()
    before = contents()
    capsys.readouterr()
    code = run(command)
    printed = capsys.readouterr()
    errors = [line for line in printed.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, printed.err
    assert printed.err.rstrip().endswith(errors[0]), "the paragraph goes on"
    assert code == 2
    assert "Traceback" not in printed.err
    assert len(errors[0]) < 1500
    assert not Path("pwned").exists()
    assert contents() == before


@pytest.mark.parametrize(
    "command", ["adapt --base 8net", "prove nothing", "report nothing", "merge nothing"]
)
def test_programs_get_the_three_parts(command, capsys):
    assert run(f"{command} --json") == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert set(error) == {"came", "needed", "remedy"}
    assert all(part.strip() and "\n" not in part for part in error.values())


def test_the_run_that_the_others_are_edited_from_works(capsys):
    """The control: nothing is refused that should not be."""
    assert run(spec()) == 0
    assert run("report run") == 0


def test_strange_labels_that_judge_are_told(capsys):
    assert run(other_test(times_stress(1602.18))) == 0
    assert "stress labels do not agree with" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["report", "prove", "merge"])
def test_no_command_is_advised_that_writes_into_a_foreign_folder(verb, capsys):
    folder_named("mine")
    Path("mine/notes.txt").write_text("mine")
    assert run(f"{verb} mine") == 2
    said = capsys.readouterr().err
    assert "Check the path" in said
    assert "--out mine" not in said


def test_an_ending_of_another_format_is_answered_with_one_that_works(capsys):
    assert run(finished("merge run --out x.extxyz")) == 2
    said = capsys.readouterr().err
    assert "ends in .extxyz" in said
    assert "Use --out x.safetensors" in said
    assert run("merge run --out x.safetensors") == 0
    assert not Path("x.extxyz.safetensors").exists()


def test_a_typo_is_answered(capsys):
    run(flags(recipe="loar"))
    assert "Did you mean 'lora'?" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there(capsys):
    before = contents()
    assert run(flags("--device cuda")) == 2
    assert "no GPU" in capsys.readouterr().err
    assert contents() == before


def test_the_word_of_the_user_runs_the_payload(capsys):
    """The negative control: without --trust it is the refusal that protects."""
    assert run(with_payload(more="--trust")) == 2
    assert Path("pwned").exists()


def test_there_are_more_than_a_hundred():
    assert len(CASES) > 100


def test_help_is_not_an_error(capsys):
    assert run("--help") == 0
    assert run("") == 0
    assert "adapt" in capsys.readouterr().out
    assert run("adapt --help") == 0
    assert list(contents()) == [Path("train.extxyz")]
