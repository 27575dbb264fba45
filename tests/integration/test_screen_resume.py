"""Do workers, signals and kills change nothing of a list?"""

import json
import signal
import time

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

import atomgraft as ag
from atomgraft.transport.features.cache import FeatureCache
from tests.integration.processes import call, start

pytest.importorskip("pymatgen", reason="needs the extra transport")
pytest.importorskip("sklearn", reason="needs the extra transport")
pytest.importorskip("gemmi", reason="needs the extra transport")

pytestmark = pytest.mark.slow

N_STRUCTURES = 60


def salt(k: int):
    atoms = bulk(f"Li{['F', 'Cl', 'Br'][k % 3]}", "rocksalt", a=5.0, cubic=True)
    atoms = atoms * (2, 2, 1)
    atoms.rattle(0.1, seed=k)
    return atoms


@pytest.fixture(scope="module")
def place(few_trees, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stream")
    known = [salt(k) for k in range(12)]
    for k, atoms in enumerate(known):
        atoms.info = {"name": f"k{k}", "target": 0.1 * k, "batch": f"b{k}"}
    write(folder / "known.extxyz", known, format="extxyz")
    ag.distil(
        folder / "known.extxyz",
        "target",
        "Li",
        group=["batch"],
        methods=["ridge"],
        features=["composition", "packing", "sites", "pathways"],
        folds=4,
        out=folder / "predictor",
        progress=False,
    )
    (folder / "cifs").mkdir()
    for k in range(N_STRUCTURES):
        write(folder / "cifs" / f"{k:03d}.cif", salt(100 + k))
    (folder / "cifs" / "030-broken.cif").write_text("data_broken\n")
    write(folder / "cifs" / "002-sodium.cif", bulk("NaCl", "rocksalt", a=5.6))
    (folder / "cifs" / "059-notes.txt").write_text("notes")
    return folder


def words(place, out, *more):
    given = ["screen", place / "cifs", "--predictor", place / "predictor"]
    return [*given, "--out", out, *more]


@pytest.fixture(scope="module")
def whole(place):
    """The list, made in one process."""
    code, _, errors = call(*words(place, place / "whole", "--workers", 1))
    assert code == 0, errors
    return (place / "whole" / "screen.csv").read_bytes()


def without_time(folder):
    document = json.loads((folder / "screen.json").read_text())
    return document | {"provenance": [], "n_from_cache": 0}


def test_two_workers_write_the_same_list(place, whole, tmp_path):
    code, _, errors = call(*words(place, tmp_path / "out", "--workers", 2))
    assert code == 0, errors
    assert (tmp_path / "out" / "screen.csv").read_bytes() == whole
    assert without_time(tmp_path / "out") == without_time(place / "whole")


def test_a_killed_screen_goes_on_and_writes_the_same(place, whole, tmp_path):
    out = tmp_path / "out"
    process = start(*words(place, out, "--workers", 2))
    wait_for_work(out)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (out / "screen.json").exists()
    code, _, errors = call(*words(place, out, "--workers", 1))
    assert code == 0, errors
    assert (out / "screen.csv").read_bytes() == whole


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_keeps_what_was_computed(place, whole, tmp_path, number):
    out = tmp_path / "out"
    process = start(*words(place, out, "--workers", 1))
    wait_for_work(out)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert "The same command continues" in errors
    assert "Traceback" not in errors
    assert list((out / "features").glob("*.safetensors"))
    code, _, errors = call(*words(place, out, "--workers", 1))
    assert code == 0, errors
    assert (out / "screen.csv").read_bytes() == whole
    kept = json.loads((out / "screen.json").read_text())["n_from_cache"]
    assert 0 < kept < N_STRUCTURES


def wait_for_work(out):
    """Wait until the folder is held: structures are being read then."""
    for _ in range(600):
        if (out / ".lock").exists() or any(out.glob("*lock*")):
            time.sleep(1.0)
            return
        time.sleep(0.1)
    pytest.fail(f"no work in {out}: {sorted(out.parent.iterdir())}")


def test_features_are_written_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr("atomgraft.transport.features.cache.PATIENCE", 0.0)
    cache = FeatureCache(tmp_path / "features")
    cache.keep("a", np.arange(3.0))
    assert FeatureCache(tmp_path / "features").get("a") is not None


def test_rows_of_many_files_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr("atomgraft.transport.features.cache.EACH", 4)
    cache = FeatureCache(tmp_path / "features")
    for k in range(10):
        cache.keep(str(k), np.full(3, float(k)))
    cache.flush()
    again = FeatureCache(tmp_path / "features")
    for one in (cache, again):
        assert [one.get(str(k))[0] for k in (9, 0, 5)] == [9.0, 0.0, 5.0]
        assert one.get("10") is None
    for path in (tmp_path / "features").iterdir():
        path.unlink()
    assert FeatureCache(tmp_path / "features").get("0") is None
