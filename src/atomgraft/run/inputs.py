"""Inputs of a run, read and checked before anything is written."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols

from atomgraft.adaptation.axes import TARGET
from atomgraft.adaptation.element_maps import AppliedMap
from atomgraft.adaptation.graft import GRAFT, load_graft, read_card, trained_elements
from atomgraft.core.errors import BadInputError
from atomgraft.core.kernels import KernelName
from atomgraft.core.progress import Progress
from atomgraft.core.seeding import numpy_generator
from atomgraft.core.storage import is_file, is_folder
from atomgraft.core.trust import NO_TRUST, Trust, is_trusted
from atomgraft.data.labels import count_labels, structures_fingerprint
from atomgraft.data.splits import split_off
from atomgraft.models.base import AbstractPotential
from atomgraft.models.loading import is_known_name, load_potential
from atomgraft.run.places import base_name, base_run, is_there, places_of
from atomgraft.run.record import (
    RESULT,
    BaseCard,
    DataCard,
    DifferenceRecord,
    ElementMapRecord,
)
from atomgraft.run.rehearsal import propose_anchors, read_rehearsal
from atomgraft.run.seen import seen_in
from atomgraft.run.spec import MAX_RUNS, SPEC, RunSpec, read_spec
from atomgraft.run.starts import (
    check_against,
    knowledge_of,
    never_trained,
    started,
    still_untrained,
)
from atomgraft.run.structures import (
    HeadInputs,
    RunData,
    difference_record,
    lone_atoms,
    notice_of,
    notices_of,
    read_run_data,
    require_batch,
    require_labels,
    without_lone_atoms,
)

AUTO_FRACTION = 0.1
"""Split off where training may end early: something has to say when."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
    """Everything a run reads.

    Parameters
    ----------
    base
        The source, in the run's precision; elements are mapped already.
    base_hash
        SHA-256 of its weights in their own precision.
    train, validation
        Labelled structures.
    notices
        What the user should know before it starts.
    heads
        Those of further heads, by name.
    isolated
        Isolated atoms of the training files: for reference energies alone.
    rehearsal
        Labelled structures to rehearse, with ``info["rehearsal"]`` saying their kind.
    anchors
        Structures on which the source's predictions matter; without labels.
    differences
        Sets in which structures train as force differences.
    element_map
        What was done to the base before anything else.
    """

    base: AbstractPotential
    base_hash: str
    train: tuple[Atoms, ...]
    validation: tuple[Atoms, ...]
    notices: tuple[str, ...]
    heads: Mapping[str, HeadInputs] = dataclasses.field(default_factory=dict)
    isolated: tuple[Atoms, ...] = ()
    rehearsal: tuple[Atoms, ...] = ()
    anchors: tuple[Atoms, ...] = ()
    differences: tuple[DifferenceRecord, ...] = ()
    element_map: AppliedMap | None = None


def load_base(
    name: str,
    *,
    head: str | None = None,
    base: str | None = None,
    trust: Trust = NO_TRUST,
    kernels: KernelName = "ours",
) -> AbstractPotential:
    """Load a potential by name or file, or the merged result of a run folder.

    Parameters
    ----------
    name
        See :func:`atomgraft.models.loading.load_potential`; or a run folder.
    head
        The modality of a multi-fidelity model.
    base
        Of a run folder, where its base is; none looks where the run says.
    trust
        Which checkpoints may run code.
    kernels
        ``upstream`` evaluates with the framework's own modules.

    Raises
    ------
    BadInputError
        There is no such potential, or a graft names itself as its base.
    """
    if not is_folder(Path(name)):
        return load_potential(
            name, head=head, trust=is_trusted(name, trust), kernels=kernels
        )
    origins_of(name)
    card = read_card(Path(name) / GRAFT)
    further = None if head == card.head else head
    return merged_run(Path(name), base=base, head=further, trust=trust, kernels=kernels)


