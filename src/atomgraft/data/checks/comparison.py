"""Labels beside the base model's own word, for the checks that compare them."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from ase import Atoms

from atomgraft.data.base_knowledge import BaseKnowledge, PredictedStructure
from atomgraft.data.checks.findings import is_isolated_atom


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compared:
    """Structures and what the base model says of them.

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
    structures: Sequence[Atoms], base: BaseKnowledge, max_atoms: int
) -> Compared:
    """Ask the base model about structures spread evenly over the data.

    Lone atoms are left out: a potential made for condensed matter is not asked
    about them. Nor is one that has learned nothing yet about anything.

    Parameters
    ----------
    structures
        The data.
    base
        The model.
    max_atoms
        Structures with so many atoms in all are asked about, one at least.
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
        kept = np.linspace(0, len(known) - 1, n_kept).round().astype(int)
        known = [known[i] for i in kept.tolist()]
    predictions = tuple(base.predict(known)) if known else ()
    return Compared(base=base.name, structures=tuple(known), predictions=predictions)
