"""Does a notebook get what the command line gets, with objects in place of files?"""

import builtins
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

import atomgraft as ag
from atomgraft.core.errors import BadInputError
from atomgraft.data.readers import read_structures
from atomgraft.run.inputs import merged_run

REPOSITORY = Path(__file__).parents[2]

QUICK = {"recipe": "readout", "steps": 3, "progress": False}

TRAIN, TEST = "shipped:si-train@::8", "shipped:si-test@:3"

CELL = {"supercell": 2, "mesh": 2, "progress": False}


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> ag.Run:
    folder = tmp_path_factory.mktemp("run") / "si"
    frames = read_structures([TRAIN])
    return ag.adapt(ag.load("pair:sw-si"), frames, out=folder, **QUICK)


def files_in(folder: Path) -> set[str]:
    return {one.relative_to(folder).as_posix() for one in folder.rglob("*.extxyz")}


def test_frames_give_the_weights_of_their_file(place):
    frames = read_structures([TRAIN])
    by_file = ag.adapt("pair:sw-si", TRAIN, out="file", **QUICK)
    by_list = ag.adapt("pair:sw-si", frames, out="list", **QUICK)
    hashes = [merged_run(run.folder).weights_hash() for run in (by_file, by_list)]
    assert hashes[0] == hashes[1]
    assert by_file.result.data[0].fingerprint == by_list.result.data[0].fingerprint


def test_labels_of_a_calculator_are_read_as_from_a_file(place):
    frames = read_structures([TRAIN])
    for atoms in frames:
        forces, stress = atoms.arrays.pop("REF_forces"), atoms.info.pop("REF_stress")
        atoms.calc = SinglePointCalculator(
            atoms, energy=atoms.info.pop("REF_energy"), forces=forces, stress=stress
        )
    run = ag.adapt("pair:sw-si", frames, out="run", **QUICK)
    other = ag.adapt("pair:sw-si", TRAIN, out="other", **QUICK)
    assert run.result.data[0].fingerprint == other.result.data[0].fingerprint


def test_keys_and_units_of_frames_are_those_of_the_call(place):
    frames = read_structures([TRAIN])
    for atoms in frames:
        atoms.info["dft"] = atoms.info.pop("REF_energy") * 1000
    keys = {"energy_key": "dft", "energy_unit": "meV"}
    run = ag.adapt("pair:sw-si", frames, out="run", **keys, **QUICK)
    other = ag.adapt("pair:sw-si", TRAIN, out="other", **QUICK)
    found = [one.result.reference.shifts["Si"] for one in (run, other)]
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_frames_are_kept_in_the_run_and_found_again(finished):
    [name] = [one for one in files_in(finished.folder) if "train" in one]
    listed = json.loads((finished.folder / ".atomgraft.json").read_text())["files"]
    assert name.startswith("inputs/train.")
    assert name in listed
    before = (finished.folder / "result.json").read_bytes()
    frames = read_structures([TRAIN])
    again = ag.adapt("pair:sw-si", frames, out=finished.folder, **QUICK)
    assert again == finished
    assert (finished.folder / "result.json").read_bytes() == before


def test_fresh_keeps_what_it_trains_on(place):
    frames = read_structures([TRAIN])
    run = ag.adapt("pair:sw-si", frames, out="run", **QUICK)
    run.prove(read_structures([TEST]), ["labels"], progress=False)
    ag.adapt("pair:sw-si", frames, out="run", fresh=True, **QUICK)
    [name] = files_in(place / "run")
    assert name.startswith("inputs/train.")


def test_a_changed_input_is_refused(place):
    frames = read_structures([TRAIN])
    run = ag.adapt("pair:sw-si", frames, out="run", **QUICK)
    [name] = files_in(run.folder)
    changed = (run.folder / name).read_text().replace("config_type", "kind")
    (run.folder / name).write_text(changed)
    with pytest.raises(BadInputError, match="changed after atomgraft wrote it"):
        ag.adapt("pair:sw-si", frames, out="run", **QUICK)


