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
    base_run: "Terms | None" = None
    """Of the run that makes the base, where it is part of the spec."""
    has_stand_in: bool = False
    """The base is not trained yet: its weights, and what is fitted to them, are those
    of a model of the same shape, and bind nobody."""


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
    base_costs: tuple[Cost, ...] = ()
    """Of the runs that make the base, in their order."""
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
    is_open = planned.has_stand_in
    one, other = (_binding(terms, is_open=is_open) for terms in (planned, found))
    return changes(one, other, free=FREE)


def _binding(terms: Terms, *, is_open: bool) -> Any:  # noqa: ANN401 - a JSON document
    """Return the document that must be the same.

    Labels that the source made come from single precision, whose last digits belong
    to a machine: they follow from the seed, the data and the source. A run that makes
    the base has terms of its own, and its folder names the base.

    Parameters
    ----------
    terms
        Of a plan, or of a run.
    is_open
        The base was not trained when the plan was made, and scales of an element map
        may be fitted to it.
    """
    document = terms.model_dump(mode="json", exclude={"base_run", "has_stand_in"})
    if isinstance(terms.spec.get("base"), dict):
        del document["base"]["name"]
    if is_open:
        for key in ("weights_hash", "element_map", "cutoff"):
            document["base"].pop(key, None)
        for one in (document, *document["heads"]):
            del one["reference"]
        document.pop("rehearsal")
    for card in document["data"]:
        is_made = card["role"] == "rehearsal" and not card["files"]
        if is_made:
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


def base_rows(contract: Contract) -> tuple[tuple[Row, ...], ...]:
    """Return the lines on each run that makes the base, in their order.

    Parameters
    ----------
    contract
        What `atomgraft plan` found.
    """
    below: list[Terms] = []
    terms = contract.terms.base_run
    while terms is not None:
        below.insert(0, terms)
        terms = terms.base_run
    return tuple(
        (*terms_rows(one), *_cost_rows("cost", cost))
        for one, cost in zip(below, contract.base_costs, strict=True)
    )


def total_row(contract: Contract) -> Row:
    """Return the line on the time of all runs together, the baseline among them.

    Parameters
    ----------
    contract
        What `atomgraft plan` found.
    """
    costs = [*contract.base_costs, contract.cost]
    costs += [] if contract.scratch is None else [contract.scratch]
    low, high = (
        duration_text(sum(cost.interval[i] for cost in costs)) for i in range(2)
    )
    total = duration_text(sum(cost.seconds for cost in costs))
    return "all runs", f"about {total} ({low} to {high})"


def terms_rows(terms: Terms) -> tuple[Row, ...]:
    """Return the lines that say what will be done.

    Parameters
    ----------
    terms
        The binding part of a contract.
    """
    base, known = terms.base, terms.base.weights_hash[:12]
    head = "" if base.head is None else f", head {base.head}"
    rows = [
        (
            "base",
            f"{base.name} ({base.framework}{head}), {count_text(base.n_weights)} "
            f"weights, {'not trained yet' if terms.has_stand_in else known}",
        ),
        *([("element map", base.map_text)] if base.map_text else []),
        ("licence", f"of the base's weights: {base.licence}"),
        *(_data_row(card) for card in terms.data),
        ("elements", _elements(terms)),
        ("what moves", _movement(terms)),
        ("pulls back", _pull(terms)),
        ("starts from", _start(terms)),
        ("references", _refit(terms, terms.reference)),
        *((f"head {one.name}", _refit(terms, one.reference)) for one in terms.heads),
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


def _refit(terms: Terms, refit: ReferenceRefit) -> str:
    if terms.has_stand_in and refit.was_refitted:
        energies = counted(refit.n_energies, "energy", "energies")
        return f"refitted to {energies} once the base is trained"
    return _references(refit)


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
    if not cost.n_steps_left and not cost.seconds:
        return [(name, cost.basis)]
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
