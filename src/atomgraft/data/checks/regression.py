"""Regression of labels on predictions of the base: slope, zero of energy."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from jaxtyping import Float

from atomgraft.core.units import EV_IN_MEV, EV_PER_A3_IN_GPA
from atomgraft.data.checks.findings import Finding
from atomgraft.data.checks.predicted import Compared
from atomgraft.data.labels import energy_of, forces_of, stress_of
from atomgraft.data.reference_energies import (
    ILL_CONDITIONED,
    RANK_TOLERANCE,
    ReferenceFit,
    count_elements,
    fit_reference_shifts,
    undetermined_text,
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


SAME_REFERENCE = 0.02
"""eV/atom; a smaller residual is the base model's own error."""

POOR_FIT = 0.1
"""eV/atom; what is left after the shift should be below for a sensible base."""


def check_reference(compared: Compared) -> Iterator[Finding]:
    """Find a shift of reference energies between the labels and the base model."""
    pairs = [
        (atoms, energy - prediction.energy)
        for atoms, prediction in zip(
            compared.structures, compared.predictions, strict=True
        )
        if (energy := energy_of(atoms)) is not None
    ]
    if not pairs:
        return
    structures = [atoms for atoms, _ in pairs]
    compositions, elements = count_elements(structures)
    residuals = np.array([residual for _, residual in pairs])
    fit = fit_reference_shifts(residuals, compositions, elements)
    if fit.residual_before > SAME_REFERENCE:
        yield _shifted(fit, compared.base)
        yield from _undetermined(fit, structures)
    if fit.residual_after > POOR_FIT:
        yield Finding(
            severity="warning",
            code="energies-disagree",
            message=f"After the best shift per element, energies still differ from"
            f" {compared.base} by {EV_IN_MEV * fit.residual_after:.0f} meV/atom (rms).",
            remedy="Check that all energies are total energies in eV from one "
            "level of theory, and look for frames far from equilibrium.",
            number=EV_IN_MEV * fit.residual_after,
            unit="meV/atom",
        )


def _shifted(fit: ReferenceFit, base: str) -> Finding:
    shifts = ", ".join(
        f"{chemical_symbols[Z]} {shift:+.4f}" for Z, shift in fit.shifts.items()
    )
    return Finding(
        severity="note",
        code="energy-reference",
        message=f"The zero of energy differs from that of {base}: shifts of "
        f"{shifts} eV/atom reduce the difference from "
        f"{EV_IN_MEV * fit.residual_before:.1f} to "
        f"{EV_IN_MEV * fit.residual_after:.1f} meV/atom (rms over "
        f"{fit.n_structures} structures, rank {fit.rank} of "
        f"{len(fit.shifts)}, condition {fit.condition:.3g}).",
        remedy="Nothing to do: adapt refits the reference energies before the first"
        " step."
        if fit.residual_after < POOR_FIT
        else (
            "Leave out frames far from equilibrium first, because they affect the "
            "refit."
        ),
        number=max(map(abs, fit.shifts.values())),
        unit="eV/atom",
    )


def _undetermined(fit: ReferenceFit, structures: list[Atoms]) -> Iterator[Finding]:
    if not fit.is_identifiable:
        yield Finding(
            severity="note",
            code="reference-undetermined",
            message=f"{undetermined_text(fit, structures)}; the minimum-norm solution "
            "is used.",
            remedy="Energies of other compositions are not to be compared: add "
            "structures of other compositions, or isolated atoms, if you need them.",
            number=fit.rank,
        )
    elif fit.condition > ILL_CONDITIONED:
        yield Finding(
            severity="warning",
            code="reference-ill-conditioned",
            message=f"The compositions hardly vary (condition {fit.condition:.2g}):"
            " noise in the energies is magnified as much in the shifts.",
            remedy="Add structures of other compositions.",
            number=fit.condition,
        )