def test_a_proof_shows_itself(finished):
    test = read_structures([TEST])
    proof = finished.prove(test, suites=["labels", "forgetting"], progress=False)
    assert {one.suite for one in proof.result.scores} == {"labels", "forgetting"}
    assert proof.page.read_text().lstrip().startswith("<!DOCTYPE html>")
    shown = proof._repr_html_()
    assert proof.verdict.headline in shown
    assert "<td>mae_aligned</td>" in shown
    assert proof.verdict == finished.result.verdict
    assert "Training structures" in finished._repr_html_()


def test_a_proof_is_that_of_the_command_line(finished):
    from typer.testing import CliRunner

    from atomgraft.cli.main import app

    arguments = ["prove", str(finished.folder), "--test", TEST, "--suite", "labels"]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    by_command = json.loads(done.stdout)["scores"]
    proof = finished.prove(read_structures([TEST]), "labels", progress=False)
    assert json.loads(proof.result.model_dump_json())["scores"] == by_command


def test_scores_as_a_table(finished, monkeypatch):
    proof = finished.prove(suites="forgetting", progress=False)
    real = builtins.__import__

    def without_pandas(name, *rest, **more):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", without_pandas)
        with pytest.raises(BadInputError, match="pip install pandas"):
            proof.to_frame()
    pytest.importorskip("pandas")
    assert len(proof.to_frame()) == len(proof.result.scores)


def test_the_run_as_calculator_and_file(finished, place):
    path = finished.merge("si")
    silicon = bulk("Si", a=5.47)
    silicon.calc = finished.calculator(device="cpu")
    energy = silicon.get_potential_energy()
    silicon.calc = ag.load(path).calculator("cpu")
    assert silicon.get_potential_energy() == pytest.approx(energy, rel=1e-6)
    silicon.calc = ag.load("pair:sw-si").calculator("cpu")
    assert abs(silicon.get_potential_energy() - energy) > 0.1
    assert ag.open(finished.folder).finished


def test_phonons_of_a_structure(finished, place):
    silicon = bulk("Si", a=5.43)
    found = ag.phonons(silicon, ["pair:sw-si", finished], **CELL)
    silicon.calc = finished.calculator()  # what has been computed changes nothing
    silicon.get_stress()
    again = ag.phonons(silicon, ["pair:sw-si", finished], **CELL)
    assert again.result == found.result
    assert found.folder == Path("phonons-Si")
    assert found.page.is_file()
    assert "Highest (THz)" in found._repr_html_()
    objects = [found.phonopy_of("base"), found.phonopy]
    tops = []
    for one in objects:
        one.run_qpoints([[0, 0, 0]])
        tops.append(one.qpoints.frequencies.max())
    stored = [one.maximum for one in found.result.spectra]
    assert tops[0] != pytest.approx(tops[1], rel=1e-3)
    assert all(top <= 1.001 * known for top, known in zip(tops, stored, strict=True))


@pytest.mark.slow
def test_phonons_beside_frames_of_a_supercell(place):
    frames = read_structures(["shipped:si-phonons"])
    found = ag.phonons(frames, ag.load("pair:sw-si"), mesh=2, out="ph", progress=False)
    [row] = [one for one in found.result.errors if one.baseline is None]
    other = ag.phonons(
        "shipped:si-phonons", "pair:sw-si", mesh=2, out="other", progress=False
    )
    [same] = [one for one in other.result.errors if one.baseline is None]
    assert row.frequency_mae == same.frequency_mae


def test_a_structure_is_put_in_motion(finished):
    options = {
        "structure": bulk("Si", cubic=True, a=5.43),
        "supercell": [1],
        "temperatures": [300.0],
        "time": 0.04,
        "window": 0.02,
        "drift_time": 0,
    }
    proved = finished.prove(suites={"md": options}, progress=False)
    assert proved.result.details["md"]["formula"] == "Si8"
    assert any(one.startswith("inputs/Si") for one in files_in(finished.folder))


