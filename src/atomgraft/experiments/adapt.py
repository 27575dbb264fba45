"""One adaptation, from spec to graft and result."""

import contextlib
import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from ase import Atoms
from lightning_fabric import Fabric

from atomgraft.adaptation.axes import SourceData
from atomgraft.adaptation.base import Adapted
from atomgraft.adaptation.graft import GRAFT, GraftCard, HeadCard, write_graft
from atomgraft.adaptation.movement import coverage
from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import command_line, machine, now, package_versions
from atomgraft.core.storage import (
    locked,
    make_folder,
    remove_leftovers,
    write_atomically,
)
from atomgraft.data.labels import structures_fingerprint
from atomgraft.experiments.baseline import SCRATCH
from atomgraft.experiments.inputs import Inputs, base_card, data_card, read_inputs
from atomgraft.experiments.rehearsal import rehearsal_record
from atomgraft.experiments.setup import Setup, set_up
from atomgraft.experiments.spec import SPEC, RunSpec, read_spec, spec_text
from atomgraft.results.files import RESULT, read_result, write_result
from atomgraft.results.schema import (
    CurvePoint,
    DataCard,
    Provenance,
    ReferenceRefit,
    RoleCoverage,
    RunResult,
    StreamRecord,
    TrainingRecord,
    Verdict,
)
from atomgraft.training.checkpoint import CHECKPOINT, METRICS, read_metrics
from atomgraft.training.devices import make_fabric
from atomgraft.training.loop import Fit, Job, fit
from atomgraft.training.observer import Observer, Silence

MAX_CURVE_POINTS = 500

MERGED = ("merged.pth", "merged.safetensors")

OWN_FILES = (CHECKPOINT, METRICS, GRAFT, RESULT, SPEC, "report.html", *MERGED)
"""What a run writes, and what --fresh removes."""


@runtime_checkable
class AdaptObserver(Observer, Protocol):
    """Listens to a whole adaptation."""

    def on_setup(
        self, movements: tuple[RoleCoverage, ...], refit: ReferenceRefit
    ) -> None:
        """Take note of what will move and of the reference energies."""


class AdaptSilence(Silence):
    """Listens to nothing."""

    def on_setup(
        self, movements: tuple[RoleCoverage, ...], refit: ReferenceRefit
    ) -> None:
        """Do nothing."""


