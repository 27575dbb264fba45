"""One adaptation, from spec to graft and result."""

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ase.data import chemical_symbols

from atomgraft.adaptation.axes import TARGET
from atomgraft.adaptation.graft import GRAFT, GraftCard, HeadCard, write_graft
from atomgraft.core.outputs import Outputs, held, list_folder
from atomgraft.core.provenance import now
from atomgraft.core.storage import write_atomically
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.records.scores import Verdict
from atomgraft.run.contract import Terms
from atomgraft.run.folders import earlier_sessions, finished_run, inputs_of
from atomgraft.run.inputs import Inputs, data_card, read_inputs
from atomgraft.run.places import base_name, base_run, made_in, refuse_other_runs
from atomgraft.run.plan import hold_to, hold_to_spec, job_of, pins_of, terms_of
from atomgraft.run.record import (
    RESULT,
    CurvePoint,
    ReferenceRefit,
    RoleCoverage,
    RunResult,
    StreamRecord,
    TrainingRecord,
)
from atomgraft.run.setup import Setup, set_up, trained_on
from atomgraft.run.spec import BASE, SCRATCH, SPEC, RunSpec, spec_text
from atomgraft.run.starts import refuse_start, stand_in
from atomgraft.run.structures import RunData, about_the_base, read_run_data
from atomgraft.study.sessions import Clock, provenance
from atomgraft.training.checkpoint import KeptRows, kept_files, read_metrics
from atomgraft.training.devices import make_fabric
from atomgraft.training.loop import Fit, Job, fit
from atomgraft.training.observer import Observer, Silence

MAX_CURVE_POINTS = 500


@runtime_checkable
class AdaptObserver(Observer, Protocol):
    """Listens to a whole adaptation."""

    def on_setup(
        self, movements: tuple[RoleCoverage, ...], refit: ReferenceRefit
    ) -> None:
        """Take note of what will move and of the reference energies."""

    def on_progress(self, what: str, done: int, total: int) -> None:
        """Take note of how far what comes before the first step is."""

    def on_run(self, number: int, total: int, words: str) -> None:
        """Take note of which of several runs begins, the first being 1."""


class AdaptSilence(Silence):
    """Listens to nothing."""

    def on_setup(
        self, movements: tuple[RoleCoverage, ...], refit: ReferenceRefit
    ) -> None:
        """Do nothing."""

    def on_progress(self, what: str, done: int, total: int) -> None:
        """Do nothing."""

    def on_run(self, number: int, total: int, words: str) -> None:
        """Do nothing."""


def adapt(
    spec: RunSpec,
    folder: Path,
    *,
    trust: Trust = NO_TRUST,
    fresh: bool = False,
    planned: Terms | None = None,
    observer: AdaptObserver | None = None,
    data: RunData | None = None,
) -> RunResult:
    """Run an adaptation, or go on with one that was interrupted.

    Where the spec holds the run that makes its base, that run comes first.

    Parameters
    ----------
    spec
        The run.
    folder
        Where it lives; made if it is not there.
    trust
        Which checkpoints may run code.
    fresh
        Throw away what an earlier run left in the folder.
    planned
        The terms of a contract; nothing else is done.
    observer
        Is told of every step.
    data
        The structures, if they were read before.

    Raises
    ------
    BadInputError
        Something cannot be used as it is, or a warning was not accepted; nothing has
        been written.
    StorageError
        The folder cannot be written; what was there is as it was.
    NonFiniteTrainingError
        Training failed; the last checkpoint is kept.

    Returns
    -------
    :
        The result; where the run that makes the base was stopped, that of this run.
    """
    listener = observer or AdaptSilence()
    refuse_other_runs(spec, folder, fresh=fresh, read=inputs_of)
    if planned is not None:
        hold_to_spec(planned, spec)
    data = data or read_run_data(spec)
    is_first = make_fabric(spec.device).is_global_zero
    place = _Place(spec, folder, data, fresh=fresh, is_first=is_first)
    return _adapted(place, trust, planned, listener)


def _adapted(
    place: "_Place", trust: Trust, planned: Terms | None, listener: AdaptObserver
) -> RunResult:
    """Train a run, after the run that makes its base.

    Returns
    -------
    :
        The result; where the run below was stopped, that of the run below.
    """
    with place:
        below = place.below()
        if below is not None:
            first = None if planned is None else planned.base_run
            result = _adapted(below, trust, first, listener)
            if not result.finished:
                return result
        place.announce(listener)
        return _adapted_alone(place, trust, planned, listener)


