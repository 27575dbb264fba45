"""Nothing is lost: killed, stopped, starved or run twice, a run ends as if not."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from atomgraft.core.manifest import MANIFEST
from atomgraft.core.storage import locked
from atomgraft.training.checkpoint import CHECKPOINT, METRICS, read_metrics
from tests.integration.processes import (
    PROGRAM,
    QUIET,
    call,
    nursery,
    raise_quickly,
    same_tensors,
    spec_file,
    start,
)
from tests.integration.test_bad_input import run
from tests.trials import NEEDS_SEVENN

pytestmark = pytest.mark.slow

N_KILLS = 20
KILLS_PER_RUN = 4

STEPS = 120
"""Enough that four sessions end before the run does."""

SUM_ORDER = 1e-9
"""Two processes add gradients up in another order than one."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("resume")


@pytest.fixture(scope="module")
def spec(folder):
    return spec_file(folder, training={"steps": STEPS})


@pytest.fixture(scope="module")
def whole(folder, spec):
    """A run that nobody interrupts."""
    code, _, errors = call("adapt", spec, "--out", folder / "whole")
    assert code == 0, errors
    return folder / "whole"


def n_lines(folder):
    path = folder / METRICS
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill_after(process, folder, n_new, pause):
    """Kill a run once it has logged so many steps more, and a moment later."""
    goal = n_lines(folder) + n_new
    while n_lines(folder) < goal and process.is_alive():
        time.sleep(0.001)
    time.sleep(pause)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def finish(children, spec, out):
    process = raise_quickly(children, "adapt", spec, "--out", out)
    process.join(timeout=120)
    assert process.exitcode == 0


@pytest.fixture(scope="module")
def children():
    return nursery()


