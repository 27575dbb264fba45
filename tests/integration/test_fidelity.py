"""A study of levels from the command line: what it writes, grows by, and refuses."""

import json
import shutil

import numpy as np
import pytest
import yaml

from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import energy_of, forces_of, structures_fingerprint
from atomgraft.data.readers import read_structures
from atomgraft.fidelity import work
from atomgraft.fidelity.levels import same_geometries
from atomgraft.fidelity.record import FIDELITY
from atomgraft.run.record import RESULT
from tests.fidelities import SPEC, fidelity_file, labelled, level_files, written
from tests.integration.campaigns import finished_cells
from tests.integration.test_bad_input import run

pytestmark = pytest.mark.slow

EVERY = ["fine-tuning", "multi-head", "all-heads", "delta"]

SMALL = {"source_sizes": [4], "sizes": [2]}


@pytest.fixture(scope="module")
def here():
    """Cells run in a thread of this process, which has torch in memory already."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        dashboard_address="127.0.0.1:0",
        protocol="tcp",
        host="127.0.0.1",
    ) as cluster:
        yield f"--scheduler {cluster.scheduler_address}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fidelity")


@pytest.fixture(scope="module")
def spec(folder):
    cheap = level_files(folder)
    frames = read_structures([cheap])
    other = written(folder / "other.extxyz", labelled(frames, (2.3, 2.0, 23.0)))
    sources = {"cheap": cheap, "other": other}
    return fidelity_file(
        folder, sources=sources, strategies=EVERY, recipes=["full", "readout"], **SMALL
    )


@pytest.fixture(scope="module")
def done(folder, spec, here):
    out = folder / "out"
    assert run(f"fidelity {spec} --out {out} {here}") == 0
    return out


def told(out):
    """Return everything that a study says, but for times and commands."""
    document = json.loads((out / "fidelity.json").read_text())
    del document["provenance"]
    for one in document["models"]:
        del one["seconds"]
    return document


def named(out):
    return {one.name: one for one in FIDELITY.read(out).models}


# --- what there is afterwards


def test_every_strategy_has_its_models(done):
    found = FIDELITY.read(done)
    assert found.finished
    assert {one.status for one in found.models} == {"done"}
    assert set(named(done)) == {
        "alone-n2-s0",
        "delta-cheap-n2-s0",
        "delta-other-n2-s0",
        "source-cheap-N4-s0",
        "source-other-N4-s0",
        "fine-tuning-cheap-full-N4-n2-s0",
        "fine-tuning-cheap-readout-N4-n2-s0",
        "fine-tuning-other-full-N4-n2-s0",
        "fine-tuning-other-readout-N4-n2-s0",
        "multi-head-cheap-N4-n2-s0",
        "multi-head-other-N4-n2-s0",
        "all-heads-cheap+other-N4-n2-s0",
    }
    assert {one.name: (one.n_pool, one.n_test) for one in found.levels} == {
        "target": (13, 6),
        "cheap": (26, 6),
        "other": (26, 6),
    }


def test_every_cell_is_a_run_with_the_budget_of_its_strategy(done):
    for one in FIDELITY.read(done).models:
        result = RESULT.read(done / "cells" / one.name / "run")
        assert result.finished
        budgets = {"source": 4, "fine-tuning": 3}
        assert result.training.n_steps_done == budgets.get(one.strategy, 7)


def test_fine_tuning_starts_from_the_weights_of_the_source(done):
    source = RESULT.read(done / "cells" / "source-cheap-N4-s0" / "run")
    for recipe in ("full", "readout"):
        name = f"fine-tuning-cheap-{recipe}-N4-n2-s0"
        result = RESULT.read(done / "cells" / name / "run")
        assert result.base.weights_hash != source.base.weights_hash
        assert str(done.name) not in result.base.weights_hash
        assert named(done)[name].starts_from == "source-cheap-N4-s0"
    alone = RESULT.read(done / "cells" / "alone-n2-s0" / "run")
    assert alone.base.weights_hash == source.base.weights_hash


def test_no_cell_trained_on_a_test_geometry(done):
    test = read_structures([done / "data" / "test.extxyz"])
    files = [one for one in (done / "data").glob("*.extxyz") if "test" not in one.name]
    assert len(files) == 5
    for file in files:
        assert same_geometries(test, read_structures([file])) == {}


def test_a_source_is_judged_by_its_own_labels_and_the_target_by_others(done):
    data = done / "data"
    test = read_structures([data / "test.extxyz"])
    own = read_structures([data / "test-source-cheap.extxyz"])
    delta = read_structures([data / "test-delta-cheap.extxyz"])
    matches = same_geometries(test, own)
    for i, (k,) in matches.items():
        assert energy_of(delta[i]) + energy_of(own[k]) == pytest.approx(
            energy_of(test[i])
        )
        assert np.allclose(forces_of(delta[i]) + forces_of(own[k]), forces_of(test[i]))
    assert len(matches) == 6


def test_the_page_and_the_screen_have_every_model(done, capsys):
    text = (done / "report.html").read_text()
    for way in ("target alone", "two heads", "all heads", "delta-learning"):
        assert way in text
    assert run(f"report {done}") == 0
    said = capsys.readouterr().err
    assert FIDELITY.read(done).headline in " ".join(said.split())


def test_no_place_of_this_machine_is_told(done):
    document = told(done)
    del document["data"], document["spec"]
    assert str(done.parent) not in json.dumps(document)


def test_the_written_spec_is_the_one_that_ran(done):
    document = yaml.safe_load((done / "fidelity.yaml").read_text())
    assert document == FIDELITY.read(done).spec


def test_json_is_json_and_nothing_else(done, capsys):
    assert run(f"fidelity {done} --json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out)["name"] == "out"


# --- again


def test_a_second_call_runs_nothing(done, spec, capsys):
    before, known = finished_cells(done), told(done)
    assert run(f"fidelity {spec} --out {done}") == 0
    assert "Running" not in capsys.readouterr().err
    assert finished_cells(done) == before
    assert told(done) == known


@pytest.mark.parametrize(
    "name", ["fine-tuning-cheap-full-N4-n2-s0", "delta-other-n2-s0"]
)
def test_a_deleted_cell_comes_back_as_it_was(name, done, spec, here, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(done, out)
    before = told(out)
    shutil.rmtree(out / "cells" / name)
    assert run(f"fidelity {out} {here}") == 0
    assert told(out) == before


def test_a_moved_study_is_the_same(done, tmp_path):
    moved = tmp_path / "elsewhere" / "out"
    shutil.copytree(done, moved)
    before = {path.parent.name: n for path, n in finished_cells(moved).items()}
    assert run(f"fidelity {moved}") == 0
    after = {path.parent.name: n for path, n in finished_cells(moved).items()}
    assert after == before
    assert told(moved) == told(done)


def test_a_study_grows_by_a_seed_and_keeps_what_it_has(here, spec, tmp_path, capsys):
    out = tmp_path / "out"
    some = f"--strategy fine-tuning --recipe full {here}"
    assert run(f"fidelity {spec} --out {out} {some} --seed 0") == 0
    before = finished_cells(out)
    assert run(f"fidelity {spec} --out {out} {some} --seed 0 --seed 1") == 0
    after = finished_cells(out)
    assert (len(before), len(after)) == (5, 10)
    assert {path: after[path] for path in before} == before
    assert {one.seed for one in FIDELITY.read(out).models} == {0, 1}
    assert "cells are already finished" in capsys.readouterr().err


def test_a_source_may_be_added(here, folder, spec, tmp_path):
    cheap, other = (
        yaml.safe_load(spec.read_text())["sources"][name] for name in ("cheap", "other")
    )
    out = tmp_path / "out"
    some = f"--strategy multi-head {here}"
    one = fidelity_file(tmp_path, sources={"cheap": cheap}, **SMALL)
    assert run(f"fidelity {one} --out {out} {some}") == 0
    before = finished_cells(out)
    two = fidelity_file(tmp_path, sources={"cheap": cheap, "other": other}, **SMALL)
    assert run(f"fidelity {two} --out {out} {some}") == 0
    after = finished_cells(out)
    assert (len(before), len(after)) == (2, 3)
    assert {path: after[path] for path in before} == before


def test_a_source_that_failed_costs_what_starts_from_it(
    here, spec, tmp_path, monkeypatch
):
    do_cell = work.do_cell

    def one_diverges(folder, payload):
        if "source-cheap" in payload["run"]["train"][0]:
            raise BadInputError("It diverged.", "Finite numbers.", "Train slower.")
        return do_cell(folder, payload)

    monkeypatch.setattr(work, "do_cell", one_diverges)
    out = tmp_path / "out"
    some = f"--strategy fine-tuning --recipe full {here}"
    assert run(f"fidelity {spec} --out {out} {some}") == 0
    found = named(out)
    failed = {name: one.reason for name, one in found.items() if one.status == "failed"}
    assert set(failed) == {"source-cheap-N4-s0", "fine-tuning-cheap-full-N4-n2-s0"}
    assert all("It diverged." in reason for reason in failed.values())
    assert FIDELITY.read(out).finished
    assert found["fine-tuning-other-full-N4-n2-s0"].status == "done"
    assert "It diverged." in (out / "report.html").read_text()


def test_fresh_throws_the_old_one_away(here, spec, tmp_path):
    out = tmp_path / "out"
    some = f"--strategy multi-head {here}"
    assert run(f"fidelity {spec} --out {out} {some}") == 0
    before = finished_cells(out)
    assert run(f"fidelity {spec} --out {out} {some} --steps 4 --fresh") == 0
    after = finished_cells(out)
    assert after.keys() == before.keys()
    assert after != before


# --- before it runs


def test_a_dry_run_writes_nothing(spec, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(f"fidelity {spec} --out {out} --dry-run --json") == 0
    assert not out.exists()
    document = json.loads(capsys.readouterr().out)
    assert len(document["cells"]) == 12
    n_steps = 2 * 4 + 4 * 3 + 6 * 7  # sources, fine-tuning, the rest
    assert document["steps"] == n_steps


def test_flags_alone_are_enough(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = level_files(tmp_path)
    command = (
        f"fidelity --base pair:sw-si --train {SPEC['train']} --test {SPEC['test']}"
        f" --source cheap={file} --source-size 4 --size 2 --seed 4 --strategy"
        " multi-head --steps 3 --source-steps 5 --dry-run"
    )
    assert run(command) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "2 models" in said
    assert "16 steps in all" in said
    assert "6 of 32 structures have a geometry of the test set" in said
    assert [one.name for one in tmp_path.iterdir()] == ["cheap.extxyz"]


# --- what is refused, and nothing is lost


def refused(capsys, command, *said):
    assert run(command) == 2
    error = " ".join(capsys.readouterr().err.split())
    for text in said:
        assert text in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sizes": [900]}, "the pool has 13"),
        ({"source_sizes": [900]}, "the pool has 26"),
        ({"strategies": ["magic"]}, "magic"),
        ({"strategies": []}, "strategies"),
        ({"recipes": ["lorra"]}, "Did you mean 'lora'"),
        ({"base": "pair:sw-s"}, "pair:sw-s"),
        ({"train": "gone.xyz"}, "gone.xyz"),
        ({"sources": {"cheap": "gone.xyz"}}, "gone.xyz"),
        ({"sources": {"cheap": "shipped:ge-train@:8"}}, "Ge"),
        ({"sources": {"cheap": "shipped:si-test@:6"}}, "no structure to train on"),
        ({"test": "shipped:si-train@:9:8"}, "also in the pool"),
    ],
)
def test_what_cannot_be_studied(changes, said, tmp_path, capsys):
    spec = fidelity_file(tmp_path, **changes)
    out = tmp_path / "out"
    refused(capsys, f"fidelity {spec} --out {out}", said)
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--source cheap.xyz", "names no file"),
        ("--source cheap=", "names no file"),
        ("--source =cheap.xyz", "names no file"),
        ("--strategy magic", "magic"),
        ("--keep stress", "stress"),
        ("--size 900", "the pool has 13"),
        ("--size 0", "sizes"),
    ],
)
def test_options_that_are_wrong(options, said, spec, tmp_path, capsys):
    out = tmp_path / "out"
    refused(capsys, f"fidelity {spec} --out {out} {options}", said)
    assert not out.exists()


def test_differences_without_labels_at_test_geometries(tmp_path, capsys):
    frames = read_structures([SPEC["train"], "shipped:si-train@1::8"])
    file = written(tmp_path / "some.extxyz", labelled(frames))
    spec = fidelity_file(tmp_path, sources={"cheap": file}, strategies="delta")
    out = tmp_path / "out"
    refused(
        capsys,
        f"fidelity {spec} --out {out}",
        "0 of 6 structures of the test set",
        "leave 'delta' out",
    )
    assert not out.exists()


@pytest.mark.parametrize(
    "change",
    ["--steps 6", "--source-steps 6", "--dtype float64", "--test shipped:si-test@6:12"],
)
def test_another_budget_or_test_set_is_refused(change, done, spec, capsys):
    before = told(done)
    refused(capsys, f"fidelity {spec} --out {done} {change}", "--fresh")
    assert told(done) == before


def test_data_that_changed_are_refused(here, tmp_path, capsys):
    spec = fidelity_file(tmp_path, strategies="multi-head", **SMALL)
    out = tmp_path / "out"
    assert run(f"fidelity {spec} --out {out} {here}") == 0
    cells = finished_cells(out)
    frames = read_structures([str(tmp_path / "cheap.extxyz")])
    before = structures_fingerprint(frames)
    frames[-1].info["REF_energy"] += 0.1
    written(tmp_path / "cheap.extxyz", frames)
    assert structures_fingerprint(frames) != before
    refused(capsys, f"fidelity {spec} --out {out}", "changed since: cheap", "--fresh")
    assert finished_cells(out) == cells


def test_the_folder_of_a_run_is_refused(done, spec, capsys):
    cell = done / "cells" / "alone-n2-s0" / "run"
    refused(capsys, f"fidelity {spec} --out {cell}", "folder of its own")


@pytest.mark.parametrize("text", ["[", "- a", "base: 3"])
def test_a_file_that_is_no_study(text, tmp_path, capsys):
    path = tmp_path / "fidelity.yaml"
    path.write_text(text)
    refused(capsys, f"fidelity {path}", str(path))