def adapt(
    spec: RunSpec,
    folder: Path,
    *,
    trust: bool = False,
    fresh: bool = False,
    observer: AdaptObserver | None = None,
) -> RunResult:
    """Run an adaptation, or go on with one that was interrupted.

    Parameters
    ----------
    spec
        The run.
    folder
        Where it lives; made if it is not there.
    trust
        Allow a checkpoint that cannot be read as plain data.
    fresh
        Throw away what an earlier run left in the folder.
    observer
        Is told of every step.

    Raises
    ------
    BadInputError
        Something cannot be used as it is; nothing has been written.
    StorageError
        The folder cannot be written; what was there is as it was.
    NonFiniteTrainingError
        Training failed; the last checkpoint is kept.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    listener = observer or AdaptSilence()
    inputs = read_inputs(spec, trust=trust)
    _refuse_own_base(spec, folder)
    setup = set_up(spec, inputs)
    fabric = make_fabric(spec.device)
    make_folder(folder)
    with locked(folder) if fabric.is_global_zero else contextlib.nullcontext():
        if fresh and fabric.is_global_zero:
            _clear(folder)
        fabric.barrier()
        if not fresh and (done := _finished(folder, spec, inputs)) is not None:
            listener.on_notice(f"{folder} is finished already; nothing to do.")
            return done
        if fabric.is_global_zero:
            remove_leftovers(folder)
            write_atomically(folder / SPEC, spec_text(spec))
        for notice in inputs.notices:
            listener.on_notice(notice)
        earlier = _earlier_sessions(folder)
        result = _run(spec, folder, inputs, setup, fabric, listener)
        session = provenance("adapt", clock, fabric.device, spec.dtype)
        result = result.model_copy(update={"provenance": (*earlier, session)})
        if fabric.is_global_zero:
            write_result(folder, result)
    return result


def _run(
    spec: RunSpec,
    folder: Path,
    inputs: Inputs,
    setup: Setup,
    fabric: Fabric,
    listener: AdaptObserver,
) -> RunResult:
    """Train, keep the graft."""
    movements = _coverage(setup.adapted)
    listener.on_setup(movements, setup.reference)
    job = Job(
        adapted=setup.adapted,
        train=inputs.train,
        validation=inputs.validation,
        plan=spec.training,
        learning_rate=spec.learning_rate,
        seed=spec.seed,
        folder=folder,
        pins=_pins(spec, inputs),
        knobs=spec.knobs,
        others=setup.streams,
    )
    outcome = fit(job, fabric, listener)
    size = 0
    if outcome.is_complete and fabric.is_global_zero:
        card = _graft_card(spec, inputs, setup)
        size = write_graft(folder / GRAFT, setup.adapted, card)
    return RunResult(
        name=folder.resolve().name,
        finished=outcome.is_complete,
        spec=spec.model_dump(mode="json"),
        base=base_card(inputs.base, inputs.base_hash),
        data=_data_cards(spec, inputs),
        coverage=movements,
        reference=setup.reference,
        heads=setup.heads,
        rehearsal=rehearsal_record(spec, inputs.rehearsal),
        ridge=setup.ridge,
        training=_training_record(folder, job, outcome),
        graft_bytes=size,
        base_bytes=_bytes(inputs),
        verdict=_not_judged(outcome, folder),
        provenance=(),
    )


def _earlier_sessions(folder: Path) -> tuple[Provenance, ...]:
    """Return where an unfinished run was worked on before."""
    if not (folder / RESULT).exists() or not (folder / CHECKPOINT).exists():
        return ()
    return read_result(folder).provenance


def _pins(spec: RunSpec, inputs: Inputs) -> dict[str, str]:
    """Return what a checkpoint must belong to."""
    return {
        "spec": spec.identity(),
        "data": structures_fingerprint(
            [*inputs.train, *inputs.validation, *_further(inputs)]
        ),
        "base": inputs.base_hash,
    }


def _further(inputs: Inputs) -> list[Atoms]:
    """Return the structures of further heads; what is rehearsed follows from these."""
    return [
        atoms
        for head in inputs.heads.values()
        for atoms in (*head.train, *head.validation)
    ]


def _clear(folder: Path) -> None:
    for place in (folder, folder / SCRATCH):
        for name in OWN_FILES:
            (place / name).unlink(missing_ok=True)


def _refuse_own_base(spec: RunSpec, folder: Path) -> None:
    """Check that a run does not overwrite the run it starts from."""
    own = {folder.resolve(), (folder / SCRATCH).resolve()}
    if Path(spec.base).resolve() in own:
        raise BadInputError(
            f"{folder} is the run to start from and the run to write.",
            "One folder holds one run.",
            "Give another folder with --out.",
        )


def _finished(folder: Path, spec: RunSpec, inputs: Inputs) -> RunResult | None:
    """Return the result of a finished run of the same spec, data and base.

    Raises
    ------
    BadInputError
        The folder holds another run, or files behind it have changed since.
    """
    stored = folder / SPEC
    if stored.exists() and read_spec(stored).identity() != spec.identity():
        raise BadInputError(
            f"{folder} holds a run of another spec.",
            "One folder holds one run.",
            "Give another folder with --out, or --fresh to throw the old run away.",
        )
    if not (folder / RESULT).exists():
        return None
    result = read_result(folder)
    if not result.finished:
        return None
    trained = [card.fingerprint for card in result.data if card.role != "test"]
    today = [card.fingerprint for card in _data_cards(spec, inputs)]
    if trained != today or result.base.weights_hash != inputs.base_hash:
        what = "base" if trained == today else "data"
        raise BadInputError(
            f"{folder} holds a finished run, and its {what} has changed since.",
            "A finished run belongs to the files it was made from.",
            "Give another folder with --out, or --fresh to throw the old run away.",
        )
    return result


def _coverage(adapted: Adapted) -> tuple[RoleCoverage, ...]:
    return tuple(
        RoleCoverage(**dataclasses.asdict(one))
        for one in coverage(adapted.potential, adapted.movement)
    )


def _graft_card(spec: RunSpec, inputs: Inputs, setup: Setup) -> GraftCard:
    data = data_card("train", (), inputs.train)
    return GraftCard(
        base=spec.base,
        base_hash=inputs.base_hash,
        head=spec.head,
        licence=inputs.base.card.licence,
        axes=spec.axes.model_dump(mode="json"),
        seed=spec.seed,
        reference_shifts=setup.reference.shifts,
        elements=data.elements,
        data_fingerprint=data.fingerprint,
        dtype=spec.dtype,
        heads={
            head.name: HeadCard(
                source_head=head.source_head, reference_shifts=head.reference.shifts
            )
            for head in setup.heads
        },
    )


def _data_cards(spec: RunSpec, inputs: Inputs) -> tuple[DataCard, ...]:
    cards = [data_card("train", spec.train, inputs.train)]
    if inputs.validation:
        files = spec.validation or spec.train
        cards.append(data_card("validation", files, inputs.validation))
    for name, head in inputs.heads.items():
        files = spec.heads[name].train or spec.train
        cards.append(data_card("train", files, head.train, head=name))
        if head.validation:
            files = spec.heads[name].validation
            cards.append(data_card("validation", files, head.validation, head=name))
    if inputs.rehearsal:
        cards.append(data_card("rehearsal", _rehearsed(spec), inputs.rehearsal))
    return tuple(cards)


def _rehearsed(spec: RunSpec) -> tuple[str, ...]:
    """Return the files that rehearsed structures came from, if they did."""
    wanted = spec.axes.rehearses
    return wanted.files if isinstance(wanted, SourceData) else ()


def _training_record(folder: Path, job: Job, outcome: Fit) -> TrainingRecord:
    return TrainingRecord(
        n_steps_planned=job.plan.steps,
        n_steps_done=outcome.n_steps,
        best_step=outcome.best_step,
        ended=outcome.ended,
        seconds=outcome.seconds,
        seconds_per_step=outcome.seconds / max(1, outcome.n_steps),
        peak_memory_mib=outcome.peak_memory_mib,
        n_split_batches=outcome.n_split_batches,
        curve=_curve(folder),
        streams=_stream_records(job, outcome),
    )


def _stream_records(job: Job, outcome: Fit) -> tuple[StreamRecord, ...]:
    """Return what each stream took, where there are several."""
    total = sum(outcome.stream_seconds.values())
    return tuple(
        StreamRecord(
            name=stream.name,
            n_structures=len(stream.train),
            n_seen=outcome.stream_counts[stream.name],
            seconds=outcome.stream_seconds[stream.name],
            share=outcome.stream_seconds[stream.name] / total if total else 0.0,
        )
        for stream in job.streams()
    )


def _curve(folder: Path) -> tuple[CurvePoint, ...]:
    """Return the learning curve, thinned but with every validation."""
    records = read_metrics(folder)
    stride = max(1, len(records) // MAX_CURVE_POINTS)
    return tuple(
        _point(record)
        for i, record in enumerate(records)
        if i % stride == 0 or record.get("validation") or i == len(records) - 1
    )


def _point(record: Mapping[str, Any]) -> CurvePoint:
    return CurvePoint(
        step=record["step"],
        learning_rate=record["learning_rate"],
        loss=record["loss"],
        validation=record.get("validation"),
    )


def _bytes(inputs: Inputs) -> int:
    return sum(
        one.numel() * one.element_size() for one in inputs.base.module.parameters()
    )


def _not_judged(outcome: Fit, folder: Path) -> Verdict:
    if not outcome.is_complete:
        return Verdict(
            took=None,
            headline="Not finished.",
            sentences=(
                f"Training was {outcome.ended} after {outcome.n_steps} steps.",
                f"Go on with: atomgraft adapt {folder}",
            ),
        )
    return Verdict(
        took=None,
        headline="Trained, not judged yet.",
        sentences=(
            f"Judge it on held-out structures: atomgraft prove {folder} --test FILE",
        ),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clock:
    """When a command began.

    Parameters
    ----------
    started
        UTC, ISO 8601.
    counter
        ``time.perf_counter()`` at that moment.
    """

    started: str
    counter: float


def provenance(
    verb: Literal["adapt", "prove"], clock: Clock, device: torch.device, dtype: str
) -> Provenance:
    """Return where numbers came from.

    Parameters
    ----------
    verb
        What was done.
    clock
        When the command began.
    device
        Where the model ran.
    dtype
        Its precision.
    """
    return Provenance(
        verb=verb,
        command=command_line(),
        started=clock.started,
        seconds=time.perf_counter() - clock.counter,
        versions=package_versions(),
        machine=machine(),
        device=_device_name(device),
        dtype=dtype,
        n_threads=torch.get_num_threads(),
    )


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
