"""Does a run belong to the files it was made from, and say so when they change?"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.io import read, write

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import held
from atomgraft.core.storage import write_atomically
from atomgraft.data.sources import shipped_path
from atomgraft.run.adapt import adapt
from atomgraft.run.prove import Watch, prove
from atomgraft.run.record import RESULT
from atomgraft.run.spec import parse_spec
from tests.integration.test_bad_input import run

SAME = 1e-4
"""The base's error on the same stresses, after a round trip through float32."""

SHIFTED = 1e-6
"""eV: a change of the data that no eye would see."""


class Notes:
    """Remembers what a user would be told."""

    def __init__(self):
        self.texts = []

    def on_setup(self, movements, refit):
        pass

    def on_progress(self, what, done, total):
        pass

    def on_run(self, number, total, words):
        pass

    def on_start(self, step, n_steps):
        pass

    def on_step(self, record):
        pass

    def on_notice(self, text):
        self.texts.append(text)

    def said(self, words):
        return any(words in text for text in self.texts)


def frames(n, name="si-train", start=0):
    chosen = read(shipped_path(name), f"{start}:{start + n}")
    for atoms in chosen:
        atoms.calc = None
    return chosen


def spec_of(folder, **changes):
    document = {
        "base": "pair:sw-si",
        "train": [str(folder / "train.extxyz")],
        "recipe": "full",
        "training": {"steps": 4},
    }
    return parse_spec(document | changes, "test")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    write(folder / "train.extxyz", frames(6), format="extxyz")
    write(folder / "test.extxyz", frames(5, "si-test"), format="extxyz")
    adapt(spec_of(folder), folder / "run")
    return folder


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    """A run beside its files; the spec names them by relative paths that still hold."""
    shutil.copytree(made, tmp_path / "copy")
    folder = tmp_path / "copy"
    spec = spec_of(folder)
    document = yaml.safe_load((folder / "run" / "spec.yaml").read_text())
    document["train"] = list(spec.train)
    result = json.loads((folder / "run" / "result.json").read_text())
    result["spec"]["train"] = list(spec.train)
    with held(folder / "run", "adapt"):
        write_atomically(folder / "run" / "spec.yaml", yaml.safe_dump(document))
        write_atomically(folder / "run" / "result.json", json.dumps(result))
    monkeypatch.chdir(folder)
    return folder


def test_a_finished_run_is_left_alone(place):
    notes = Notes()
    before = (place / "run" / "graft.safetensors").read_bytes()
    adapt(spec_of(place), place / "run", observer=notes)
    assert notes.said("already finished")
    assert (place / "run" / "graft.safetensors").read_bytes() == before


def test_a_finished_run_of_other_data_is_refused(place):
    write(place / "train.extxyz", frames(7), format="extxyz")
    with pytest.raises(BadInputError, match=r"its data.* changed since"):
        adapt(spec_of(place), place / "run")
    adapt(spec_of(place), place / "run", fresh=True)
    assert RESULT.read(place / "run").data[0].n_structures == 7


def test_a_label_changed_in_the_last_digits_is_other_data(place):
    changed = frames(6)
    changed[3].info["REF_energy"] += SHIFTED
    write(place / "train.extxyz", changed, format="extxyz")
    with pytest.raises(BadInputError, match=r"its data.* changed since"):
        adapt(spec_of(place), place / "run")


def test_fresh_takes_the_old_merged_model_with_it(place):
    assert run("merge run") == 0
    merged = place / "run" / "merged.safetensors"
    assert merged.exists()
    adapt(spec_of(place), place / "run", fresh=True)
    assert not merged.exists()


def test_proof_wants_the_training_files_as_they_were(place):
    write(place / "train.extxyz", frames(6, start=50), format="extxyz")
    with pytest.raises(BadInputError, match="have changed since"):
        prove(place / "run", [str(place / "test.extxyz")])


def test_trained_frames_are_not_held_out(place):
    with pytest.raises(BadInputError, match="are also training structures"):
        prove(place / "run", [str(place / "train.extxyz")])


def test_trained_geometries_with_another_label_are_not_held_out_either(place):
    changed = frames(3)
    for atoms in changed:
        atoms.info["REF_energy"] += SHIFTED
    write(place / "near.extxyz", changed, format="extxyz")
    with pytest.raises(BadInputError) as refused:
        prove(place / "run", [str(place / "near.extxyz")])
    assert "train" in str(refused.value)


def test_proof_goes_by_the_spec_that_was_run(place):
    path = place / "run" / "spec.yaml"
    path.write_text(path.read_text().replace("seed: 0", "seed: 1"))
    with pytest.raises(BadInputError, match="changed after the run"):
        prove(place / "run", [str(place / "test.extxyz")])