def origins_of(name: str) -> tuple[str, ...]:
    """Return a model with everything that its graft grew on, the nearest first.

    Parameters
    ----------
    name
        As for :func:`load_base`; what is no run folder has no graft.

    Raises
    ------
    BadInputError
        A graft grew on itself, as its card says.
    """
    found, seen = [name], set[Path]()
    while is_file(graft := Path(found[-1]) / GRAFT):
        if graft.resolve() in seen:
            raise BadInputError(
                f"The graft in {found[-1]} names itself as its base"
                + (f", by way of {found[-2]}." if found[-2] != found[-1] else "."),
                "A graft belongs to another model, its base.",
                "Restore the run as 'atomgraft adapt' wrote it, or make it again.",
            )
        if len(seen) == MAX_RUNS:
            raise BadInputError(
                f"{name} is a graft on a graft on a graft ..., {MAX_RUNS} and more.",
                f"At most {MAX_RUNS} grafts may be chained.",
                "Merge one of them (atomgraft merge) and use the merged file.",
            )
        seen.add(graft.resolve())
        places = base_places(Path(found[-1]))
        others = [one for one in places if (Path(one) / GRAFT).resolve() not in seen]
        found.append((others or places)[0])
    return tuple(found)


def base_places(folder: Path) -> list[str]:
    """Return where the model that a run's graft grew on may be, likeliest first.

    Parameters
    ----------
    folder
        The run; it is no such place itself, unless there is no other.
    """
    card = read_card(folder / GRAFT)
    places = places_of(card.base, card.made_in, folder)
    here = folder.resolve()
    return [one for one in places if Path(one).resolve() != here] or places


def source_of(
    folder: Path,
    *,
    base: str | None = None,
    trust: Trust = NO_TRUST,
    kernels: KernelName = "ours",
) -> AbstractPotential:
    """Load the model that a run's graft grew on, wherever it is today.

    Of several files that it may be, the one with the weights of then is taken.

    Parameters
    ----------
    folder
        The run.
    base
        Where the model is, in place of what the run says.
    trust
        Which checkpoints may run code.
    kernels
        ``upstream`` evaluates with the framework's own modules.

    Raises
    ------
    BadInputError
        It is not there, or cannot be loaded.
    """
    return sources_of(folder, base=base, trust=trust, kernels=kernels)[-1]


def sources_of(
    folder: Path,
    *,
    base: str | None = None,
    trust: Trust = NO_TRUST,
    kernels: KernelName = "ours",
) -> tuple[AbstractPotential, ...]:
    """Load the model that a run's graft grew on, and before it the one it was made of.

    Parameters
    ----------
    folder, base, trust, kernels
        As for :func:`source_of`.

    Returns
    -------
    :
        The base; where the run has an element map, the base before and after the map.

    Raises
    ------
    BadInputError
        It is not there, or cannot be loaded.
    """
    card = read_card(folder / GRAFT)
    places = [base] if base else base_places(folder)
    others: list[tuple[AbstractPotential, ...]] = []
    failures: list[BadInputError] = []
    for place in places:
        try:
            found = (load_base(place, head=card.head, trust=trust, kernels=kernels),)
            if card.element_map is not None:
                found = (*found, card.element_map.apply(found[0]))
        except BadInputError as error:
            failures.append(error)
            continue
        if found[-1].weights_hash() == card.base_hash:
            return found
        others.append(found)
    if others:
        return others[0]  # refused where the graft is put on it
    [first, *_] = failures
    if base or is_known_name(card.base) or any(map(is_there, places)):
        raise first
    raise _lost_base(folder, card.base) from first


def _lost_base(folder: Path, name: str) -> BadInputError:
    """Return what is said of a run whose base is not where it should be."""
    has_spec = is_file(folder / SPEC)
    found = base_run(read_spec(folder / SPEC), folder) if has_spec else None
    if found is None:
        return BadInputError(
            f"The base of {folder}, {name}, is not there.",
            "A graft needs the model that it was trained on.",
            "If the base was moved, name it: --base FILE (prove, merge). 'atomgraft "
            f"merge {folder} --base FILE' writes one file that needs no base.",
        )
    _, place = found
    return BadInputError(
        f"{place} is not there, the run that makes the base of {folder}.",
        "A graft needs the model that it was trained on.",
        f"If it was moved, name it: --base FOLDER (prove, merge). If it was deleted, "
        f"train it again: atomgraft adapt {place.parent}",
    )


