"""Energies that count from another zero than the base model's."""

from collections.abc import Iterator

import numpy as np
from ase.data import chemical_symbols

from atomgraft.core.units import EV_IN_MEV
from atomgraft.data.checks.comparison import Compared
from atomgraft.data.checks.findings import Finding
from atomgraft.data.labels import energy_of
from atomgraft.data.reference_energies import (
    ReferenceFit,
    count_elements,
    fit_reference_shifts,
)

SAME_REFERENCE = 0.02
"""eV/atom; a smaller residual is the base model's own error."""

POOR_FIT = 0.1
"""eV/atom; what is left after the shift should be below for a sensible base."""

ILL_CONDITIONED = 1e3
"""Noise of 1 meV/atom may become an eV in a shift beyond it."""


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
    compositions, elements = count_elements([atoms for atoms, _ in pairs])
    residuals = np.array([residual for _, residual in pairs])
    fit = fit_reference_shifts(residuals, compositions, elements)
    if fit.residual_before > SAME_REFERENCE:
        yield _shifted(fit, compared.base)
        yield from _undetermined(fit)
    if fit.residual_after > POOR_FIT:
        yield Finding(
            severity="warning",
            code="energies-disagree",
            message=f"After the best shift per element, energies still differ from"
            f" {compared.base} by {EV_IN_MEV * fit.residual_after:.0f} meV/atom (rms).",
            remedy="Check that all energies are totals in eV from one level of theory,"
            " and look for frames far from equilibrium.",
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
        message=f"Energies count from another zero than those of {base}: shifts of"
        f" {shifts} eV/atom bring {EV_IN_MEV * fit.residual_before:.1f} down to"
        f" {EV_IN_MEV * fit.residual_after:.1f} meV/atom (rms over"
        f" {fit.n_structures} structures, rank {fit.rank} of {len(fit.shifts)},"
        f" condition {fit.condition:.3g}).",
        remedy="Nothing to do: adapt refits the reference energies before the first"
        " step."
        if fit.residual_after < POOR_FIT
        else "Leave out frames far from equilibrium first: the refit follows them.",
        number=max(map(abs, fit.shifts.values())),
        unit="eV/atom",
    )


def _undetermined(fit: ReferenceFit) -> Iterator[Finding]:
    if not fit.is_identifiable:
        yield Finding(
            severity="note",
            code="reference-undetermined",
            message=f"The compositions determine {fit.rank} of {len(fit.shifts)}"
            " reference energies; the shifts of smallest norm were taken.",
            remedy="Energies of other compositions are not put right by this: add"
            " structures of other compositions if you need them.",
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