def test_proving_again_replaces_the_numbers_and_where_they_came_from(place):
    first = prove(place / "run", [str(place / "test.extxyz")])
    again = prove(place / "run", [str(place / "test.extxyz")])
    assert [one.verb for one in again.provenance] == ["adapt", "prove"]
    assert first.scores == again.scores
    assert [card.role for card in again.data] == ["train", "test"]


def test_units_of_training_are_told_where_they_judge(place, tmp_path):
    gpa = frames(6)
    for atoms in gpa:
        atoms.info["REF_stress"] = np.asarray(atoms.info["REF_stress"]) * 160.21766208
    write(place / "gpa.extxyz", gpa, format="extxyz")
    spec = spec_of(place, train=[str(place / "gpa.extxyz")], stress_unit="GPa")
    adapt(spec, tmp_path / "gpa")
    test = [str(place / "test.extxyz")]
    told = []
    wrong = prove(tmp_path / "gpa", test, watch=Watch(notify=told.append))
    assert any("--stress-unit GPa, as training" in text for text in told)
    right = prove(tmp_path / "gpa", test, default_labels=True)
    plain = prove(place / "run", test)
    assert stress_error(right) == pytest.approx(stress_error(plain), rel=SAME)
    assert stress_error(wrong) != pytest.approx(stress_error(plain), rel=SAME)


def stress_error(result):
    [score] = [
        one.value
        for one in result.scores
        if (one.model, one.suite, one.quantity, one.metric, one.group)
        == ("base", "labels", "stress", "mae", None)
    ]
    return score


def test_the_card_of_a_graft_learns_its_errors(place):
    from atomgraft.adaptation.graft import read_card

    graft = place / "run" / "graft.safetensors"
    assert read_card(graft).errors == {}
    result = prove(place / "run", [str(place / "test.extxyz")])
    known = read_card(graft).errors
    assert set(known) == {"energy", "forces", "stress"}
    [forces] = [
        one.value
        for one in result.scores
        if (one.model, one.quantity, one.metric, one.group)
        == ("adapted", "forces", "mae", None)
    ]
    assert known["forces"]["mae"] == forces


def test_an_interrupted_run_remembers_all_its_sessions(place):
    from atomgraft.training.loop import fit

    calls = []

    def stopped(job, fabric, observer=None):
        calls.append(job)
        outcome = fit(job, fabric, observer)
        return outcome if len(calls) > 1 else interrupted(outcome)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("atomgraft.run.adapt.fit", stopped)
        first = adapt(spec_of(place), Path("new"))
        assert not first.finished
        second = adapt(spec_of(place), Path("new"))
    assert second.finished
    assert [one.verb for one in second.provenance] == ["adapt", "adapt"]


def interrupted(outcome):
    import dataclasses

    return dataclasses.replace(outcome, is_complete=False, ended="stopped by a signal")


def test_a_recipe_is_what_its_axes_say(place):
    axes = {"moves": {"kind": "low_rank", "rank": 2}}
    with pytest.raises(BadInputError, match="not those of the recipe 'full'"):
        spec_of(place, axes=axes)
    own = spec_of(place, recipe="custom", axes=axes, learning_rate=1e-3)
    assert own.recipe == "custom"


@pytest.mark.parametrize("rank", [1, 2, 8])
def test_numbers_of_a_recipe_may_be_turned(place, rank):
    axes = {"moves": {"kind": "low_rank", "rank": rank, "alpha": 2.0}}
    assert spec_of(place, recipe="lora", axes=axes).axes.moves.rank == rank


def test_another_recipe_does_not_silently_drop_what_a_file_says(place, capsys):
    document = {
        "base": "pair:sw-si",
        "train": "train.extxyz",
        "recipe": "full",
        "learning_rate": 0.5,
    }
    Path("run.yaml").write_text(yaml.safe_dump(document))
    assert run("adapt run.yaml --recipe lora --out other") == 2
    assert "learning_rate" in capsys.readouterr().err
    assert not Path("other").exists()


def test_an_unfinished_baseline_is_gone_on_with(place):
    options = "--base pair:sw-si --train train.extxyz --recipe full --steps 4 --out two"
    assert run(f"adapt {options} --with-scratch") == 0
    scratch = Path("two", "scratch")
    (scratch / "result.json").unlink()
    (scratch / "graft.safetensors").unlink()
    assert run("adapt two") == 0
    assert (scratch / "graft.safetensors").exists()
    assert RESULT.read(scratch).finished
