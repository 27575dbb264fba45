"""The contract before a run, and in words: what will be done, and what it may cost.

The terms are a promise: ``atomgraft adapt --plan FILE`` refuses to do anything else.
The cost is an estimate, and binds nobody.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from atomgraft.core.errors import BadInputError
from atomgraft.core.json_files import read_json
from atomgraft.core.specs import changes
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.page.wording import (
    bytes_text,
    count_text,
    counted,
    duration_text,
    percent_text,
    signed_text,
)
from atomgraft.records.documents import Provenance, Record, validated
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
            "Expected a plan file written by 'atomgraft plan --write'.",
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


MIB = 2**20

MAX_NAMED = 12
"""Elements that a line names; more are counted."""

Row = tuple[str, str]
"""What it is about, and what is agreed."""


def contract_rows(contract: Contract) -> tuple[Row, ...]:
    """Return the lines of a contract, terms first and cost last.

    Parameters
    ----------
    contract
        What `atomgraft plan` found.
    """
    rows = [*terms_rows(contract.terms), *_cost_rows("cost", contract.cost)]
    if contract.scratch is not None:
        rows += _time_rows("from scratch", contract.scratch)
    return tuple(rows)


def terms_rows(terms: Terms) -> tuple[Row, ...]:
    """Return the lines that say what will be done.

    Parameters
    ----------
    terms
        The binding part of a contract.
    """
    base = terms.base
    head = "" if base.head is None else f", head {base.head}"
    rows = [
        (
            "base",
            f"{base.name} ({base.framework}{head}), {count_text(base.n_weights)} "
            f"weights, {base.weights_hash[:12]}",
        ),
        *([("element map", base.map_text)] if base.map_text else []),
        ("licence", f"of the base's weights: {base.licence}"),
        *(_data_row(card) for card in terms.data),
        ("elements", _elements(terms)),
        ("what moves", _movement(terms)),
        ("pulls back", _pull(terms)),
        ("starts from", _start(terms)),
        ("references", _references(terms.reference)),
        *((f"head {one.name}", _references(one.reference)) for one in terms.heads),
        ("rehearsal", _rehearsal(terms)),
        ("training", _training(terms)),
    ]
    return tuple(rows)


def _data_row(card: DataCard) -> Row:
    name = card.role if card.head is None else f"{card.role}, {card.head}"
    labels = (
        (card.n_energies, "energies"),
        (card.n_forces, "with forces"),
        (card.n_stresses, "with stress"),
    )
    found = ", ".join(f"{count_text(n)} {what}" for n, what in labels if n)
    return name, (
        f"{counted(card.n_structures, 'structure')} of {', '.join(card.elements)}, "
        f"{counted(card.n_atoms, 'atom')}: {found or 'no labels'}; "
        f"{card.fingerprint[:12]}"
    )


def _elements(terms: Terms) -> str:
    trained = {symbol for card in terms.data for symbol in card.elements}
    kept = terms.elements_kept
    carried = [symbol for symbol in kept if symbol not in trained]
    lost = [symbol for symbol in terms.base.elements if symbol not in kept]
    text = f"{count_text(len(kept))} kept, {count_text(len(carried))} of them not in "
    text += f"the data{_named(carried)}"
    return text + (f"; lost: {', '.join(lost)}" if lost else "")


def _named(symbols: Sequence[str]) -> str:
    if not 0 < len(symbols) <= MAX_NAMED:
        return ""
    return f" ({', '.join(symbols)})"


def _movement(terms: Terms) -> str:
    weights = sum(one.n_weights for one in terms.coverage)
    trained = sum(one.n_trainable for one in terms.coverage)
    moving = [one.role for one in terms.coverage if one.n_weights_moving]
    return (
        f"{', '.join(moving) or 'nothing'}: {count_text(trained)} trained numbers, "
        f"{percent_text(trained, weights)} of {count_text(weights)}"
    )


def _pull(terms: Terms) -> str:
    pulls = terms.spec["axes"]["pulls"]
    if pulls is None:
        return "nothing"
    knobs = [f"{key} {value:g}" for key, value in pulls.items() if key != "kind"]
    return ", ".join([pulls["kind"], *knobs])


def _start(terms: Terms) -> str:
    starts = terms.spec["axes"]["starts"]
    weights = "the base" if starts["weights"] == "source" else "fresh weights"
    solved = {
        "ridge": ", its readout solved in closed form",
        "linear": ", its readout replaced by a linear model solved in closed form",
    }
    return weights + solved.get(starts.get("readout", "source"), "")


def _references(refit: ReferenceRefit) -> str:
    shifts = ", ".join(
        f"{symbol} {signed_text(shift)}" for symbol, shift in refit.shifts.items()
    )
    return refit.note + (f"; eV/atom: {shifts}" if shifts else "")


def _rehearsal(terms: Terms) -> str:
    if terms.rehearsal is None:
        return "nothing"
    kinds = ", ".join(
        f"{count_text(n)} {kind}" for kind, n in terms.rehearsal.n_by_kind.items()
    )
    return f"{terms.rehearsal.note} ({kinds})"


def _training(terms: Terms) -> str:
    rate = terms.spec["learning_rate"]
    recipe = terms.spec["recipe"]
    return (
        f"{recipe}: {counted(terms.n_steps, 'step')} of "
        f"{counted(terms.batch_size, 'structure')}, learning rate {rate:g}"
    )


def _cost_rows(name: str, cost: Cost) -> list[Row]:
    memory = bytes_text(round(cost.peak_memory_mib * MIB))
    return [
        *_time_rows(name, cost),
        ("memory", f"{memory} at its peak"),
        ("graft", f"{bytes_text(cost.graft_bytes)} of trained numbers"),
    ]


def _time_rows(name: str, cost: Cost) -> list[Row]:
    low, high = (duration_text(one) for one in cost.interval)
    return [
        (name, f"about {duration_text(cost.seconds)} ({low} to {high})"),
        (
            "",
            f"start-up {duration_text(cost.startup_seconds)}, "
            f"{counted(cost.n_steps_left, 'step')} of "
            f"{duration_text(cost.seconds_per_step)}, "
            f"{counted(cost.n_validations, 'validation')} of "
            f"{duration_text(cost.seconds_per_validation)}",
        ),
        ("", cost.basis),
    ]
