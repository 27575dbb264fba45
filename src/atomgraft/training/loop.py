"""The training loop, independent of the method."""

import dataclasses
import json
import math
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from ase import Atoms
from torch import Tensor

from atomgraft.adaptation.axes import TARGET
from atomgraft.adaptation.base import Adapted
from atomgraft.core.errors import BadInputError, NonFiniteTrainingError
from atomgraft.core.signals import stopped_by_signal
from atomgraft.core.storage import append_line
from atomgraft.models.memory import (
    is_out_of_memory,
    keep_freed_buffers,
    peak_memory_mib,
)
from atomgraft.training.checkpoint import (
    LAYOUT,
    METRICS,
    State,
    read_state,
    truncate_metrics,
    write_state,
)
from atomgraft.training.loss import mean_loss
from atomgraft.training.model import GraftedModule, as_tuple, cloned
from atomgraft.training.objective import (
    Errors,
    NamedResiduals,
    kind_of,
    mean_absolute_errors,
    named_residuals,
    reported,
    residuals_of,
)
from atomgraft.training.observer import Observer, Silence
from atomgraft.training.plan import AS_OFTEN, Knobs, Plan, learning_rate_factor
from atomgraft.training.streams import (
    EVALUATION_ATOMS,
    Flow,
    Stream,
    batch_of_step,
    make_flows,
    units_of_flows,
)

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PIECE_ATOMS = 512
"""On a CPU, in one backward pass: about 8 GB with 7net-0, dense crystals."""

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
    stream_seconds
        Share of the time that each stream of structures took, by name.
    stream_counts
        Structures that the steps have seen, by stream.
    """

    n_steps: int
    best_step: int
    ended: str
    is_complete: bool
    seconds: float
    peak_memory_mib: float
    n_split_batches: int
    stream_seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    stream_counts: dict[str, int] = dataclasses.field(default_factory=dict)


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
    knobs
        How often and how much the user's own structures count beside other streams.
    others
        Streams of further heads and of what is rehearsed.
    """

    adapted: Adapted
    train: Sequence[Atoms]
    validation: Sequence[Atoms]
    plan: Plan
    learning_rate: float
    seed: int
    folder: Path
    pins: dict[str, str]
    knobs: Knobs = AS_OFTEN
    others: Sequence[Stream] = ()

    def streams(self) -> tuple[Stream, ...]:
        """Return all streams, the target's first."""
        target = Stream(
            name=TARGET,
            head=TARGET,
            train=self.train,
            validation=self.validation,
            knobs=self.knobs,
        )
        return (target, *self.others)

    def batch_size(self) -> int:
        """Return the structures a step of the most frequent stream, on each device."""
        own = [len(one.train) for one in self.streams() if not one.is_rehearsal]
        return self.plan.batch_for(max(own))


