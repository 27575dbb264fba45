"""From a spec and its inputs to what is trained: references, adaptation, streams."""

import dataclasses
import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols

from atomgraft.adaptation.axes import SOURCE, TARGET, SourcePredictions
from atomgraft.adaptation.base import Adapted, HeadStart, adapt_potential
from atomgraft.adaptation.ridge import (
    RidgeFit,
    RidgeUnits,
    RowStore,
    put_readout,
    solve_readout,
)
from atomgraft.core.progress import Progress, told
from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.data.checks.findings import is_isolated_atom
from atomgraft.data.labels import energy_of, forces_of
from atomgraft.data.partners import Partner, find_partners
from atomgraft.data.reference_energies import (
    ReferenceFit,
    count_elements,
    fit_reference_shifts,
)
from atomgraft.models.base import NEGLIGIBLE_ROUNDING, AbstractPotential
from atomgraft.models.graph import find_neighbours, make_graph
from atomgraft.models.prediction import batches_by_atoms, predict
from atomgraft.run.inputs import Inputs
from atomgraft.run.record import HeadRecord, ReferenceRefit, RidgeRecord
from atomgraft.run.spec import REHEARSAL, RunSpec
from atomgraft.training.loss import SCALE_FLOOR, weighed_differences
from atomgraft.training.plan import Knobs
from atomgraft.training.streams import Stream

MAX_ATOMS = 256

LARGEST_ENERGY = 1e7
"""eV/atom; with all its electrons the heaviest atom has less."""

MEV_PER_ATOM = PROPERTIES[Property.ENERGY].report_factor


def refit_references(
    base: AbstractPotential,
    structures: Sequence[Atoms],
    *,
    wanted: bool,
    progress: Progress | None = None,
) -> tuple[dict[int, float], ReferenceRefit]:
    """Fit the shift per element that brings the base to the labels' energy scale.

    Parameters
    ----------
    base
        Evaluated in float64.
    structures
        Training structures; those without energies do not count, nor do lone atoms,
        whose energies say how strongly the material is bound and not where its
        zero lies.
    wanted
        False leaves the references as they are, and says so.
    progress
        Is told how many structures the base has answered.

    Returns
    -------
    dict[int, float]
        eV per atom, by atomic number.
    ReferenceRefit
        The record of it.
    """
    labelled = [
        atoms
        for atoms in structures
        if energy_of(atoms) is not None and not is_isolated_atom(atoms)
    ]
    if not wanted:
        return {}, _unchanged("not refitted, as requested", len(labelled))
    if not labelled:
        return {}, _unchanged("not refitted: no structure has an energy", 0)
    labels = np.array([energy_of(atoms) for atoms in labelled], dtype=float)
    residuals = labels - _energies(base, labelled, progress)
    compositions, elements = count_elements(labelled)
    fit = fit_reference_shifts(residuals, compositions, elements)
    shifted = base.clone(device=base.device)
    shifted.add_references(fit.shifts)
    return dict(fit.shifts), _refit_record(fit, shifted.rounding_in(torch.float32))


def _energies(
    base: AbstractPotential, structures: Sequence[Atoms], progress: Progress | None
) -> np.ndarray:
    """Return energies in float64, eV."""
    exact = base.clone(dtype=torch.float64)
    energies: list[np.ndarray] = []
    groups = list(batches_by_atoms(structures, MAX_ATOMS))
    for group in told(groups, "refitting reference energies", len(groups), progress):
        neighbours = [find_neighbours(atoms, exact.cutoff) for atoms in group]
        graph = make_graph(group, neighbours, dtype=torch.float64)
        with torch.no_grad():
            energies.append(predict(exact, graph, frozenset()).energy.numpy())
    return np.concatenate(energies)


def _refit_record(fit: ReferenceFit, rounding: float) -> ReferenceRefit:
    """Return the record of a fit to energies that float32 would round, eV per atom."""
    note = f"fitted to {fit.n_structures} energies, per-atom least squares in float64"
    if not fit.is_identifiable:
        note += (
            "; the compositions cannot tell the elements apart, so the smallest shifts "
            "that fit are taken: energies of other compositions keep an unknown offset"
        )
    if rounding > NEGLIGIBLE_ROUNDING:
        note += (
            f"; kept in float64 beside the weights: float32 would round energies to "
            f"{rounding * MEV_PER_ATOM:.2g} meV/atom"
        )
    largest = max(map(abs, fit.shifts.values()), default=0.0)
    if largest > LARGEST_ENERGY:
        note += (
            f"; shifts of {largest:.0e} eV/atom are those of a model whose energies "
            "mean nothing, and so will its errors: of a law (pair:) fresh weights are "
            "random lengths, so start from its own"
        )
    return ReferenceRefit(
        was_refitted=True,
        shifts=by_symbol(fit.shifts),
        rank=fit.rank,
        condition=fit.condition,
        n_energies=fit.n_structures,
        is_identifiable=fit.is_identifiable,
        residual_before=fit.residual_before * MEV_PER_ATOM,
        residual_after=fit.residual_after * MEV_PER_ATOM,
        note=note,
    )


def _unchanged(note: str, n_energies: int) -> ReferenceRefit:
    return ReferenceRefit(
        was_refitted=False,
        shifts={},
        rank=0,
        condition=1.0,
        n_energies=n_energies,
        is_identifiable=True,
        note=note,
    )


def by_symbol(shifts: Mapping[int, float]) -> dict[str, float]:
    """Return shifts under chemical symbols.

    Examples
    --------
    >>> by_symbol({14: 0.5})
    {'Si': 0.5}
    """
    return {chemical_symbols[number]: float(one) for number, one in shifts.items()}


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
        start, inputs.train, wanted=spec.axes.starts.references, progress=progress
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
        shifts, refit = refit_references(
            seen, inputs.heads[name].train, wanted=head.references, progress=progress
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
        inputs.train,
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
