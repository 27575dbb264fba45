"""The terms of a run, for the plan, the run and its result."""

import dataclasses
import json
from pathlib import Path

from ase import Atoms
from ase.data import chemical_symbols

from atomgraft.adaptation.axes import SourceData
from atomgraft.adaptation.base import Adapted
from atomgraft.adaptation.movement import coverage
from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import fingerprint
from atomgraft.core.specs import listed
from atomgraft.data.labels import structures_fingerprint
from atomgraft.run.contract_record import Terms, differences
from atomgraft.run.inputs import Inputs, base_card, data_card
from atomgraft.run.record import DataCard, RoleCoverage
from atomgraft.run.rehearsal import rehearsal_record
from atomgraft.run.setup import Setup
from atomgraft.run.spec import RunSpec
from atomgraft.training.loop import Job


def terms_of(spec: RunSpec, inputs: Inputs, setup: Setup) -> Terms:
    """Return what will be done, from the very objects that do it.

    Parameters
    ----------
    spec
        The run.
    inputs
        What it reads.
    setup
        What it sets up.
    """
    job = job_of(spec, Path(), inputs, setup)
    kept = setup.adapted.potential.elements
    return Terms(
        spec=spec.model_dump(mode="json"),
        base=base_card(inputs.base, inputs.base_hash, inputs.element_map),
        data=data_cards(spec, inputs),
        differences=inputs.differences,
        elements_kept=tuple(chemical_symbols[number] for number in sorted(kept)),
        coverage=_coverage(setup.adapted),
        reference=setup.reference,
        heads=setup.heads,
        rehearsal=rehearsal_record(spec, inputs.rehearsal),
        n_steps=job.plan.steps,
        batch_size=job.batch_size(),
    )


def hold_to(planned: Terms, found: Terms) -> None:
    """Refuse a run that is not the one that was planned.

    Parameters
    ----------
    planned
        From the contract.
    found
        What would be done now.

    Raises
    ------
    BadInputError
        They differ; the first differences are named.
    """
    differing = differences(planned, found)
    if not differing:
        return
    raise BadInputError(
        f"This is not the run that was planned: {listed(differing)}.",
        "With --plan, a run must agree with its plan.",
        "Plan it again with 'atomgraft plan', or leave --plan out.",
    )


def job_of(spec: RunSpec, folder: Path, inputs: Inputs, setup: Setup) -> Job:
    """Return what the training loop works on.

    Parameters
    ----------
    spec
        The run.
    folder
        Where checkpoint and metrics go.
    inputs
        What it reads.
    setup
        What it sets up; its movement is trained.
    """
    return Job(
        adapted=setup.adapted,
        train=inputs.train,
        validation=inputs.validation,
        plan=spec.training,
        learning_rate=spec.learning_rate,
        seed=spec.seed,
        folder=folder,
        pins=pins_of(spec, inputs),
        knobs=spec.knobs,
        others=setup.streams,
    )


def pins_of(spec: RunSpec, inputs: Inputs) -> dict[str, str]:
    """Return what a checkpoint must belong to.

    Parameters
    ----------
    spec
        The run.
    inputs
        What it reads.
    """
    pins = {
        "spec": spec.identity(),
        "data": structures_fingerprint(
            [*inputs.train, *inputs.validation, *_further(inputs)]
        ),
        "base": inputs.base_hash,
    }
    if inputs.differences:
        document = [one.model_dump(mode="json") for one in inputs.differences]
        pins["differences"] = fingerprint([json.dumps(document).encode()])
    return pins


def _further(inputs: Inputs) -> list[Atoms]:
    """Return the structures of further heads; what is rehearsed follows from these."""
    return [
        atoms
        for head in inputs.heads.values()
        for atoms in (*head.train, *head.validation)
    ]


def _coverage(adapted: Adapted) -> tuple[RoleCoverage, ...]:
    """Return how much of each role moves."""
    return tuple(
        RoleCoverage(**dataclasses.asdict(one))
        for one in coverage(adapted.potential, adapted.movement)
    )


def data_cards(spec: RunSpec, inputs: Inputs) -> tuple[DataCard, ...]:
    """Describe all structures that a run reads or makes.

    Parameters
    ----------
    spec
        The run.
    inputs
        What it reads.
    """
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
