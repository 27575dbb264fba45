"""The graft file: the trained numbers, with the hash of their base."""

import dataclasses
import json
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, Literal

import torch
from ase.data import atomic_numbers
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from atomgraft.adaptation.axes import Axes
from atomgraft.adaptation.base import Adapted, HeadStart, adapt_potential
from atomgraft.adaptation.element_maps import AppliedMap
from atomgraft.adaptation.movement import TARGET
from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.json_files import parse_json
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.models.base import AbstractPotential
from atomgraft.models.checkpoints import check_tensors

GRAFT = "graft.safetensors"
CARD_KEY = "atomgraft"
FORMAT = 3

READABLE = (1, 2, 3)
"""Format 1 had no further heads. Up to format 2, deltas of matrices that a parameter
stores as outputs by inputs had A at the outputs and B at the inputs, and reference
energies were rounded to the precision of the weights that were trained beside them;
since 3 they are added in float64."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadCard:
    """The card of a further head in a graft.

    Parameters
    ----------
    source_head
        The head of the base it started from; none is the graft's own.
    reference_shifts
        eV per atom, by element symbol.
    elements
        Symbols of the structures that it was trained on; None in files of before.
    """

    source_head: str | None
    reference_shifts: Mapping[str, float]
    elements: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class GraftCard:
    """The card of a graft.

    Parameters
    ----------
    base
        Name of the base as the user gave it.
    base_hash
        SHA-256 of the base's weights.
    head
        The base's head, if it has several.
    licence
        Licence of the base's weights; the graft is a derivative of them.
    axes
        The adaptation, as a plain mapping.
    seed
        Seed of the run.
    reference_shifts
        eV per atom, by element symbol.
    elements
        Symbols of the structures that its target head was trained on.
    data_fingerprint
        Hash of the training structures.
    dtype
        Precision of the trained tensors.
    errors
        Held-out errors, if they are known.
    heads
        Further heads that were trained beside it, by name.
    made_in
        Working directory and run folder when it was made, for relative paths.
    element_map
        What was done to the base before; the hash is of its weights after. None where
        the graft grew on the base as it is.
    format
        Of the file; see `READABLE`.
    """

    base: str
    base_hash: str
    head: str | None
    licence: str
    axes: Mapping[str, Any]
    seed: int
    reference_shifts: Mapping[str, float]
    elements: tuple[str, ...]
    data_fingerprint: str
    dtype: Literal["float32", "float64"]
    errors: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    heads: Mapping[str, HeadCard] = dataclasses.field(default_factory=dict)
    made_in: Mapping[str, str] = dataclasses.field(default_factory=dict)
    element_map: AppliedMap | None = None
    format: int = FORMAT


def write_graft(path: Path, adapted: Adapted, card: GraftCard) -> int:
    """Write the trained tensors and the card; return the size in bytes.

    Raises
    ------
    StorageError
        The folder cannot be written.
    """
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in adapted.movement.named_trainables().items()
    }
    document = dataclasses.asdict(card)
    content = save(tensors, metadata={CARD_KEY: json.dumps(document)})
    write_atomically(path, content)
    return len(content)


def write_errors(path: Path, errors: Mapping[str, Any]) -> None:
    """Write held-out errors onto the card of a graft; its tensors stay as they are.

    Parameters
    ----------
    path
        The graft file.
    errors
        By quantity: value and unit.

    Raises
    ------
    BadInputError
        The file is no graft.
    StorageError
        The folder cannot be written.
    """
    card = dataclasses.replace(read_card(path), errors=errors)
    document = dataclasses.asdict(card)
    content = save(load_file(path), metadata={CARD_KEY: json.dumps(document)})
    write_atomically(path, content)


def read_card(path: Path) -> GraftCard:
    """Read the card of a graft file.

    Raises
    ------
    BadInputError
        The file is absent, or no graft.
    """
    if not is_file(path):
        raise BadInputError(
            f"{path} is not a file.",
            "Expected a graft.safetensors written by 'atomgraft adapt'.",
            "Check the path, or wait until the run has finished.",
        )
    check_tensors(path)
    try:
        with safe_open(path, framework="pt") as stream:
            metadata: Mapping[str, str] = stream.metadata() or {}
        document = parse_json(metadata[CARD_KEY], finite=False)
        if document["format"] not in READABLE:
            raise ValueError("its card has another format")  # noqa: TRY301
        return TypeAdapter(GraftCard).validate_python(document)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise BadInputError(
            f"{path} is not a graft: {reason_of(error)}.",
            f"Expected a safetensors file with a card of format 1 to {FORMAT}.",
            "Use a graft.safetensors written by this version of atomgraft. If it is "
            "damaged, delete it and continue its run: atomgraft adapt FOLDER",
        ) from error


def load_graft(path: Path, base: AbstractPotential) -> Adapted:
    """Put a graft back on its base.

    Parameters
    ----------
    path
        The graft file.
    base
        The potential it grew on, with the same weights to the last bit.

    Raises
    ------
    BadInputError
        The file is no graft, or it grew on other weights.
    """
    card = read_card(path)
    found = base.weights_hash()
    if found != card.base_hash:
        raise BadInputError(
            f"{path} was trained on {card.base} (weights {card.base_hash[:12]}), "
            f"and the given base has the weights {found[:12]}.",
            "A graft fits only the weights it was trained on.",
            f"Use --base {card.base}, in the version of that time.",
        )
    heads = {
        name: HeadStart(
            source_head=head.source_head,
            reference_shifts=_shifts(head.reference_shifts, path),
        )
        for name, head in card.heads.items()
    }
    shifts = _shifts(card.reference_shifts, path)
    adapted = adapt_potential(
        base.clone(dtype=getattr(torch, card.dtype), device=base.device),
        _axes(card, path),
        reference_shifts=shifts,
        seed=card.seed,
        heads=heads,
    )
    if card.format < 3:
        starts = {TARGET: HeadStart(reference_shifts=shifts), **heads}
        for name, start in starts.items():
            _round_references(adapted.source_of(name), base, start.reference_shifts)
    _fill(adapted, path, card.format)
    return adapted


def trained_elements(
    card: GraftCard, adapted: Adapted, head: str
) -> frozenset[int] | None:
    """Return the elements that the weights of a head were trained on.

    Parameters
    ----------
    card
        Of the graft.
    adapted
        The graft on its base.
    head
        `TARGET` or a further head.

    Returns
    -------
    :
        Atomic numbers; None where the card does not tell the elements of all heads.
    """
    of_heads: dict[str, frozenset[int]] = {}
    symbols = {name: one.elements for name, one in card.heads.items()}
    for name, own in {TARGET: card.elements, **symbols}.items():
        if own is None:
            return None
        of_heads[name] = frozenset(atomic_numbers[symbol] for symbol in own)
    return adapted.trained_elements(head, of_heads)


def _round_references(
    potential: AbstractPotential, base: AbstractPotential, shifts: Mapping[int, float]
) -> None:
    """Shift reference energies in the weights, rounded as these are, in place.

    So did the versions that wrote formats 1 and 2, and they trained the other weights
    beside what came of it.
    """
    potential.added_references = base.added_references
    with torch.no_grad():
        for name, value in potential.with_shifted_references(shifts).items():
            potential.module.get_parameter(name).copy_(value)


def _axes(card: GraftCard, path: Path) -> Axes:
    try:
        return Axes.model_validate(card.axes)
    except ValidationError as error:
        raise _inconsistent(path, "axes unknown to this version") from error


def _shifts(by_symbol: Mapping[str, float], path: Path) -> dict[int, float]:
    unknown = sorted(by_symbol.keys() - atomic_numbers.keys())
    if unknown:
        raise _inconsistent(path, f"shifts of unknown elements, {', '.join(unknown)}")
    return {atomic_numbers[symbol]: shift for symbol, shift in by_symbol.items()}


def _fill(adapted: Adapted, path: Path, written_as: int) -> None:
    trainables = adapted.movement.named_trainables()
    stored = load_file(path)
    if written_as < 3:
        stored = _turned(stored, adapted.movement.transposed())
    shapes = {name: one.shape for name, one in stored.items()}
    wanted = {name: one.shape for name, one in trainables.items()}
    if shapes != wanted:
        raise _inconsistent(
            path,
            f"{len(shapes)} tensors that differ in name or shape from the "
            f"{len(wanted)} of the recipe on its card",
        )
    with torch.no_grad():
        for name, parameter in trainables.items():
            parameter.copy_(stored[name])


def _turned(tensors: Mapping[str, Tensor], transposed: Set[str]) -> dict[str, Tensor]:
    """Return tensors of format 2 in today's form: (A B)ᵀ = Bᵀ Aᵀ."""
    turned = dict(tensors)
    for name in transposed:
        first, second = tensors.get(f"{name}.A"), tensors.get(f"{name}.B")
        if second is not None:
            turned[f"{name}.B" if first is None else f"{name}.A"] = second.T
        if first is not None:
            turned[f"{name}.B"] = first.T
    return turned


def _inconsistent(path: Path, what: str) -> BadInputError:
    return BadInputError(
        f"{path} holds {what}.",
        "Tensors and card must belong together.",
        "The file was edited, or written by another version; train again.",
    )
