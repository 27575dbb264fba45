"""Are summary and bill of a campaign what one finds by hand?"""

import pytest

from atomgraft.phonons.campaign.findings import (
    bill_of,
    bills_of,
    count_instabilities,
    factor_without,
    forces_drift,
    share_saved,
    summarise_campaign,
)
from atomgraft.phonons.campaign.record import BASE, OF_LABELS
from tests.phonon_campaigns import (
    LORA_ERRORS,
    THRESHOLD,
    material,
    row,
    table_of,
    training,
)


@pytest.fixture(scope="module")
def summaries():
    rows, trainings = table_of()
    found = summarise_campaign(rows, trainings, THRESHOLD)
    return {one.contestant: one for one in found}


# --- the number of the others


def test_the_scalar_of_the_others_does_not_know_its_material():
    own = {"NaCl": 1.0, "MgO": 1.2, "Si": 1.4, "Ge": 99.0}
    assert factor_without(own, "Ge") == 1.2
    assert factor_without(own | {"Ge": -5.0}, "Ge") == 1.2  # whatever its own is
    assert factor_without(own, "NaCl") == 1.4


def test_without_others_there_is_no_scalar():
    assert factor_without({"NaCl": 1.3}, "NaCl") is None


# --- the summary


def test_means_and_medians_are_those_of_the_materials(summaries):
    lora = summaries["lora"]
    assert lora.n_materials == 3
    assert lora.mean_mae == pytest.approx(0.2)
    assert lora.median_mae == pytest.approx(0.25)
    assert lora.mean_interval is None  # of three materials
    assert lora.median_interval is None
    assert (lora.worst_mae, lora.worst_material) == (0.25, "MgO")
    assert summaries[BASE].mean_mae == pytest.approx(0.5)


def test_improvement_is_counted_material_by_material(summaries):
    lora = summaries["lora"]
    assert (lora.n_improved, lora.n_compared) == (2, 3)
    assert summaries[BASE].n_improved is None


def test_free_energies_count_where_both_are_stable(summaries):
    lora = summaries["lora"]
    assert lora.n_free_energies == 2
    assert lora.mean_free_energy_error == pytest.approx((0.1 + 0.25) / 2)


def test_drift_is_that_far_from_the_trained_elements(summaries):
    assert (summaries["lora"].drift, summaries["lora"].drift_unit) == (2.0, "meV/Å")
    assert summaries[BASE].drift is None
    assert summaries["lora"].forgotten == pytest.approx(2.0 / 40.0)
    assert summaries[BASE].forgotten is None


def test_without_the_size_of_forces_forgetting_is_not_known():
    rows, trainings = table_of()
    bare = [
        one.model_copy(update={"drift": one.drift[:2]}) if i == 0 else one
        for i, one in enumerate(trainings)
    ]
    found = {one.contestant: one for one in summarise_campaign(rows, bare, THRESHOLD)}
    assert found["lora"].forgotten is None
    assert found["lora"].drift == 2.0


def test_seeds_are_averaged_before_materials():
    rows = [row("NaCl", "lora", error, seed=i) for i, error in enumerate((0.1, 0.3))]
    rows.append(row("MgO", "lora", 0.4, seed=0))
    [found] = summarise_campaign(rows, [], THRESHOLD)
    assert found.mean_mae == pytest.approx(0.3)
    assert found.n_materials == 2


def test_instabilities_are_counted_against_the_reference():
    rows = [
        row("NaCl", BASE, 0.1),
        row("MgO", BASE, 0.1, lowest=-2.0),
        row("BaTiO3", BASE, 0.1),
    ]
    found = count_instabilities(rows, THRESHOLD)
    counts = (found.hits, found.false_alarms, found.misses, found.rejections)
    assert counts == (1, 1, 0, 1)
    assert (found.precision, found.recall) == (0.5, 1.0)
    assert found.f1 == pytest.approx(2 / 3)
    assert found.threshold == THRESHOLD


def test_half_of_the_seeds_decide():
    def said(*lowest):
        rows = [
            row("BaTiO3", "lora", 0.1, seed=i, lowest=v) for i, v in enumerate(lowest)
        ]
        return count_instabilities(rows, THRESHOLD).hits

    assert said(-1.0, 0.0) == 1
    assert said(-1.0, 0.0, 0.0) == 0


def test_without_an_unstable_one_there_is_no_recall():
    found = count_instabilities([row("NaCl", BASE, 0.1)], THRESHOLD)
    assert found.recall is None
    assert found.f1 is None


def test_rows_without_numbers_are_counted_and_not_averaged():
    bad = row("MgO", "lora", 0.1, seed=0).model_copy(
        update={"status": "failed", "frequency_mae": None, "is_stable": None}
    )
    [found] = summarise_campaign([row("NaCl", "lora", 0.3), bad], [], THRESHOLD)
    assert (found.n_materials, found.mean_mae, found.n_failed) == (1, 0.3, 1)


# --- the bill


def bill(rows, trainings, *, mode="each", dft_hours=None, contestant="lora"):
    materials = [material(name) for name in LORA_ERRORS]
    return bill_of(
        contestant, materials, rows, trainings, mode=mode, dft_hours=dft_hours
    )


