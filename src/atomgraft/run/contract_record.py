"""The contract before a run: what will be done, and what it is expected to cost.

The terms are a promise: ``atomgraft adapt --plan FILE`` refuses to do anything else.
The cost is an estimate, and binds nobody.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import Field

from atomgraft.core.errors import BadInputError
from atomgraft.core.json_files import read_json
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

TOLERANCE, SMALLEST = 1e-6, 1e-9
"""Relative, and absolute in the unit of each number: machines sum in their own order,
and more than that is another contract."""

FREE = frozenset({"device", "note", "seen", "targets"})
"""Keys that change no number of a run, or say again what others say."""


MAX_TEXT = 48
"""Characters of a value in a message."""


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
    pairs = _pairs(_binding(planned), _binding(found), "")
    return tuple(
        f"{place} was {_short(before)} and is {_short(after)}"
        for place, before, after in pairs
    )


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


def _pairs(before: Any, after: Any, place: str) -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - JSON
    """Yield place and both values wherever two documents differ."""
    one, other = _entries(before), _entries(after)
    if one is None or other is None or _are_lists_of_other_lengths(before, after):
        if not _agree(before, after):
            yield place, before, after
        return
    for key in dict.fromkeys([*one, *other]):
        if key in FREE:
            continue
        inside = f"{place}.{key}" if place else key
        yield from _pairs(one.get(key), other.get(key), inside)


def _entries(value: Any) -> dict[str, Any] | None:  # noqa: ANN401 - JSON
    """Return the entries of an object or a list by name; nothing of anything else."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    if isinstance(value, list):
        return {str(i): one for i, one in enumerate(cast("list[Any]", value))}
    return None


def _are_lists_of_other_lengths(before: Any, after: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(before, list) and len(before) != len(after)  # pyright: ignore[reportUnknownArgumentType]


def _agree(before: Any, after: Any) -> bool:  # noqa: ANN401 - JSON
    if isinstance(before, float) and isinstance(after, float | int):
        return math.isclose(before, after, rel_tol=TOLERANCE, abs_tol=SMALLEST)
    return before == after


def _short(value: Any) -> str:  # noqa: ANN401 - JSON
    text = "absent" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."
