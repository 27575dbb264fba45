"""The one training loop; it never learns the name of the method."""

import dataclasses
import json
import math
import signal
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from ase import Atoms
from lightning_fabric import Fabric
from torch import Tensor

from atomgraft.adaptation.base import Adapted
from atomgraft.core.errors import NonFiniteTrainingError
from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.core.storage import append_line
from atomgraft.models.prediction import predict
from atomgraft.training.batches import TrainingSet, indices_of_step
from atomgraft.training.checkpoint import (
    METRICS,
    State,
    read_state,
    truncate_metrics,
    write_state,
)
from atomgraft.training.memory import (
    is_out_of_memory,
    keep_freed_buffers,
    peak_memory_mib,
)
from atomgraft.training.model import GraftedModule, as_tuple, cloned
from atomgraft.training.objective import (
    Residual,
    Residuals,
    Targets,
    mean_loss,
    residual,
    residuals_of,
    units_of_error,
)
from atomgraft.training.observer import Observer, Silence
from atomgraft.training.plan import Plan, learning_rate_factor

VALIDATION_ATOMS = 256
"""Atoms in one validation batch."""

SCALE_STRUCTURES = 64
"""Training structures from which the units of error are taken."""

UNBOUNDED = math.inf
"""No clipping, where the norm of the gradient is still wanted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
    """How training went.

    Parameters
    ----------
    n_steps
        Steps done.
    best_step
        The step whose weights were kept.
    ended
        Why it ended, in words.
    is_complete
        False if it was interrupted and can go on.
    seconds
        Time in the loop, over all sessions.
    peak_memory_mib
        Largest memory of the process.
    n_split_batches
        Batches cut because memory ran out.
    """

    n_steps: int
    best_step: int
    ended: str
    is_complete: bool
    seconds: float
    peak_memory_mib: float
    n_split_batches: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """What the loop works on.

    Parameters
    ----------
    adapted
        The adaptation; its movement is changed by training.
    train, validation
        Labelled structures; validation may be empty.
    plan
        How long, how fast.
    learning_rate
        Peak of the schedule.
    seed
        For the order of structures.
    folder
        Where checkpoint and metrics go.
    pins
        What a checkpoint must belong to.
    """

    adapted: Adapted
    train: Sequence[Atoms]
    validation: Sequence[Atoms]
    plan: Plan
    learning_rate: float
    seed: int
    folder: Path
    pins: dict[str, str]


def fit(job: Job, fabric: Fabric, observer: Observer | None = None) -> Fit:
    """Train, or go on training, and leave the best weights in the movement.

    Parameters
    ----------
    job
        What to work on.
    fabric
        Device and processes, launched.
    observer
        Is told of every step.

    Raises
    ------
    NonFiniteTrainingError
        The loss became NaN or infinite; the last checkpoint is kept.
    StorageError
        The run folder cannot be written.
    """
    if fabric.device.type == "cpu":
        keep_freed_buffers()
    return _Trainer(job, fabric, observer or Silence()).run()


class _Trainer:
    """The moving parts of one call to :func:`fit`."""

    def __init__(self, job: Job, fabric: Fabric, observer: Observer) -> None:
        self.job, self.fabric, self.observer = job, fabric, observer
        self.plan = job.plan
        potential = job.adapted.potential
        potential.module.to(fabric.device)
        data = {"dtype": potential.dtype, "device": fabric.device}
        self.train = TrainingSet(job.train, potential.cutoff, **data)
        self.validation = TrainingSet(job.validation, potential.cutoff, **data)
        self.trainables = job.adapted.movement.named_trainables()
        module = GraftedModule(job.adapted, job.plan.objective.wanted)
        optimizer = torch.optim.AdamW(
            list(self.trainables.values()),
            lr=job.learning_rate,
            weight_decay=job.plan.weight_decay,
        )
        self.module, self.optimizer = fabric.setup(module, optimizer)
        self.n_split = 0

    def run(self) -> Fit:
        """Train from the last checkpoint, or from the start, to the end."""
        state = self._begin()
        start = time.perf_counter() - state.seconds
        self.observer.on_start(state.step, self.plan.steps)
        ended = "all steps done"
        is_complete = True
        with _termination() as terminated:
            while state.step < self.plan.steps:
                if self._has_lost_patience(state):
                    ended = f"no gain in {self.plan.patience} validations"
                    break
                self._step(state)
                state.seconds = time.perf_counter() - start
                if self._is_any_process(terminated):
                    is_complete = state.step == self.plan.steps
                    ended = ended if is_complete else "stopped by a signal"
                    break
                if state.step % self.plan.checkpoint_every == 0:
                    self._save(state)
        self._save(state)
        if is_complete:
            self._keep_best(state)
        return Fit(
            n_steps=state.step,
            best_step=state.best_step if state.best else state.step,
            ended=ended,
            is_complete=is_complete,
            seconds=state.seconds,
            peak_memory_mib=peak_memory_mib(self.fabric.device),
            n_split_batches=state.n_split_batches,
        )

    def _is_any_process(self, terminated: threading.Event) -> bool:
        """Return whether a signal reached a process, so that all stop together."""
        if self.fabric.world_size == 1:
            return terminated.is_set()
        mark = torch.tensor(float(terminated.is_set()), device=self.fabric.device)
        total = self.fabric.all_reduce(mark, reduce_op="sum")
        return bool(torch.as_tensor(total) > 0)

    def _refuse_non_finite_weights(self, state: State) -> None:
        if all(bool(torch.isfinite(one).all()) for one in self.trainables.values()):
            return
        raise NonFiniteTrainingError(
            f"A weight became infinite or NaN at step {state.step}.",
            "Finite weights are needed.",
            f"Lower the learning rate (its peak is {self.job.learning_rate:.2g}).",
        )

    def _begin(self) -> State:
        """Return the stored state, its tensors put in place, or a new one."""
        state = read_state(self.job.folder, self.job.pins)
        if self.fabric.is_global_zero:
            truncate_metrics(self.job.folder, 0 if state is None else state.step)
        if state is None:
            return State(
                pins=self.job.pins,
                step=0,
                trainables={},
                average=cloned(self.trainables) if self.plan.average else {},
                optimizer={},
                best_step=0,
                best_score=None,
                best=None,
                n_bad=0,
                n_split_batches=0,
                seconds=0.0,
                scales={kind.value: one for kind, one in self._scales().items()},
            )
        self._load(state.trainables)
        state.average = self._on_device(state.average)
        if state.optimizer:
            self.optimizer.load_state_dict(state.optimizer)
        self.n_split = state.n_split_batches
        return state

    def _scales(self) -> dict[Property, float]:
        """Return the unit of error of each property."""
        n_structures = len(self.train)
        size = min(n_structures, SCALE_STRUCTURES)
        sample = indices_of_step(0, size, n_structures, self.job.seed)
        start = self.job.adapted.potential
        energies: list[Residual] = []
        labels: list[Targets] = []
        for group in self.train.groups(sample, VALIDATION_ATOMS):
            graph, targets = self.train.batch(group)
            with torch.no_grad():
                energy = predict(start, graph, frozenset()).energy
            energies.append(residual(energy / targets.n_atoms, targets.energy))
            labels.append(targets)
        return units_of_error(energies, labels)

    def _evaluate(self, data: TrainingSet) -> Generator[Residuals]:
        for group in data.groups(range(len(data)), VALIDATION_ATOMS):
            graph, targets = data.batch(group)
            with torch.no_grad():
                energy, forces, stress, _ = self.module(as_tuple(graph))
            yield residuals_of(energy, forces, stress, targets)

    def _step(self, state: State) -> None:
        """Do one step of the optimiser, log it, validate if it is time."""
        plan = self.plan
        rate = self.job.learning_rate * learning_rate_factor(state.step, plan)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._backward(self._indices(state.step), state)
        norm = self.fabric.clip_gradients(
            self.module,
            self.optimizer,
            max_norm=plan.clip or UNBOUNDED,
            error_if_nonfinite=False,
        )
        if not (math.isfinite(loss) and torch.isfinite(torch.as_tensor(norm))):
            raise NonFiniteTrainingError(
                f"The loss became {loss} at step {state.step + 1}.",
                "A finite loss and gradient are needed.",
                f"Lower the learning rate (now {rate:.2g}) and run 'atomgraft check' "
                "on the data.",
            )
        self.optimizer.step()
        state.step += 1
        state.n_split_batches = self.n_split
        self._average(state)
        record: dict[str, Any] = {
            "step": state.step,
            "loss": loss,
            "learning_rate": rate,
            "gradient_norm": float(norm if norm is not None else math.nan),
        }
        if self._is_time_to_validate(state.step):
            record["validation"] = self._validate(state)
        self._log(record)

    def _indices(self, step: int) -> list[int]:
        """Return this process's share of the structures of a step."""
        size = self.plan.batch_for(len(self.train))
        world, rank = self.fabric.world_size, self.fabric.global_rank
        whole = indices_of_step(step, size * world, len(self.train), self.job.seed)
        return whole[rank * size : (rank + 1) * size]

    def _backward(self, indices: list[int], state: State) -> float:
        """Set the gradient of a batch, in smaller pieces if memory runs out."""
        size = len(indices)
        while True:
            try:
                return self._backward_in_pieces(indices, size, state)
            except (RuntimeError, MemoryError) as error:
                alone = self.fabric.world_size == 1  # others would wait for this one
                if not is_out_of_memory(error) or size == 1 or not alone:
                    raise
            # a gradient may be there in part: start again from none
            self.optimizer.zero_grad(set_to_none=True)
            self.n_split += 1
            size = (size + 1) // 2
            self.observer.on_notice(
                f"step {state.step + 1}: memory ran out; its {len(indices)} structures "
                f"are taken {size} at a time"
            )

    def _backward_in_pieces(self, indices: list[int], size: int, state: State) -> float:
        """Add up the gradients of pieces of a batch; return the batch's loss."""
        total = 0.0
        for start in range(0, len(indices), size):
            piece = indices[start : start + size]
            loss = self._loss(piece, state) * (len(piece) / len(indices))
            self.fabric.backward(loss)
            total += float(loss.detach())
        return total

    def _loss(self, indices: list[int], state: State) -> Tensor:
        graph, targets = self.train.batch(indices)
        energy, forces, stress, penalty = self.module(as_tuple(graph))
        scales = {kind: state.scales[kind.value] for kind in Property}
        residuals = residuals_of(energy, forces, stress, targets)
        return (
            mean_loss(residuals, targets.owner, self.plan.objective, scales) + penalty
        )

    def _average(self, state: State) -> None:
        """Update the running mean; its decay starts low, so short runs profit."""
        if not self.plan.average:
            return
        decay = min(self.plan.average, (1 + state.step) / (10 + state.step))
        with torch.no_grad():
            for name, value in self.trainables.items():
                state.average[name].lerp_(value, 1 - decay)

    def _is_time_to_validate(self, step: int) -> bool:
        if not len(self.validation):
            return False
        return step % self.plan.validation_interval() == 0 or step == self.plan.steps

    def _validate(self, state: State) -> dict[str, float]:
        """Measure the averaged weights on the validation set; remember the best."""
        current = cloned(self.trainables)
        self._load(state.average or current)
        residuals = list(self._evaluate(self.validation))
        self._load(current)
        errors = _mean_absolute_errors(residuals)
        score = sum(
            self.plan.objective.weight(kind) * errors[kind] / state.scales[kind.value]
            for kind in self.plan.objective.wanted & errors.keys()
        )
        if not math.isfinite(score):
            raise NonFiniteTrainingError(
                f"The validation error became {score} at step {state.step}.",
                "Finite predictions are needed.",
                f"Lower the learning rate (its peak is {self.job.learning_rate:.2g}).",
            )
        if state.best_score is None or score < state.best_score:
            state.best_score, state.best_step, state.n_bad = score, state.step, 0
            state.best = {k: v.clone() for k, v in (state.average or current).items()}
        else:
            state.n_bad += 1
        return {
            kind.value: error * PROPERTIES[kind].report_factor
            for kind, error in errors.items()
        }

    def _has_lost_patience(self, state: State) -> bool:
        return self.plan.patience is not None and state.n_bad >= self.plan.patience

    def _log(self, record: dict[str, Any]) -> None:
        if self.fabric.is_global_zero:
            append_line(self.job.folder / METRICS, json.dumps(record))
            self.observer.on_step(record)

    def _save(self, state: State) -> None:
        self._refuse_non_finite_weights(state)
        state.trainables = cloned(self.trainables)
        state.optimizer = self.optimizer.state_dict()
        if self.fabric.is_global_zero:
            write_state(self.job.folder, state)
        self.fabric.barrier()

    def _keep_best(self, state: State) -> None:
        """Leave in the movement what validation liked best, or the running mean."""
        self._load(state.best or state.average or cloned(self.trainables))

    def _on_device(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.to(self.fabric.device) for name, value in tensors.items()}

    def _load(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in tensors.items():
                self.trainables[name].copy_(value)


def _mean_absolute_errors(residuals: Sequence[Residuals]) -> dict[Property, float]:
    """Return the MAE of each property with labels, internal units."""
    errors: dict[Property, float] = {}
    for kind in Property:
        values = torch.cat([one[kind].value[one[kind].present] for one in residuals])
        if len(values):
            errors[kind] = float(values.double().abs().mean())
    return errors


@contextmanager
def _termination() -> Generator[threading.Event]:
    """Turn SIGTERM and SIGINT into an event while training."""
    event = threading.Event()

    def note(_signal: int, _frame: FrameType | None) -> None:
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = {kind: signal.signal(kind, note) for kind in kinds}
    try:
        yield event
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
