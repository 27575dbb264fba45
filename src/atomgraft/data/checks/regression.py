"""Slope, intercept and correlation of labels against a base model's predictions."""

import dataclasses

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.units import EV_PER_A3_IN_GPA
from atomgraft.data.checks.comparison import Compared
from atomgraft.data.labels import energy_of, forces_of, stress_of
from atomgraft.data.reference_energies import (
    RANK_TOLERANCE,
    count_elements,
)

ROUNDING = 1e-9
"""Of the largest number: smaller variations are those of printing."""

Values = Float[np.ndarray, " values"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Regression:
    """A straight line through labels (y) against predictions (x).

    Parameters
    ----------
    quantity
        ``energy``, ``forces`` or ``stress``. Energies are those per atom; their slope
        and correlation are taken after the best reference energy of each element was
        removed from labels and predictions, so that the binding counts and not the
        composition.
    unit
        Of the intercept: eV/atom, eV/Å or GPa.
    n_structures
        Structures with the label.
    slope
        1 where labels and base agree; none where the predictions do not vary.
    intercept
        Mean label minus slope times mean prediction; none as above.
    correlation
        Pearson's; none where labels or predictions do not vary.
    n_free
        Numbers left when references and line are fitted.
    """

    quantity: str
    unit: str
    n_structures: int
    slope: float | None
    intercept: float | None
    correlation: float | None
    n_free: int


def regressions(compared: Compared) -> tuple[Regression, ...]:
    """Return the line of each quantity that has labels.

    Parameters
    ----------
    compared
        Labels and predictions.
    """
    pairs = list(zip(compared.structures, compared.predictions, strict=True))
    energies = [(a, e, p.energy) for a, p in pairs if (e := energy_of(a)) is not None]
    forces = [(f, p.forces) for a, p in pairs if (f := forces_of(a)) is not None]
    stresses = [
        (s, p.stress)
        for a, p in pairs
        if (s := stress_of(a)) is not None and a.cell.rank == 3
    ]
    found: list[Regression] = []
    if energies:
        found.append(_of_energies(energies))
    for quantity, unit, factor, values in (
        ("forces", "eV/Å", 1.0, forces),
        ("stress", "GPa", EV_PER_A3_IN_GPA, stresses),
    ):
        if values:
            y = factor * np.concatenate([np.ravel(label) for label, _ in values])
            x = factor * np.concatenate([np.ravel(base) for _, base in values])
            found.append(_line(quantity, unit, len(values), (x, y), (x, y), rank=1))
    return tuple(found)


def interaction_energies(
    structures: list[Atoms], *energies: Values
) -> tuple[list[Values], int]:
    """Return energies per atom without the best reference energy of each element.

    Parameters
    ----------
    structures
        Of which the energies are.
    energies
        Totals, eV; each set has references of its own.

    Returns
    -------
    list[Values]
        eV/atom.
    int
        Number of references that the compositions determine.

    Examples
    --------
    >>> [left], rank = interaction_energies(
    ...     [Atoms("H2"), Atoms("H2")], np.array([2, 4.0])
    ... )
    >>> left.round(12).tolist(), rank
    ([-0.5, 0.5], 1)
    """
    compositions, _ = count_elements(structures)
    n_atoms = compositions.sum(axis=1)
    concentrations = compositions / n_atoms[:, None]
    left: list[Values] = []
    rank = 0
    for one in energies:
        per_atom = one / n_atoms
        shifts, _, rank, _ = np.linalg.lstsq(
            concentrations, per_atom, rcond=RANK_TOLERANCE
        )
        left.append(per_atom - concentrations @ shifts)
    return left, int(rank)


def _of_energies(triples: list[tuple[Atoms, float, float]]) -> Regression:
    structures = [atoms for atoms, _, _ in triples]
    labels = np.array([label for _, label, _ in triples])
    base = np.array([said for _, _, said in triples])
    n_atoms = np.array([len(atoms) for atoms in structures])
    (x, y), rank = interaction_energies(structures, base, labels)
    whole = (base / n_atoms, labels / n_atoms)
    return _line("energy", "eV/atom", len(triples), (x, y), whole, rank=rank)


def _line(
    quantity: str,
    unit: str,
    n_structures: int,
    centred: tuple[Values, Values],
    whole: tuple[Values, Values],
    *,
    rank: int,
) -> Regression:
    """Fit the slope to centred values, the intercept to whole ones."""
    x, y = (one - one.mean() for one in centred)
    xx, yy, xy = float(x @ x), float(y @ y), float(x @ y)
    tiny_x, tiny_y = (
        len(one) * (ROUNDING * float(np.abs(one).max(initial=0.0))) ** 2
        for one in whole
    )
    varies = xx > tiny_x
    slope = xy / xx if varies else None
    return Regression(
        quantity=quantity,
        unit=unit,
        n_structures=n_structures,
        slope=slope,
        intercept=float(whole[1].mean() - slope * whole[0].mean())
        if slope is not None
        else None,
        correlation=xy / float(np.sqrt(xx * yy)) if varies and yy > tiny_y else None,
        n_free=max(0, len(x) - rank),
    )
