"""A comparison from the command line: what it writes, grows by, and refuses."""

import json
import sys
from pathlib import Path

import ase.io
import pytest
import yaml

from atomgraft.compare import cell as compared_cell
from atomgraft.compare import plan as compare_plan
from atomgraft.compare.record import COMPARISON
from atomgraft.core.errors import MissingExtraError
from atomgraft.data.labels import structures_fingerprint
from atomgraft.data.readers import read_structures
from atomgraft.run.record import RESULT
from atomgraft.study import processes as elsewhere
from tests.integration.campaigns import compare_file, finished_cells, table
from tests.integration.test_bad_input import run

pytestmark = pytest.mark.slow

TINY = {
    "recipes": ["readout", "full"],
    "sizes": [2, 4, 8],
    "seeds": [0],
    "training": {"steps": 5, "batch_size": 2},
}


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
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def spec(folder):
    return compare_file(folder, **TINY)


@pytest.fixture(scope="module")
def done(folder, spec, here):
    out = folder / "out"
    assert run(f"compare {spec} --out {out} {here}") == 0
    return out


def names(out):
    return {path.parent.name for path in finished_cells(out)}


# --- what there is afterwards


def test_every_cell_is_a_run_that_can_be_read(done):
    found = COMPARISON.read(done)
    assert found.finished
    assert len(found.cells) == 6
    for cell in found.cells:
        result = RESULT.read(done / "cells" / cell.name / "run")
        assert result.finished
        assert result.training.n_steps_done == cell.n_steps == 5
        assert result.data[0].n_structures == cell.n_labels
        assert result.data[0].fingerprint == cell.data_fingerprint
        [mine] = [
            s
            for s in result.scores
            if (s.model, s.suite, s.quantity, s.metric, s.group)
            == ("adapted", "labels", "forces", "mae", None)
        ]
        assert mine in cell.scores


def test_training_sets_are_nested_and_shared(done):
    read = {
        n: read_structures([done / "data" / f"train-n{n}-s0.extxyz"]) for n in (2, 4, 8)
    }
    for small, large in ((2, 4), (4, 8)):
        assert structures_fingerprint(read[large][:small]) == structures_fingerprint(
            read[small]
        )
    cells = COMPARISON.read(done).cells
    for n in (2, 4, 8):
        prints = {one.data_fingerprint for one in cells if one.n_labels == n}
        assert prints == {structures_fingerprint(read[n])}


def test_training_sets_are_the_pool_to_the_last_bit(done):
    pool = read_structures(["shipped:si-train@::4"])
    known = {structures_fingerprint([one]) for one in pool}
    drawn = read_structures([done / "data" / "train-n8-s0.extxyz"])
    assert {structures_fingerprint([one]) for one in drawn} < known


def test_the_structures_that_choose_were_measured_and_not_trained_on(done):
    aside = read_structures([done / "data" / "validation.extxyz"])
    known = {structures_fingerprint([one]) for one in aside}
    drawn = read_structures([done / "data" / "train-n8-s0.extxyz"])
    assert not any(structures_fingerprint([one]) in known for one in drawn)
    for cell in COMPARISON.read(done).cells:
        [error] = [
            one
            for one in cell.scores
            if (one.suite, one.quantity, one.metric) == ("validation", "forces", "mae")
        ]
        assert (error.model, error.n, len(aside)) == ("adapted", 5, 5)
        result = RESULT.read(done / "cells" / cell.name / "run")
        assert {card.role for card in result.data} == {"train", "test"}


def test_no_place_of_this_machine_is_told(done):
    text = (done / "compare.json").read_text() + (done / "compare.yaml").read_text()
    document = json.loads((done / "compare.json").read_text())
    for session in document["provenance"]:
        text = text.replace(session["command"], "")
    assert str(done.parent) not in text
    assert str(Path.cwd()) not in text


def test_the_base_is_the_line_to_beat(done):
    [baseline] = COMPARISON.read(done).baselines
    assert {score.model for score in baseline.scores} == {"base"}
    assert "pair:sw-si" in (done / "report.html").read_text()


def test_the_report_is_written_again_from_the_numbers(done, capsys):
    page = done / "report.html"
    before = page.read_text()
    page.unlink()
    assert run(f"report {done}") == 0
    assert page.read_text() == before
    assert COMPARISON.read(done).advice.headline[:30] in capsys.readouterr().err


def test_a_second_call_runs_nothing(done, spec, capsys):
    before, known = finished_cells(done), table(done)
    assert run(f"compare {spec} --out {done}") == 0
    assert "Running" not in capsys.readouterr().err
    assert finished_cells(done) == before
    assert table(done) == known
    assert len(COMPARISON.read(done).provenance) >= 2


