"""prove --suite phonons: vibrations of a run's models, kept until asked again."""

import json
import shutil
from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

from atomgraft.data.readers import read_structures
from atomgraft.lattice.harmonic import with_forces
from atomgraft.phonons.record import OWN_SCALAR
from atomgraft.run.record import RESULT
from tests.integration.test_bad_input import contents, run
from tests.vibrations import displaced_silicon, harmonic_silicon, save

pytestmark = pytest.mark.slow

TRAIN = "shipped:si-train@:10"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return a run of a fast potential, and a calculation of phonopy beside it."""
    folder = tmp_path_factory.mktemp("vibrations")
    options = f"--train {TRAIN} --recipe full --steps 5 --out {folder / 'run'}"
    assert run(f"adapt --base pair:sw-si {options}") == 0
    softer = with_forces(displaced_silicon(), 0.75 * harmonic_silicon().forces)
    save(softer.phonon, folder / "softer.yaml")
    return folder


@pytest.fixture
def place(finished, tmp_path, monkeypatch):
    copy = shutil.copytree(finished, tmp_path / "here")
    monkeypatch.chdir(copy)
    return Path(copy)


def as_json(command, capsys):
    capsys.readouterr()
    assert run(f"{command} --json") == 0
    return json.loads(capsys.readouterr().out)


PROVE = "prove run --suite phonons --crystal softer.yaml"


def of_phonons(document):
    return [one for one in document["scores"] if one["suite"] == "phonons"]


def test_vibrations_are_added_and_kept(place, capsys):
    document = as_json(PROVE, capsys)
    assert document == json.loads((place / "run" / RESULT.file).read_text())
    [phonons] = document["details"]["phonons"]["crystals"]
    assert [one["contestant"] for one in phonons["spectra"]] == [
        "reference", "base", "adapted",
    ]  # fmt: skip
    assert {one["baseline"] for one in phonons["errors"]} == {None, "own scalar"}
    found = of_phonons(document)
    assert {(one["model"], one["metric"]) for one in found} == {
        ("base", "mae"), ("adapted", "mae"), ("base", OWN_SCALAR),
    }  # fmt: skip
    told = [one for one in document["verdict"]["sentences"] if "Phonons of" in one]
    assert len(told) == 1
    assert set(document["asked"]) == {"phonons", "forgetting"}
    page = (place / "run" / "report.html").read_text()
    assert "honon" in page

    again = as_json("prove run", capsys)  # without the suite
    assert again["details"]["phonons"] == document["details"]["phonons"]
    assert of_phonons(again) == found
    assert told[0] in again["verdict"]["sentences"]
    assert any(one["suite"] == "consistency" for one in again["scores"])

    once_more = as_json(PROVE, capsys)  # asked again: replaced, not doubled
    assert len(once_more["details"]["phonons"]["crystals"]) == 1
    assert of_phonons(once_more) == found
    sessions = [one["started"] for one in once_more["provenance"][-2:]]
    assert once_more["asked"] == {
        "phonons": sessions[1], "forgetting": sessions[0], "consistency": sessions[0],
    }  # fmt: skip


def test_a_crystal_without_dft_has_bands_and_no_scores(place, capsys):
    write("POSCAR", bulk("Si", a=5.431))
    document = as_json("prove run --suite phonons --crystal POSCAR", capsys)
    [phonons] = document["details"]["phonons"]["crystals"]
    assert phonons["errors"] == []
    assert [one["contestant"] for one in phonons["spectra"]] == ["base", "adapted"]
    assert of_phonons(document) == []
    [told] = document["unanswered"]["phonons"]
    assert "has no reference calculation" in told
    assert told in Path("run", "report.html").read_text()


def test_losing_scores_to_a_crystal_without_dft_is_said(place, capsys):
    assert of_phonons(as_json(PROVE, capsys))
    assert run(PROVE) == 0
    assert "no longer in the result" not in capsys.readouterr().err
    write("POSCAR", bulk("Si", a=5.431))
    assert run("prove run --suite phonons --crystal POSCAR") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "The suite 'phonons' had scores of " in told
    assert "no longer in the result" in told


def test_answers_without_scores_go_with_their_graft(place, capsys):
    write("POSCAR", bulk("Si", a=5.431))
    first = as_json("prove run --suite phonons --crystal POSCAR", capsys)
    later = as_json("prove run --suite consistency", capsys)
    assert later["details"]["phonons"] == first["details"]["phonons"]
    assert later["asked"]["phonons"] in {one["started"] for one in later["provenance"]}
    options = f"--train {TRAIN} --recipe full --steps 9 --lr 0.01 --out other"
    assert run(f"adapt --base pair:sw-si {options}") == 0
    shutil.copy("other/graft.safetensors", "run/graft.safetensors")
    last = as_json("prove run --suite consistency", capsys)
    assert "phonons" not in {**last["details"], **last["asked"], **last["unanswered"]}
    assert set(last["asked"]) == {"consistency", "forgetting"}


def made(write_it, command):
    write_it()
    return command


BAD = {
    "unknown suite": lambda: "prove run --suite heat",
    "a crystal without the suite": lambda: "prove run --crystal softer.yaml",
    "an option of a suite that is not asked": lambda: (
        "prove run --set phonons.crystal=softer.yaml"
    ),
    "an option that no suite has": lambda: (
        "prove run --suite phonons --set phonons.colour=red"
    ),
    "an option without a value": lambda: "prove run --suite phonons --set crystal",
    "labels without files": lambda: "prove run --suite labels",
    "a crystal that is not there": lambda: "prove run --suite phonons --crystal no",
    "a molecule": lambda: made(
        lambda: write("molecule.xyz", Atoms("Si2", [[0, 0, 0], [0, 0, 2.3]])),
        "prove run --suite phonons --crystal molecule.xyz",
    ),
    "an element that the base lacks": lambda: made(
        lambda: write("ge.vasp", bulk("Ge")),
        "prove run --suite phonons --crystal ge.vasp",
    ),
    "a folder that is no run": lambda: made(
        lambda: Path("other").mkdir(), "prove other --suite phonons"
    ),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_bad_input_is_refused_and_nothing_is_written(make, place, capsys):
    command = make()
    before = contents()
    capsys.readouterr()
    assert run(command) == 2
    printed = capsys.readouterr().err
    errors = [line for line in printed.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, printed
    assert "Traceback" not in printed
    assert contents() == before


def test_a_run_whose_files_are_no_crystals_asks_for_one(place, capsys):
    write("train.extxyz", read_structures([TRAIN]))
    options = "--train train.extxyz --recipe full --steps 1 --out other"
    assert run(f"adapt --base pair:sw-si {options}") == 0
    capsys.readouterr()
    assert run("prove other --suite phonons") == 2
    assert "--set phonons.crystal=" in capsys.readouterr().err
