"""Rounding is measured: small, and of the right size."""

import numpy as np
import pytest
import torch
from ase.build import bulk

from atomgraft.adaptation.base import shift_references
from atomgraft.evaluation.consistency import MAX_PROBED, rounding_scores
from atomgraft.models.loading import load_potential
from atomgraft.models.prediction import predict_structures
from tests.unit.evaluation.builders import find


def rattled(repeat, seed=0):
    atoms = bulk("Si", "diamond", a=5.43).repeat(repeat)
    atoms.rattle(0.1, seed=seed)
    return atoms


def measured(potential, structures):
    predictions = list(predict_structures(potential, structures))
    return rounding_scores("base", potential, predictions, structures)


def test_rounding_is_there_and_small():
    rows = measured(load_potential("pair:sw-si"), [rattled(2), rattled(1)])
    assert [one.quantity for one in rows] == ["energy", "forces", "stress"]
    for quantity, most in (("energy", 0.01), ("forces", 0.05), ("stress", 1e-3)):
        assert 0 < find(rows, quantity, "rounding").value < most


def test_large_reference_energies_lose_nothing():
    """Half a unit in the last place of 20,000 eV would be about 1 meV."""
    silicon = load_potential("pair:sw-si").clone(dtype=torch.float32)
    shift_references(silicon, {14: -20_000.0})
    value = find(measured(silicon, [rattled(1)]), "energy", "rounding").value
    assert 0 < value < 0.01


def test_double_precision_rounds_a_billion_times_less():
    silicon = load_potential("pair:sw-si")
    single = measured(silicon.clone(dtype=torch.float32), [rattled(2)])
    double = measured(silicon.clone(dtype=torch.float64), [rattled(2)])
    ratio = find(single, "forces", "rounding").value
    ratio /= find(double, "forces", "rounding").value
    assert ratio == pytest.approx(2**29, rel=0.1)


def test_no_structure_no_rounding():
    assert measured(load_potential("pair:sw-si"), []) == ()


def test_the_largest_that_are_cheap_are_asked():
    structures = [rattled(1), rattled(5), rattled(2), rattled(3)]
    assert len(structures[1]) > MAX_PROBED
    rows = measured(load_potential("pair:sw-si"), structures)
    assert {one.n for one in rows} == {2}
    assert np.isfinite([one.value for one in rows]).all()
