"""prove --suite motion: scores, page and references."""

import json
import shutil
from pathlib import Path

import pytest

from atomgraft.dynamics.trajectories import read_trajectory
from tests.integration.test_bad_input import run
from tests.integration.test_prove_suites import typed

TRAIN = "shipped:si-train@:10"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("motion")
    options = f"--train {TRAIN} --recipe full --steps 5 --out {folder / 'run'}"
    assert run(f"adapt --base pair:sw-si {options}") == 0
    return folder / "run"


@pytest.fixture
def place(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def of_motion(document):
    return {
        (one["model"], one["quantity"], one["metric"], one["group"]): one["value"]
        for one in document["scores"]
        if one["suite"] == "motion"
    }


def test_distributions_are_added_with_figures_and_trajectories(place, capsys):
    capsys.readouterr()
    more = typed("motion", reference="pair:sw-si", melt=3000, melt_time=0.1)
    assert run(f"prove {place} --suite motion {more} --json") == 0
    document = json.loads(capsys.readouterr().out)
    found = of_motion(document)
    crystal, melt = "temperature:300 K", "melt:300 K"
    assert found["base", "coordination", "mean", crystal] == pytest.approx(4.0)
    assert 0 <= found["adapted", "radial_distribution", "error", crystal] < 10
    assert found["base", "angular_distribution", "p_same", crystal] > 0
    assert ("adapted", "runs", "share", melt) in found
    said = [one for one in document["verdict"]["sentences"] if "in motion" in one]
    assert said[0].startswith("Errors in motion (300 K), base → adapted, %: g(r)")
    page = (place / "report.html").read_text()
    assert "motion-crystal-300-radial-distribution" in page
    assert "motion-crystal-300-vibrational-density" in page
    assert "not distinguishable" in page
    frames = read_trajectory(place / "motion" / "adapted" / "measure" / "000.extxyz")
    assert len(frames[0]) == 8
    listed = json.loads((place / ".atomgraft.json").read_text())
    assert any(name.startswith("motion/base/melt/") for name in listed["files"])


def test_a_run_folder_is_a_reference(finished, place, capsys):
    """The adapted model beside itself, with other seeds."""
    capsys.readouterr()
    more = typed("motion", reference=finished)
    assert run(f"prove {place} --suite motion {more} --json") == 0
    found = of_motion(json.loads(capsys.readouterr().out))
    assert found["adapted", "first_peak", "error", "temperature:300 K"] < 2


def test_a_trajectory_is_a_reference_where_it_has_enough_frames(place, capsys):
    assert run(f"prove {place} --suite motion {typed('motion', time=1.2)}") == 0
    path = place / "motion" / "base" / "measure" / "000.extxyz"
    aimd = shutil.copy(path, place.parent / "aimd.extxyz")
    capsys.readouterr()
    more = typed("motion", reference=aimd, reference_temperature=300)
    assert run(f"prove {place} --suite motion {more} --json") == 0
    document = json.loads(capsys.readouterr().out)
    found = of_motion(document)
    assert found["base", "angular_distribution", "error", "temperature:300 K"] > 0
    assert not [key for key in found if key[1:3] == ("vibrational_density", "error")]
    assert "Vibrations" in " ".join(document["unanswered"]["motion"])
    assert run(f"prove {place} --suite motion {more} --set motion.replicas=9") == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "At least 36 frames are needed" in error


@pytest.mark.parametrize(
    ("suite", "name", "said"),
    [
        ("motion", "OUTCAR", "ase convert OUTCAR OUTCAR.extxyz"),
        ("md", "OUTCAR", "A trajectory can only be the reference of the suite motion"),
        ("md", "aimd.extxyz", "reference of the suite motion"),
    ],
)
def test_a_file_that_is_no_reference_is_told_what_would_be(
    suite, name, said, place, monkeypatch, capsys
):
    monkeypatch.chdir(place.parent)
    Path(name).write_text("rubbish")
    assert run(f"prove {place} --suite {suite} --set {suite}.reference={name}") == 2
    error = " ".join(capsys.readouterr().err.split())
    assert said in error
    assert "mace-mp-0-small" not in error


@pytest.mark.torch_sim
def test_another_engine_moves_the_crystal(place, capsys):
    capsys.readouterr()
    more = typed("motion", reference="pair:sw-si", engine="torch-sim")
    assert run(f"prove {place} --suite motion {more} --json") == 0
    found = of_motion(json.loads(capsys.readouterr().out))
    crystal = "temperature:300 K"
    assert found["base", "coordination", "mean", crystal] == pytest.approx(4.0)
    assert 0 <= found["adapted", "radial_distribution", "error", crystal] < 10
    assert "torch-sim" in (place / "report.html").read_text()
