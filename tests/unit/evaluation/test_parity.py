"""Parity points: thinned alike for all models, energies on a common zero."""

import numpy as np
import pytest

from atomgraft.evaluation.labels import parity_points
from tests.unit.evaluation.builders import labelled_crystals, off_by, truth


def parity(structures, predictions, quantity, **options):
    rows = parity_points("base", predictions, structures, **options)
    return next(row for row in rows if row.quantity == quantity)


def test_perfect_predictions_lie_on_the_diagonal():
    structures = labelled_crystals()
    for row in parity_points("base", [truth(one) for one in structures], structures):
        assert row.reference == row.predicted
        assert row.n_total == len(row.reference)


def test_points_are_thinned_to_the_same_components():
    structures = labelled_crystals(8)
    exact = [truth(one) for one in structures]
    shifted = [off_by(one, force=0.1) for one in exact]
    one = parity(structures, exact, "forces", most=7)
    two = parity(structures, shifted, "forces", most=7)
    assert len(one.reference) == 7
    assert one.n_total == 48
    assert one.reference == two.reference
    assert np.subtract(two.predicted, one.predicted) == pytest.approx(100)


def test_energies_lose_the_offset_between_levels_of_theory():
    structures = labelled_crystals(8)
    predictions = [off_by(truth(one), energy_per_atom=50.0) for one in structures]
    row = parity(structures, predictions, "energy")
    assert row.unit == "meV/atom, relative"
    assert row.predicted == pytest.approx(row.reference, abs=1e-6)
    assert np.ptp(row.reference) > 1000


def test_few_energies_stay_as_they_are():
    structures = labelled_crystals(2)
    row = parity(structures, [truth(one) for one in structures], "energy")
    assert row.unit == "meV/atom"
    assert row.reference == pytest.approx([-5000, -5500])


def test_a_quantity_without_labels_has_no_plot():
    structures = labelled_crystals(3)
    predictions = [truth(one) for one in structures]
    for atoms in structures:
        del atoms.info["REF_energy"]
    quantities = {
        row.quantity for row in parity_points("base", predictions, structures)
    }
    assert quantities == {"forces", "stress"}