def _adapted_alone(
    place: "_Place", trust: Trust, planned: Terms | None, listener: AdaptObserver
) -> RunResult:
    """Train a run whose base is there."""
    clock = Clock(started=now(), counter=time.perf_counter())
    spec, folder, told = place.spec, place.folder, listener.on_progress
    fabric = make_fabric(spec.device)
    fabric.barrier()  # the first process has written the base
    with place.told_apart():
        inputs = read_inputs(spec, folder, trust=trust, data=place.data, progress=told)
        if planned is None and (done := place.finished(inputs, listener)) is not None:
            return done
        setup = set_up(spec, inputs, told, place.rows(inputs))
        terms = terms_of(spec, inputs, setup)
        if planned is not None:
            hold_to(planned, terms)
    place.refuse_next(inputs, setup)
    place.hold()
    fabric.barrier()
    if (done := place.finished(inputs, listener)) is not None:
        return done
    place.begin()
    for notice in inputs.notices:
        listener.on_notice(notice)
    earlier = earlier_sessions(folder)
    job = job_of(spec, folder, inputs, setup)
    listener.on_setup(terms.coverage, terms.reference)
    for head in terms.heads:
        listener.on_notice(
            f"Reference energies of the head {head.name!r}: {head.reference.note}."
        )
    outcome = fit(job, fabric, listener)
    size = 0
    if outcome.is_complete and fabric.is_global_zero:
        card = _graft_card(spec, inputs, setup, folder)
        size = write_graft(folder / GRAFT, setup.adapted, card)
    verdict = _not_judged(outcome, folder, place.whole.folder)
    result = _result(job, terms, setup, outcome, verdict, size)
    session = provenance("adapt", clock, fabric.device, spec.dtype, spec.kernels)
    result = result.model_copy(update={"provenance": (*earlier, session)})
    if fabric.is_global_zero:
        RESULT.write(folder, result)
    if result.finished:
        place.forget_rows()
    return result


class _Place(contextlib.ExitStack):
    """The folder of a run, held from the moment when something is written there.

    A run that makes the base of another lies in the folder of that one, which is begun
    first: the spec there says what is to be gone on with.

    Parameters
    ----------
    spec, folder, data, fresh
        Of the run.
    is_first
        This process writes; others read what it has written.
    above
        The place of the run whose base this one makes.
    """

    def __init__(
        self,
        spec: RunSpec,
        folder: Path,
        data: RunData,
        *,
        fresh: bool,
        is_first: bool,
        above: "_Place | None" = None,
    ) -> None:
        super().__init__()
        self.spec, self.folder, self.data, self.fresh = spec, folder, data, fresh
        self.is_first, self.above = is_first, above
        self.outputs: Outputs | None = None

    def below(self) -> "_Place | None":
        """Return the place of the run that makes the base and lies in this folder."""
        found = base_run(self.spec, self.folder)
        if found is None or found[1].parent != self.folder:
            return None
        return _Place(
            *found,
            self.data.base or read_run_data(found[0]),
            fresh=self.fresh,
            is_first=self.is_first,
            above=self,
        )

    @property
    def whole(self) -> "_Place":
        """The place of the last run: of all that was asked for."""
        return self if self.above is None else self.above.whole

    def told_apart(self) -> contextlib.AbstractContextManager[None]:
        """Say of refusals that they concern the run that makes a base, if it does."""
        return contextlib.nullcontext() if self.above is None else about_the_base()

    def announce(self, listener: AdaptObserver) -> None:
        """Say which of several runs begins."""
        total = self.whole.spec.n_runs
        if total > 1 and self.whole.below() is not None:
            base = base_name(self.spec, self.folder)
            words = f"{self.spec.recipe} from {base} into {self.folder}"
            listener.on_run(self.spec.n_runs, total, words)

    def refuse_next(self, inputs: Inputs, setup: Setup) -> None:
        """Check that the run above can start from what will be trained here."""
        if self.above is None:
            return
        head = self.above.spec.head
        trained = trained_on(self.spec, inputs)
        model = stand_in(self.spec, self.folder, setup.adapted, trained, head)
        refuse_start(self.above.spec, model, self.above.data)

    def finished(self, inputs: Inputs, listener: AdaptObserver) -> RunResult | None:
        """Return the result of a run that has nothing left to do."""
        done = None if self.fresh else finished_run(self.folder, self.spec, inputs)
        if done is not None:
            listener.on_notice(f"{self.folder} is already finished; nothing to do.")
        if done is None or done.scores or done.asked:
            return done
        return done.model_copy(update={"verdict": _untested(self.folder)})

    def rows(self, inputs: Inputs) -> KeptRows:
        """Return where the rows of a readout that is solved are kept."""
        return KeptRows(
            self.folder,
            pins_of(self.spec, inputs),
            begin=self.begin if self.is_first else None,
            is_fresh=self.fresh,
        )

    def hold(self) -> None:
        """Hold the folder, if it is not held yet."""
        if not self.is_first or self.outputs is not None:
            return
        if self.above is not None:
            self.above.begin()
        read = inputs_of(self.spec)
        holding = held(self.folder, "adapt", inputs=read, fresh=self.fresh)
        self.outputs = self.enter_context(holding)

    def begin(self) -> None:
        """Hold the folder, and write what says whose it is."""
        self.hold()
        if self.is_first:
            list_folder(self.folder / SCRATCH)
            if self.below() is not None:
                list_folder(self.folder / BASE)
            write_atomically(self.folder / SPEC, spec_text(self.spec))

    def forget_rows(self) -> None:
        """Remove what only a run that is not finished needs."""
        if self.outputs is not None:
            for path in kept_files(self.folder):
                self.outputs.remove(path.name)


