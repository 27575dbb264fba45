"""Are streams worked on in order, a few items at a time, whatever dies?"""

import itertools
import os
import threading
import time
from pathlib import Path

import pytest

from atomgraft.core.errors import BadInputError, LostProcessError
from atomgraft.study import streams
from atomgraft.study.clusters import ClusterPlan
from atomgraft.study.streams import Group, Lost, streamed

TWO = ClusterPlan(n_workers=2)


def groups(n, each=2):
    return (Group(k, tuple(range(each * k, each * (k + 1)))) for k in range(n))


def test_a_short_stream_is_done_here(monkeypatch):
    monkeypatch.setattr(streams, "opened", lambda *_, **__: pytest.fail("a cluster"))
    few = groups(streams.FEW)
    found = list(streamed(few, str, threading.Event(), plan=TWO))
    assert [kept for kept, _ in found] == list(range(streams.FEW))
    assert found[1][1] == ["2", "3"]


def test_groups_without_work_start_no_process(monkeypatch):
    monkeypatch.setattr(streams, "opened", lambda *_, **__: pytest.fail("a cluster"))
    known = (Group(k, ()) for k in range(100))
    found = list(streamed(known, str, threading.Event(), plan=TWO))
    assert found == [(k, []) for k in range(100)]


def test_one_worker_is_this_process():
    one = ClusterPlan(n_workers=1)
    found = streamed(groups(20), lambda _: os.getpid(), threading.Event(), plan=one)
    assert {pid for _, pids in found for pid in pids} == {os.getpid()}


def test_a_stream_is_read_as_far_as_work_goes():
    read = []

    def endless():
        for k in itertools.count():
            read.append(k)
            yield Group(k, (k,))

    one = ClusterPlan(n_workers=1)
    found = streamed(endless(), abs, threading.Event(), plan=one)
    assert [next(found) for _ in range(3)] == [(0, [0]), (1, [1]), (2, [2])]
    assert read == [0, 1, 2]


def test_a_signal_ends_a_stream():
    stop = threading.Event()
    found = streamed(groups(10), abs, stop, plan=ClusterPlan(n_workers=1))
    next(found)
    stop.set()
    assert list(found) == []


def test_an_error_ends_a_stream():
    found = streamed(groups(10), refuse, threading.Event())
    with pytest.raises(BadInputError, match="three"):
        list(found)


def refuse(item):
    if item == 3:
        raise BadInputError("It is three.", "Expected another.", "Change it.")
    return item


def slow_at_first(item):
    time.sleep(0.5 if item == 2 * streams.FEW else 0.0)
    return item, os.getpid()


def deadly(item):
    if item == 2 * streams.FEW + 1:
        os._exit(9)
    return item


def busy(item):
    Path(os.environ["STREAM_PLACE"], str(item)).touch()
    time.sleep(0.2)
    return item


@pytest.mark.slow
class TestWithWorkers:
    """Each test starts two processes."""

    def test_results_are_in_order_and_of_both(self):
        found = list(streamed(groups(60), slow_at_first, threading.Event(), plan=TWO))
        assert [kept for kept, _ in found] == list(range(60))
        items = [item for _, results in found for item, _ in results]
        assert items == list(range(120))
        pids = {pid for _, results in found for _, pid in results}
        assert len(pids - {os.getpid()}) == 2

    def test_an_item_that_kills_its_process_is_found(self):
        found = list(streamed(groups(12), deadly, threading.Event(), plan=TWO))
        results = [one for _, results in found for one in results]
        lost = [k for k, one in enumerate(results) if isinstance(one, Lost)]
        assert lost == [2 * streams.FEW + 1]
        assert [one for one in results if not isinstance(one, Lost)] == [
            k for k in range(24) if k not in lost
        ]

    def test_few_groups_are_under_way(self, tmp_path, monkeypatch):
        monkeypatch.setenv("STREAM_PLACE", str(tmp_path))
        read = []

        def endless():
            for k in itertools.count():
                read.append(k)
                yield Group(k, (k,))

        stop = threading.Event()
        found = streamed(endless(), busy, stop, plan=TWO)
        for _ in range(streams.FEW + 2):
            next(found)
        assert len(read) <= streams.FEW + 2 + 2 * streams.AHEAD * 2
        stop.set()
        assert len(list(found)) <= streams.AHEAD * 2  # what was under way may be done
        n_begun = len(list(tmp_path.iterdir()))
        assert n_begun <= len(read)

    def test_an_error_of_a_worker_is_that_of_the_stream(self):
        late = (Group(k, (k + 3 - 2 * streams.FEW,)) for k in range(20))
        with pytest.raises(BadInputError, match="three"):
            list(streamed(late, refuse, threading.Event(), plan=TWO))


def test_a_lost_scheduler_is_told():
    class Client:
        status = "closed"

    flow = streams._Flow(Client(), None, threading.Event())
    with pytest.raises(LostProcessError, match="scheduler was lost"):
        flow._wait()