def merged_run(
    folder: Path,
    *,
    base: str | None = None,
    head: str | None = None,
    share: float = 1.0,
    trust: Trust = NO_TRUST,
    kernels: KernelName = "ours",
) -> AbstractPotential:
    """Return the plain model that a finished run has made.

    Parameters
    ----------
    folder
        The run.
    base
        Where the model is that it grew on; none looks where the run says.
    head
        One of its further heads; none is the one it was made for.
    share
        Of the way from the source to the adapted weights: 1 is the run's result, 0
        its source with reference energies put right.
    trust
        Which checkpoints may run code.
    kernels
        ``upstream`` evaluates with the framework's own modules.

    Raises
    ------
    BadInputError
        The run has no such head, or its base is not there.
    """
    card = read_card(folder / GRAFT)
    if head is not None and head not in card.heads:
        known = ", ".join(card.heads) or "none besides its target head"
        raise BadInputError(
            f"{folder} has no head {head!r}.",
            f"Its further heads: {known}.",
            "Leave --head out to use the target head of the run.",
        )
    if base is None:
        origins_of(str(folder))
    source = source_of(folder, base=base, trust=trust, kernels=kernels)
    adapted = load_graft(folder / GRAFT, source)
    adapted.movement.retreat(1 - share)
    merged = adapted.merged(head or TARGET)
    trained = trained_elements(card, adapted, head or TARGET)
    merged.card = dataclasses.replace(
        merged.card,
        name=str(folder),
        is_untrained=False,
        is_mapped=False,
        untrained=still_untrained(source, adapted, trained),
    )
    return merged


def read_inputs(
    spec: RunSpec,
    folder: Path = Path(),
    *,
    base: AbstractPotential | None = None,
    trust: Trust = NO_TRUST,
    data: RunData | None = None,
    progress: Progress | None = None,
) -> Inputs:
    """Read and check base and data.

    Parameters
    ----------
    spec
        The run.
    folder
        Where it lives; a base that is part of the spec lies there.
    base
        Stands for that one while it is not trained yet.
    trust
        Which checkpoints may run code.
    data
        The structures, if they were read before.
    progress
        Is told how many structures the base has answered.

    Raises
    ------
    BadInputError
        Something cannot be used as it is, or a warning was not accepted.
    """
    data = data or read_run_data(spec)
    wanted = spec.axes.starts.map
    others = [atoms for one in data.heads.values() for atoms in one.train]
    if base is None:
        name = base_name(spec, folder)
        base = load_base(name, head=spec.head, trust=trust, kernels=spec.kernels)
    else:
        wanted = wanted and wanted.without_fits()
    train, validation, split_notes = _divided(spec, data.own)
    base, applied = started(base, wanted, train, others)
    knowledge = knowledge_of(base, progress, spec)
    findings = check_against(spec, data, knowledge)
    notices = notices_of((*data.findings, *findings))
    notices += [] if applied is None else applied.notes
    if wanted != spec.axes.starts.map:
        notices.append("The scales of the map are fitted once the base is trained.")
    notices += never_trained(base, [*data.own.train, *others])
    notices += split_notes
    require_labels(spec, train, "training")
    require_labels(spec, validation, "validation")
    require_batch(spec, train)
    own = HeadInputs(train=tuple(train), validation=tuple(validation))
    heads = {name: _ready(spec, name, one) for name, one in data.heads.items()}
    notices += _without_forces(heads)
    differences = _differences(spec, {None: own, **heads})
    notices += map(notice_of, differences)
    working = base.clone(dtype=getattr(torch, spec.dtype))
    return Inputs(
        base=working,
        base_hash=base.weights_hash(),
        train=own.train,
        validation=own.validation,
        notices=tuple(notices),
        differences=differences,
        element_map=applied,
        heads=heads,
        isolated=lone_atoms(data.own.train),
        rehearsal=read_rehearsal(spec, working, train, progress),
        anchors=propose_anchors(spec, working, train),
    )


def _divided(
    spec: RunSpec, own: HeadInputs
) -> tuple[Sequence[Atoms], Sequence[Atoms], list[str]]:
    """Return what trains and what validates, before anything is fitted to either."""
    train, note = without_lone_atoms(list(own.train))
    notes = [note] if note else []
    if own.validation:
        return train, own.validation, notes
    train, validation, note = _split(spec, train)
    return train, validation, [*notes, note] if note else notes


