"""`label` over small crystals: labels and trajectories, disturbed and not."""

import json
import time

import numpy as np
import psutil
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write

import atomgraft as ag
from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import energy_of, forces_of, stress_of
from atomgraft.data.readers import read_structures
from atomgraft.label.labelling.record import LABELS
from atomgraft.models.loading import load_potential
from atomgraft.models.prediction import predict_structures
from tests.integration.campaigns import workers_of
from tests.integration.processes import call, start

pytestmark = pytest.mark.usefixtures("one_cluster")

MODEL = "model:pair:sw-si"

ROUNDING = 1e-12
"""eV, eV/Å; the engine computes structures one by one, and we all at once."""

QUICK = {"workers": 1, "progress": False}

MOTION = {
    "temperatures": [300, 600],
    "time": 0.2,
    "settle": 0.02,
    "every": 20,
    "atoms": 16,
}

OPTIONS = (
    *("--engine", MODEL, "--md", "--time", 0.4, "--settle", 0.02, "--every", 20),
    *("--atoms", 16, "--workers", 1),
    *("--temperature", 300, "--temperature", 600, "--temperature", 900),
)

SAME = {
    "temperatures": [300, 600, 900],
    "time": 0.4,
    "settle": 0.02,
    "every": 20,
    "atoms": 16,
}
"""What the options say."""


def silicon(n=3):
    frames = [bulk("Si", a=5.4 + 0.02 * i) for i in range(n)]
    for i, one in enumerate(frames):
        one.rattle(0.05, seed=i)
    return frames


def done(out):
    return {path: path.read_bytes() for path in (out / "cells").glob("*/cell.json")}


def trajectories(out):
    return {
        path.relative_to(out): path.read_bytes()
        for path in out.glob("cells/*/trajectory/*.extxyz")
    }


def test_labels_are_those_of_the_engine_and_train(tmp_path):
    frames = silicon()
    found = ag.label(frames, MODEL, out=tmp_path / "out", **QUICK)
    assert [one.status for one in found.result.jobs] == ["done"] * 3
    expected = predict_structures(load_potential("pair:sw-si"), frames)
    for frame, given, true in zip(found.structures(), frames, expected, strict=True):
        assert np.array_equal(frame.positions, given.positions)
        assert energy_of(frame) == pytest.approx(true.energy, abs=ROUNDING)
        assert np.allclose(forces_of(frame), true.forces, rtol=0, atol=ROUNDING)
        assert np.allclose(stress_of(frame), true.stress, rtol=0, atol=ROUNDING)
        assert frame.info["engine"] == MODEL
        assert frame.info["engine_settings"] == found.result.engine.identity
        assert frame.info["engine_seconds"] > 0
        assert frame.info["engine_cpu_seconds"] > 0
    assert found.page.read_text().rstrip().endswith("</html>")
    assert "3 of 3 structures labelled" in found._repr_html_()
    labels = tmp_path / "out" / "labels.extxyz"
    assert len(read_structures([labels])) == 3
    with pytest.raises(BadInputError, match="has no trajectory"):
        found.trajectory()


def test_structures_may_be_added_and_settings_may_not(tmp_path):
    frames = silicon(4)
    write(tmp_path / "a.extxyz", frames[:2])
    write(tmp_path / "b.extxyz", frames[2:])
    out = tmp_path / "out"
    ag.label(tmp_path / "a.extxyz", MODEL, out=out, **QUICK)
    before = done(out)
    both = [tmp_path / "b.extxyz", tmp_path / "a.extxyz"]
    found = ag.label(both, MODEL, out=out, **QUICK)
    assert len(found.result.jobs) == 4
    after = done(out)
    assert {path: after[path] for path in before} == before
    assert [one.material for one in found.result.jobs] == ["b-0", "b-1", "a-0", "a-1"]
    settings = {"dtype": "float32"}
    with pytest.raises(BadInputError, match="other settings"):
        ag.label(both, MODEL, out=out, settings=settings, **QUICK)
    with pytest.raises(BadInputError, match="other settings"):
        ag.label(both, MODEL, out=out, **MOTION, **QUICK)
    fresh = ag.label(both, MODEL, out=out, settings=settings, fresh=True, **QUICK)
    assert len(done(out)) == len(fresh.result.jobs) == 4


def test_what_fails_is_kept_aside_and_the_rest_goes_on(tmp_path):
    out = tmp_path / "out"
    more = {**MOTION, **QUICK, "timestep": 5, "every": 20, "cell": "fixed"}
    more["temperatures"] = [1, 1e14]
    found = ag.label(bulk("Si"), MODEL, out=out, **more)
    cold, hot = found.result.jobs
    assert (cold.status, hot.status) == ("done", "failed")
    assert "blew up" in hot.reason
    assert found.result.finished
    before = done(out)
    again = ag.label(bulk("Si"), MODEL, out=out, **more)
    assert done(out) == before
    assert again.result.jobs == found.result.jobs


def test_a_molten_framework_is_told_apart_by_a_limit_that_may_change(tmp_path):
    out = tmp_path / "out"
    asked = {**MOTION, **QUICK}
    found = ag.label(bulk("Si"), MODEL, out=out, **asked)
    assert {one.status for one in found.result.jobs} == {"done"}
    before = done(out)
    strict = ag.label(bulk("Si"), MODEL, out=out, max_framework_msd=1e-6, **asked)
    assert {one.status for one in strict.result.jobs} == {"molten"}
    assert "molten, or not stable" in strict.result.jobs[0].reason
    assert done(out) == before
    frames = strict.trajectory(1)
    assert len(frames) == strict.result.jobs[1].n_frames == 11
    assert strict.result.jobs[1].density == pytest.approx(2.33, abs=0.01)


