"""Drift: declared shifts are no drift, undeclared ones are; groups; the worst."""

import numpy as np
import pytest

from atomgraft.evaluation.forgetting import forgetting_scores, probe_spreads
from tests.unit.evaluation.builders import (
    GPA,
    find,
    labelled_crystal,
    off_by,
    truth,
)

CRYSTALS = [labelled_crystal(symbol) for symbol in ("Si", "Ge", "C")]
SOURCE = [truth(one) for one in CRYSTALS]


def drift(predictions, *, shifts=None, trained=(14,), crystals=CRYSTALS, source=SOURCE):
    return forgetting_scores(
        "adapted",
        source,
        predictions,
        crystals,
        reference_shifts=shifts or {},
        training_elements=trained,
    )


def test_the_source_has_not_drifted():
    rows = drift(SOURCE)
    assert {row.quantity for row in rows} == {"energy", "forces", "stress"}
    assert all(row.value == 0 for row in rows)


def test_a_shifted_model_is_seen():
    moved = [
        off_by(one, energy_per_atom=-0.003, force=0.02, stress=0.1 * GPA)
        for one in SOURCE
    ]
    rows = drift(moved)
    assert find(rows, "energy", "drift").value == pytest.approx(3)
    assert find(rows, "forces", "drift").value == pytest.approx(20)
    assert find(rows, "stress", "drift").value == pytest.approx(0.1)


def test_only_declared_reference_shifts_are_taken_off():
    moved = [off_by(SOURCE[0], energy_per_atom=2.0), *SOURCE[1:]]
    assert find(drift(moved, shifts={14: 2.0}), "energy", "drift").value < 1e-9
    undeclared = find(drift(moved), "energy", "drift", "element:Si")
    assert undeclared.value == pytest.approx(2000)
    wrong = find(drift(moved, shifts={14: 1.5}), "energy", "drift", "element:Si")
    assert wrong.value == pytest.approx(500)


def test_a_shift_counts_by_the_fraction_of_its_element():
    mixed = labelled_crystal("Si")
    mixed.symbols[1] = "Ge"
    source = [truth(mixed)]
    moved = [off_by(source[0], energy_per_atom=0.5 * 4.0)]
    rows = drift(moved, shifts={14: 4.0}, crystals=[mixed], source=source)
    assert find(rows, "energy", "drift").value < 1e-9


def test_near_and_far_split_by_training_elements():
    moved = [off_by(SOURCE[0], force=0.06), *SOURCE[1:]]
    rows = drift(moved)
    assert find(rows, "forces", "drift", "near").value == pytest.approx(60)
    assert find(rows, "forces", "drift", "near").n == 1
    assert find(rows, "forces", "drift", "far").value == 0
    assert find(rows, "forces", "drift", "far").n == 2
    assert find(rows, "forces", "drift").value == pytest.approx(20)
    assert find(rows, "forces", "drift", "element:Si").value == pytest.approx(60)
    assert find(rows, "forces", "drift", "element:C").value == 0


def test_the_worst_crystal_is_named():
    moved = [SOURCE[0], off_by(SOURCE[1], force=-0.5), SOURCE[2]]
    row = find(drift(moved), "forces", "worst", f"crystal:{CRYSTALS[1].info['name']}")
    assert row.value == pytest.approx(500)


def test_an_empty_group_has_no_row():
    groups = {row.group for row in drift(SOURCE, trained=(6, 14, 32))}
    assert "near" in groups
    assert "far" not in groups


def test_no_crystals_give_no_rows():
    assert drift([], crystals=[], source=[]) == ()


def test_the_spread_is_the_mean_size_on_the_same_crystals():
    rows = probe_spreads(SOURCE, CRYSTALS, {14})
    forces = [np.abs(one.forces).mean() * 1000 for one in SOURCE]
    assert find(rows, "forces", "spread").value == pytest.approx(np.mean(forces))
    assert find(rows, "forces", "spread", "near").value == pytest.approx(forces[0])
    assert find(rows, "forces", "spread", "far").value == pytest.approx(
        np.mean(forces[1:])
    )
    assert find(rows, "stress", "spread").unit == "GPa"
    assert {row.model for row in rows} == {"base"}
    assert {row.quantity for row in rows} == {"forces", "stress"}


def test_no_crystals_have_no_spread():
    assert probe_spreads([], [], {14}) == ()
