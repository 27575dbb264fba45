"""Closed-form shifts against exact shifts and an independent solution."""

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.data.reference_energies import (
    count_elements,
    fit_reference_shifts,
    undetermined_text,
)

EXACT = 1e-8
"""eV; float64 with condition numbers up to about 1e4."""


@given(seed=st.integers(0, 10**6))
def test_exact_shifts_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shifts = rng.normal(size=3) * 10
    compositions = np.vstack([np.eye(3, dtype=int), rng.integers(0, 20, size=(5, 3))])
    compositions = compositions[compositions.sum(axis=1) > 0]
    fit = fit_reference_shifts(compositions @ shifts, compositions, [1, 8, 22])
    np.testing.assert_allclose(list(fit.shifts.values()), shifts, atol=EXACT)
    assert fit.rank == 3
    assert fit.is_identifiable
    assert fit.residual_after < EXACT


def test_the_shift_makes_the_gradient_vanish() -> None:
    """The normal equations of the residual per atom, solved another way."""
    rng = np.random.default_rng(0)
    compositions = rng.integers(1, 30, size=(40, 2))
    residuals = rng.normal(size=40)
    fit = fit_reference_shifts(residuals, compositions, [3, 9])
    weights = 1 / compositions.sum(axis=1) ** 2
    matrix = compositions.T @ (weights[:, None] * compositions)
    expected = np.linalg.solve(matrix, compositions.T @ (weights * residuals))
    np.testing.assert_allclose(list(fit.shifts.values()), expected, atol=EXACT)
    assert fit.residual_after < fit.residual_before


@pytest.mark.parametrize("ratio", [(1, 1), (1, 3), (2, 5)])
def test_one_composition_gives_the_smallest_shifts(ratio: tuple[int, int]) -> None:
    compositions = np.array([ratio, ratio]) * [[4], [8]]
    n_atoms = compositions.sum(axis=1)
    fit = fit_reference_shifts(-2.0 * n_atoms, compositions, [19, 17])
    shifts = np.array(list(fit.shifts.values()))
    concentration = np.array(ratio) / sum(ratio)
    assert not fit.is_identifiable
    assert fit.rank == 1
    assert fit.condition == 1.0
    assert shifts @ concentration == pytest.approx(-2.0)
    np.testing.assert_allclose(  # minimum norm: along the concentration
        shifts, -2.0 * concentration / (concentration @ concentration)
    )


def test_no_structures_are_refused() -> None:
    with pytest.raises(ValueError, match="structure"):
        fit_reference_shifts(np.zeros(0), np.zeros((0, 2), dtype=int), [1, 2])


# --- isolated atoms

ALCOHOLS = ("C2H6O", "CH4O")

ATOMS = {1: -13.568, 6: -1025.277, 8: -2035.571}
"""eV: isolated H, C and O of PBE/def2-SVP."""

BINDING = {"C2H6O": -33.6, "CH4O": -21.9, "H2": -4.5, "H2O": -10.1}
"""eV: any numbers; no energies per element explain all of them."""


def molecules(*formulas: str) -> tuple[np.ndarray, list[Atoms]]:
    """Return energies of molecules, and the molecules."""
    structures = [Atoms(one) for one in formulas]
    energies = [
        BINDING[one] + sum(ATOMS[Z] for Z in atoms.numbers)
        for one, atoms in zip(formulas, structures, strict=True)
    ]
    return np.array(energies), structures


def test_isolated_atoms_decide_what_compositions_leave_open() -> None:
    energies, structures = molecules(*ALCOHOLS)
    compositions, elements = count_elements(structures)
    alone = fit_reference_shifts(energies, compositions, elements)
    fit = fit_reference_shifts(energies, compositions, elements, isolated=ATOMS)
    assert (alone.rank, alone.n_from_atoms, alone.undetermined) == (2, 0, elements)
    assert (fit.rank, fit.n_from_atoms, fit.undetermined) == (2, 1, ())
    found, least = (np.array(list(one.shifts.values())) for one in (fit, alone))
    np.testing.assert_allclose(compositions @ found, energies, atol=1e-6)
    # an independent answer: the same equations, those of molecules a million times
    # heavier than those of atoms
    weights = 1e6 / compositions.sum(axis=1)
    rows = np.vstack([weights[:, None] * compositions, np.eye(3)])
    right = np.concatenate([weights * energies, list(ATOMS.values())])
    expected = np.linalg.lstsq(rows, right, rcond=None)[0]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(found - least).max() > 100  # minimum norm is far from any atom


