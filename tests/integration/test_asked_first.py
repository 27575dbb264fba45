"""What needs no model is refused before one is loaded, and warnings are asked about."""

import subprocess
import sys

import ase.io
import numpy as np
import pytest
import yaml

from atomgraft.core.errors import BadInputError
from atomgraft.data.checks.suite import check_against_base
from atomgraft.data.readers import read_structures
from atomgraft.run.adapt import adapt
from atomgraft.run.spec import parse_spec, read_spec, with_accepted
from atomgraft.run.starts import knowledge_of
from atomgraft.run.structures import read_run_data
from tests.trials import loaded

BASE = "pair:sw-si"

TRIED = """
import sys
from atomgraft.cli.main import main
sys.argv = ["atomgraft", *{arguments!r}]
try:
    main()
except SystemExit as error:
    print(error.code, "torch" in sys.modules)
"""


def tried(*arguments):
    """Run the command line; return its code, whether torch was loaded, and stderr."""
    code = TRIED.format(arguments=list(map(str, arguments)))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    exit_code, loaded = done.stdout.split()[-2:]
    return int(exit_code), loaded == "True", " ".join(done.stderr.split())


def frames(n=6, **info):
    found = [one.copy() for one in read_structures([f"shipped:si-train@:{n}"])]
    for atoms in found:
        for key in [key for key in atoms.info if not key.startswith("REF_")]:
            del atoms.info[key]
        atoms.info |= info
    return found


