"""Work on a stream of items: here while it is short, then on Dask; results in order.

A stream has no known length, so nothing of it is kept: a few groups of items are under
way, and results that come too early wait for those before them. An item that kills its
process is found and given back as lost; the stream goes on.
"""

import collections
import contextlib
import dataclasses
import itertools
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from atomgraft.core.errors import LostProcessError
from atomgraft.study.clusters import ClusterPlan, opened, usable_cores
from atomgraft.study.screen import calm

if TYPE_CHECKING:
    from distributed import Client, Future

Item = TypeVar("Item")
Result = TypeVar("Result")
Kept = TypeVar("Kept")

FEW = 4
"""Groups that are worked on here before processes are started: a short stream ends
before they would be ready."""

AHEAD = 4
"""Groups for each worker, finished or not, that may be ahead of the first one that is
not finished."""

PATIENCE = 0.5
"""Seconds between two looks at signals while workers are busy."""


@dataclasses.dataclass(frozen=True)
class Group(Generic[Kept, Item]):
    """Items that are worked on together.

    Parameters
    ----------
    kept
        Stays here, and comes back with the results.
    items
        Are sent to a worker; none: there is nothing to do.
    """

    kept: Kept
    items: tuple[Item, ...]


class Lost:
    """In place of a result: every process that worked on the item died."""


def streamed(
    groups: Iterable[Group[Kept, Item]],
    work: Callable[[Item], Result],
    stop: threading.Event,
    *,
    plan: ClusterPlan | None = None,
) -> Generator[tuple[Kept, list[Result | Lost]]]:
    """Yield groups with the results of their items, in order.

    Parameters
    ----------
    groups
        Read as far as work goes.
    work
        Does one item; importable by name, as workers call it. An error that it raises
        ends the stream.
    stop
        Ends the stream when it is set.
    plan
        Where to run; none takes a process for each core.

    Raises
    ------
    LostProcessError
        The scheduler was lost.

    Examples
    --------
    >>> groups = [Group("a", (1, 2)), Group("b", ())]
    >>> list(streamed(groups, abs, threading.Event()))
    [('a', [1, 2]), ('b', [])]
    """
    plan, source = plan or ClusterPlan(), iter(groups)
    is_remote = plan.scheduler is not None or plan.slurm is not None
    n_workers = plan.n_workers or usable_cores()
    n_begun = 0
    for group in source:
        if stop.is_set():
            return
        if group.items and (is_remote or (n_begun >= FEW and n_workers > 1)):
            source = itertools.chain([group], source)
            break
        n_begun += bool(group.items)
        yield group.kept, [work(one) for one in group.items]
    else:
        return
    n_threads = None if is_remote else max(1, usable_cores() // n_workers)
    with opened(plan, n_workers=n_workers, n_deaths=0) as client:
        yield from _Flow(client, _Each(work, n_threads), stop).run(source)


@dataclasses.dataclass(frozen=True)
class _Each(Generic[Item, Result]):
    """Does a group of items on a worker; sent between processes."""

    work: Callable[[Item], Result]
    n_threads: int | None

    def __call__(self, items: Sequence[Item]) -> list[Result]:
        if self.n_threads is not None:
            import torch

            torch.set_num_threads(self.n_threads)
        with calm():
            return [self.work(one) for one in items]


class _Flow:
    """Keeps a bounded number of groups under way."""

    def __init__(
        self, client: "Client", each: _Each[Any, Any], stop: threading.Event
    ) -> None:
        self.client, self.each, self.stop = client, each, stop
        self.waiting: collections.deque[tuple[Group[Any, Any], Future | None]]
        self.waiting = collections.deque()

    def run(self, source: Iterator[Group[Any, Any]]) -> Generator[tuple[Any, list]]:
        """Yield groups in order, until all are done or a signal comes."""
        is_over = False
        while not self.stop.is_set():
            is_over = is_over or not self._submit(source)
            while self.waiting and self._is_done(self.waiting[0][1]):
                group, future = self.waiting.popleft()
                yield group.kept, self._results(group, future)
            if not self.waiting and is_over:
                return
            self._wait()

    def _submit(self, source: Iterator[Group[Any, Any]]) -> bool:
        """Send what may be under way; return whether there is more."""
        while (n := self._n_slots()) > self._n_busy() and len(self.waiting) < AHEAD * n:
            group = next(source, None)
            if group is None:
                return False
            self.waiting.append((group, self._sent(group.items)))
        return True

    def _sent(self, items: Sequence[Any]) -> "Future | None":
        if not items:
            return None
        try:
            return self.client.submit(self.each, items, pure=False)
        except OSError as error:
            raise _lost_scheduler() from error

    def _n_slots(self) -> int:
        """Return how many groups are under way at a time: one waits for each thread.

        Those that wait count as victims where a worker dies; they are done one by one
        afterwards.
        """
        threads: Any = self.client.nthreads()
        return 2 * max(1, sum(threads.values()))

    def _n_busy(self) -> int:
        return sum(not self._is_done(future) for _, future in self.waiting)

    def _is_done(self, future: "Future | None") -> bool:
        return future is None or future.status in {"finished", "error"}

    def _wait(self) -> None:
        """Wait until a group has ended, or for a while.

        Raises
        ------
        LostProcessError
            The scheduler was lost.
        """
        from distributed import wait

        futures = [one for _, one in self.waiting if one is not None]
        busy = [one for one in futures if not self._is_done(one)]
        if self.client.status != "running" or any(
            one.status == "cancelled" for one in busy
        ):
            raise _lost_scheduler()
        if busy:
            with self.client.as_current(), contextlib.suppress(TimeoutError):
                wait(busy, timeout=PATIENCE, return_when="FIRST_COMPLETED")

    def _results(self, group: Group[Any, Any], future: "Future | None") -> list[Any]:
        """Return results of a group; where its worker died, of its items one by one."""
        from distributed import KilledWorker, wait

        if future is None:
            return []
        if future.status == "finished":
            return future.result()
        error: Any = future.exception()
        if not isinstance(error, KilledWorker):
            raise error
        if len(group.items) == 1:
            return [Lost()]
        found: list[Any] = []
        for one in group.items:
            alone = Group(None, (one,))
            again = self._sent(alone.items)
            with self.client.as_current():
                wait([again])
            found += self._results(alone, again)
        return found


def _lost_scheduler() -> LostProcessError:
    return LostProcessError(
        "The Dask scheduler was lost.",
        "What was computed is kept.",
        "Run the same command again.",
    )
