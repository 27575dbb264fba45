"""A run folder is moved, with what it was made from, and read from anywhere."""

import shutil
from pathlib import Path

import pytest
from ase.io import write

from atomgraft.data.readers import read_structures
from atomgraft.models.loading import load_potential
from atomgraft.run.inputs import load_base
from atomgraft.run.places import places_of
from atomgraft.run.record import RESULT
from tests.integration.test_bad_input import run

TEST = "shipped:si-test@:3"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with a base, training files and a run, all by relative names."""
    home = tmp_path / "home"
    home.mkdir()
    load_potential("pair:sw-si").export(home / "base.safetensors")
    write(home / "train.extxyz", read_structures(["shipped:si-train@:6"]))
    monkeypatch.chdir(home)
    options = "--train train.extxyz@:5 --recipe full --steps 2 --out runs/si"
    assert run(f"adapt --base base.safetensors {options}") == 0
    monkeypatch.chdir(tmp_path)
    return home


def test_it_is_judged_from_another_directory(home):
    assert run(f"prove {home / 'runs/si'} --test {TEST}") == 0
    assert run(f"merge {home / 'runs/si'}") == 0
    assert RESULT.read(home / "runs/si").moved is not None


def test_it_is_judged_where_all_of_it_was_moved(home, tmp_path, monkeypatch):
    moved = tmp_path / "away"
    home.rename(moved)
    (tmp_path / "third").mkdir()
    monkeypatch.chdir(tmp_path / "third")
    assert run(f"prove ../away/runs/si --test {TEST}") == 0
    assert load_base("../away/runs/si").elements == {14}


def test_a_model_of_the_same_name_is_not_taken_for_the_base(home, tmp_path):
    load_potential("pair:sw-ge").export(tmp_path / "base.safetensors")
    write(tmp_path / "train.extxyz", read_structures(["shipped:si-train@6:12"]))
    assert run(f"prove {home / 'runs/si'} --test {TEST}") == 0


def test_what_was_trained_on_is_still_noticed(home, tmp_path, capsys):
    home.rename(tmp_path / "away")
    file = tmp_path / "away" / "train.extxyz"
    assert run(f"prove away/runs/si --test {file}@:2") == 2
    assert "are also training structures" in capsys.readouterr().err


def test_a_base_that_went_elsewhere_is_named_again(home, tmp_path, capsys):
    place = tmp_path / "models.safetensors"
    shutil.move(home / "base.safetensors", place)
    assert run(f"prove {home / 'runs/si'} --test {TEST}") == 2
    assert "--base" in capsys.readouterr().err
    assert run(f"prove {home / 'runs/si'} --test {TEST} --base {place}") == 0
    assert run(f"merge {home / 'runs/si'} --base {place}") == 0
    load_potential("pair:sw-ge").export(tmp_path / "other.safetensors")
    assert run(f"merge {home / 'runs/si'} --base other.safetensors --overwrite") == 2
    assert "was trained on" in capsys.readouterr().err


def test_the_base_of_a_base_that_went_elsewhere_is_merged_into_it(
    home, tmp_path, monkeypatch, capsys
):
    """One --base can name one of them."""
    monkeypatch.chdir(home)
    options = "--train train.extxyz@:5 --recipe full --steps 1 --out next"
    assert run(f"adapt --base runs/si {options}") == 0
    monkeypatch.chdir(tmp_path)
    Path("moved").mkdir()
    for name in ("runs/si", "next", "base.safetensors"):
        shutil.move(home / name, tmp_path / "moved" / Path(name).name)
    capsys.readouterr()
    assert run("merge moved/next") == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith("Error: The base of moved/next, runs/si, is not there.")
    assert "7net-0" not in told
    assert run("merge moved/next --base moved/si") == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith("Error: The base of moved/si, base.safetensors, is not th")
    assert "atomgraft merge moved/si --base FILE" in told
    assert run("merge moved/si --base moved/base.safetensors") == 0
    merged = "moved/si/merged.safetensors"
    assert run(f"merge moved/next --base {merged}") == 0
    assert run(f"prove moved/next --test {TEST} --base {merged}") == 0


def test_a_path_that_is_not_there_is_no_misspelt_name(home, capsys):
    assert run(f"merge {home / 'runs/si'} --base runs/nowhere") == 2
    told = capsys.readouterr().err
    assert "runs/nowhere is not there" in told
    assert "7net-0" not in told


def test_it_says_where_it_was_made_and_need_not(home):
    place = home / "runs/si"
    made = RESULT.read(place).made_in
    assert made == {"working": str(home), "folder": str(place)}
    found = places_of("train.extxyz@:5", made, place)
    assert found == [str(home / "train.extxyz@:5"), "train.extxyz@:5"]
    assert places_of("train.extxyz@:5", {}, place) == ["train.extxyz@:5"]
    assert places_of("7net-0", made, place) == ["7net-0"]


def test_a_base_that_is_named_again_is_never_merged_over(home, tmp_path, capsys):
    place = tmp_path / "models.safetensors"
    shutil.move(home / "base.safetensors", place)
    before = place.read_bytes()
    command = f"merge {home / 'runs/si'} --base {place} --out {place} --overwrite"
    assert run(command) == 2
    assert place.read_bytes() == before
    capsys.readouterr()


def test_a_base_that_was_found_elsewhere_is_never_merged_over(home, monkeypatch):
    monkeypatch.chdir(home / "runs")
    before = (home / "base.safetensors").read_bytes()
    assert run("merge si --out ../base.safetensors --overwrite") == 2
    assert (home / "base.safetensors").read_bytes() == before


def test_a_run_on_a_run_of_the_same_name_names_no_self(home, tmp_path, monkeypatch):
    monkeypatch.chdir(home)
    (home / "runs/si").rename(home / "run")
    options = "--train train.extxyz@:5 --recipe full --steps 1 --out next/run"
    assert run(f"adapt --base run {options}") == 0
    monkeypatch.chdir(home / "next")
    assert run(f"prove run --test {TEST}") == 0
    assert run("merge run --out merged.safetensors") == 0


def test_test_files_of_another_directory_are_not_those_of_the_run(home, monkeypatch):
    monkeypatch.chdir(home)
    write("test.extxyz", read_structures([TEST]))
    assert run("prove runs/si --test test.extxyz") == 0
    monkeypatch.chdir(home / "runs")
    write("test.extxyz", read_structures(["shipped:si-test@3:6"]))
    assert run("prove si --suite consistency") == 0
    scores = RESULT.read(home / "runs/si").scores
    assert {one.suite for one in scores} == {"labels", "forgetting", "consistency"}
