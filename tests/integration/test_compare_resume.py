"""Nothing of a campaign is lost: workers, scheduler and the whole may be killed."""

import json
import os
import re
import signal
import subprocess
import sys

import psutil
import pytest

from atomgraft.core.storage import locked
from tests.integration.campaigns import (
    compare_file,
    finished_cells,
    table,
    wait_for_cell,
    workers_of,
)
from tests.integration.processes import QUIET, call, start

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("campaign")


@pytest.fixture(scope="module")
def spec(folder):
    return compare_file(folder)


@pytest.fixture(scope="module")
def whole(folder, spec):
    """A campaign that nobody disturbs."""
    return undisturbed(spec, folder / "whole" / "out")


PATIENCE = 1200
"""Seconds for a campaign on a machine that has much else to do."""


def undisturbed(spec, out):
    code, errors = ended(start("compare", spec, "--out", out))
    assert code == 0, errors
    assert json.loads((out / "compare.json").read_text())["finished"] is True
    return out


def ended(process):
    _, errors = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in errors
    return process.returncode, errors


def kill(process):
    workers = workers_of(process)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []  # nobody is left to work for nothing


def test_a_killed_worker_costs_its_own_cell_alone(spec, whole, tmp_path):
    out = tmp_path / "out"
    process = start("compare", spec, "--out", out, "--workers", 2)
    wait_for_cell(process, out, n_done=2)
    before = finished_cells(out)
    workers_of(process)[0].kill()
    code, errors = ended(process)
    assert code == 0, errors
    after = finished_cells(out)
    assert {path: after[path] for path in before} == before
    assert table(out) == table(whole)


def test_a_killed_campaign_goes_on_with_one_more_call(spec, whole, tmp_path):
    out = tmp_path / "out"
    first = start("compare", spec, "--out", out, "--workers", 2)
    [cell, *_] = wait_for_cell(first, out)
    assert (cell / "run" / "checkpoint.pt").stat().st_size > 0  # it goes on from here
    kill(first)
    second = start("compare", spec, "--out", out, "--workers", 2)
    wait_for_cell(second, out, n_done=2)
    kill(second)
    before = finished_cells(out)
    assert not (out / "compare.json").exists()
    code, _, errors = call("compare", out)
    assert code == 0, errors
    assert f"{len(before)} of 8 cells are already finished" in errors
    after = finished_cells(out)
    assert {path: after[path] for path in before} == before
    assert table(out) == table(whole)


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_the_campaign_in_order(kind, spec, whole, tmp_path):
    out = tmp_path / "out"
    process = start("compare", spec, "--out", out, "--json")
    wait_for_cell(process, out, n_done=2)
    workers = workers_of(process)
    process.send_signal(kind)
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + kind
    assert "Traceback" not in errors
    document = json.loads(printed)
    assert document["finished"] is False
    states = [cell["status"] for cell in document["cells"]]
    assert states.count("done") >= 2
    assert "open" in states
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    undisturbed(spec, out)
    assert table(out) == table(whole)


def test_a_campaign_in_use_is_refused(spec, whole):
    with locked(whole):
        code, _, errors = call("compare", whole)
    assert code == 2
    assert "in use by another" in errors


class Cluster:
    """A scheduler and a worker that belong to somebody else."""

    def __init__(self):
        self.scheduler = self.start("scheduler", "--port", "0", "--no-dashboard")
        lines = iter(self.scheduler.stderr.readline, "")
        found = (re.search(r"Scheduler at:\s+(tcp://\S+)", line) for line in lines)
        self.address = next(match[1] for match in found if match)
        self.worker = self.start(
            "worker", self.address, "--nthreads", "1", "--no-dashboard", "--no-nanny"
        )

    @staticmethod
    def start(kind, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENV)

    def close(self):
        for process in (self.worker, self.scheduler):
            process.kill()
            process.communicate()


ENV = os.environ | QUIET


def test_a_killed_scheduler_is_told_and_one_more_call_ends(spec, whole, tmp_path):
    out = tmp_path / "out"
    cluster = Cluster()
    try:
        process = start("compare", spec, "--out", out, "--scheduler", cluster.address)
        wait_for_cell(process, out, n_done=1)
        cluster.scheduler.kill()
        code, errors = ended(process)
    finally:
        cluster.close()
    assert code == 1, errors
    assert "The Dask scheduler was lost" in errors
    assert "Run the same command again" in errors
    undisturbed(spec, out)
    assert table(out) == table(whole)