def spec_of(train, **more):
    document = {"base": BASE, "train": str(train), "recipe": "full", **more}
    return parse_spec({"training": {"steps": 1}, **document}, "test")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder of a finished run, and its training file."""
    place = tmp_path_factory.mktemp("asked")
    ase.io.write(place / "train.extxyz", frames(), format="extxyz")
    adapt(spec_of(place / "train.extxyz"), place / "run")
    return place / "run", place / "train.extxyz"


def mixed(place, *, name="mixed.extxyz"):
    """Write frames of two levels of theory."""
    found = frames()
    for i, atoms in enumerate(found):
        atoms.info["head"] = ("pbe", "r2scan")[i % 2]
    ase.io.write(place / name, found, format="extxyz")
    return place / name


def zeros(place):
    """Write frames without forces, as zeros."""
    found = frames()
    for atoms in found:
        atoms.arrays["REF_forces"] = np.zeros((len(atoms), 3))
    ase.io.write(place / "zeros.extxyz", found, format="extxyz")
    return place / "zeros.extxyz"


def test_a_trained_on_test_frame_needs_no_model(run):
    folder, train = run
    code, has_torch, said = tried("prove", folder, "--test", f"{train}@0")
    assert (code, has_torch) == (2, False)
    assert "are also training structures" in said


def test_another_spec_needs_no_model(run):
    folder, train = run
    flags = ("--base", BASE, "--recipe", "full", "--steps", 2, "--out", folder)
    code, has_torch, said = tried("adapt", "--train", train, *flags)
    assert (code, has_torch) == (2, False)
    assert "contains a run with a different spec" in said


@pytest.mark.parametrize("verb", ["adapt", "plan"])
def test_errors_in_the_data_need_no_model(verb, tmp_path):
    flags = ("--base", BASE, "--out", tmp_path / "run")
    code, has_torch, said = tried(verb, "--train", zeros(tmp_path), *flags)
    assert (code, has_torch) == (2, False)
    assert "forces of exactly zero" in said
    assert not (tmp_path / "run").exists()


def test_leaks_of_a_comparison_need_no_model(run, tmp_path):
    _, train = run
    flags = ("--base", BASE, "--out", tmp_path / "cmp", "--test", f"{train}@0")
    code, has_torch, said = tried("compare", "--train", train, *flags)
    assert (code, has_torch) == (2, False)
    assert "are also in the pool" in said


def test_check_loads_no_model_for_what_is_wrong_without_one(tmp_path):
    code, has_torch, said = tried("check", zeros(tmp_path), "--base", BASE)
    assert (code, has_torch) == (2, False)
    assert "Not compared with pair:sw-si: correct the errors first." in said


# --- warnings that change what is learned


@pytest.mark.parametrize("verb", ["adapt", "plan", "compare"])
def test_mixed_levels_of_theory_are_asked_about(verb, tmp_path):
    train = mixed(tmp_path)
    flags = ["--base", BASE, "--out", tmp_path / "run"]
    flags += ["--test", "shipped:si-test@:2"] if verb == "compare" else []
    code, has_torch, said = tried(verb, "--train", train, *flags)
    assert (code, has_torch) == (2, False)
    assert "head = pbe (3), r2scan (3)" in said
    assert "--accept heads-ignored" in said


def test_what_was_accepted_is_recorded_and_not_asked_again(tmp_path):
    train, folder = mixed(tmp_path), tmp_path / "run"
    spec = spec_of(train, accept="heads-ignored")
    result = adapt(spec, folder)
    assert result.spec["accept"] == ["heads-ignored"]
    assert yaml.safe_load((folder / "spec.yaml").read_text())["accept"] == [
        "heads-ignored"
    ]
    again = with_accepted(spec_of(train), folder)
    assert again.accept == ("heads-ignored",)
    assert adapt(again, folder).provenance == result.provenance  # nothing to do
    other = spec_of(train, seed=1)
    assert with_accepted(other, folder) == other
    assert read_spec(folder / "spec.yaml").identity() == spec_of(train).identity()


def test_only_findings_that_ask_can_be_accepted(tmp_path):
    train = mixed(tmp_path)
    with pytest.raises(BadInputError, match="'same-site' is not a finding"):
        read_run_data(spec_of(train, accept=["same-site"]))


def test_who_was_asked_before_is_not_asked(tmp_path):
    train = mixed(tmp_path)
    data = read_run_data(spec_of(train), asks=False)
    assert [one.code for one in data.findings] == ["heads-ignored"]
    with pytest.raises(BadInputError, match="heads-ignored"):
        read_run_data(spec_of(train))


# --- heads of a run


def test_frames_of_a_head_go_where_they_belong(tmp_path):
    train = mixed(tmp_path)
    spec = spec_of(train, validation=str(train), heads={"r2scan": {}})
    # the same frames in both sets: only their places matter here
    with pytest.raises(BadInputError, match="both sides of a split"):
        read_run_data(spec)
    spec = spec_of(
        f"{train}@:4", validation=f"{train}@4:", heads={"r2scan": {}}, recipe="full"
    )
    data = read_run_data(spec)
    assert (len(data.own.train), len(data.own.validation)) == (2, 1)
    head = data.heads["r2scan"]
    assert (len(head.train), len(head.validation)) == (2, 1)


def test_a_head_in_other_capitals_is_refused(tmp_path):
    found = frames()
    for i, atoms in enumerate(found):
        atoms.info["head"] = ("r2scan", "R2SCAN", "pbe")[i % 3]
    ase.io.write(tmp_path / "train.extxyz", found, format="extxyz")
    spec = spec_of(tmp_path / "train.extxyz", heads={"r2scan": {}})
    with pytest.raises(BadInputError, match="2 frames name the head R2SCAN"):
        read_run_data(spec)


@pytest.mark.parametrize(
    "train", ["shipped:si-train@::8", "shipped:si-phonons", "shipped:si-test@::10"]
)
def test_what_is_shipped_asks_nothing(train):
    """The demo and the examples go through without a word to accept."""
    data = read_run_data(spec_of(train))
    assert [one for one in data.findings if one.severity != "note"] == []
    found = check_against_base(
        data.sets(spec_of(train))[None], knowledge_of(loaded(BASE))
    )
    assert [one for one in found if one.severity != "note"] == []