@pytest.mark.slow
def test_a_crystal_of_a_suite_may_be_a_structure(finished):
    suites = {"phonons": {"crystal": bulk("Si", a=5.43)}}
    proof = finished.prove(suites=suites, progress=False)
    assert "phonons" in {*proof.result.details, *proof.result.unanswered}


def test_a_moved_run_and_a_moved_base(place):
    base = ag.load("pair:sw-si").potential.export(place / "base")
    run = ag.adapt(base, read_structures([TRAIN]), out="runs/one", **QUICK)
    run.folder.rename(place / "moved")
    (place / "runs").rmdir()
    base.rename(place / "elsewhere.safetensors")
    with pytest.raises(BadInputError, match="base="):
        ag.open("moved").calculator()
    run = ag.open("moved", base="elsewhere.safetensors")
    assert run.prove(read_structures([TEST]), "labels", progress=False).page.is_file()
    assert run.calculator("cpu").potential.card.framework == "pair"
    found = ag.phonons(bulk("Si", a=5.43), [run], out="si", **CELL)
    assert [one.contestant for one in found.result.spectra] == ["base"]


def test_a_folder_is_the_same_however_it_is_spelt(place):
    frames, crystal = read_structures([TRAIN]), bulk("Si", a=5.43)
    first = ag.adapt("pair:sw-si", frames, out="run", **QUICK).result
    bands = ag.phonons(crystal, "pair:sw-si", out="si", **CELL).result
    for out in ("./run", place / "run", "../" + place.name + "/run"):
        assert ag.adapt("pair:sw-si", frames, out=out, **QUICK).result == first
    assert ag.phonons(crystal, "pair:sw-si", out=place / "si", **CELL).result == bands
    with pytest.raises(BadInputError, match=r"train.0 was .* and is "):
        ag.adapt("pair:sw-si", frames[1:], out=place / "run", **QUICK)


def test_structures_that_were_trained_on_are_named_as_an_argument(finished):
    with pytest.raises(BadInputError) as caught:
        finished.prove(read_structures([TRAIN]), progress=False)
    assert "test" in caught.value.came
    assert "inputs" not in str(caught.value)


def test_the_package_can_still_be_imported_by_its_name():
    from atomgraft import phonons
    from atomgraft.phonons import work

    assert phonons.work is work
    assert ag.phonons is phonons


def test_progress_can_be_silent(finished, capfd):
    finished.prove(read_structures([TEST]), "labels", progress=False)
    out, err = capfd.readouterr()
    assert out + err == ""


def test_importing_and_listing_load_no_science():
    code = "import atomgraft, sys; dir(atomgraft); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    found = done.stdout.split()
    assert {"torch", "numpy", "ase", "pydantic"}.isdisjoint(found)
    own = [one for one in found if one.startswith("atomgraft")]
    assert own == ["atomgraft"]


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="adapts"):
        _ = ag.adapts


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"stps": 3}, "adapt.. has no argument 'stps'.*Did you mean 'steps'"),
        ({"lr": 1e-3, "learning_rate": 1e-3}, "both given"),
        ({"lr": -1}, "'learning_rate' is -1"),
        ({"rank": 4}, "'axes.moves.whole.rank' is an unknown key"),
        ({"recipe": "readot"}, "Did you mean 'readout'"),
        ({"train": []}, "train is an empty list"),
        ({"train": 3}, "train is of type int"),
        ({"train": [bulk("Si"), "x"]}, r"train\[1\] is of type str"),
        ({"train": "nothing.xyz"}, "nothing.xyz is not there"),
        ({"validation": []}, "validation is an empty list"),
        ({"base": 3}, "base is of type int"),
        ({"base": "pair:sw-sii"}, "Did you mean 'pair:sw-si'"),
        ({"head": "PBE"}, "has no heads"),
        ({"device": "gpu"}, "'device' is 'gpu'"),
        ({"train": [bulk("Si")]}, "has an energy or forces"),
    ],
    ids=lambda one: str(one)[:30],
)
def test_an_argument_that_cannot_be_used_is_named(given, message, place):
    asked = {"base": "pair:sw-si", "train": TRAIN, "out": "run", **QUICK, **given}
    with pytest.raises(BadInputError, match=message) as caught:
        ag.adapt(**asked)
    assert "--" not in str(caught.value).replace("adapt --help", "")
    assert caught.value.__suppress_context__
    assert not files_in(place)