def _result(
    job: Job,
    terms: Terms,
    setup: Setup,
    outcome: Fit,
    verdict: Verdict,
    graft_bytes: int,
) -> RunResult:
    """Say what was done: the terms, and how it went."""
    return RunResult(
        name=job.folder.resolve().name,
        finished=outcome.is_complete,
        spec=terms.spec,
        base=terms.base,
        data=terms.data,
        differences=terms.differences,
        coverage=terms.coverage,
        reference=terms.reference,
        heads=terms.heads,
        rehearsal=terms.rehearsal,
        ridge=setup.ridge,
        training=_training_record(job, outcome),
        graft_bytes=graft_bytes,
        base_bytes=_bytes(job),
        made_in=made_in(job.folder),
        verdict=verdict,
        provenance=(),
    )


def _graft_card(spec: RunSpec, inputs: Inputs, setup: Setup, folder: Path) -> GraftCard:
    data = data_card("train", (), inputs.train)
    elements = {
        head: tuple(chemical_symbols[number] for number in sorted(numbers))
        for head, numbers in trained_on(spec, inputs).items()
    }
    return GraftCard(
        base=base_name(spec, folder),
        base_hash=inputs.base_hash,
        head=spec.head,
        licence=inputs.base.card.licence,
        axes=spec.axes.model_dump(mode="json"),
        seed=spec.seed,
        reference_shifts=setup.reference.shifts,
        elements=elements.get(TARGET, ()),
        data_fingerprint=data.fingerprint,
        dtype=spec.dtype,
        made_in=made_in(folder),
        element_map=inputs.element_map,
        heads={
            head.name: HeadCard(
                source_head=head.source_head,
                reference_shifts=head.reference.shifts,
                elements=elements.get(head.name, ()),
            )
            for head in setup.heads
        },
    )


def _training_record(job: Job, outcome: Fit) -> TrainingRecord:
    return TrainingRecord(
        n_steps_planned=job.plan.steps,
        n_steps_done=outcome.n_steps,
        best_step=outcome.best_step,
        ended=outcome.ended,
        seconds=outcome.seconds,
        seconds_per_step=outcome.seconds / max(1, outcome.n_steps),
        peak_memory_mib=outcome.peak_memory_mib,
        n_split_batches=outcome.n_split_batches,
        curve=_curve(job.folder),
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
    records = [one for one in read_metrics(folder) if _is_point(one)]
    stride = max(1, len(records) // MAX_CURVE_POINTS)
    return tuple(
        _point(record)
        for i, record in enumerate(records)
        if i % stride == 0 or record.get("validation") or i == len(records) - 1
    )


def _is_point(record: Mapping[str, Any]) -> bool:
    """Tell whether a line of the log has its numbers; someone may have edited it."""
    numbers = [record.get(name) for name in ("learning_rate", "loss")]
    return all(isinstance(one, int | float) for one in numbers)


def _point(record: Mapping[str, Any]) -> CurvePoint:
    return CurvePoint(
        step=record["step"],
        learning_rate=record["learning_rate"],
        loss=record["loss"],
        validation=record.get("validation"),
    )


def _bytes(job: Job) -> int:
    """Return the size of the base's weights, in the precision of the run."""
    weights = job.adapted.potential.module.parameters()
    return sum(one.numel() * one.element_size() for one in weights)


def _not_judged(outcome: Fit, folder: Path, whole: Path) -> Verdict:
    """Return what is said of a run in `folder`, begun by one in `whole`."""
    if not outcome.is_complete:
        return Verdict(
            took=None,
            headline="Not finished.",
            sentences=(
                f"Training was {outcome.ended} after {outcome.n_steps} steps.",
                f"Continue with: atomgraft adapt {whole}",
            ),
        )
    return _untested(folder)


def _untested(folder: Path) -> Verdict:
    """Return what is said of a finished run in a folder."""
    return Verdict(
        took=None,
        headline="Training finished. The model has not been tested yet.",
        sentences=(
            f"Judge it on held-out structures: atomgraft prove {folder} --test FILE",
        ),
    )
