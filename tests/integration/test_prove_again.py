"""A run is proved in parts: one suite keeps the answers of the others."""

import json
import shutil
from pathlib import Path

import ase
import ase.io
import pytest

from atomgraft.data.exact_files import write_exactly
from atomgraft.data.readers import read_structures
from atomgraft.run.record import RESULT, parity_of
from tests.integration.test_bad_input import run
from tests.vibrations import displaced_silicon, save

OPTIONS = "--base pair:sw-si --train shipped:si-train@:8 --recipe full --steps 20"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proved")
    write_exactly(folder / "test.extxyz", read_structures(["shipped:si-test@:6"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(f"adapt {OPTIONS} --out run") == 0
        assert run(f"adapt {OPTIONS} --seed 1 --lr 0.01 --out other") == 0
        assert run("prove run --test test.extxyz") == 0
    return folder


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    copy = shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(copy)
    return Path(copy)


def labels(result):
    return [one for one in result.scores if one.suite == "labels"]


def test_a_proof_without_files_keeps_what_files_have_shown(place, capsys):
    before = RESULT.read(place / "run")
    capsys.readouterr()
    assert run("prove run") == 0
    after = RESULT.read(place / "run")
    assert "dropped" not in capsys.readouterr().err
    assert labels(after) == labels(before) != []
    assert parity_of(after) == parity_of(before) != ()
    assert after.data == before.data
    assert after.verdict.headline == before.verdict.headline
    assert "6 held-out structures" in after.verdict.headline
    suites = [one.suite for one in after.scores]
    assert suites.count("forgetting") == [one.suite for one in before.scores].count(
        "forgetting"
    )
    assert [one.verb for one in after.provenance] == ["adapt", "prove", "prove"]
    first, second = [one.started for one in after.provenance[1:]]
    assert after.asked == {
        "labels": first, "forgetting": second, "consistency": second,
    }  # fmt: skip


def test_other_files_replace_what_the_first_have_shown(place):
    before = RESULT.read(place / "run")
    assert run("prove run --test test.extxyz@:4") == 0
    after = RESULT.read(place / "run")
    assert len(labels(after)) == len(labels(before))
    assert labels(after) != labels(before)
    [card] = [one for one in after.data if one.role == "test"]
    assert card.n_structures == 4
    assert [one.verb for one in after.provenance] == ["adapt", "prove"]


def test_what_changed_files_have_shown_is_dropped_and_told(place, capsys):
    frames = ase.io.read("test.extxyz", ":5")
    ase.io.write("test.extxyz", frames, format="extxyz")
    capsys.readouterr()
    assert run("prove run") == 0
    assert "discarded (labels)" in " ".join(capsys.readouterr().err.split())
    after = RESULT.read(place / "run")
    assert labels(after) == []
    assert parity_of(after) == ()
    assert [one.role for one in after.data] == ["train"]
    assert "Not tested yet" in after.verdict.headline


def test_files_that_are_gone_do_not_take_their_answers_along(place):
    before = labels(RESULT.read(place / "run"))
    Path("test.extxyz").unlink()
    assert run("prove run") == 0
    assert labels(RESULT.read(place / "run")) == before


def test_what_another_graft_has_shown_is_dropped_and_told(place, capsys):
    shutil.copy("other/graft.safetensors", "run/graft.safetensors")
    capsys.readouterr()
    assert run("prove run") == 0
    assert "the graft has changed" in " ".join(capsys.readouterr().err.split())
    assert labels(RESULT.read(place / "run")) == []


def test_the_rounding_of_what_files_have_shown_is_kept(place):
    def rounding(result):
        return [one for one in result.scores if one.metric == "rounding"]

    before = rounding(RESULT.read(place / "run"))
    assert run("prove run") == 0
    assert rounding(RESULT.read(place / "run")) == before != []


def test_lone_atoms_judge_nothing(place, capsys):
    before = labels(RESULT.read(place / "run"))
    frames = ase.io.read("test.extxyz", ":")
    lone = ase.Atoms("Si", cell=[20] * 3, pbc=True, info={"REF_energy": 3.0})
    ase.io.write("more.extxyz", [*frames, lone], format="extxyz")
    capsys.readouterr()
    assert run("prove run --test more.extxyz") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "1 frames of isolated atoms are not used for the test" in told
    after = labels(RESULT.read(place / "run"))
    assert [one.n for one in after] == [one.n for one in before]
    values = {(one.model, one.quantity, one.metric): one.value for one in before}
    for one in after:
        known = values[one.model, one.quantity, one.metric]
        assert one.value == pytest.approx(known, rel=1e-4)
    assert run("prove run") == 0
    assert "dropped" not in capsys.readouterr().err


@pytest.mark.slow
def test_vibrations_keep_what_files_have_shown(place):
    from atomgraft.lattice.harmonic import with_forces
    from tests.vibrations import harmonic_silicon

    before = labels(RESULT.read(place / "run"))
    softer = with_forces(displaced_silicon(), 0.75 * harmonic_silicon().forces)
    save(softer.phonon, "softer.yaml")
    assert run("prove run --suite phonons --crystal softer.yaml") == 0
    after = RESULT.read(place / "run")
    assert labels(after) == before
    assert "held-out" in after.verdict.headline
    assert len(after.details["phonons"]["crystals"]) == 1
    document = json.loads((place / "run" / RESULT.file).read_text())
    assert {one["suite"] for one in document["scores"]} >= {"labels", "phonons"}