def test_isolated_atoms_do_not_move_what_compositions_determine() -> None:
    energies, structures = molecules(*ALCOHOLS, "H2", "H2O")
    compositions, elements = count_elements(structures)
    alone = fit_reference_shifts(energies, compositions, elements)
    fit = fit_reference_shifts(
        energies, compositions, elements, isolated=dict.fromkeys(ATOMS, 40.0)
    )
    assert fit.shifts == alone.shifts
    assert (fit.rank, fit.n_from_atoms) == (3, 0)


def test_an_atom_says_nothing_about_elements_that_it_is_not_mixed_with() -> None:
    """Its own share in what is open is rounding, which must not be divided by."""
    compositions = np.array([[2, 0, 0], [0, 3, 3]])
    energies = np.array([-10.0, -18.0])
    fit = fit_reference_shifts(energies, compositions, [14, 11, 17], isolated={14: 7.0})
    expected = {14: -5.0, 11: -3.0, 17: -3.0}
    assert fit.shifts == pytest.approx(expected, abs=EXACT)
    assert (fit.rank, fit.n_from_atoms, fit.undetermined) == (2, 0, (11, 17))


def test_exact_atoms_leave_the_others_to_the_structures() -> None:
    energies, structures = molecules(*ALCOHOLS, "H2", "H2O")
    compositions, elements = count_elements(structures)
    atoms = {1: ATOMS[1], 8: ATOMS[8]}
    fit = fit_reference_shifts(
        energies, compositions, elements, isolated=atoms, is_exact=True
    )
    assert {Z: fit.shifts[Z] for Z in atoms} == atoms
    n_atoms = compositions.sum(axis=1)
    carbon = compositions[:, 1] / n_atoms
    rest = energies - compositions[:, [0, 2]] @ list(atoms.values())
    expected = carbon @ (rest / n_atoms) / (carbon @ carbon)
    assert fit.shifts[6] == pytest.approx(expected, abs=EXACT)
    assert (fit.rank, fit.n_from_atoms, fit.is_identifiable) == (1, 2, True)
    free = fit_reference_shifts(energies, compositions, elements)
    assert fit.residual_after > free.residual_after


def test_atoms_alone_are_enough() -> None:
    nothing = np.zeros(0), np.zeros((0, 3), dtype=int), [1, 6, 8]
    for is_exact in (False, True):
        fit = fit_reference_shifts(*nothing, isolated=ATOMS, is_exact=is_exact)
        assert fit.shifts == pytest.approx(ATOMS, abs=EXACT)
        assert (fit.rank, fit.n_from_atoms, fit.condition) == (0, 3, 1.0)
        assert fit.is_identifiable


def test_what_cannot_be_told_apart_is_said() -> None:
    energies, structures = molecules(*ALCOHOLS)
    compositions, elements = count_elements(structures)
    fit = fit_reference_shifts(energies, compositions, elements)
    assert undetermined_text(fit, structures) == (
        "C2H6O and CH4O alone cannot separate H, C and O: 2 of 3 combinations of "
        "elements are determined"
    )
    known = fit_reference_shifts(energies, compositions, elements, isolated=ATOMS)
    assert undetermined_text(known, structures) == ""


def test_elements_that_are_determined_are_not_named() -> None:
    energies, structures = molecules("H2", "H2O", "H2O", "H2")
    structures[1].symbols[2] = "F"  # HOF beside water
    structures[1].symbols[0] = "C"
    compositions, elements = count_elements(structures)
    fit = fit_reference_shifts(energies, compositions, elements)
    assert fit.rank == 3
    assert "cannot separate C and F: 3 of 4" in undetermined_text(fit, structures)