def test_json_is_json_and_nothing_else(done, capsys):
    assert run(f"compare {done} --json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out)["name"] == "out"


def test_a_campaign_grows_and_keeps_what_it_has(here, spec, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(f"compare {spec} --out {out} --size 2 --recipe full {here}") == 0
    before = finished_cells(out)
    command = f"compare {spec} --out {out} --size 2 --size 4 --recipe full {here}"
    assert run(command) == 0
    after = finished_cells(out)
    assert len(before) == 1
    assert len(after) == 2
    assert {path: after[path] for path in before} == before
    assert len(COMPARISON.read(out).cells) == 2
    assert "1 of 2 cells are already finished" in capsys.readouterr().err


def test_a_moved_campaign_is_the_same(done, tmp_path):
    import shutil

    moved = tmp_path / "out"
    shutil.copytree(done, moved)
    before = {path.parent.name: n for path, n in finished_cells(moved).items()}
    assert run(f"compare {moved}") == 0
    after = {path.parent.name: n for path, n in finished_cells(moved).items()}
    assert after == before
    assert table(moved) == table(done)


def test_a_cell_that_diverges_costs_itself_alone(here, tmp_path):
    settings = {"learning_rate": 10.0, "training": {"steps": 400, "clip": None}}
    wild = {"name": "wild", "recipe": "full", "settings": settings}
    spec = compare_file(tmp_path, **TINY | {"recipes": ["readout", wild], "sizes": [2]})
    out = tmp_path / "out"
    code = run(f"compare {spec} --out {out} {here}")
    found = {one.contestant: one for one in COMPARISON.read(out).cells}
    assert found["readout"].status == "done"
    if found["wild"].status == "failed":
        assert code == 0
        assert "Lower the learning rate" in found["wild"].reason
        assert "wild-n2-s0" in (out / "report.html").read_text()


def test_a_dry_run_writes_nothing(spec, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(f"compare {spec} --out {out} --dry-run --json") == 0
    assert not out.exists()
    assert len(json.loads(capsys.readouterr().out)["cells"]) == 6


def test_flags_alone_are_enough(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = (
        "compare --base pair:sw-si --train shipped:si-train --test shipped:si-test "
        "--recipe full --recipe readout --lr-factor 1 --lr-factor 3 --seed 4 "
        "--steps 7 --dry-run"
    )
    assert run(command) == 0
    told = capsys.readouterr().err
    assert "16 cells" in told
    assert "10, 20, 40, 80 labels" in told
    assert "20 of 100 structures of the pool are used for validation" in " ".join(
        told.split()
    )
    assert "7 steps" in told
    assert list(tmp_path.iterdir()) == []


# --- what is refused, and nothing is lost


def refused(capsys, command, *said):
    assert run(command) == 2
    error = capsys.readouterr().err
    for text in said:
        assert text in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sizes": [2, 900]}, "the pool has 20"),
        ({"recipes": ["lorra"]}, "Did you mean 'lora'"),
        ({"recipes": []}, "recipes"),
        ({"base": "pair:sw-s"}, "pair:sw-s"),
        ({"train": "gone.xyz"}, "gone.xyz"),
        ({"test": "shipped:ge-test"}, "Ge"),
        ({"train": "shipped:ge-train@:4", "sizes": [2]}, "Ge"),
    ],
)
def test_what_cannot_be_compared(changes, said, tmp_path, capsys):
    spec = compare_file(tmp_path, **TINY | changes)
    refused(capsys, f"compare {spec} --out {tmp_path / 'out'}", said)
    assert not (tmp_path / "out").exists()


def test_a_test_set_that_leaks(tmp_path, capsys):
    spec = compare_file(tmp_path, **TINY | {"test": "shipped:si-train@8:10"})
    refused(capsys, f"compare {spec} --out {tmp_path / 'out'}", "also in the pool")
    assert not (tmp_path / "out").exists()


def test_a_test_set_that_leaks_but_for_rounding(tmp_path, capsys):
    """The last digits do not make a structure new."""
    atoms = read_structures(["shipped:si-train@8:10"])
    for one in atoms:
        one.info = {k: v for k, v in one.info.items() if k.startswith("REF_")}
        one.positions += 1e-7
    ase.io.write(tmp_path / "test.extxyz", atoms, format="extxyz")
    spec = compare_file(tmp_path, **TINY | {"test": str(tmp_path / "test.extxyz")})
    refused(capsys, f"compare {spec} --out {tmp_path / 'out'}", "both sides")


@pytest.mark.parametrize(
    "change", ["--steps 6", "--base pair:lj-ar", "--dtype float64", "--test {other}"]
)
def test_another_comparison_is_refused(change, done, spec, capsys):
    before = table(done)
    change = change.format(other="shipped:si-test@6:12")
    assert run(f"compare {spec} --out {done} {change}") == 2
    if "lj-ar" not in change:
        assert "--fresh" in capsys.readouterr().err
    assert table(done) == before


def test_data_that_changed_are_refused(here, tmp_path, capsys):
    atoms = read_structures(["shipped:si-train@:6"])
    for one in atoms:
        one.info = {k: v for k, v in one.info.items() if k.startswith("REF_")}
    pool = tmp_path / "pool.extxyz"
    ase.io.write(pool, atoms, format="extxyz")
    spec = compare_file(
        tmp_path, **TINY | {"train": str(pool), "sizes": [2], "recipes": ["full"]}
    )
    out = tmp_path / "out"
    assert run(f"compare {spec} --out {out} {here}") == 0
    atoms[0].info["REF_energy"] += 0.1
    ase.io.write(pool, atoms, format="extxyz")
    refused(capsys, f"compare {spec} --out {out}", "changed since", "--fresh")
    assert names(out) == {"full-n2-s0"}


def test_the_folder_of_a_run_is_refused(done, spec, capsys):
    cell = done / "cells" / "full-n2-s0" / "run"
    refused(capsys, f"compare {spec} --out {cell}", "folder of its own")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--scheduler tcp://127.0.0.1:9 --slurm queue=x", "Only one of them"),
        ("--workers 0", "Expected at least one"),
        ("--slurm queue", "KEY=VALUE"),
    ],
)
def test_nowhere_to_run(options, said, spec, tmp_path, capsys):
    refused(capsys, f"compare {spec} --out {tmp_path / 'out'} {options}", said)


