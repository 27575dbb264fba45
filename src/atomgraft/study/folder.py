"""A study in its folder: spec, stages of cells, and the record."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from atomgraft.core.kernels import KernelName
from atomgraft.core.outputs import held
from atomgraft.core.provenance import now
from atomgraft.core.signals import stopped_by_signal
from atomgraft.core.storage import write_atomically
from atomgraft.records.documents import Provenance, Record, RecordFile
from atomgraft.study.cells import (
    NOT_RUN,
    CampaignObserver,
    Cell,
    Outcome,
    Work,
    run_campaign,
)
from atomgraft.study.clusters import ClusterPlan, Workers
from atomgraft.study.sessions import Clock, provenance
from atomgraft.training.devices import resolve_device

Stage = Callable[[Mapping[str, Outcome]], Sequence[Cell]]
"""Makes cells of what came before."""

CELLS = "cells"
"""The folder of the cells, in that of the study."""


@runtime_checkable
class RecordOfSessions(Protocol):
    """A record that says which commands made it."""

    @property
    def provenance(self) -> tuple[Provenance, ...]:
        """One entry for each command."""
        ...


ResultT = TypeVar("ResultT", bound=Record)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study(Generic[ResultT]):
    """What sets one kind of study apart from another.

    Parameters
    ----------
    verb
        Which command it is.
    inputs
        Files, folders and models that it reads.
    spec
        Name of the file that says what was asked, and its text.
    device, dtype, kernels
        Of the models.
    record
        Where the result is kept.
    work
        Does one cell; a module-level function.
    refuse_other
        Raises where the folder belongs to another study.
    stages
        Writes what cells read into the folder, and returns the stages in their order;
        a stage waits for the one before.
    conclude
        Makes the record of outcomes by cell, a name, and the sessions.
    """

    verb: str
    inputs: Sequence[str]
    spec: tuple[str, str]
    device: Any
    dtype: str
    kernels: KernelName
    record: RecordFile[ResultT]
    work: Work
    refuse_other: Callable[[Path], None]
    stages: Callable[[Path], Iterable[Stage]]
    conclude: Callable[[Mapping[str, Outcome], str, tuple[Provenance, ...]], ResultT]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Execution:
    """How the cells of a study run.

    Parameters
    ----------
    cluster
        Where; none is this machine.
    fresh
        Throw away what an earlier study left in the folder.
    retry_failed
        Run cells again that failed for good.
    observer
        Is told of every cell.
    """

    cluster: ClusterPlan | None = None
    fresh: bool = False
    retry_failed: bool = False
    observer: CampaignObserver | None = None


def run_study(study: Study[ResultT], folder: Path, execution: Execution) -> ResultT:
    """Run the cells that are not done, and write the record.

    Parameters
    ----------
    study
        Checked; nothing is written before.
    folder
        Made if it is not there. It may hold the same study, or a smaller part of it:
        what is done counts.
    execution
        How.

    Raises
    ------
    BadInputError
        The folder holds another study, or the scheduler does not answer.
    StorageError
        The folder cannot be written.
    LostProcessError
        The scheduler was lost; what is done is kept.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    with held(folder, study.verb, inputs=study.inputs, fresh=execution.fresh):
        study.refuse_other(folder)
        earlier = _earlier(study, folder)  # refused now, not after hours
        name, text = study.spec
        write_atomically(folder / name, text)
        device = resolve_device(study.device)
        outcomes: dict[str, Outcome] = {}
        workers = Workers(execution.cluster or ClusterPlan())
        with stopped_by_signal() as stop, workers:
            for stage in study.stages(folder):
                if stop.is_set() or any(one == NOT_RUN for one in outcomes.values()):
                    break  # stopped by a signal
                outcomes |= run_campaign(
                    stage(outcomes),
                    folder / CELLS,
                    study.work,
                    workers=workers,
                    on_gpu=device.type == "cuda",
                    retry_failed=execution.retry_failed,
                    observer=execution.observer,
                )
        session = provenance(study.verb, clock, device, study.dtype, study.kernels)
        record = study.conclude(outcomes, folder.resolve().name, (*earlier, session))
        study.record.write(folder, record)
    return record


def _earlier(study: Study[Any], folder: Path) -> tuple[Provenance, ...]:
    if not study.record.is_at(folder):
        return ()
    stored = study.record.read(folder)
    return stored.provenance if isinstance(stored, RecordOfSessions) else ()
