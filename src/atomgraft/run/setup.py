"""From a spec and its inputs to what is trained: references, adaptation, streams."""

import dataclasses
import time
from collections.abc import Sequence

import numpy as np
from ase.data import atomic_numbers

from atomgraft.adaptation.axes import SOURCE, TARGET, SourcePredictions
from atomgraft.adaptation.base import Adapted, HeadStart, adapt_potential
from atomgraft.adaptation.ridge import (
    RidgeFit,
    RidgeUnits,
    RowStore,
    put_readout,
    solve_readout,
)
from atomgraft.core.progress import Progress
from atomgraft.core.properties import Property
from atomgraft.data.labels import forces_of
from atomgraft.data.partners import Partner, find_partners
from atomgraft.models.base import AbstractPotential
from atomgraft.run.inputs import Inputs
from atomgraft.run.record import HeadRecord, ReferenceRefit, RidgeRecord
from atomgraft.run.references import refit_references
from atomgraft.run.spec import REHEARSAL, RunSpec
from atomgraft.training.loss import SCALE_FLOOR, weighed_differences
from atomgraft.training.plan import Knobs
from atomgraft.training.streams import Stream

Shifts = dict[int, float]

MEV = 1e-3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that is decided before the first step.

    Parameters
    ----------
    adapted
        The adaptation at its start.
    reference
        How the target's reference energies were put right.
    heads
        The further heads.
    ridge
        The readout in closed form, if it was wanted.
    streams
        Those of further heads and of what is rehearsed.
    """

    adapted: Adapted
    reference: ReferenceRefit
    heads: tuple[HeadRecord, ...]
    ridge: RidgeRecord | None
    streams: tuple[Stream, ...]


def set_up(
    spec: RunSpec,
    inputs: Inputs,
    progress: Progress | None = None,
    kept: RowStore | None = None,
) -> Setup:
    """Put reference energies right, solve what is solved, set up what moves.

    Parameters
    ----------
    spec
        The run.
    inputs
        What it reads.
    progress
        Is told how far what takes long is.
    kept
        Keeps the rows of a readout that is solved.

    Raises
    ------
    BadInputError
        The axes ask for something that the model lacks.
    """
    start = _start(spec, inputs)
    shifts, refit = refit_references(
        start,
        (*inputs.train, *inputs.isolated),
        wanted=spec.axes.starts.references,
        progress=progress,
    )
    heads, starts = _heads(spec, inputs, start, progress)
    if progress is not None:
        progress("setting up what moves", 0, 0)
    adapted = _adapted(spec, inputs, shifts, starts)
    ridge = None
    if spec.axes.starts.readout != "source":
        adapted, refit, ridge = _solved(
            spec, inputs, (adapted, refit), starts, progress, kept
        )
    return Setup(
        adapted=adapted,
        reference=refit,
        heads=heads,
        ridge=ridge,
        streams=_streams(spec, inputs),
    )


def _start(spec: RunSpec, inputs: Inputs) -> AbstractPotential:
    """Return the model that training starts from: the base, or its shape anew."""
    alone = spec.axes.model_copy(update={"pulls": None, "rehearses": None})
    return adapt_potential(
        inputs.base, alone, reference_shifts={}, seed=spec.seed
    ).potential


def _adapted(
    spec: RunSpec, inputs: Inputs, shifts: Shifts, starts: dict[str, HeadStart]
) -> Adapted:
    return adapt_potential(
        inputs.base,
        spec.axes,
        reference_shifts=shifts,
        seed=spec.seed,
        heads=starts,
        anchors=inputs.anchors,
        elements=trained_on(spec, inputs),
    )


def trained_on(spec: RunSpec, inputs: Inputs) -> dict[str, frozenset[int]]:
    """Return the atomic numbers that each head is trained on.

    Parameters
    ----------
    spec
        The run.
    inputs
        What it reads.

    Returns
    -------
    :
        By head, `SOURCE` for what is rehearsed; a head that is never seen, or counts
        nothing, has no entry.
    """
    streams = {TARGET: (spec.knobs, inputs.train)} | {
        name: (spec.heads[name].knobs, head.train)
        for name, head in inputs.heads.items()
    }
    found = {
        name: frozenset(int(one) for atoms in structures for one in atoms.numbers)
        for name, (knobs, structures) in streams.items()
        if knobs.ratio and knobs.weight  # others are never seen, or count nothing
    }
    if spec.axes.rehearses is not None:
        rehearsed = (int(one) for atoms in inputs.rehearsal for one in atoms.numbers)
        found[SOURCE] = frozenset(rehearsed)
    return found


def _heads(
    spec: RunSpec,
    inputs: Inputs,
    start: AbstractPotential,
    progress: Progress | None,
) -> tuple[tuple[HeadRecord, ...], dict[str, HeadStart]]:
    """Refit the reference energies of each further head."""
    records: list[HeadRecord] = []
    starts: dict[str, HeadStart] = {}
    for name, head in spec.heads.items():
        seen = start if head.source_head is None else start.for_head(head.source_head)
        own = inputs.heads[name]
        shifts, refit = refit_references(
            seen,
            (*own.train, *own.isolated),
            wanted=head.references,
            progress=progress,
        )
        starts[name] = HeadStart(source_head=head.source_head, reference_shifts=shifts)
        records.append(
            HeadRecord(
                name=name,
                source_head=head.source_head,
                ratio=head.knobs.ratio,
                weight=head.knobs.weight,
                reference=refit,
            )
        )
    return tuple(records), starts


def _solved(
    spec: RunSpec,
    inputs: Inputs,
    unsolved: tuple[Adapted, ReferenceRefit],
    starts: dict[str, HeadStart],
    progress: Progress | None,
    kept: RowStore | None,
) -> tuple[Adapted, ReferenceRefit, RidgeRecord]:
    """Solve the readout, then put the reference energies right once more.

    A readout may shift the energy of every atom of an element; the second refit takes
    that out again.
    """
    adapted, refit = unsolved
    begin = time.perf_counter()
    partners = find_partners(inputs.train, spec.training.differences)
    fit = solve_readout(
        adapted.potential,
        inputs.train,
        _ridge_units(spec, inputs, refit, partners),
        weighed_differences(inputs.train, partners, spec.training.objective.responses),
        is_from_zero=spec.axes.starts.readout == "linear",
        kept=kept,
        progress=progress,
    )
    put_readout(adapted.movement, fit)
    more, second = refit_references(
        adapted.merged(),
        (*inputs.train, *inputs.isolated),
        wanted=spec.axes.starts.references,
        progress=progress,
    )
    total = dict(adapted.reference_shifts)
    for number, shift in more.items():
        total[number] = total.get(number, 0.0) + shift
    solved = _adapted(spec, inputs, total, starts)
    put_readout(solved.movement, fit)
    return solved, _joined(refit, second), _record(fit, time.perf_counter() - begin)


def _joined(first: ReferenceRefit, second: ReferenceRefit) -> ReferenceRefit:
    """Return the record of two refits, one after the other."""
    shifts = {
        symbol: first.shifts.get(symbol, 0.0) + second.shifts.get(symbol, 0.0)
        for symbol in sorted(
            first.shifts.keys() | second.shifts.keys(), key=atomic_numbers.__getitem__
        )
    }
    if not second.was_refitted:
        return first
    note = f"{first.note}; and again once the readout was solved"
    return first.model_copy(
        update={
            "shifts": shifts,
            "energies": second.energies,
            "residual_after": second.residual_after,
            "note": note,
        }
    )


def _ridge_units(
    spec: RunSpec,
    inputs: Inputs,
    refit: ReferenceRefit,
    partners: Sequence[Partner | None],
) -> RidgeUnits:
    """Weigh energies and forces as the objective does."""
    objective = spec.training.objective
    squares = [
        float((forces**2).mean())
        for atoms, partner in zip(inputs.train, partners, strict=True)
        if partner is None and (forces := forces_of(atoms)) is not None
    ]
    energy = MEV * (refit.residual_after or 0.0)
    return RidgeUnits(
        energy=max(energy, SCALE_FLOOR[Property.ENERGY]),
        forces=max(
            float(np.mean(squares)) ** 0.5 if squares else 1.0,
            SCALE_FLOOR[Property.FORCES],
        ),
        energy_weight=objective.energy / objective.forces if objective.forces else 1.0,
    )


def _record(fit: RidgeFit, seconds: float) -> RidgeRecord:
    return RidgeRecord(
        strength=fit.strength,
        degrees_of_freedom=fit.degrees_of_freedom,
        n_directions=fit.n_directions,
        n_rows=fit.n_rows,
        residual_before=fit.residual_before,
        residual_after=fit.residual_after,
        seconds=seconds,
    )


def _streams(spec: RunSpec, inputs: Inputs) -> tuple[Stream, ...]:
    """Return the streams besides the target's."""
    streams = [
        Stream(
            name=name,
            head=name,
            train=head.train,
            validation=head.validation,
            knobs=spec.heads[name].knobs,
        )
        for name, head in inputs.heads.items()
    ]
    wanted = spec.axes.rehearses
    if wanted is None:
        return tuple(streams)
    pulls = spec.axes.pulls
    is_pull = isinstance(pulls, SourcePredictions)
    objective = spec.training.objective.model_copy(update={"shape": "mse"})
    rehearsal = Stream(
        name=REHEARSAL,
        head=SOURCE,
        train=inputs.rehearsal,
        knobs=Knobs(
            ratio=wanted.ratio * max(spec.knobs.ratio, *_ratios(spec)),
            weight=pulls.strength if is_pull else wanted.weight,
        ),
        objective=objective if is_pull else None,
        is_rehearsal=True,
    )
    return (*streams, rehearsal)


def _ratios(spec: RunSpec) -> list[float]:
    return [0.0, *(head.knobs.ratio for head in spec.heads.values())]