def test_fresh_throws_the_old_one_away(here, spec, tmp_path):
    out = tmp_path / "out"
    one = f"--size 2 --recipe full {here}"
    assert run(f"compare {spec} --out {out} {one}") == 0
    before = finished_cells(out)
    assert run(f"compare {spec} --out {out} {one} --steps 6 --fresh") == 0
    assert finished_cells(out).keys() == before.keys()
    assert finished_cells(out) != before
    assert COMPARISON.read(out).cells[0].n_steps == 6


@pytest.mark.parametrize("text", ["[", "- a", "base: 3"])
def test_a_file_that_is_no_comparison(text, tmp_path, capsys):
    path = tmp_path / "compare.yaml"
    path.write_text(text)
    refused(capsys, f"compare {path}", str(path))


def test_the_schema_is_printed(capsys):
    assert run("schema compare") == 0
    printed = json.loads(capsys.readouterr().out)
    assert "learning_rate_factors" in printed["properties"]
    assert run("schema") == 0
    assert "recipe" in json.loads(capsys.readouterr().out)["properties"]
    refused(capsys, "schema nothing", "'nothing'")


def test_the_written_spec_is_the_one_that_ran(done):
    document = yaml.safe_load((done / "compare.yaml").read_text())
    assert document == COMPARISON.read(done).spec


def test_bases_of_two_frameworks_in_one_table(here, tmp_path, monkeypatch):
    """One of them lives in another environment: the same Python, as a stranger."""
    examine, call, asked = compare_plan.examine_base, elsewhere.call_elsewhere, []

    def examine_here(spec, name, structures, *, trust):
        if name == "pair:sw-sige":
            raise MissingExtraError("No.", "It.", "Add it.", framework="mace")
        return examine(spec, name, structures, trust=trust)

    def call_another(python, function, request, *, n_threads=1):
        asked.append((str(python), function.partition(":")[2]))
        return call(Path(sys.executable), function, request, n_threads=n_threads)

    monkeypatch.setattr(compare_plan, "examine_base", examine_here)
    for module in (compare_plan, compared_cell):
        monkeypatch.setattr(module, "call_elsewhere", call_another)
        monkeypatch.setattr(module, "python_for", lambda _: Path("/env/python"))
    changes = {"base": ["pair:sw-si", "pair:sw-sige"], "recipes": "full", "sizes": [2]}
    spec = compare_file(tmp_path, **TINY | changes)
    assert run(f"compare {spec} --out {tmp_path / 'out'} {here}") == 0
    assert asked == [
        ("/env/python", "examine_requested_base"),
        ("/env/python", "do_requested_cell"),
        ("/env/python", "do_requested_cell"),
    ]
    found = COMPARISON.read(tmp_path / "out")
    assert {cell.status for cell in found.cells} == {"done"}
    assert [one.name for one in found.bases] == ["pair:sw-si", "pair:sw-sige"]
    assert [one.base for one in found.baselines] == ["pair:sw-si", "pair:sw-sige"]
    names_shown = {one.name for one in found.contestants}
    assert names_shown == {"full on pair:sw-si", "full on pair:sw-sige"}


def test_a_framework_that_is_nowhere_stops_before_anything_is_written(
    tmp_path, monkeypatch, capsys
):
    def examine_nowhere(spec, name, structures, *, trust):
        raise MissingExtraError("No MACE.", "It.", "Run: atomgraft env add mace")

    monkeypatch.setattr(compare_plan, "examine_base", examine_nowhere)
    spec = compare_file(tmp_path, **TINY)
    refused(capsys, f"compare {spec} --out {tmp_path / 'out'}", "env add mace")
    assert not (tmp_path / "out").exists()
