"""Running independent, resumable cells on Dask.

Nothing but what lies on disk counts. A cell whose worker dies goes on, on another
worker, from its own last checkpoint; where the whole campaign dies, the next call
finds what is finished and goes on with what was begun. No cell knows of the others.
"""

import dataclasses
import json
import threading
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from pydantic import TypeAdapter, ValidationError

from atomgraft.core.errors import (
    AtomgraftError,
    BadInputError,
    LostProcessError,
    MissingExtraError,
    StorageError,
)
from atomgraft.core.json_files import read_json
from atomgraft.core.outputs import held, list_folder
from atomgraft.core.signals import stopped_by_signal
from atomgraft.core.storage import is_file, make_folder, write_atomically
from atomgraft.study.clusters import Workers, local_workers, usable_cores
from atomgraft.study.credentials import exposure

if TYPE_CHECKING:
    from distributed import Client, Future

RECORD = "cell.json"

POLL = 0.1
"""Seconds between two looks at cells, signals and the scheduler."""

LOCK_PATIENCE = 600.0
"""Seconds for which a worker waits for another that still holds the cell: one that
its scheduler has given up, and that does not know it yet."""

PASSING = (StorageError, MissingExtraError, LostProcessError)
"""Failures that may be gone by the next call; any other comes again."""

Document = dict[str, Any]
Work = Callable[[Path, Document], Document]
"""Does one cell in a folder and returns what is to be remembered; importable."""

