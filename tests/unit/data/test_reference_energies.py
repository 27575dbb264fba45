"""Closed-form shifts against exact shifts and an independent solution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.data.reference_energies import fit_reference_shifts

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
