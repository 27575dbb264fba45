"""The folder of a run: its inputs, and whether it is finished."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from atomgraft.adaptation.axes import SourceData
from atomgraft.adaptation.graft import GRAFT, read_card
from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_file
from atomgraft.data.labels import energy_of
from atomgraft.records.documents import Provenance
from atomgraft.run.inputs import Inputs, data_card, origins_of
from atomgraft.run.record import RESULT, DataCard, RunResult
from atomgraft.run.spec import RunSpec, refuse_other_spec
from atomgraft.training.checkpoint import CHECKPOINT

INPUT_KEYS = frozenset(
    {
        "base",
        "born",
        "committee",
        "crystal",
        "files",
        "folder",
        "known",
        "labels",
        "model",
        "models",
        "outputs",
        "pool",
        "structure",
        "test",
        "train",
        "validation",
    }
)
"""Keys of specs, at any depth, under which files, folders and models are named."""


def inputs_of(spec: BaseModel) -> tuple[str, ...]:
    """Return everything that a spec reads: files, folders, names of models.

    Parameters
    ----------
    spec
        Of any verb.

    Returns
    -------
    :
        With each run folder, what its graft grew on.

    Raises
    ------
    BadInputError
        A graft names itself as its base.
    """
    named = _named(spec.model_dump(mode="json"), is_input=False)
    return tuple(dict.fromkeys(one for name in named for one in origins_of(name)))


def _named(part: object, *, is_input: bool) -> list[str]:
    """Return the texts below keys that name inputs, also in a run that is a base."""
    if isinstance(part, dict):
        return [
            one
            for key, value in part.items()
            for one in _named(value, is_input=key in INPUT_KEYS)
        ]
    if isinstance(part, list | tuple):
        return [one for value in part for one in _named(value, is_input=is_input)]
    return [part] if is_input and isinstance(part, str) else []


def finished_run(folder: Path, spec: RunSpec, inputs: Inputs) -> RunResult | None:
    """Return the result of a finished run of the same spec, data and base.

    A run whose graft is gone is not finished: its last checkpoint gives it again.

    Parameters
    ----------
    folder
        Where it may lie.
    spec
        The run.
    inputs
        What it would read today.

    Raises
    ------
    BadInputError
        The folder holds another run, its graft is damaged, or files behind it have
        changed since.
    """
    refuse_other_spec(folder, spec)
    if not (folder / RESULT.file).exists():
        return None
    result = RESULT.read(folder)
    if not result.finished or not is_file(folder / GRAFT):
        return None
    _refuse_damaged(folder / GRAFT)
    trained = _fingerprints(result.data)
    today = _fingerprints(data_cards(spec, inputs))
    is_alike = trained == today and result.differences == inputs.differences
    is_alike = is_alike and _has_same_atoms(result, inputs)
    if not is_alike or result.base.weights_hash != inputs.base_hash:
        what = "base" if is_alike else "data, or which of it trains as differences,"
        raise BadInputError(
            f"{folder} holds a finished run, and its {what} has changed since.",
            "A finished run cannot be used with other files than it was made from.",
            "Choose another folder with --out, or use --fresh to delete the old run.",
        )
    return result


def _has_same_atoms(result: RunResult, inputs: Inputs) -> bool:
    """Tell whether isolated atoms have the energies that references were fitted to.

    They are in no data card, because nothing is trained on them.
    """
    used = [(result.reference, inputs.isolated)]
    used += [
        (one.reference, inputs.heads[one.name].isolated)
        for one in result.heads
        if one.name in inputs.heads
    ]
    for record, atoms in used:
        today: dict[str, float] = {}
        for one in atoms:
            if (energy := energy_of(one)) is not None:
                symbol = str(one.symbols[0])
                today[symbol] = min(energy, today.get(symbol, energy))
        if any(today.get(name) != energy for name, energy in record.isolated.items()):
            return False
    return True


def _refuse_damaged(graft: Path) -> None:
    """Check that the graft of a finished run can be read."""
    try:
        read_card(graft)
    except BadInputError as error:
        raise BadInputError(
            error.came,
            "A finished run has an undamaged graft.",
            f"Delete {graft.parent} (it is trained again), or {graft.name} in it alone "
            "(its last checkpoint gives it again), and give the same command again.",
        ) from error


def _fingerprints(cards: Sequence[DataCard]) -> list[str]:
    """Return what was read; what is rehearsed follows from it and the spec."""
    return [card.fingerprint for card in cards if card.role in {"train", "validation"}]


def earlier_sessions(folder: Path) -> tuple[Provenance, ...]:
    """Return where an unfinished run was worked on before.

    Parameters
    ----------
    folder
        Of the run.
    """
    if not (folder / RESULT.file).exists() or not (folder / CHECKPOINT).exists():
        return ()
    return RESULT.read(folder).provenance


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
