"""From a crystal to inputs and back, through the command line."""

import json
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from atomgraft.cli import main
from atomgraft.data.labels import energy_of, forces_of
from atomgraft.data.readers import read_structures
from atomgraft.label.kinds import KINDS
from atomgraft.label.record import SELECTION
from tests.trials import NEEDS_SEVENN

BASE = "pair:sw-si"
SELECT = f"select POSCAR --model {BASE} --proposals 4 --inputs gpaw"


def run(command):
    """Run a command line in this process; return its exit code."""
    arguments, sys.argv = sys.argv, ["atomgraft", *command.split()]
    try:
        main.main()
    except SystemExit as end:
        return end.code or 0
    finally:
        sys.argv = arguments
    raise AssertionError("the command line did not exit")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ase.io.write("POSCAR", bulk("Si", "diamond", a=5.431, cubic=True), format="vasp")
    ase.io.write("ge.extxyz", bulk("Ge"))


def test_a_crystal_becomes_structures_inputs_and_a_page(capsys):
    assert run(f"{SELECT} --count 6 --out out --inputs vasp,espresso,gpaw --json") == 0
    printed = json.loads(capsys.readouterr().out)
    result = SELECTION.read(Path("out"))
    assert printed == json.loads(result.model_dump_json())
    frames = read_structures(["out/select.extxyz"])
    assert len(frames) == len(result.chosen) == 6
    assert [one.info["config_type"] for one in frames] == [
        one.kind for one in result.chosen
    ]
    assert all(energy_of(one) is None and forces_of(one) is None for one in frames)
    assert {card.kind for card in result.pool} == set(KINDS)
    for i in range(1, 7):
        place = Path("out", "label", f"{i:03d}")
        assert {one.name for one in place.iterdir()} == {"vasp", "espresso", "gpaw"}
    assert "</html>" in Path("out/report.html").read_text()


def test_the_seed_decides_the_selection():
    def chosen(seed, out):
        assert run(f"{SELECT} --count 4 --seed {seed} --out {out}") == 0
        return [one.positions for one in read_structures([f"{out}/select.extxyz"])]

    assert np.array_equal(chosen(1, "a"), chosen(1, "b"))
    assert not np.allclose(chosen(1, "c"), chosen(2, "d"))


def test_what_has_no_features_is_said(capsys):
    assert run(f"{SELECT} --count 2 --kinds rattle --out out") == 0
    assert "the model has no readout features" in capsys.readouterr().err


def test_a_pool_and_what_is_known():
    command = "--pool shipped:si-train@:20 --known shipped:si-train@:5 --count 5"
    assert run(f"{SELECT} {command} --out out") == 0
    result = SELECTION.read(Path("out"))
    assert [card.kind for card in result.pool] == ["strained", "rattled"]
    assert result.n_known == 5
    assert not {one.index for one in result.chosen} & set(range(5))
    assert all("si-train" in one.note for one in result.chosen)


@NEEDS_SEVENN
def test_a_committee_disagrees_and_the_model_reads_its_features(capsys):
    command = SELECT.replace(BASE, "sevennet:tiny:Si") + f" --committee {BASE}"
    assert run(f"{command} --count 3 --kinds rattle,strain --out out") == 0
    result = SELECTION.read(Path("out"))
    assert result.descriptor.is_models_own
    assert result.spec["rule"] == "both"
    assert all(one.disagreement > 0 for one in result.chosen)
    assert "is untrained" in capsys.readouterr().err


def test_labels_come_back(capsys):
    assert run(f"{SELECT} --count 3 --kinds rattle,modes --out out") == 0
    capsys.readouterr()
    for number in ("001", "003"):
        place = Path("out", "label", number, "gpaw")
        [atoms] = read_structures([place / "structure.extxyz"])
        atoms.info = {"REF_energy": -1.0}
        atoms.arrays["REF_forces"] = np.ones((8, 3))
        ase.io.write(place / "label.extxyz", atoms)
    assert run("select out --collect labelled.extxyz --json") == 0
    assert json.loads(capsys.readouterr().out)["missing"] == [2]
    assert len(read_structures(["labelled.extxyz"])) == 2
    assert run(f"check labelled.extxyz --base {BASE}") in {0, 2}


