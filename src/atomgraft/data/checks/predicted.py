"""Labels and predictions of the base, without dependence on a model."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.data.checks.findings import is_isolated_atom
from atomgraft.data.labels import forces_of
from atomgraft.data.partners import find_partners


@runtime_checkable
class PredictedStructure(Protocol):
    """Prediction of a potential for one structure; eV, eV/Å, eV/Å³."""

    @property
    def energy(self) -> float:
        """Energy, eV."""
        ...

    @property
    def forces(self) -> Float[np.ndarray, "atoms 3"]:
        """Forces, eV/Å."""
        ...

    @property
    def stress(self) -> Float[np.ndarray, "6"]:
        """Stress, eV/Å³, tensile-positive, Voigt order."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class BaseKnowledge:
    """The base model as the checks see it.

    Parameters
    ----------
    name
        How messages call it.
    elements
        Atomic numbers it can see.
    predict
        Its word on structures, in their order; asked only for structures whose
        elements it can see. None for a model that has learned nothing yet.
    """

    name: str
    elements: frozenset[int]
    predict: Callable[[Sequence[Atoms]], Iterable[PredictedStructure]] | None


MAX_ATOMS = 2000
"""Atoms that the base model is asked about, by every command that compares labels with
it; half a minute of 7net-0 on one core."""

Triple = tuple[Atoms, Float[np.ndarray, "..."], Float[np.ndarray, "..."]]
"""A structure, its label, and what the base says."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compared:
    """Structures and predictions of the base for them.

    Parameters
    ----------
    base
        Name of the base model.
    structures
        Those that were asked about.
    predictions
        One for each structure.
    """

    base: str
    structures: tuple[Atoms, ...]
    predictions: tuple[PredictedStructure, ...]


def compare_with_base(
    structures: Sequence[Atoms], base: BaseKnowledge, max_atoms: int = MAX_ATOMS
) -> Compared:
    """Ask the base model about structures spread evenly over the data.

    Lone atoms are left out: a potential made for condensed matter is not asked
    about them. Nor is one that has learned nothing yet about anything. Displaced
    supercells take their partners along (`compared_forces`).

    Parameters
    ----------
    structures
        The data.
    base
        The model.
    max_atoms
        Structures with so many atoms in all are asked about, one at least, and the
        partners that these need.
    """
    if base.predict is None:
        return Compared(base=base.name, structures=(), predictions=())
    known = [
        atoms
        for atoms in structures
        if not is_isolated_atom(atoms) and set(atoms.numbers.tolist()) <= base.elements
    ]
    n_atoms = sum(map(len, known))
    if n_atoms > max_atoms:
        n_kept = max(1, len(known) * max_atoms // n_atoms)
        kept = np.linspace(0, len(known) - 1, n_kept).round().astype(int).tolist()
        partners = find_partners(known, "auto")
        found = [one.index for i in kept if (one := partners[i]) is not None]
        known = [known[i] for i in sorted({*kept, *found})]
    predictions = tuple(base.predict(known)) if known else ()
    return Compared(base=base.name, structures=tuple(known), predictions=predictions)


class ComparedForces(NamedTuple):
    """Forces of label and base, eV/Å, apart from responses to a displacement.

    Parameters
    ----------
    plain
        Of structures as they are.
    responses
        Of displaced supercells with a partner. The forces that are left at rest are
        often larger than the response, and another level of theory is free to have
        others; in a difference they drop out.
    """

    plain: list[Triple]
    responses: list[Triple]


def compared_forces(compared: Compared) -> ComparedForces:
    """Return forces beside the base's; an undisplaced cell with frames is left out.

    Parameters
    ----------
    compared
        Labels and the base's word.
    """
    found = ComparedForces([], [])
    for i, partner in enumerate(find_partners(compared.structures, "auto")):
        atoms, said = compared.structures[i], compared.predictions[i].forces
        label = forces_of(atoms)
        if label is None:
            continue
        if partner is None:
            found.plain.append((atoms, label, said))
        elif partner.kind != "reference":
            other = forces_of(compared.structures[partner.index])
            assert other is not None  # frames without forces are no partners
            rest = compared.predictions[partner.index].forces
            response = partner.difference(label, other)
            found.responses.append((atoms, response, partner.difference(said, rest)))
    return found
