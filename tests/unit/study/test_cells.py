"""The engine: cells that succeed, fail, vanish, and are not run twice."""

import contextlib
import gc
import json
import os
import threading
import time

import psutil
import pytest

from atomgraft.core.errors import (
    AtomgraftError,
    BadInputError,
    LostProcessError,
    MissingExtraError,
    NonFiniteTrainingError,
    StorageError,
)
from atomgraft.core.outputs import held
from atomgraft.core.storage import locked
from atomgraft.study import cells as campaign
from atomgraft.study import clusters
from atomgraft.study.cells import (
    RECORD,
    Cell,
    Outcome,
    run_campaign,
    stored_outcome,
)
from atomgraft.study.clusters import (
    ClusterPlan,
    Workers,
    local_workers,
    opened,
    parse_slurm,
    usable_cores,
)

FAILURES = {
    "unphysical": AtomgraftError("Infinite.", "Finite.", "Look."),
    "lost": LostProcessError("Gone.", "There.", "Again."),
    "bad": BadInputError("Bad.", "Good.", "Change it."),
    "diverged": NonFiniteTrainingError("NaN.", "Numbers.", "Slower."),
    "extra": MissingExtraError("No mace.", "Mace.", "Install it."),
    "disk": StorageError("Full.", "Space.", "Free some."),
    "bug": ZeroDivisionError("division by zero"),
}


NOWHERE = "tcp://127.0.0.1:9"


def work(folder, payload):
    """Leave a trace, then do as the payload says."""
    with (folder / "trace").open("a") as stream:
        stream.write("run\n")
    if payload.get("fails"):
        raise FAILURES[payload["fails"]]
    return {"square": payload["number"] ** 2}


def work_threads(folder, payload):
    import torch

    return {"threads": torch.get_num_threads(), "process": os.getpid()}


def work_slowly(folder, payload):
    time.sleep(0.5)
    return {"process": os.getpid()}


def work_and_die(folder, payload):
    """End well and take the worker along; the other one is busy meanwhile."""
    if payload["number"] == 0:
        (folder / "worker").write_text(str(os.getpid()))
        threading.Timer(0.3, os._exit, (1,)).start()  # long enough to say it is done
    else:
        wait_until((folder.parent / "seen").exists)
    return {"square": payload["number"] ** 2}


def wait_until(condition, patience=60):
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def cells(n=4, **payloads):
    given = {f"c{i}": {"number": i} for i in range(n)} | payloads
    return [
        Cell(name=name, identity=f"id-{name}", payload=payload)
        for name, payload in given.items()
    ]


def n_runs(folder, name):
    path = folder / name / "trace"
    return len(path.read_text().splitlines()) if path.exists() else 0


class Listener:
    def __init__(self):
        self.begun, self.ended, self.notices = [], {}, []

    def on_campaign(self, n_done: int, n_cells: int, n_workers: int | None) -> None:
        self.begun.append((n_done, n_cells, n_workers))

    def on_cell(self, name: str, outcome: Outcome) -> None:
        self.ended[name] = outcome

    def on_notice(self, text: str) -> None:
        self.notices.append(text)


def run(cells, folder, work, *, plan, **options):
    with Workers(plan) as workers:
        return run_campaign(cells, folder, work, workers=workers, **options)


