"""Weights that belong to a chemical element: copied, and moved to a larger table."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from ase.data import chemical_symbols
from torch import Tensor

from atomgraft.core.errors import BadInputError
from atomgraft.models.base import (
    REFERENCE_ENERGIES,
    SCALE,
    AbstractPotential,
    Block,
    RowKey,
)

PotentialT = TypeVar("PotentialT", bound=AbstractPotential)


def element_parameters(potential: AbstractPotential) -> frozenset[str]:
    """Return the parameters with weights of single elements.

    Reference energies and scales are not among them.

    Parameters
    ----------
    potential
        Of any framework.

    Examples
    --------
    >>> from atomgraft.models.pair import stillinger_weber
    >>> "readout" in element_parameters(stillinger_weber(["Si"]))
    True
    """
    fixed = (*potential.roles[REFERENCE_ENERGIES], *potential.roles.get(SCALE, ()))
    places = potential.element_places()
    return frozenset(
        name
        for name, _ in potential.module.named_parameters()
        if name not in fixed
        and (
            name in places
            or any(
                isinstance(key, int) and key > 0
                for block in potential.blocks(name)
                for key in (*block.row_keys, *block.column_keys)
            )
        )
    )


def copy_elements(potential: AbstractPotential, donors: Mapping[int, int]) -> None:
    """Give elements the weights of others, in place; the donors keep theirs.

    Every row and column that an element selects, every number that it has, and its
    reference energy become those of its donor.

    Parameters
    ----------
    potential
        It knows all of them.
    donors
        Atomic number of the donor, by that of the element; none is both.
    """
    exact = potential.exact_references()
    places = potential.element_places()
    with torch.no_grad():
        for name, parameter in potential.module.named_parameters():
            flat = parameter.view(-1)
            for element, donor in donors.items():
                for block in potential.blocks(name):
                    _copy_lines(block.matrix(parameter), block.row_keys, element, donor)
                    _copy_lines(
                        block.matrix(parameter).T, block.column_keys, element, donor
                    )
                own = places.get(name, {})
                if element in own:
                    flat[list(own[element])] = flat[list(own[donor])]
    name, _ = potential.reference_places()
    for element, donor in donors.items():
        known = places[name]
        exact.view(-1)[list(known[element])] = exact.view(-1)[list(known[donor])]
    potential.keep_references(exact)


def with_donors(potential: PotentialT, donors: Mapping[int, int]) -> PotentialT:
    """Return a model in which elements are what others were; its other elements stay.

    Parameters
    ----------
    potential
        Not changed.
    donors
        Atomic number of the donor, by that of the element. The model need not know
        the element.

    Raises
    ------
    BadInputError
        An element is new, and the adapter cannot add one; or a donor is not known.
    """
    unknown = sorted(set(donors.values()) - potential.elements)
    if unknown:
        symbols = ", ".join(chemical_symbols[one] for one in unknown)
        raise BadInputError(
            f"{potential.card.name} does not know {symbols}.",
            "A donor must be an element of the base.",
            "Choose another donor, or another base.",
        )
    new = donors.keys() - potential.elements
    if new:
        other = potential.with_more_elements(new)
    else:
        other = potential.clone(device=potential.device)
    copy_elements(other, donors)
    other.follow_donors(donors)
    untrained = other.card.untrained
    concerned = {*untrained, *donors}
    lasting = {one for one in concerned if donors.get(one, one) in untrained}
    other.card = dataclasses.replace(other.card, untrained=frozenset(lasting))
    return other


def _copy_lines(
    matrix: Tensor, keys: Sequence[RowKey], element: int, donor: int
) -> None:
    to = [line for line, key in enumerate(keys) if key == element]
    of = [line for line, key in enumerate(keys) if key == donor]
    if to:
        matrix[to] = matrix[of]


def transfer_weights(old: AbstractPotential, new: AbstractPotential) -> None:
    """Fill a model with the weights of one that knows fewer elements, in place.

    Layers whose inputs are one-hot vectors of the elements divide by the length of
    these vectors; their weights are multiplied, so that the function of the known
    elements stays. What belongs to a further element is zero.

    Parameters
    ----------
    old
        The source of the weights.
    new
        Of the same architecture, for more elements.
    """
    old_places, new_places = old.element_places(), new.element_places()
    weights = dict(old.module.named_parameters())
    with torch.no_grad():
        for name, parameter in new.module.named_parameters():
            own = weights[name]
            if name in new_places:
                parameter.zero_()
                for element, places in old_places[name].items():
                    there = list(new_places[name][element])
                    parameter.view(-1)[there] = own.view(-1)[list(places)]
                continue
            blocks = list(zip(old.blocks(name), new.blocks(name), strict=True))
            if not blocks:
                parameter.copy_(own)
            for before, after in blocks:
                _fill(after.matrix(parameter), after, before.matrix(own), before)
    name, _ = old.reference_places()
    exact = new.exact_references().zero_()
    known = old.exact_references().view(-1)
    for element, places in old_places[name].items():
        exact.view(-1)[list(new_places[name][element])] = known[list(places)]
    new.keep_references(exact)


def _fill(matrix: Tensor, after: Block, known: Tensor, before: Block) -> None:
    matrix.zero_()
    rows = _matched(before.row_keys, after.row_keys, before.rows)
    columns = _matched(before.column_keys, after.column_keys, before.columns)
    filled = (before.gain / after.gain) * known.double()
    matrix[torch.tensor(rows)[:, None], torch.tensor(columns)] = filled.to(matrix)


def _matched(
    before: Sequence[RowKey], after: Sequence[RowKey], n_lines: int
) -> list[int]:
    """Return where each line of a matrix is in the larger one.

    The n-th line of a key stays the n-th line of that key.

    Examples
    --------
    >>> _matched((14, 32, 14, 32), (14, 32, 50, 14, 32, 50), 4)
    [0, 1, 3, 4]
    >>> _matched((), (), 2)
    [0, 1]
    """
    if not before:
        return list(range(n_lines))
    lines: dict[tuple[RowKey, int], int] = {}
    seen: Counter[RowKey] = Counter()
    for line, key in enumerate(after):
        lines[key, seen[key]] = line
        seen[key] += 1
    seen.clear()
    found = []
    for key in before:
        found.append(lines[key, seen[key]])
        seen[key] += 1
    return found