@pytest.mark.slow
def test_killed_twice_every_run_is_done_once(tmp_path):
    file = tmp_path / "si.cif"
    write(file, bulk("Si", cubic=True))
    out = tmp_path / "out"
    for n_done in (1, 2):
        process = start("label", file, *OPTIONS, "--out", out)
        while process.poll() is None and len(done(out)) < n_done:
            time.sleep(0.01)
        workers = workers_of(process)
        process.kill()
        process.communicate()
        psutil.wait_procs(workers, timeout=30)
    before = done(out)
    assert before
    found = ag.label(file, MODEL, out=out, **SAME, **QUICK)
    after = done(out)
    assert {path: after[path] for path in before} == before
    assert found.result.finished
    assert [one.status for one in found.result.jobs] == ["done"] * 3
    whole = tmp_path / "whole"
    at_once = ag.label(file, MODEL, out=whole, **SAME, **QUICK)
    assert [one.reason for one in at_once.result.jobs] == [None] * 3
    assert len(trajectories(out)) == 3
    assert trajectories(out) == trajectories(whole)


@pytest.mark.slow
@pytest.mark.lammps
def test_oxides_under_pmmcs_beside_what_it_does_not_describe(tmp_path):
    folder = tmp_path / "crystals"
    folder.mkdir()
    write(folder / "MgO.cif", bulk("MgO", "rocksalt", a=4.2, cubic=True))
    write(folder / "LiCl.cif", bulk("LiCl", "rocksalt", a=5.1, cubic=True))
    out = tmp_path / "out"
    motion = ("--md", "--temperature", 800, "--time", 0.2, "--settle", 0.1)
    asked = (*motion, "--atoms", 60, "--cell", "pressure", "--workers", 1)
    code, printed, errors = call(
        "label", folder, "--engine", "pmmcs", *asked, "--out", out, "--json"
    )
    assert code == 0, errors
    document = json.loads(printed)
    assert document == json.loads((out / "label.json").read_text())
    [said] = document["notices"]
    assert said.startswith("1 of 2 structures are left out")
    found = LABELS.read(out)
    [job] = found.jobs
    assert job.status == "done"
    assert job.path.endswith("trajectory.extxyz.gz")
    assert job.n_atoms == 64
    assert job.density == pytest.approx(3.5, abs=0.2)
    log = (out / "cells" / job.name / "job.log").read_text()
    assert "done in" in log


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--engine", MODEL, "--temperature", 300), "without --md"),
        (("--engine", MODEL, "--md"), "temperatures"),
        (("--engine", "pmcs"), "Did you mean 'pmmcs'"),
        ((), "'engine' is missing"),
    ],
)
def test_bad_input_is_one_paragraph(tmp_path, arguments, what, capsys, monkeypatch):
    from atomgraft.cli import main

    write(tmp_path / "si.cif", bulk("Si"))
    out = ("--out", str(tmp_path / "out"))
    given = ["label", str(tmp_path / "si.cif"), *map(str, arguments), *out]
    monkeypatch.setattr("sys.argv", ["atomgraft", *given])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert what in said
    assert not (tmp_path / "out").exists()


def test_molecules_from_two_engines_one_of_them_without_forces(tmp_path):
    pytest.importorskip("tblite")
    pytest.importorskip("pyscf")
    frames = [molecule("H2O"), molecule("OH"), Atoms("O"), Atoms("Og")]
    frames[2].info["multiplicity"] = 3
    out = tmp_path / "xtb"
    cheap = ag.label(frames, "xtb", out=out, **QUICK)
    reasons = [one.reason for one in cheap.result.materials]
    assert "9 electrons, and no multiplicity" in reasons[1]
    assert "beyond radon" in reasons[3]
    assert [one.status for one in cheap.result.jobs] == ["done"] * 2
    assert all(one.cpu_seconds > 0 for one in cheap.result.jobs)
    water, oxygen = cheap.structures()
    assert water.info["engine"] == "xtb:GFN2"
    assert np.isfinite(forces_of(water)).all()
    assert oxygen.info["multiplicity"] == 3
    dear = ag.label(frames[:1], "pyscf:CCSD(T)/STO-3G", out=tmp_path / "cc", **QUICK)
    [single] = dear.structures()
    assert forces_of(single) is None
    assert energy_of(single) < -2000


def test_a_calculation_that_fails_leaves_the_others(tmp_path):
    pytest.importorskip("pyscf")
    frames = [Atoms("He"), Atoms("Og")]
    asked = {"out": tmp_path / "out", **QUICK}
    found = ag.label(frames, "pyscf:HF/STO-3G", **asked)
    assert [one.status for one in found.result.jobs] == ["done", "failed"]
    assert "BasisNotFoundError" in found.result.jobs[1].reason
    assert found.result.finished
    assert len(found.structures()) == 1


def test_ions_say_their_charge_and_two_levels_are_not_mixed(tmp_path):
    pytest.importorskip("tblite")
    ion = molecule("OH")
    ion.rattle(0.05, seed=1)
    for method in ("GFN1", "GFN2"):
        asked = {"settings": {"charge": -1}, "out": tmp_path / method, **QUICK}
        found = ag.label(ion, f"xtb:{method}", **asked)
        assert found.structures()[0].info["charge"] == -1
    files = [tmp_path / method / "labels.extxyz" for method in ("GFN1", "GFN2")]
    code, printed, _ = call("check", *files, "--json")
    assert code == 0
    found = {one["code"]: one["message"] for one in json.loads(printed)["findings"]}
    assert "xtb:GFN1 in 1, xtb:GFN2 in 1" in found["several-engines"]
    assert "-1 e in 2" in found["charged-frames"]
