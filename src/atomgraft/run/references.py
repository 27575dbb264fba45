"""Reference energies put right in closed form before the first step."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols

from atomgraft.core.progress import Progress, told
from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.data.checks.findings import is_isolated_atom
from atomgraft.data.labels import energy_of
from atomgraft.data.reference_energies import (
    ReferenceFit,
    count_elements,
    fit_reference_shifts,
)
from atomgraft.models.base import NEGLIGIBLE_ROUNDING, AbstractPotential
from atomgraft.models.graph import find_neighbours, make_graph
from atomgraft.models.prediction import batches_by_atoms, predict
from atomgraft.run.record import ReferenceRefit

MAX_ATOMS = 256

MEV_PER_ATOM = PROPERTIES[Property.ENERGY].report_factor


def refit_references(
    base: AbstractPotential,
    structures: Sequence[Atoms],
    *,
    wanted: bool,
    progress: Progress | None = None,
) -> tuple[dict[int, float], ReferenceRefit]:
    """Fit the shift per element that brings the base to the labels' energy scale.

    Parameters
    ----------
    base
        Evaluated in float64.
    structures
        Training structures; those without energies do not count, nor do lone atoms,
        whose energies say how strongly the material is bound and not where its
        zero lies.
    wanted
        False leaves the references as they are, and says so.
    progress
        Is told how many structures the base has answered.

    Returns
    -------
    dict[int, float]
        eV per atom, by atomic number.
    ReferenceRefit
        The record of it.
    """
    labelled = [
        atoms
        for atoms in structures
        if energy_of(atoms) is not None and not is_isolated_atom(atoms)
    ]
    if not wanted:
        return {}, _unchanged("left as they are, as asked", len(labelled))
    if not labelled:
        return {}, _unchanged("left as they are: no structure has an energy", 0)
    labels = np.array([energy_of(atoms) for atoms in labelled], dtype=float)
    residuals = labels - _energies(base, labelled, progress)
    compositions, elements = count_elements(labelled)
    fit = fit_reference_shifts(residuals, compositions, elements)
    shifted = base.clone(device=base.device)
    shifted.add_references(fit.shifts)
    return dict(fit.shifts), _record(fit, shifted.rounding_in(torch.float32))


def _energies(
    base: AbstractPotential, structures: Sequence[Atoms], progress: Progress | None
) -> np.ndarray:
    """Return energies in float64, eV."""
    exact = base.clone(dtype=torch.float64)
    energies: list[np.ndarray] = []
    groups = list(batches_by_atoms(structures, MAX_ATOMS))
    for group in told(groups, "refitting reference energies", len(groups), progress):
        neighbours = [find_neighbours(atoms, exact.cutoff) for atoms in group]
        graph = make_graph(group, neighbours, dtype=torch.float64)
        with torch.no_grad():
            energies.append(predict(exact, graph, frozenset()).energy.numpy())
    return np.concatenate(energies)


def _record(fit: ReferenceFit, rounding: float) -> ReferenceRefit:
    """Return the record of a fit to energies that float32 would round, eV per atom."""
    note = f"fitted to {fit.n_structures} energies, per-atom least squares in float64"
    if not fit.is_identifiable:
        note += (
            "; the compositions cannot tell the elements apart, so the smallest shifts "
            "that fit are taken: energies of other compositions keep an unknown offset"
        )
    if rounding > NEGLIGIBLE_ROUNDING:
        note += (
            f"; kept in float64 beside the weights: float32 would round energies to "
            f"{rounding * MEV_PER_ATOM:.2g} meV/atom"
        )
    return ReferenceRefit(
        was_refitted=True,
        shifts=by_symbol(fit.shifts),
        rank=fit.rank,
        condition=fit.condition,
        n_energies=fit.n_structures,
        is_identifiable=fit.is_identifiable,
        residual_before=fit.residual_before * MEV_PER_ATOM,
        residual_after=fit.residual_after * MEV_PER_ATOM,
        note=note,
    )


def _unchanged(note: str, n_energies: int) -> ReferenceRefit:
    return ReferenceRefit(
        was_refitted=False,
        shifts={},
        rank=0,
        condition=1.0,
        n_energies=n_energies,
        is_identifiable=True,
        note=note,
    )


def by_symbol(shifts: Mapping[int, float]) -> dict[str, float]:
    """Return shifts under chemical symbols.

    Examples
    --------
    >>> by_symbol({14: 0.5})
    {'Si': 0.5}
    """
    return {chemical_symbols[number]: float(one) for number, one in shifts.items()}