def test_a_broken_frame_is_named_by_its_place(place):
    frames = read_structures([TRAIN])
    frames[1].info["REF_energy"] = np.nan
    with pytest.raises(BadInputError, match=r"train\[1\]: REF_energy is nan"):
        ag.adapt("pair:sw-si", frames, out="run", **QUICK)
    assert not (place / "run").exists()


def test_a_folder_of_others_is_not_written(place):
    (place / "mine").mkdir()
    (place / "mine" / "notes.txt").write_text("x")
    with pytest.raises(BadInputError, match=r"did not write.*out="):
        ag.adapt("pair:sw-si", read_structures([TRAIN]), out="mine", **QUICK)
    assert [one.name for one in (place / "mine").iterdir()] == ["notes.txt"]


def test_another_run_in_the_folder_is_refused(finished):
    before = files_in(finished.folder)
    with pytest.raises(BadInputError, match="fresh=True"):
        ag.adapt("pair:sw-si", bulk("Si"), out=finished.folder, **QUICK)
    assert files_in(finished.folder) == before


def test_what_a_run_cannot_do_is_said(finished, place):
    before = files_in(finished.folder)
    for call, message in (
        (
            lambda: finished.prove(read_structures([TRAIN])),
            "are also training structures",
        ),
        (lambda: finished.prove(suites=["label"]), "Did you mean 'labels'"),
        (lambda: finished.prove(test=[]), "test is an empty list"),
        (lambda: finished.calculator("gpu"), "no device 'gpu'"),
        (lambda: finished.calculator(head="x"), "has no head 'x'"),
        (lambda: finished.merge("nowhere/si"), "does not exist"),
        (lambda: finished.merge(share=2), "share is 2"),
        (lambda: ag.Run(place).prove(), "holds no graft"),
        (lambda: ag.open("nowhere"), "nowhere does not exist"),
        (lambda: ag.open(place), "holds no run"),
        (lambda: ag.load("7net-O"), "Did you mean '7net-0'"),
        (lambda: ag.load(finished.folder, trust=True), "trust=True was given"),
    ):
        with pytest.raises(BadInputError, match=message) as caught:
            call()
        assert caught.value.__suppress_context__, message
    assert files_in(finished.folder) == before


def test_what_phonons_cannot_do_is_said(place):
    silicon = bulk("Si", a=5.43)
    with pytest.raises(BadInputError, match="Did you mean 'mesh'"):
        ag.phonons(silicon, "pair:sw-si", mehs=3)
    with pytest.raises(BadInputError, match=r"models\[1\] is of type int"):
        ag.phonons(silicon, ["pair:sw-si", 3])
    with pytest.raises(BadInputError, match="given twice"):
        ag.phonons(silicon, ["pair:sw-si"] * 2)
    found = ag.phonons(silicon, "pair:sw-si", **CELL)
    before = files_in(place)
    with pytest.raises(BadInputError, match="fresh=True"):
        ag.phonons(bulk("Si", a=5.5), "pair:sw-si", **CELL)
    assert files_in(place) == before
    with pytest.raises(BadInputError, match="Known: base"):
        found.phonopy_of("adapted")


def test_a_refusal_in_a_notebook_is_three_lines():
    lines = BadInputError("It is there.", "A new one.", "Name it.")._render_traceback_()
    assert lines == ["BadInputError: It is there.", "A new one.", "Name it."]


def test_the_notebook_runs(place):
    cells = json.loads((REPOSITORY / "examples" / "notebook.ipynb").read_text())[
        "cells"
    ]
    code = ["".join(one["source"]) for one in cells if one["cell_type"] == "code"]
    assert len(code) > 3
    space: dict[str, object] = {"__name__": "notebook"}
    for one in code:
        exec(compile(one, "notebook.ipynb", "exec"), space)
    assert (place / "runs" / "si" / "report.html").is_file()