Status = Literal["done", "failed", "open"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """One independent piece of a campaign.

    Parameters
    ----------
    name
        Its folder.
    identity
        Hash of everything that changes its numbers: a finished cell counts as long as
        this is the same.
    payload
        What the work needs to know, as JSON would hold it.
    """

    name: str
    identity: str
    payload: Document


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a cell.

    Parameters
    ----------
    status
        ``failed`` is for good; ``open`` is tried again by the next call.
    document
        What the work returned, where it is done.
    reason
        Why it is not done, in words.
    """

    status: Status
    document: Document | None = None
    reason: str | None = None


NOT_RUN = Outcome(status="open", reason="not run yet")


@runtime_checkable
class CampaignObserver(Protocol):
    """Listens to a campaign."""

    def on_campaign(self, n_done: int, n_cells: int, n_workers: int | None) -> None:
        """Take note that cells are about to run."""

    def on_cell(self, name: str, outcome: Outcome) -> None:
        """Take note of a cell that has ended."""

    def on_notice(self, text: str) -> None:
        """Receive a notice for the user."""


class CampaignSilence:
    """Listens to nothing."""

    def on_campaign(self, n_done: int, n_cells: int, n_workers: int | None) -> None:
        """Do nothing."""

    def on_cell(self, name: str, outcome: Outcome) -> None:
        """Do nothing."""

    def on_notice(self, text: str) -> None:
        """Do nothing."""


def run_campaign(
    cells: Sequence[Cell],
    folder: Path,
    work: Work,
    *,
    workers: Workers,
    on_gpu: bool = False,
    retry_failed: bool = False,
    observer: CampaignObserver | None = None,
) -> dict[str, Outcome]:
    """Run what is not finished yet, and return what became of every cell.

    Parameters
    ----------
    cells
        In the order in which they are started.
    folder
        Each cell gets a folder of its name in it.
    work
        Does one cell; a module-level function, as workers import it by name.
    workers
        Where to run; they go on to live.
    on_gpu
        The cells share one GPU.
    retry_failed
        Run cells again that failed for good.
    observer
        Is told of every cell.

    Returns
    -------
    :
        By name. Cells are ``open`` where a signal stopped the campaign.

    Raises
    ------
    BadInputError
        The scheduler does not answer.
    LostProcessError
        The scheduler was lost; what is on disk is kept.
    """
    plan, listener = workers.plan, observer or CampaignSilence()
    if retry_failed:
        _forget_failures(folder, cells)
    outcomes = {cell.name: stored_outcome(folder, cell) for cell in cells}
    waiting = [cell for cell in cells if outcomes[cell.name].status == "open"]
    if not waiting:
        return outcomes
    is_local = plan.scheduler is None and plan.slurm is None
    n_workers = local_workers(plan, n_cells=len(waiting), on_gpu=on_gpu)
    threads = max(1, usable_cores() // n_workers) if is_local else None
    job = _Job(folder=folder.resolve(), work=work, n_threads=threads)
    make_folder(folder)
    if plan.scheduler is not None and (risk := exposure(plan.scheduler)) is not None:
        listener.on_notice(risk)
    list_folder(*(folder / cell.name for cell in cells))
    with stopped_by_signal() as stop, workers.client(n_workers) as client:
        n_done = len(cells) - len(waiting)
        listener.on_campaign(n_done, len(cells), n_workers if is_local else None)
        for name, outcome in _Window(client, job, stop).run(waiting):
            outcomes[name] = outcome
            listener.on_cell(name, outcome)
    return outcomes


def stored_outcome(folder: Path, cell: Cell) -> Outcome:
    """Return what is on disk of a cell; open where there is nothing of its identity."""
    path = folder / cell.name / RECORD
    if not is_file(path):
        return NOT_RUN
    try:
        record = read_json(path, title="cell", remedy="Run it again.", finite=False)
        if record["identity"] != cell.identity:
            return NOT_RUN
        return TypeAdapter(Outcome).validate_python(record["outcome"])
    except (BadInputError, KeyError, ValidationError):  # broken by hand: do it again
        return NOT_RUN


def _forget_failures(folder: Path, cells: Sequence[Cell]) -> None:
    for cell in cells:
        if stored_outcome(folder, cell).status == "failed":
            with held(folder / cell.name, "cell") as place:
                place.remove(RECORD)


def _store(folder: Path, identity: str, outcome: Outcome) -> None:
    record = {"identity": identity, "outcome": dataclasses.asdict(outcome)}
    write_atomically(folder / RECORD, json.dumps(record, indent=1).encode() + b"\n")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Job:
    """Input of a worker besides the cell; sent between processes."""

    folder: Path
    work: Work
    n_threads: int | None

    def __call__(self, cell: Cell) -> Outcome:
        """Do one cell, unless a worker that was given up has done it meanwhile."""
        place = self.folder / cell.name
        with held(place, "cell", patience=LOCK_PATIENCE):
            stored = stored_outcome(self.folder, cell)
            if stored.status != "open":
                return stored
            _set_threads(self.n_threads)
            try:
                document = self.work(place, cell.payload)
                outcome = Outcome(status="done", document=document)
            except PASSING:
                raise
            except AtomgraftError as error:
                outcome = Outcome(status="failed", reason=str(error))
            _store(place, cell.identity, outcome)
        return outcome


def _set_threads(n_threads: int | None) -> None:
    """Leave no core to two processes: torch threads that share one wait for it."""
    if n_threads is not None:
        import torch

        torch.set_num_threads(n_threads)


class _Window:
    """Keeps as many cells under way as there are threads, and no more.

    A cell that only waits in the queue of a worker that dies would be counted by
    Dask among its victims, and given up after the third time.
    """

    def __init__(self, client: "Client", job: _Job, stop: threading.Event) -> None:
        self.client, self.job, self.stop = client, job, stop
        self.has_ended = threading.Event()
        self.under_way: dict[Future, Cell] = {}

    def run(self, cells: Sequence[Cell]) -> Generator[tuple[str, Outcome]]:
        """Yield cells as they end, until all have or a signal stops it."""
        waiting = list(cells)
        while (waiting or self.under_way) and not self.stop.is_set():
            self._refuse_lost_scheduler()
            try:
                while waiting and len(self.under_way) < self._n_slots():
                    self._submit(waiting.pop(0))
            except OSError as error:  # of the connection; work happens elsewhere
                raise _lost_scheduler() from error
            self.has_ended.wait(POLL)  # short cells are not to wait for the next look
            self.has_ended.clear()
            ended = {"finished", "error"}
            for future in [one for one in self.under_way if one.status in ended]:
                cell = self.under_way.pop(future)
                yield cell.name, _outcome_of(future)

    def _submit(self, cell: Cell) -> None:
        future = self.client.submit(self.job, cell, key=cell.name, pure=False)
        future.add_done_callback(lambda _: self.has_ended.set())
        self.under_way[future] = cell

    def _n_slots(self) -> int:
        threads: Any = self.client.nthreads()  # by worker; distributed has no types
        return max(1, sum(threads.values()))

    def _refuse_lost_scheduler(self) -> None:
        """Refuse to go on alone; an answer that is only ``lost`` is made again."""
        is_lost = any(one.status == "cancelled" for one in self.under_way)
        if is_lost or self.client.status != "running":
            raise _lost_scheduler()


def _lost_scheduler() -> LostProcessError:
    return LostProcessError(
        "The Dask scheduler was lost.",
        "Finished cells are kept, and unfinished ones continue from their last "
        "checkpoint.",
        "Run the same command again.",
    )


def _outcome_of(future: "Future") -> Outcome:
    """Return what a worker returned, or why it could not."""
    if future.status != "error":  # finished, or made again after a worker died
        return future.result()
    error = future.exception()
    if isinstance(error, AtomgraftError):
        return Outcome(status="open", reason=str(error))
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return Outcome(
            status="open",
            reason="every worker that ran it died, perhaps because of too little "
            "memory; the next call continues it",
        )
    told = " ".join(f"{type(error).__name__}: {error}".split())
    return Outcome(status="open", reason=told[:400])
