"""A selection from start to end: propose, choose, write, and read labels back."""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import examine, held
from atomgraft.core.overlap import refuse_taken_file
from atomgraft.core.provenance import now
from atomgraft.core.seeding import numpy_generator
from atomgraft.core.storage import with_ending
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.data.exact_files import write_exactly
from atomgraft.data.labels import structures_fingerprint
from atomgraft.data.readers import read_structures
from atomgraft.label.collecting import Collected, collect
from atomgraft.label.descriptors import principal_plane
from atomgraft.label.dft_inputs import FOLDER, write_inputs
from atomgraft.label.monte_carlo import Progress
from atomgraft.label.picking import Pick, pick
from atomgraft.label.pool import Pool, gather
from atomgraft.label.proposals import labelled_atoms
from atomgraft.label.record import (
    SELECTION,
    ChosenStructure,
    CrystalCard,
    DescriptorCard,
    PoolCard,
    PoolMap,
    PoolPoint,
    SelectionResult,
)
from atomgraft.label.spec import SelectSpec
from atomgraft.models.base import AbstractPotential
from atomgraft.run.folders import inputs_of
from atomgraft.run.inputs import base_card, load_base
from atomgraft.run.record import Provenance
from atomgraft.study.sessions import Clock, provenance

STRUCTURES = "select.extxyz"


def select(
    spec: SelectSpec,
    folder: Path,
    *,
    trust: Trust = NO_TRUST,
    progress: Progress | None = None,
) -> SelectionResult:
    """Propose structures, choose among them, and write them with ready inputs.

    Parameters
    ----------
    spec
        What was asked.
    folder
        Takes ``select.extxyz``, ``select.json`` and ``label/``; must hold no other
        selection.
    trust
        Which checkpoints may run code.
    progress
        Called with what is done.

    Raises
    ------
    BadInputError
        Something cannot be used as it is; nothing is written.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    read = inputs_of(spec)
    examine(folder, "select", inputs=read)
    _refuse_earlier(folder)
    models = [
        load_base(spec.model, head=spec.head, trust=trust),
        *(load_base(name, trust=trust) for name in spec.committee),
    ]
    pool = gather(spec, models, progress)
    picks = pick(
        pool.rows,
        spec.count,
        rule=spec.rule,
        known=pool.known if len(pool.known) else None,
        disagreement=pool.disagreement,
        generator=numpy_generator(spec.seed, "select", "pick"),
    )
    chosen = [labelled_atoms(pool.proposals[one.index]) for one in picks]
    with held(folder, "select", inputs=read):
        write_exactly(folder / STRUCTURES, chosen)
        notes = write_inputs(
            folder, chosen, spec.inputs, spec.settings(models[0].card.level)
        )
        dtype = str(models[0].dtype).removeprefix("torch.")
        origin = provenance("select", clock, models[0].device, dtype)
        result = _result(spec, models, pool, picks, notes, origin)
        SELECTION.write(folder, result)
    return result


def _refuse_earlier(folder: Path) -> None:
    taken = [
        one for one in (SELECTION.file, STRUCTURES, FOLDER) if (folder / one).exists()
    ]
    if taken:
        raise BadInputError(
            f"{folder} holds {taken[0]} of an earlier selection.",
            "Labels may have been computed there, and one folder holds one selection.",
            "Give another folder with --out, or remove this one.",
        )


def _result(
    spec: SelectSpec,
    models: Sequence[AbstractPotential],
    pool: Pool,
    picks: Sequence[Pick],
    notes: Sequence[str],
    origin: Provenance,
) -> SelectionResult:
    cards = [base_card(one, one.weights_hash()) for one in models]
    description = pool.description
    return SelectionResult(
        spec=spec.model_dump(mode="json"),
        crystal=CrystalCard(
            file=spec.structure,
            formula=pool.crystal.get_chemical_formula(),
            n_atoms=len(pool.crystal),
            supercell=spec.supercell,
            fingerprint=structures_fingerprint([pool.crystal]),
        ),
        model=cards[0],
        committee=tuple(cards[1:]),
        pool=_pool_cards(pool, picks),
        n_known=len(pool.known),
        descriptor=DescriptorCard(
            words=description.words,
            n_features=description.n_features,
            is_models_own=description.is_models_own,
        ),
        chosen=_chosen(pool, picks),
        map=_map(pool, picks),
        inputs=spec.inputs,
        notices=(*pool.notices, *notes),
        provenance=origin,
    )


def _pool_cards(pool: Pool, picks: Sequence[Pick]) -> tuple[PoolCard, ...]:
    taken = Counter(pool.proposals[one.index].kind for one in picks)
    there = Counter(one.kind for one in pool.proposals)
    return tuple(
        PoolCard(kind=kind, n=n, n_chosen=taken[kind]) for kind, n in there.items()
    )


def _chosen(pool: Pool, picks: Sequence[Pick]) -> tuple[ChosenStructure, ...]:
    return tuple(
        ChosenStructure(
            number=number,
            index=one.index,
            kind=proposal.kind,
            amplitude=proposal.amplitude,
            unit=proposal.unit,
            note=proposal.note,
            formula=proposal.atoms.get_chemical_formula(),
            n_atoms=len(proposal.atoms),
            distance=one.distance,
            max_force=float(pool.largest[one.index]),
            disagreement=None
            if pool.disagreement is None
            else float(pool.disagreement[one.index]),
        )
        for number, one in enumerate(picks, start=1)
        for proposal in [pool.proposals[one.index]]
    )


def _map(pool: Pool, picks: Sequence[Pick]) -> PoolMap:
    points, shares = principal_plane(pool.description.rows)
    numbers = {one.index: number for number, one in enumerate(picks, start=1)}
    n = len(pool.proposals)
    return PoolMap(
        shares=shares,
        points=tuple(
            PoolPoint(x=float(x), y=float(y), kind=one.kind, number=numbers.get(i))
            for i, ((x, y), one) in enumerate(
                zip(points[:n], pool.proposals, strict=True)
            )
        ),
        known=tuple((float(x), float(y)) for x, y in points[n:]),
    )


def collect_labels(folder: Path, target: Path, *, overwrite: bool = False) -> Collected:
    """Read the finished labels of a selection back and write them as one file.

    Parameters
    ----------
    folder
        Of the selection.
    target
        The file; ends in ``.extxyz``.
    overwrite
        Replace a file that is there and no part of the selection.

    Raises
    ------
    BadInputError
        The folder holds no selection, no label is finished, an output belongs to
        another structure, or the file's name does not fit.
    """
    SELECTION.read(folder)
    if target.suffix != ".extxyz":
        raise BadInputError(
            f"Labels were to be written to {target}.",
            "A file ending in .extxyz is needed.",
            f"Write for example --collect {with_ending(target, '.extxyz')}.",
        )
    refuse_taken_file(target, overwrite=overwrite, inputs=[folder])
    collected = collect(folder, read_structures([folder / STRUCTURES]))
    write_exactly(target, collected.structures)
    return collected
