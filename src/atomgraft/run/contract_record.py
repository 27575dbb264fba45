"""The contract before a run: what will be done, and what it is expected to cost.

The terms are a promise: ``atomgraft adapt --plan FILE`` refuses to do anything else.
The cost is an estimate, and binds nobody.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from atomgraft.core.errors import BadInputError
from atomgraft.core.json_files import read_json
from atomgraft.core.specs import changes
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.records.documents import Record, validated
from atomgraft.records.provenance import Provenance
from atomgraft.run.record import (
    BaseCard,
    DataCard,
    DifferenceRecord,
    HeadRecord,
    ReferenceRefit,
    RehearsalRecord,
    RoleCoverage,
)

CONTRACT_VERSION = 1

FREE = frozenset({"device", "note", "seen", "targets"})
"""Keys that change no number of a run, or say again what others say."""


class Terms(Record):
    """What will be done; the same terms give the same run."""

    spec: dict[str, Any]
    """The run, every default written out."""
    base: BaseCard
    data: tuple[DataCard, ...]
    differences: tuple[DifferenceRecord, ...] = ()
    """Sets in which structures will train as force differences."""
    elements_kept: tuple[str, ...]
    """What the adapted model will see; those that the data lack are carried over."""
    coverage: tuple[RoleCoverage, ...]
    reference: ReferenceRefit
    heads: tuple[HeadRecord, ...] = ()
    rehearsal: RehearsalRecord | None = None
    n_steps: int
    batch_size: int
    """The user's own structures a step, on each device."""


class Cost(Record):
    """What it is expected to take, on the machine that was probed."""

    seconds: float
    """All of it: start-up, steps and validations."""
    interval: tuple[float, float]
    """Where `seconds` is expected to lie."""
    startup_seconds: float
    """Reading, checking, setting up; measured, not estimated."""
    n_steps_left: int
    """Fewer than all where an interrupted run is gone on with."""
    seconds_per_step: float
    n_timed: int
    """Steps that were timed."""
    n_validations: int
    seconds_per_validation: float
    peak_memory_mib: float
    graft_bytes: int
    """Size of the trained tensors."""
    basis: str
    """What the estimate rests on, in words."""


class Contract(Record):
    """What ``atomgraft plan`` prints."""

    contract_version: Annotated[int, Field(ge=1, le=CONTRACT_VERSION)] = (
        CONTRACT_VERSION
    )
    folder: str
    """Where the run will live."""
    terms: Terms
    cost: Cost
    scratch: Cost | None = None
    """Of the same run from fresh weights, where it was asked for."""
    notices: tuple[str, ...] = ()
    """What the user should know before it starts."""
    provenance: Provenance


def write_contract(path: Path, contract: Contract) -> None:
    """Write a contract, whole or not at all.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    write_atomically(path, contract.model_dump_json(indent=1) + "\n")


def read_contract(path: Path) -> Contract:
    """Read a contract.

    Raises
    ------
    BadInputError
        There is none, it is broken, or of a version this atomgraft does not know.
    """
    if not is_file(path):
        raise BadInputError(
            f"There is no file {path}.",
            "A contract as 'atomgraft plan --write' makes it is needed.",
            "Check the path, or plan the run first.",
        )
    remedy = "Plan the run again: atomgraft plan ... --write."
    document = read_json(path, title="contract", remedy=remedy)
    return validated(Contract, document, str(path), "contract", remedy)


def differences(planned: Terms, found: Terms) -> tuple[str, ...]:
    """Return in what two sets of terms differ, in words; nothing if they agree.

    Parameters
    ----------
    planned
        What was promised.
    found
        What would be done.
    """
    return changes(_binding(planned), _binding(found), free=FREE)


def _binding(terms: Terms) -> Any:  # noqa: ANN401 - a JSON document
    """Return the document that must be the same.

    Labels that the source made come from single precision, whose last digits belong
    to a machine: they follow from the seed, the data and the source.
    """
    document = terms.model_dump(mode="json")
    for card in document["data"]:
        if card["role"] == "rehearsal" and not card["files"]:
            del card["fingerprint"]
    return document