REFUSED = {
    "no model": "select POSCAR --out out",
    "no structure": "select nothing --model pair:sw-si --out out",
    "unknown kind": f"{SELECT} --kinds shaken --out out",
    "a kind twice": f"{SELECT} --kinds rattle,rattle --out out",
    "no kind": f"{SELECT} --kinds , --out out",
    "as many as there are": f"{SELECT} --kinds rattle --count 5 --out out",
    "none": f"{SELECT} --count 0 --out out",
    "no proposals": f"{SELECT} --proposals 0 --out out",
    "amplitude of zero": f"{SELECT} --amplitude 0 --out out",
    "amplitude in words": f"{SELECT} --amplitude far --out out",
    "negative strain": f"{SELECT} --strain -0.1 --out out",
    "temperature of zero": f"{SELECT} --temperature 0 --out out",
    "displacement of nothing": f"{SELECT} --displacement nan --out out",
    "huge amplitude": f"{SELECT} --amplitude 50 --kinds rattle --supercell 2 --out out",
    "unknown program": f"{SELECT} --inputs abinit --out out",
    "unknown functional": f"{SELECT} --functional HSE --out out",
    "cutoff of zero": f"{SELECT} --cutoff 0 --out out",
    "unknown rule": f"{SELECT} --by luck --out out",
    "disagreement of one": f"{SELECT} --by disagreement --out out",
    "supercell in words": f"{SELECT} --supercell large --out out",
    "supercell of zero": f"{SELECT} --supercell 0,1,1 --out out",
    "huge supercell": f"{SELECT} --supercell 99 --out out",
    "unknown element": f"select ge.extxyz --model {BASE} --out out",
    "pool of another element": f"{SELECT} --pool ge.extxyz --out out",
    "known of another element": f"{SELECT} --known ge.extxyz --out out",
    "unrelated structures": f"select two.extxyz --model {BASE} --out out",
    "a file that is no structure": f"select noise.cif --model {BASE} --out out",
    "collect from nothing": "select nothing --collect a.extxyz",
    "seed of minus one": f"{SELECT} --seed -1 --out out",
}


@pytest.mark.parametrize("command", REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_and_nothing_written(command, capsys):
    Path("noise.cif").write_text("noise")
    ase.io.write("two.extxyz", [bulk("Si"), bulk("Ge")])
    before = sorted(Path().rglob("*"))
    assert run(command) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("Error: ")
    assert "Traceback" not in error
    assert sorted(Path().rglob("*")) == before


def test_the_page_is_written_again_from_the_result_alone(capsys):
    assert run(f"{SELECT} --kinds rattle --count 2 --out out") == 0
    page = Path("out/report.html")
    before = page.read_text()
    page.unlink()
    assert run("report out --json") == 0
    assert page.read_text() == before
    assert json.loads(capsys.readouterr().out)["chosen"]


def test_a_folder_holds_one_selection(capsys):
    assert run(f"{SELECT} --kinds rattle --count 2 --out out") == 0
    before = Path("out/select.json").read_bytes()
    assert run(f"{SELECT} --kinds rattle --count 2 --out out") == 2
    assert "of an earlier selection" in capsys.readouterr().err
    assert Path("out/select.json").read_bytes() == before


def test_collecting_before_anything_is_finished_is_refused(capsys):
    assert run(f"{SELECT} --kinds rattle --count 2 --out out") == 0
    assert run("select out --collect labelled.extxyz") == 2
    assert "no finished output" in capsys.readouterr().err
    assert run("select out --collect labelled.json") == 2
    assert not Path("labelled.json").exists()
