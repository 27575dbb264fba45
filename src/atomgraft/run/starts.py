"""The model that a run starts from: mapped, asked, or stood for until it is trained."""

import dataclasses
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

from ase import Atoms
from ase.data import chemical_symbols

from atomgraft.adaptation.axes import TARGET, ElementMap
from atomgraft.adaptation.base import Adapted
from atomgraft.adaptation.element_maps import AppliedMap, decide_map
from atomgraft.core.progress import Progress, told
from atomgraft.data.checks.findings import Finding
from atomgraft.data.checks.predicted import BaseKnowledge
from atomgraft.data.checks.suite import check_against_base
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict_structures
from atomgraft.run.spec import RunSpec
from atomgraft.run.structures import RunData


def started(
    base: AbstractPotential,
    wanted: ElementMap | None,
    structures: Sequence[Atoms],
    others: Sequence[Atoms] = (),
) -> tuple[AbstractPotential, AppliedMap | None]:
    """Return the model that a run starts from, and its map.

    Parameters
    ----------
    base
        As it was loaded.
    wanted
        The map that the run asks for.
    structures
        To train on; scales are fitted to them.
    others
        Those of further heads.

    Raises
    ------
    BadInputError
        The base lacks a donor, or cannot be changed so.
    """
    if wanted is None:
        return base, None
    applied = decide_map(wanted, base, structures, others)
    return applied.apply(base), applied


def knowledge_of(
    base: AbstractPotential,
    progress: Progress | None = None,
    spec: RunSpec | None = None,
) -> BaseKnowledge:
    """Return what the data checks may ask a base model.

    Parameters
    ----------
    base
        The model.
    progress
        Is told how many structures it has answered.
    spec
        The run that starts from it, if there is one: labels need not agree with a base
        that the same spec trains on labels of another kind.
    """
    card = base.card
    is_strange = card.is_untrained or card.is_mapped or bool(card.untrained)
    is_made_here = spec is not None and spec.n_runs > 1
    return BaseKnowledge(
        name=base.card.name,
        elements=base.elements,
        predict=None
        if is_strange or is_made_here
        else lambda structures: told(
            predict_structures(base, structures),
            "comparing labels with the base",
            len(structures),
            progress,
        ),
    )


def check_against(
    spec: RunSpec, data: RunData, knowledge: BaseKnowledge
) -> tuple[Finding, ...]:
    """Check all structures of a run against its base.

    Where somebody was asked before, the base was so too, about more structures.

    Parameters
    ----------
    spec, data
        Of the run.
    knowledge
        What may be asked of the base.

    Returns
    -------
    :
        What concerns the run's own structures.

    Raises
    ------
    BadInputError
        Something cannot be used as it is, or a warning was not accepted.
    """
    if not data.asks:
        return ()
    found = {
        name: check_against_base(sets, knowledge)
        for name, sets in data.sets(spec).items()
    }
    data.refuse([one for those in found.values() for one in those], spec.accept)
    return found[None]


def never_trained(base: AbstractPotential, structures: Sequence[Atoms]) -> list[str]:
    """Say which elements of the structures have room in the base and nothing else.

    Parameters
    ----------
    base
        The model.
    structures
        To train on.
    """
    present = {int(number) for atoms in structures for number in atoms.numbers}
    numbers = sorted(present & base.card.untrained)
    if not numbers:
        return []
    symbols = [chemical_symbols[number] for number in numbers]
    return [
        f"{base.card.name} has room for {', '.join(symbols)} and was never trained on"
        " it: its weights there are random. Start it from another element: --map"
        f" {','.join(f'auto:{symbol}' for symbol in symbols)}"
    ]


def still_untrained(
    source: AbstractPotential, adapted: Adapted, trained: Set[int] | None
) -> frozenset[int]:
    """Return the atomic numbers that a model supports and was never trained on.

    Parameters
    ----------
    source
        What the model was made of.
    adapted
        How.
    trained
        Those that it was trained on; none where that is not known.
    """
    if trained is None:
        return frozenset()
    is_fresh = source.card.is_untrained or adapted.axes.starts.weights == "fresh"
    unknown = source.elements if is_fresh else source.card.untrained
    return unknown - trained


def stand_in(
    spec: RunSpec,
    folder: Path,
    adapted: Adapted,
    trained: Mapping[str, frozenset[int]],
    head: str | None = None,
) -> AbstractPotential:
    """Return a model with the shape of what a run will make, before it is trained.

    Parameters
    ----------
    spec, folder
        Of the run.
    adapted
        What it trains, at its start.
    trained
        Atomic numbers that each head will be trained on.
    head
        A further head of the run; none or its own is the one it is made for.
    """
    name = head if head in spec.heads else TARGET
    model = adapted.merged(name)
    elements = adapted.trained_elements(name, {name: frozenset(), **trained})
    model.card = dataclasses.replace(
        model.card,
        name=str(folder),
        is_untrained=True,
        is_mapped=False,
        untrained=still_untrained(adapted.potential, adapted, elements),
    )
    return model


def refuse_start(spec: RunSpec, base: AbstractPotential, data: RunData) -> None:
    """Check that a run can start from a model that is not trained yet.

    Parameters
    ----------
    spec
        The run.
    base
        As `stand_in` returns it.
    data
        The structures of the run.

    Raises
    ------
    BadInputError
        The model lacks an element, or cannot be mapped.
    """
    wanted = spec.axes.starts.map
    plain = wanted and wanted.without_fits()
    others = [atoms for one in data.heads.values() for atoms in one.train]
    mapped, _ = started(base, plain, data.own.train, others)
    check_against(spec, data, knowledge_of(mapped))
