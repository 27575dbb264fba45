"""Estimating the cost of training from a few real steps."""

import dataclasses
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.models.memory import peak_memory_mib
from atomgraft.training.loop import Job, fit
from atomgraft.training.model import GraftedModule, as_tuple
from atomgraft.training.observer import Silence
from atomgraft.training.streams import EVALUATION_ATOMS, Stream, make_flows

if TYPE_CHECKING:
    from lightning_fabric import Fabric

BUDGET = 10.0
"""Seconds of probing; one step more is always finished."""

FEWEST, MOST = 4, 60
"""Steps of a probe, the first of which is not counted: it allocates and compiles."""

NEVER = 10**9
"""Steps between two validations where none is wanted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Probe:
    """What a few steps took.

    Parameters
    ----------
    preparation
        Neighbour lists, units of error, and by how much the first step takes longer
        than the others; seconds.
    steps
        Each step but the first, checkpoints included where they fell; seconds. The
        first where there is no other, none where there are no steps.
    validation
        One validation of all streams, seconds; zero where there is none.
    peak_memory_mib
        Largest memory of the process, a step with the largest structures included;
        on a GPU, of its tensors.
    """

    preparation: float
    steps: tuple[float, ...]
    validation: float
    peak_memory_mib: float


def probe(job: Job, fabric: "Fabric", *, budget: float = BUDGET) -> Probe:
    """Do the first steps of a training run and take their time.

    They are the very steps that the run would begin with, but for validation, which
    is timed on a part of its structures. Nothing is written into the job's folder.

    Parameters
    ----------
    job
        Its movement is changed: throw it away afterwards.
    fabric
        Device, launched; one process.
    budget
        Seconds after which no further step is begun.

    Raises
    ------
    BadInputError
        Several processes were launched.
    NonFiniteTrainingError
        Training would fail in its first steps.
    """
    if fabric.world_size > 1:
        raise BadInputError(
            f"{fabric.world_size} processes were launched to probe a run.",
            "Planning uses one process; with several, each does the same number of "
            "steps.",
            "Run plan without torchrun or Slurm tasks.",
        )
    watch = _Stopwatch(budget)
    _run(_without_validation(job), fabric, watch)
    heaviest = _heaviest(job)
    if heaviest is not None and job.plan.steps:
        _run(_without_validation(heaviest), fabric, Silence())
    return Probe(
        preparation=watch.preparation + watch.warm_up(),
        steps=watch.steps(),
        validation=_validation_seconds(job, fabric),
        peak_memory_mib=peak_memory_mib(fabric.device),
    )


class _EnoughError(Exception):
    """The stopwatch has seen enough steps."""


class _Stopwatch(Silence):
    """Takes the time at the end of each step, and stops when it has enough."""

    def __init__(self, budget: float) -> None:
        self.budget = budget
        self.began = time.perf_counter()
        self.preparation = 0.0
        self.times: list[float] = []

    def steps(self) -> tuple[float, ...]:
        """Return the seconds of each step but the first."""
        ends = self.times if len(self.times) > 1 else [self.began, *self.times]
        return tuple(np.diff(ends).tolist())

    def warm_up(self) -> float:
        """Return by how many seconds the first step is longer than the others."""
        if len(self.times) < 2:
            return 0.0
        mean = (self.times[-1] - self.times[0]) / (len(self.times) - 1)
        return max(0.0, self.times[0] - self.began - mean)

    def on_start(self, step: int, n_steps: int) -> None:
        """Take note that neighbour lists are there."""
        self.preparation = time.perf_counter() - self.began
        self.began += self.preparation

    def on_step(self, record: dict[str, Any]) -> None:
        """Take the time."""
        self.times.append(time.perf_counter())
        n_steps = len(self.times)
        is_late = self.times[-1] - self.began > self.budget
        if n_steps >= MOST or (n_steps >= FEWEST and is_late):
            raise _EnoughError


def _run(job: Job, fabric: "Fabric", observer: Silence) -> None:
    """Train in a folder that is removed."""
    with tempfile.TemporaryDirectory(prefix="atomgraft-probe-") as folder:
        try:
            outcome = fit(
                dataclasses.replace(job, folder=Path(folder)), fabric, observer
            )
        except _EnoughError:
            return
    if not outcome.is_complete:
        raise KeyboardInterrupt


def _without_validation(job: Job) -> Job:
    plan = job.plan.model_copy(update={"validate_every": NEVER})
    others = [dataclasses.replace(one, validation=()) for one in job.others]
    return dataclasses.replace(job, validation=(), others=others, plan=plan)


def _heaviest(job: Job) -> Job | None:
    """Return a job of one step with the largest structures; none if all are alike."""
    streams = job.streams()
    if all(len({len(atoms) for atoms in one.train}) < 2 for one in streams):
        return None
    size = job.batch_size()
    largest = max(one.knobs.ratio for one in streams)
    others = [
        dataclasses.replace(
            one, train=_largest(one.train, math.ceil(size * one.knobs.ratio / largest))
        )
        for one in job.others
    ]
    plan = job.plan.model_copy(update={"steps": 1, "batch_size": size})
    train = _largest(job.train, math.ceil(size * job.knobs.ratio / largest))
    return dataclasses.replace(job, train=train, others=others, plan=plan)


def _largest(structures: Sequence[Atoms], n: int) -> list[Atoms]:
    return sorted(structures, key=len, reverse=True)[: max(1, n)]


def _validation_seconds(job: Job, fabric: "Fabric") -> float:
    """Time a validation on some structures of each stream, and scale it up by atoms."""
    parts = [_part(one) for one in job.streams() if len(one.validation)]
    if not parts:
        return 0.0
    shown = [stream for stream, _ in parts]
    flows = make_flows(shown, job.plan, job.adapted)
    wanted = {flow.name: (flow.stream.head, flow.objective.wanted) for flow in flows}
    module = GraftedModule(job.adapted, wanted).to(fabric.device)
    seconds = 0.0
    for flow, (_, share) in zip(flows, parts, strict=True):
        data = flow.validation
        groups = data.groups(range(len(data)), EVALUATION_ATOMS)
        for is_counted in (False, True):
            start = time.perf_counter()
            for group in groups:
                graph, _ = data.batch(group)
                with torch.no_grad():
                    module(as_tuple(graph), flow.name)
            seconds += is_counted * (time.perf_counter() - start) / share
    return seconds


def _part(stream: Stream) -> tuple[Stream, float]:
    """Return a stream with a batch of validation structures, and their share."""
    taken: list[Atoms] = []
    n_atoms = 0
    for atoms in stream.validation:
        if taken and n_atoms + len(atoms) > EVALUATION_ATOMS:
            break
        taken.append(atoms)
        n_atoms += len(atoms)
    whole = sum(len(atoms) for atoms in stream.validation)
    return dataclasses.replace(stream, validation=taken), n_atoms / whole