def _ready(spec: RunSpec, name: str, head: HeadInputs) -> HeadInputs:
    """Return what a further head trains on, once it is sure that there is some."""
    train, _ = without_lone_atoms(list(head.train))
    require_labels(spec, train, f"{name} training")
    require_labels(spec, head.validation, f"{name} validation")
    return HeadInputs(
        train=tuple(train), validation=head.validation, isolated=lone_atoms(head.train)
    )


def _without_forces(heads: Mapping[str, HeadInputs]) -> list[str]:
    """Say which further heads are not trained on forces."""
    return [
        f"The head {name!r} has no labels of forces: its forces follow from its "
        "energies and from the weights that heads share. 'prove' compares them with "
        "those of the other heads."
        for name, head in heads.items()
        if not count_labels(head.train).n_forces
    ]


def _differences(
    spec: RunSpec, heads: Mapping[str | None, HeadInputs]
) -> tuple[DifferenceRecord, ...]:
    """Return the sets in which structures train as force differences."""
    mode = spec.training.differences
    found = [
        record
        for name, head in heads.items()
        for record in (
            difference_record(head.train, mode, role="train", head=name),
            difference_record(head.validation, mode, role="validation", head=name),
        )
    ]
    return tuple(record for record in found if record is not None)


def _split(
    spec: RunSpec, train: Sequence[Atoms]
) -> tuple[Sequence[Atoms], Sequence[Atoms], str | None]:
    fraction = spec.validation_fraction
    if fraction == "auto":
        fraction = 0.0 if spec.training.patience is None else AUTO_FRACTION
    if fraction == 0:
        return train, (), None
    split = split_off(
        train,
        fraction,
        numpy_generator(spec.seed, "validation"),
        differences=spec.training.differences,
    )
    return split.kept, split.split_off, split.note


def data_card(
    role: str,
    files: Sequence[str],
    structures: Sequence[Atoms],
    *,
    head: str | None = None,
) -> DataCard:
    """Describe a set of structures for the result."""
    count = count_labels(structures)
    return DataCard.model_validate(
        {
            "role": role,
            "head": head,
            "files": tuple(files),
            "fingerprint": structures_fingerprint(structures),
            **dataclasses.asdict(count),
            "seen": seen_in(structures),
        }
    )


def base_card(
    base: AbstractPotential, weights_hash: str, applied: AppliedMap | None = None
) -> BaseCard:
    """Describe the base for the result.

    Parameters
    ----------
    base
        In any precision.
    weights_hash
        SHA-256 of its weights in their own.
    applied
        What was done to it before.
    """
    return BaseCard(
        name=base.card.name,
        framework=base.card.framework,
        head=base.card.head,
        weights_hash=weights_hash,
        licence=base.card.licence,
        n_weights=sum(one.numel() for one in base.module.parameters()),
        cutoff=base.cutoff,
        elements=tuple(chemical_symbols[number] for number in sorted(base.elements)),
        element_map=None
        if applied is None
        else ElementMapRecord.model_validate(applied.document()),
    )


def numbers_of(symbols: Sequence[str]) -> set[int]:
    """Return atomic numbers.

    Examples
    --------
    >>> numbers_of(["Si"])
    {14}
    """
    return {atomic_numbers[symbol] for symbol in symbols}


def require_finished(folder: Path) -> None:
    """Check that a run folder holds a graft, and a result that says so.

    Raises
    ------
    BadInputError
        It does not.
    """
    has_graft = (folder / GRAFT).is_file()
    if has_graft and not RESULT.read(folder).finished:
        raise BadInputError(
            f"The run in {folder} has not finished.",
            "Expected the folder of a finished 'atomgraft adapt' run.",
            f"Finish it first: atomgraft adapt {folder}",
        )
    if not has_graft:
        has_run = (folder / SPEC).is_file()
        raise BadInputError(
            f"{folder} holds no {GRAFT}.",
            "Expected the folder of a finished 'atomgraft adapt' run.",
            f"Finish it first: atomgraft adapt {folder}"
            if has_run
            else "Check the path.",
        )