def fit(job: Job, fabric: "Fabric", observer: Observer | None = None) -> Fit:
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

    def __init__(self, job: Job, fabric: "Fabric", observer: Observer) -> None:
        self.job, self.fabric, self.observer = job, fabric, observer
        self.plan = job.plan
        for one in (job.adapted.potential, *job.adapted.others.values()):
            one.module.to(fabric.device)
        self.flows = make_flows(job.streams(), self.plan, job.adapted)
        self.trainables = job.adapted.movement.named_trainables()
        module = GraftedModule(
            job.adapted,
            {
                flow.name: (flow.stream.head, flow.objective.wanted)
                for flow in self.flows
            },
        )
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
        with stopped_by_signal() as terminated:
            while state.step < self.plan.steps:
                if self._has_lost_patience(state):
                    ended = f"no improvement in {self.plan.patience} validations"
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
            stream_seconds=state.stream_seconds,
            stream_counts=state.stream_counts,
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
            "Expected finite weights.",
            f"Lower the learning rate (its peak is {self.job.learning_rate:.2g}).",
        )

    def _refuse_earlier_layout(self, state: State) -> None:
        if state.layout == LAYOUT or not self.job.adapted.movement.transposed():
            return
        raise BadInputError(
            f"The checkpoint in {self.job.folder} was written by an earlier version, "
            "which kept some low-rank deltas the other way round.",
            "Expected a checkpoint of this version.",
            "Start the run again with --fresh.",
        )

    def _begin(self) -> State:
        """Return the stored state, its tensors put in place, or a new one."""
        state = read_state(self.job.folder, self.job.pins)
        if self.fabric.is_global_zero:
            truncate_metrics(self.job.folder, 0 if state is None else state.step)
        if state is None:
            names = [flow.name for flow in self.flows]
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
                scales=units_of_flows(self.flows, self.job.adapted, self.job.seed),
                stream_seconds=dict.fromkeys(names, 0.0),
                stream_counts=dict.fromkeys(names, 0),
                layout=LAYOUT,
            )
        self._refuse_earlier_layout(state)
        self._load(state.trainables)
        state.average = self._on_device(state.average)
        if state.optimizer:
            self.optimizer.load_state_dict(state.optimizer)
        self.n_split = state.n_split_batches
        return state

    def _evaluate(self, flow: Flow) -> Generator[NamedResiduals]:
        """Compare predictions with the validation labels of a stream."""
        data = flow.validation
        for group in data.groups(range(len(data)), EVALUATION_ATOMS):
            graph, targets = data.batch(group)
            with torch.no_grad():
                energy, forces, stress, _ = self.module(as_tuple(graph), flow.name)
            yield named_residuals(
                residuals_of(energy, forces, stress, targets), targets
            )

    def _step(self, state: State) -> None:
        """Do one step of the optimiser, log it, validate if it is time."""
        plan = self.plan
        rate = self.job.learning_rate * learning_rate_factor(state.step, plan)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._backward_of_streams(state)
        norm = self.fabric.clip_gradients(
            self.module,
            self.optimizer,
            max_norm=plan.clip or UNBOUNDED,
            error_if_nonfinite=False,
        )
        if not (math.isfinite(loss) and torch.isfinite(torch.as_tensor(norm))):
            raise NonFiniteTrainingError(
                f"The loss became {loss} at step {state.step + 1}.",
                "Expected a finite loss and gradient.",
                f"Lower the learning rate (now {rate:.2g}) and run 'atomgraft check' "
                "on the data.",
            )
        self._move()
        if self.job.adapted.decay:
            # in step with the learning rate: the end of the schedule would undo the fit
            share = rate / self.job.learning_rate
            self.job.adapted.movement.retreat(share * self.job.adapted.decay)
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

    def _move(self) -> None:
        """Let the optimiser move the weights, but none that never had a gradient.

        Weight decay would shrink those as well, and they are the rows of elements and
        heads that the data do not have.
        """
        if not self.plan.weight_decay:
            self.optimizer.step()
            return
        before = [one.detach().clone() for one in self.trainables.values()]
        self.optimizer.step()
        for one, old in zip(self.trainables.values(), before, strict=True):
            moments = self.optimizer.optimizer.state.get(one, {})
            if "exp_avg_sq" in moments:
                one.data.copy_(torch.where(moments["exp_avg_sq"] > 0, one, old))

    def _backward_of_streams(self, state: State) -> float:
        """Add up the gradients of all streams; return the loss."""
        flows = reversed(self.flows)
        shares = [(flow, self._indices(flow, state.step)) for flow in flows]
        shares = [(flow, indices) for flow, indices in shares if indices]
        total = 0.0
        for i, (flow, indices) in enumerate(shares):
            start = time.perf_counter()
            is_last = i == len(shares) - 1
            with self.fabric.no_backward_sync(self.module, enabled=not is_last):
                total += self._backward(flow, indices, state, is_last=is_last)
            state.stream_seconds[flow.name] += time.perf_counter() - start
            state.stream_counts[flow.name] += len(indices)
        return total

    def _indices(self, flow: Flow, step: int) -> list[int]:
        """Return this process's share of the structures of a stream in a step."""
        world, rank = self.fabric.world_size, self.fabric.global_rank
        size = self.job.batch_size()
        seeds = (self.job.seed, flow.name)
        whole = batch_of_step(step, size * world, flow.ratio, len(flow.train), seeds)
        n_each = -(-len(whole) // world)
        return whole[rank * n_each : (rank + 1) * n_each]

    def _backward(
        self, flow: Flow, indices: list[int], state: State, *, is_last: bool
    ) -> float:
        """Add the gradient of a batch, in smaller pieces if memory runs out."""
        size = len(indices)
        before = self._gradients()
        while True:
            try:
                return self._backward_in_pieces(flow, indices, size, state, is_last)
            except (RuntimeError, MemoryError) as error:
                alone = self.fabric.world_size == 1  # others would wait for this one
                if not is_out_of_memory(error) or not alone:
                    raise
                largest = max(map(len, self._pieces(flow, indices, size)))
                if largest == 1:
                    raise
            # a gradient may be there in part: start again from what was there
            self._set_gradients(before)
            self.n_split += 1
            size = (largest + 1) // 2
            self.observer.on_notice(
                f"step {state.step + 1}: out of memory; its {len(indices)} "
                f"structures are evaluated {size} at a time"
            )

    def _gradients(self) -> dict[str, Tensor | None]:
        """Return copies of the gradients of earlier streams in this step."""
        if len(self.flows) == 1:
            return dict.fromkeys(self.trainables)
        return {
            name: None if one.grad is None else one.grad.clone()
            for name, one in self.trainables.items()
        }

    def _set_gradients(self, gradients: dict[str, Tensor | None]) -> None:
        for name, one in gradients.items():
            self.trainables[name].grad = one if one is None else one.clone()

    def _backward_in_pieces(
        self,
        flow: Flow,
        indices: list[int],
        size: int,
        state: State,
        is_last: bool,  # noqa: FBT001 - of one call
    ) -> float:
        """Add up the gradients of pieces of a batch; return the batch's loss."""
        total = 0.0
        for piece in self._pieces(flow, indices, size):
            loss, penalty = self._loss(flow, piece, state)
            loss = loss * (len(piece) / self._expected(flow))
            if is_last:  # once a step, not once a stream
                loss = loss + penalty * (len(piece) / len(indices))
            self.fabric.backward(loss)
            total += float(loss.detach())
        return total

    def _pieces(self, flow: Flow, indices: list[int], size: int) -> Iterator[list[int]]:
        """Yield parts of a batch of at most `size` structures.

        On a CPU, where nothing says that memory runs out before the system ends the
        process, of at most `PIECE_ATOMS` atoms as well, partners included.
        """
        alone = self.fabric.world_size == 1  # all processes need as many pieces
        for start in range(0, len(indices), size):
            piece = indices[start : start + size]
            if alone and self.fabric.device.type == "cpu":
                yield from flow.train.groups(piece, PIECE_ATOMS)
            else:
                yield piece

    def _expected(self, flow: Flow) -> float:
        """Return the structures of a stream in a step, on average over steps.

        Dividing by it keeps what a stream weighs apart from how often it is seen.
        """
        return self.job.batch_size() * flow.ratio

    def _loss(
        self, flow: Flow, indices: list[int], state: State
    ) -> tuple[Tensor, Tensor]:
        """Return the weighted mean loss of structures, and the penalty."""
        graph, targets = flow.train.batch(indices)
        energy, forces, stress, penalty = self.module(as_tuple(graph), flow.name)
        residuals = residuals_of(energy, forces, stress, targets)
        loss = mean_loss(residuals, targets, flow.objective, flow.units(state))
        return flow.stream.knobs.weight * loss, penalty

    def _average(self, state: State) -> None:
        """Update the running mean; its decay starts low, so short runs profit."""
        if not self.plan.average:
            return
        decay = min(self.plan.average, (1 + state.step) / (10 + state.step))
        with torch.no_grad():
            for name, value in self.trainables.items():
                state.average[name].lerp_(value, 1 - decay)

    def _is_time_to_validate(self, step: int) -> bool:
        if not any(len(flow.validation) for flow in self.flows):
            return False
        return step % self.plan.validation_interval() == 0 or step == self.plan.steps

    def _validate(self, state: State) -> dict[str, float]:
        """Measure the averaged weights on the validation sets; remember the best."""
        current = cloned(self.trainables)
        self._load(state.average or current)
        errors = {
            flow.name: mean_absolute_errors(list(self._evaluate(flow)))
            for flow in self.flows
            if len(flow.validation)
        }
        self._load(current)
        score = self._score(errors, state)
        if not math.isfinite(score):
            raise NonFiniteTrainingError(
                f"The validation error became {score} at step {state.step}.",
                "Expected finite predictions.",
                f"Lower the learning rate (its peak is {self.job.learning_rate:.2g}).",
            )
        if state.best_score is None or score < state.best_score:
            state.best_score, state.best_step, state.n_bad = score, state.step, 0
            state.best = {k: v.clone() for k, v in (state.average or current).items()}
        else:
            state.n_bad += 1
        return reported(errors)

    def _score(self, errors: Mapping[str, Errors], state: State) -> float:
        """Return the weighted sum of validation errors in their units."""
        return sum(
            flow.stream.knobs.weight
            * flow.objective.weight(kind_of(name))
            * error.mean
            * error.share
            / flow.unit_of(name, state)
            for flow in self.flows
            if flow.name in errors
            for name, error in errors[flow.name].items()
        )

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
        if self.job.adapted.retreat:
            self.job.adapted.movement.retreat(self.job.adapted.retreat)

    def _on_device(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.to(self.fabric.device) for name, value in tensors.items()}

    def _load(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in tensors.items():
                self.trainables[name].copy_(value)
