"""Label errors: closed forms, missing labels, groups, changes on the same frames."""

import numpy as np
import pytest
from ase import Atoms

from atomgraft.evaluation.labels import label_changes, label_scores
from atomgraft.models.prediction import StructurePrediction
from tests.unit.evaluation.builders import (
    GPA,
    find,
    labelled_crystal,
    labelled_crystals,
    off_by,
    truth,
)

ROUNDING = 1e-9


def test_a_perfect_model_has_no_error():
    structures = labelled_crystals()
    scores = label_scores("base", [truth(one) for one in structures], structures)
    errors = [row for row in scores if row.metric in {"mae", "rmse"}]
    assert len(errors) == 6
    assert all(row.value == 0 and row.interval == (0, 0) for row in errors)
    assert find(scores, "forces", "direction").value == pytest.approx(1)
    assert find(scores, "forces", "relative_rmse").value == 0


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_a_constant_offset_is_the_error_in_report_units(metric):
    structures = labelled_crystals()
    predictions = [
        off_by(truth(one), energy_per_atom=0.002, force=0.03, stress=0.5 * GPA)
        for one in structures
    ]
    scores = label_scores("base", predictions, structures)
    for quantity, value, unit in (
        ("energy", 2.0, "meV/atom"),
        ("forces", 30.0, "meV/Å"),
        ("stress", 0.5, "GPa"),
    ):
        row = find(scores, quantity, metric)
        assert row.value == pytest.approx(value)
        assert row.interval == pytest.approx((value, value))
        assert (row.unit, row.n, row.suite) == (unit, len(structures), "labels")


def test_mean_and_root_mean_square_tell_an_outlier_apart():
    structures = labelled_crystals(9)
    predictions = [truth(one) for one in structures]
    predictions[0] = off_by(predictions[0], force=0.09)
    scores = label_scores("base", predictions, structures)
    assert find(scores, "forces", "mae").value == pytest.approx(10)
    assert find(scores, "forces", "rmse").value == pytest.approx(30)
    row = find(scores, "forces", "mae")
    low, high = row.interval
    assert 0 <= low < 4  # one structure in nine carries it all
    assert high > 30
    assert (row.n_independent, row.independent) == (9, "structures")


def test_large_structures_weigh_by_their_components():
    small, large = labelled_crystal(), labelled_crystal().repeat(2)
    large.arrays["REF_forces"] = np.ones((len(large), 3))
    predictions = [off_by(truth(small), force=0.09), truth(large)]
    scores = label_scores("base", predictions, [small, large])
    assert find(scores, "forces", "mae").value == pytest.approx(90 * 2 / 18)


def test_missing_labels_are_left_out_not_zero():
    structures = labelled_crystals(4)
    del structures[0].info["REF_energy"], structures[1].arrays["REF_forces"]
    for atoms in structures:
        atoms.info.pop("REF_stress")
    complete = labelled_crystals(4)
    predictions = [off_by(truth(one), force=0.01) for one in complete]
    scores = label_scores("base", predictions, structures)
    assert find(scores, "energy", "mae").n == 3
    assert find(scores, "forces", "mae").n == 3
    assert find(scores, "forces", "mae").value == pytest.approx(10)
    assert not [row for row in scores if row.quantity == "stress"]


def test_the_stress_of_a_molecule_is_not_judged():
    atoms = labelled_crystal()
    prediction = truth(atoms)
    atoms.cell = None
    scores = label_scores("base", [prediction], [atoms])
    assert {row.quantity for row in scores} == {"energy", "forces"}


def test_nothing_held_out_gives_no_rows():
    assert label_scores("base", [], []) == ()


def test_a_new_reference_is_no_aligned_error():
    structures = labelled_crystals(8)
    shifts = {14: 3.0, 32: -7.0}
    predictions = [
        off_by(truth(one), energy_per_atom=shifts[int(one.numbers[0])])
        for one in structures
    ]
    scores = label_scores("base", predictions, structures)
    assert find(scores, "energy", "mae").value == pytest.approx(5000)
    assert find(scores, "energy", "mae_aligned").value < ROUNDING * 1e3