def test_the_bill_of_one_each_by_hand():
    found = bill(*table_of(), dft_hours=10.0)
    assert (found.supercells_needed, found.supercells_used) == (10, 3)
    assert found.supercells_saved == pytest.approx(0.7)
    assert found.adaptation_hours == pytest.approx(0.3)
    assert found.evaluation_hours == pytest.approx(0.03)
    assert found.full_hours == 100.0
    assert found.hours == pytest.approx(30.33)
    assert found.saved == pytest.approx(0.6967)


def test_threads_are_counted_as_cpus():
    rows, trainings = table_of()
    doubled = [one.model_copy(update={"n_threads": 2}) for one in trainings]
    assert bill(rows, doubled).adaptation_hours == pytest.approx(0.6)


def test_seeds_do_not_make_it_dearer():
    rows, trainings = table_of()
    more = [
        one.model_copy(update={"seed": 1, "training": f"{one.training}-1"})
        for one in rows
        if one.contestant == "lora"
    ]
    again = [
        one.model_copy(update={"seed": 1, "name": f"{one.name}-1"}) for one in trainings
    ]
    found = bill([*rows, *more], [*trainings, *again]).model_dump()
    assert found == pytest.approx(bill(rows, trainings).model_dump())


def test_one_for_all_is_made_once():
    rows = [
        row(name, "lora", error, seed=0, training=f"train--fold-{i % 2}")
        for i, (name, error) in enumerate(LORA_ERRORS.items())
    ]
    trainings = [
        training("train--fold-0", n_labels=2),
        training("train--fold-1", n_labels=8, seconds=1080.0),
    ]
    found = bill(rows, trainings, mode="all")
    assert found.supercells_used == 5
    assert found.supercells_saved == 0.5
    assert found.adaptation_hours == pytest.approx(0.2)


def test_the_base_needs_no_labels():
    found = bill(*table_of(), contestant=BASE)
    assert (found.supercells_used, found.adaptation_hours) == (0, 0)
    assert found.supercells_saved == 1.0
    assert found.saved is None  # nobody said what DFT costs


def test_a_detour_can_cost_more():
    rows, trainings = table_of()
    assert bill(rows, trainings, dft_hours=0.01).saved < 0
    assert share_saved(10.0, 12.0) == pytest.approx(-0.2)
    assert share_saved(0.0, 1.0) is None


def test_nothing_judged_has_no_bill():
    assert bill([], []) is None


# --- laws


def test_the_order_of_rows_is_no_matter(summaries):
    rows, trainings = table_of()
    again = summarise_campaign(rows[::-1], trainings[::-1], THRESHOLD)
    free = {"mean_mae", "worst_material"}  # rounding, and who of two equals is named
    for one in again:
        known = summaries[one.contestant]
        assert one.model_dump(exclude=free) == known.model_dump(exclude=free)
        assert one.mean_mae == pytest.approx(known.mean_mae)


def test_what_another_contestant_does_is_no_matter(summaries):
    rows, trainings = table_of()
    worse = [
        one.model_copy(update={"frequency_mae": 9.0})
        if one.contestant not in {BASE, "lora"}
        else one
        for one in rows
    ]
    found = {
        one.contestant: one for one in summarise_campaign(worse, trainings, THRESHOLD)
    }
    assert found["lora"] == summaries["lora"]
    assert found[BASE] == summaries[BASE]


def test_dearer_dft_saves_more():
    shares = [bill(*table_of(), dft_hours=hours).saved for hours in (0.1, 1.0, 100.0)]
    assert shares == sorted(shares)
    assert shares[-1] < bill(*table_of()).supercells_saved
    assert shares[-1] == pytest.approx(0.7, abs=1e-3)


def test_a_material_nobody_judged_is_not_on_the_bill():
    rows, trainings = table_of()
    some = [one for one in rows if one.material != "BaTiO3"]
    found = bill(some, trainings)
    assert (found.n_materials, found.supercells_needed) == (2, 4)
    assert bill(rows, trainings).supercells_needed == 10


def test_bills_come_for_who_can_do_without_all_supercells():
    rows, trainings = table_of()
    names = list(dict.fromkeys(one.contestant for one in rows))
    materials = [material(name) for name in LORA_ERRORS]
    found = bills_of(names, materials, rows, trainings, mode="each", dft_hours=1.0)
    assert [one.contestant for one in found] == [BASE, *OF_LABELS, "lora"]
    assert len(names) > len(found)  # the base times what the reference says has none
    _, completed, *_, lora = found
    assert completed.supercells_used == lora.supercells_used == 3
    assert completed.adaptation_hours == 0 < lora.adaptation_hours


def test_unfinished_trainings_cost_what_they_took():
    rows, trainings = table_of()
    untimed = [one.model_copy(update={"seconds": None}) for one in trainings]
    assert bill(rows, untimed).adaptation_hours == 0
    assert bill(rows, trainings).adaptation_hours > 0


def test_drift_is_that_of_forces_with_its_unit():
    one = training("train")
    assert forces_drift(one) == (2.0, "meV/Å")
    near = one.model_copy(update={"drift": one.drift[:1]})
    assert forces_drift(near) == (4.0, "meV/Å")
    assert forces_drift(one.model_copy(update={"drift": ()})) is None
    source = one.drift[0].model_copy(update={"model": "base"})
    assert forces_drift(one.model_copy(update={"drift": (source,)})) is None