@pytest.fixture(scope="module")
def scheduler():
    """A cluster of two threads inside this process: what is tested is the engine."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        dashboard_address="127.0.0.1:0",
        protocol="tcp",
        host="127.0.0.1",
    ) as cluster:
        yield ClusterPlan(scheduler=cluster.scheduler_address)


def test_every_cell_is_done_once(scheduler, tmp_path):
    listener = Listener()
    found = run(cells(), tmp_path, work, plan=scheduler, observer=listener)
    assert {name: one.document["square"] for name, one in found.items()} == {
        "c0": 0,
        "c1": 1,
        "c2": 4,
        "c3": 9,
    }
    assert listener.begun == [(0, 4, None)]
    assert listener.ended == found
    (notice,) = listener.notices
    assert "does not use TLS" in notice  # as for any scheduler of this kind
    assert [n_runs(tmp_path, one.name) for one in cells()] == [1] * 4


def test_what_is_done_is_not_done_again(scheduler, tmp_path):
    first = run(cells(2), tmp_path, work, plan=scheduler)
    listener = Listener()
    again = run(cells(3), tmp_path, work, plan=scheduler, observer=listener)
    assert listener.begun == [(2, 3, None)]
    assert {name: again[name] for name in first} == first
    assert [n_runs(tmp_path, one.name) for one in cells(3)] == [1] * 3


def test_with_nothing_to_do_no_cluster_is_asked(scheduler, tmp_path):
    first = run(cells(2), tmp_path, work, plan=scheduler)
    nowhere = ClusterPlan(scheduler=NOWHERE)
    assert run(cells(2), tmp_path, work, plan=nowhere) == first


def test_another_identity_is_another_cell(scheduler, tmp_path):
    run(cells(1), tmp_path, work, plan=scheduler)
    other = [Cell(name="c0", identity="new", payload={"number": 5})]
    found = run(other, tmp_path, work, plan=scheduler)
    assert found["c0"].document == {"square": 25}


@pytest.mark.parametrize("kind", ["bad", "diverged", "unphysical"])
def test_what_fails_for_good_is_remembered(kind, scheduler, tmp_path):
    asked = cells(1, x={"fails": kind})
    for _ in range(2):
        found = run(asked, tmp_path, work, plan=scheduler)
        assert found["x"].status == "failed"
        assert found["x"].reason == str(FAILURES[kind])
        assert found["c0"].status == "done"
    assert n_runs(tmp_path, "x") == 1
    run(asked, tmp_path, work, plan=scheduler, retry_failed=True)
    assert (n_runs(tmp_path, "x"), n_runs(tmp_path, "c0")) == (2, 1)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("extra", "No mace"),
        ("lost", "Gone"),
        ("disk", "Full"),
        ("bug", "ZeroDivisionError"),
    ],
)
def test_what_may_go_away_is_tried_again(kind, said, scheduler, tmp_path):
    asked = cells(1, x={"fails": kind})
    for i in (1, 2):
        found = run(asked, tmp_path, work, plan=scheduler)
        assert found["x"].status == "open"
        assert said in found["x"].reason
        assert found["c0"].status == "done"
        assert n_runs(tmp_path, "x") == i
    mended = cells(1, x={"number": 3})
    assert run(mended, tmp_path, work, plan=scheduler)["x"].status == "done"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"identity": "id-c0"}'])
def test_a_broken_record_is_no_record(text, tmp_path):
    (tmp_path / "c0").mkdir()
    (tmp_path / "c0" / RECORD).write_text(text)
    assert stored_outcome(tmp_path, cells(1)[0]).status == "open"


def test_a_cell_that_another_worker_holds_is_waited_for(tmp_path, monkeypatch):
    """The one that was given up finishes first; nothing is done twice."""
    [cell] = cells(1)
    job = campaign._Job(folder=tmp_path, work=work, n_threads=None)
    with held(tmp_path / "c0", "cell"):
        pass  # listed, as by the worker that was given up
    done = {}

    def second():
        done["c0"] = job(cell)

    with locked(tmp_path / "c0"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.5)
        assert done == {}
        first = Outcome(status="done", document={"square": 0})
        campaign._store(tmp_path / "c0", cell.identity, first)
    thread.join(timeout=30)
    assert done["c0"] == first
    assert n_runs(tmp_path, "c0") == 0


def test_a_cell_that_is_never_let_go_stays_open(tmp_path, monkeypatch):
    monkeypatch.setattr(campaign, "LOCK_PATIENCE", 0.3)
    job = campaign._Job(folder=tmp_path, work=work, n_threads=None)
    (tmp_path / "c0").mkdir()
    with locked(tmp_path / "c0"), pytest.raises(BadInputError, match="in use"):
        job(cells(1)[0])
    assert not (tmp_path / "c0" / RECORD).exists()


def test_records_are_plain_json(scheduler, tmp_path):
    run(cells(1), tmp_path, work, plan=scheduler)
    record = json.loads((tmp_path / "c0" / RECORD).read_text())
    assert record == {
        "identity": "id-c0",
        "outcome": {"status": "done", "document": {"square": 0}, "reason": None},
    }


def test_a_scheduler_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr("atomgraft.study.clusters.PATIENCE", 1.0)
    plan = ClusterPlan(scheduler=NOWHERE)
    with pytest.raises(BadInputError, match=r"127\.0\.0\.1:9 does not answer"):
        run(cells(1), tmp_path, work, plan=plan)


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "ftp://x:1"])
def test_an_address_that_is_none(address, tmp_path, monkeypatch):
    monkeypatch.setattr("atomgraft.study.clusters.PATIENCE", 1.0)
    with pytest.raises(BadInputError, match="does not answer"):
        run(cells(1), tmp_path, work, plan=ClusterPlan(scheduler=address))


def test_a_client_that_never_connected_is_gone(tmp_path, monkeypatch):
    """Collected while another one starts, it would wait for a lock forever."""
    from distributed import Client

    monkeypatch.setattr("atomgraft.study.clusters.PATIENCE", 1.0)
    known = {id(one) for one in gc.get_objects() if type(one) is Client}
    with pytest.raises(BadInputError, match="does not answer") as caught:
        run(cells(1), tmp_path, work, plan=ClusterPlan(scheduler=NOWHERE))
    left = [one for one in gc.get_objects() if type(one) is Client]
    assert [one for one in left if id(one) not in known] == []
    assert NOWHERE in str(caught.value)  # alive so far, and with it what it holds


@pytest.mark.parametrize("status", ["closed", "running"])
def test_a_lost_scheduler_is_told(status, tmp_path):
    class Lost:
        def nthreads(self):
            raise OSError("connection reset")

    Lost.status = status
    job = campaign._Job(folder=tmp_path, work=work, n_threads=None)
    window = campaign._Window(Lost(), job, threading.Event())
    with pytest.raises(LostProcessError, match="same command again"):
        list(window.run(cells(1)))


class WaitsForLoss(threading.Event):
    """Has the window look at the very moment when an answer is lost, then go on."""

    def __init__(self, seen, window):
        super().__init__()
        self.seen, self.window, self.n_waits = seen, window, 0

    def wait(self, timeout=None):
        self.n_waits += 1
        if self.n_waits > 1:
            self.seen.touch()
            return super().wait(timeout)
        wait_until(lambda: "lost" in {one.status for one in self.window.under_way})
        return False


def test_an_answer_lost_with_its_worker_is_no_lost_scheduler(tmp_path):
    """The scheduler is there, and has it done again."""
    job = campaign._Job(folder=tmp_path, work=work_and_die, n_threads=None)
    with opened(ClusterPlan(), n_workers=2) as client:
        window = campaign._Window(client, job, threading.Event())
        window.has_ended = WaitsForLoss(tmp_path / "seen", window)
        found = dict(window.run(cells(2)))
    assert not psutil.pid_exists(int((tmp_path / "c0" / "worker").read_text()))
    assert [found[name].document["square"] for name in ("c0", "c1")] == [0, 1]


@pytest.mark.parametrize("status", ["finished", "lost", "pending"])
def test_an_answer_lost_while_another_is_read_is_waited_for(status):
    class Future:
        def result(self):  # Dask waits until it is made again
            return Outcome(status="done", document={})

    Future.status = status
    assert campaign._outcome_of(Future()).status == "done"


def test_no_more_cells_are_under_way_than_threads(tmp_path):
    """A cell in the queue of a worker that dies would be blamed for it."""

    class Future:
        status = "pending"

        def add_done_callback(self, _):
            """Never ends."""

    class Client:
        status = "running"
        submitted = 0

        def nthreads(self):
            return {"a": 1, "b": 2}

        def submit(self, *_, **__):
            self.submitted += 1
            return Future()

    client, stop = Client(), threading.Event()
    job = campaign._Job(folder=tmp_path, work=work, n_threads=None)
    timer = threading.Timer(0.5, stop.set)
    timer.start()
    assert list(campaign._Window(client, job, stop).run(cells(9))) == []
    assert client.submitted == 3


def test_workers_live_from_one_stage_to_the_next(tmp_path):
    with Workers(ClusterPlan(n_workers=2)) as workers:
        [first], later = (
            processes_of(run_campaign(some, tmp_path, work_slowly, workers=workers))
            for some in (cells(1), cells(20)[1:])
        )
    assert first in later
    assert len(later) == 2  # there were cells for two


@pytest.mark.parametrize(
    ("plan", "times"),
    [
        (ClusterPlan(n_workers=2), 1),
        (ClusterPlan(scheduler="tcp://somewhere:1"), 1),
        (ClusterPlan(slurm={"cores": "1"}), 2),
    ],
    ids=["this machine", "a scheduler", "jobs with an end"],
)
def test_jobs_of_slurm_are_those_of_one_stage(plan, times, monkeypatch):
    begun = []

    def opened(_plan, *, n_workers):
        begun.append(n_workers)
        return contextlib.nullcontext(object())

    monkeypatch.setattr(clusters, "opened", opened)
    with Workers(plan) as workers:
        for _ in range(2):
            with workers.client(1):
                pass
    assert len(begun) == times


def processes_of(outcomes):
    documents = [one.document or {} for one in outcomes.values()]
    return {one["process"] for one in documents}


def test_workers_are_processes_of_one_thread(tmp_path):
    """On this machine: as many torch threads in all as cores."""
    plan = ClusterPlan(n_workers=1)
    found = run(cells(2), tmp_path, work_threads, plan=plan)
    told = [one.document for one in found.values()]
    assert {one["threads"] for one in told} == {usable_cores()}
    assert os.getpid() not in {one["process"] for one in told}


# --- where to run


def test_workers_by_default(monkeypatch):
    monkeypatch.setattr("atomgraft.study.clusters.usable_cores", lambda: 6)
    assert local_workers(ClusterPlan(), n_cells=100, on_gpu=False) == 6
    assert local_workers(ClusterPlan(), n_cells=100, on_gpu=True) == 1
    assert local_workers(ClusterPlan(n_workers=3), n_cells=100, on_gpu=True) == 3
    assert local_workers(ClusterPlan(), n_cells=2, on_gpu=False) == 2


def test_two_places_are_refused():
    with pytest.raises(BadInputError, match=r"Only one of them can be used\."):
        ClusterPlan(scheduler="tcp://x:1", slurm={"queue": "short"})


@pytest.mark.parametrize("n", [0, -1])
def test_no_workers_are_refused(n):
    with pytest.raises(BadInputError, match="Expected at least one"):
        ClusterPlan(n_workers=n)


def test_slurm_options_are_pairs():
    assert parse_slurm(()) is None
    assert parse_slurm(("job_extra=a=b",)) == {"job_extra": "a=b"}
    for wrong in ("queue", "=short"):
        with pytest.raises(BadInputError, match="KEY=VALUE"):
            parse_slurm((wrong,))


def test_slurm_without_its_package(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"atomgraft\[slurm\]"):
        run(cells(1), tmp_path, work, plan=ClusterPlan(slurm={"cores": "1"}))