def test_alignment_is_not_claimed_where_it_would_fit_anything():
    structures = labelled_crystals(2)  # one germanium, one silicon
    predictions = [off_by(truth(one), energy_per_atom=1.0) for one in structures]
    scores = label_scores("base", predictions, structures)
    assert "mae_aligned" not in {row.metric for row in scores}


def test_forces_upside_down_have_the_opposite_direction():
    atoms = labelled_crystal()
    prediction = truth(atoms)
    prediction = off_by(prediction)
    np.negative(prediction.forces, out=prediction.forces)
    scores = label_scores("base", [prediction], [atoms])
    assert find(scores, "forces", "direction").value == pytest.approx(-1)
    assert find(scores, "forces", "relative_rmse").value == pytest.approx(200)


def test_no_direction_without_reference_forces():
    atoms = labelled_crystal()
    atoms.arrays["REF_forces"] = np.zeros((2, 3))
    scores = label_scores("base", [off_by(truth(atoms), force=0.1)], [atoms])
    assert {row.metric for row in scores if row.quantity == "forces"} == {
        "mae",
        "rmse",
    }


def test_each_kind_of_structure_is_a_group():
    structures = labelled_crystals(4)
    for i, atoms in enumerate(structures):
        atoms.info["config_type"] = "hot" if i < 1 else "cold"
    predictions = [truth(one) for one in structures]
    predictions[0] = off_by(predictions[0], force=0.04)
    scores = label_scores("base", predictions, structures)
    assert find(scores, "forces", "mae", "config_type:hot").value == pytest.approx(40)
    assert find(scores, "forces", "mae", "config_type:cold").value == 0
    assert find(scores, "forces", "mae", "config_type:cold").n == 3


def test_one_kind_of_structure_is_no_group():
    structures = labelled_crystals(4)
    for atoms in structures:
        atoms.info["config_type"] = "hot"
    scores = label_scores("base", [truth(one) for one in structures], structures)
    assert all(row.group is None for row in scores)


def test_a_change_is_seen_through_the_spread_between_structures():
    structures = labelled_crystals(10)
    hardness = np.linspace(0.01, 1.0, 10)
    before = [
        off_by(truth(one), force=h) for one, h in zip(structures, hardness, strict=True)
    ]
    after = [
        off_by(truth(one), force=h - 0.005)
        for one, h in zip(structures, hardness, strict=True)
    ]
    changes = label_changes("adapted", before, after, structures)
    row = find(changes, "forces", "mae_change")
    assert row.value == pytest.approx(-5)
    assert row.interval == pytest.approx((-5, -5))
    alone = find(label_scores("base", before, structures), "forces", "mae")
    assert alone.interval[1] - alone.interval[0] > 100


def test_no_change_is_zero():
    structures = labelled_crystals()
    same = [truth(one) for one in structures]
    changes = label_changes("adapted", same, same, structures)
    assert {row.metric for row in changes} == {"mae_change", "mae_aligned_change"}
    assert all(row.value == 0 for row in changes)


def test_predictions_must_match_structures():
    with pytest.raises(ValueError, match="zip"):
        label_scores("base", [], labelled_crystals(1))


@pytest.mark.parametrize("n", [7, 8])
def test_energies_of_as_many_compositions_as_structures_agree_by_chance(n):
    names = ("Si", "Ge", "C", "Sn", "SiGe", "SiC", "GeSn", "SiSn")[:n]
    structures = [Atoms(one, info={"REF_energy": -1.0 * len(one)}) for one in names]
    before, after = (
        [
            StructurePrediction(
                energy=atoms.info["REF_energy"] + factor * (-1) ** i,
                forces=np.zeros((len(atoms), 3)),
                stress=np.zeros(6),
            )
            for i, atoms in enumerate(structures)
        ]
        for factor in (0.2, 0.1)
    )
    changes = label_changes("adapted", before, after, structures)
    row = find(changes, "energy", "mae_aligned_change")
    if n == 8:
        assert row.interval is not None
        return
    assert row.interval is None
    assert row.no_interval == (
        "7 structures, of which the fitted shifts of elements use up 3; an interval "
        "needs 5 independent ones"
    )