@pytest.mark.parametrize("i", range(N_KILLS // KILLS_PER_RUN))
def test_kill_9_loses_nothing(i, children, spec, whole, tmp_path):
    moments = random.Random(i)
    out = tmp_path / "run"
    for _ in range(KILLS_PER_RUN):
        process = raise_quickly(children, "adapt", spec, "--out", out)
        n_new = moments.randrange(1, STEPS // (KILLS_PER_RUN + 1))
        assert kill_after(process, out, n_new, moments.uniform(0, 0.02))
    finish(children, spec, out)
    assert same_tensors(out, whole)
    steps = [one["step"] for one in read_metrics(out)]
    assert steps == list(range(1, STEPS + 1))
    assert not list(out.glob(".*.part"))


@pytest.mark.parametrize("file", ["spec.yaml", CHECKPOINT, "graft.safetensors"])
def test_kill_9_as_a_file_appears(file, children, spec, whole, tmp_path):
    out = tmp_path / "run"
    process = raise_quickly(children, "adapt", spec, "--out", out)
    while not (out / file).exists() and process.is_alive():
        time.sleep(0.0005)
    process.kill()
    process.join()
    finish(children, spec, out)
    assert same_tensors(out, whole)


@NEEDS_SEVENN
def test_kill_9_of_an_equivariant_model(children, tmp_path):
    plan = {"steps": 20, "checkpoint_every": 3}
    spec = spec_file(tmp_path, base="sevennet:tiny:Si", recipe="lora", training=plan)
    whole, out = tmp_path / "whole", tmp_path / "run"
    finish(children, spec, whole)
    for n_new in (5, 7):
        process = raise_quickly(children, "adapt", spec, "--out", out)
        assert kill_after(process, out, n_new, pause=0.01)
    finish(children, spec, out)
    assert same_tensors(out, whole)


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_it_goes_on(kind, spec, whole, tmp_path):
    out = tmp_path / "run"
    process = start("adapt", spec, "--out", out, "--json")
    while n_lines(out) < 10 and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(kind)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + kind
    assert f"Continue with: atomgraft adapt {out}" in printed
    assert "Traceback" not in errors
    assert json.loads(printed)["finished"] is False
    document = json.loads((out / "result.json").read_text())
    assert document["finished"] is False
    assert document["verdict"]["headline"] == "Not finished."
    assert (out / CHECKPOINT).exists()
    assert not (out / "graft.safetensors").exists()
    assert run(f"prove {out}") == 2
    code, _, errors = call("adapt", out)
    assert code == 0, errors
    assert "Continuing from step" in errors
    assert json.loads((out / "result.json").read_text())["finished"] is True
    assert same_tensors(out, whole)


def test_the_written_spec_gives_the_same_numbers(whole, tmp_path):
    code, _, errors = call("adapt", whole / "spec.yaml", "--out", tmp_path / "again")
    assert code == 0, errors
    assert same_tensors(whole, tmp_path / "again")
    texts = [(one / METRICS).read_text() for one in (whole, tmp_path / "again")]
    assert texts[0] == texts[1]
    specs = [(one / "spec.yaml").read_text() for one in (whole, tmp_path / "again")]
    assert specs[0] == specs[1]


def snapshot(folder):
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


def results(folder):
    """Return what a folder holds besides its list, which names files ahead of time."""
    found = snapshot(folder)
    del found[MANIFEST]
    return found


def test_a_finished_run_has_nothing_to_do(whole, spec, capsys):
    before = snapshot(whole)
    assert run(f"adapt {spec} --out {whole}") == 0
    assert "nothing to do" in capsys.readouterr().err
    assert snapshot(whole) == before


def test_another_spec_is_refused_and_fresh_is_the_way(whole, spec, capsys):
    before = snapshot(whole)
    assert run(f"adapt {spec} --out {whole} --seed 1") == 2
    assert "--fresh" in capsys.readouterr().err
    assert snapshot(whole) == before


def test_fresh_throws_the_old_run_away(spec, tmp_path):
    out = tmp_path / "run"
    command = f"adapt {spec} --out {out} --steps 3"
    assert run(f"{command} --with-scratch") == 0
    assert (out / "scratch" / "graft.safetensors").exists()
    assert run(f"{command} --seed 1 --fresh") == 0
    assert not (out / "scratch" / "graft.safetensors").exists()
    assert n_lines(out) == 3


def test_a_folder_in_use_is_refused(spec, tmp_path):
    out = tmp_path / "run"
    first = start("adapt", spec, "--out", out)
    while n_lines(out) < 1 and first.poll() is None:
        time.sleep(0.001)
    first.send_signal(signal.SIGSTOP)  # so that it is still there
    try:
        code, _, errors = call("adapt", spec, "--out", out)
    finally:
        first.send_signal(signal.SIGCONT)
    assert code == 2
    assert "in use by another" in errors
    first.communicate(timeout=120)
    assert first.returncode == 0


def test_a_proof_waits_for_nobody(whole, capsys):
    with locked(whole):
        assert run(f"prove {whole}") == 2
    assert "in use by another" in capsys.readouterr().err


def small_files(n_bytes):
    """Return what a child does first: no file of it may grow beyond this size."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))

    return limit


def test_a_full_disk_while_training(spec, whole, tmp_path):
    out = tmp_path / "run"
    code, _, errors = call("adapt", spec, "--out", out, preexec_fn=small_files(2500))
    assert code == 1
    assert errors.splitlines()[-1].startswith("Error: Cannot write")
    assert "Traceback" not in errors
    assert not (out / "result.json").exists()
    assert not list(out.glob(".*.part"))
    code, _, errors = call("adapt", spec, "--out", out)
    assert code == 0, errors
    assert same_tensors(out, whole)


def test_a_full_disk_while_proving(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    before = results(folder)
    code, _, errors = call("prove", folder, preexec_fn=small_files(1000))
    assert code == 1
    assert "Cannot write" in errors
    assert "unchanged" in errors
    assert results(folder) == before
    assert run(f"prove {folder}") == 0  # with space, the folder is as good as before


def test_a_folder_that_cannot_be_made(spec, capsys):
    assert run(f"adapt {spec} --out /proc/atomgraft/run") == 1
    errors = capsys.readouterr().err
    assert errors.splitlines()[-1].startswith("Error: Cannot write")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(spec, tmp_path):
    out = tmp_path / "run"
    out.mkdir(mode=0o500)
    code, _, errors = call("adapt", spec, "--out", out)
    assert code == 1
    assert "Cannot write" in errors
    assert list(out.iterdir()) == []


def torchrun(spec, out):
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        "--nproc-per-node", "2", "--no-python", str(PROGRAM),
        "adapt", str(spec), "--out", str(out), "--device", "cpu",
    ]  # fmt: skip
    return subprocess.run(
        command,
        env=os.environ | QUIET,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_two_processes_are_one_with_twice_the_batch(tmp_path):
    """Which holds only if both processes agree on every step."""
    out = {}
    for n_processes, batch_size in ((1, 2), (2, 1)):
        folder = tmp_path / str(n_processes)
        folder.mkdir()
        plan = {"steps": 20, "batch_size": batch_size}
        spec = spec_file(folder, dtype="float64", training=plan)
        out[n_processes] = folder / "run"
        if n_processes == 1:
            code, _, errors = call("adapt", spec, "--out", out[1])
            assert code == 0, errors
        else:
            ended = torchrun(spec, out[2])
            assert ended.returncode == 0, ended.stderr
            assert "Traceback" not in ended.stderr
    one, two = (load_file(path / "graft.safetensors") for path in out.values())
    for name, tensor in one.items():
        assert torch.allclose(two[name], tensor, rtol=SUM_ORDER, atol=SUM_ORDER)
    assert n_lines(out[2]) == 20
    assert json.loads(Path(out[2], "result.json").read_text())["finished"] is True
