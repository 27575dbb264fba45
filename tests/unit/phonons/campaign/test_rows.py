"""What the table says when cells have failed, wait, or were never there to run."""

import pytest
from ase.build import bulk

from atomgraft.phonons.campaign.plan import (
    DETAIL,
    detail_name,
    judge_name,
    plan_phonon_campaign,
    scale_name,
)
from atomgraft.phonons.campaign.record import (
    BASE,
    COMBINED,
    COMPLETED,
    GLOBAL_SCALAR,
    LABELS_ALONE,
    OWN_SCALAR,
)
from atomgraft.phonons.campaign.rows import (
    NO_DIFFERENCE,
    NO_OTHERS,
    NO_SUBSET,
    TOO_MANY,
    conclude,
)
from atomgraft.phonons.campaign.spec import parse_campaign_spec
from atomgraft.phonons.campaign.work import _CellMaker
from atomgraft.study.cells import Outcome
from tests.phonon_folders import BASE as MODEL
from tests.phonon_folders import make_folder, write_calculation

NUMBERS = {
    "frequency_mae": 0.5,
    "maximum_error": 1.0,
    "slope": 0.9,
    "free_energy_error": None,
    "minimum": -1.0,
    "mean": 4.0,
    "is_stable": False,
    "minimum_reference": -1.2,
    "mean_reference": 4.1,
    "is_stable_reference": False,
}

TIMED = {"seconds": 3.0, "n_threads": 1}


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    folder = make_folder(tmp_path_factory.mktemp("rows"), ["rocksalt", "zincblende"])
    write_calculation(folder / "sodium.yaml", bulk("Na", "fcc", a=3.5, cubic=True))
    document = {"folder": str(folder), "base": MODEL, "recipes": ["full"]}
    return plan_phonon_campaign(parse_campaign_spec(document, "a test"))


def done(**document):
    return Outcome(status="done", document=document)


def failed(reason):
    return Outcome(status="failed", reason=reason)


WORTH = {COMPLETED: 0.3, LABELS_ALONE: 0.7, COMBINED: 0.2}
"""Errors of what labels give without training, THz."""


def all_done(plan):
    """Return the outcome of every cell but the bands."""
    outcomes = {}
    for one in plan.judged:
        row = NUMBERS | TIMED
        outcomes[judge_name(one, None)] = done(row=row, own_factor=1.1)
        scaled = NUMBERS | {"factor": 1.1, "frequency_mae": 0.4}
        rows = {OWN_SCALAR: scaled, GLOBAL_SCALAR: scaled}
        has_subset = plan.labels_of(one, 0) != ()
        worth = {
            name: {"0": NUMBERS | {"frequency_mae": mae, "n_labels": 1, "seed": 0}}
            for name, mae in WORTH.items()
        }
        outcomes[scale_name(one)] = done(
            rows=rows, labelled=worth if has_subset else {}
        )
    for one in plan.trainings:
        outcomes[one.name] = done(scores=[], n_steps=5, seconds=7.0, n_threads=2)
        [material] = [m for m in plan.judged if m.name == one.stem]
        row = NUMBERS | TIMED | {"frequency_mae": 0.1}
        outcomes[judge_name(material, one)] = done(row=row, own_factor=None)
    return outcomes


def table(plan, outcomes):
    return conclude(plan, outcomes, name="test", sessions=())


def row(campaign, material, contestant):
    [found] = [
        one
        for one in campaign.rows
        if (one.material, one.contestant) == (material, contestant)
    ]
    return found


def test_every_material_meets_every_contestant(plan):
    found = table(plan, all_done(plan))
    assert found.finished
    assert found.contestants == (BASE, OWN_SCALAR, GLOBAL_SCALAR, *WORTH, "full")
    assert len(found.rows) == 3 * 7
    adapted = row(found, "rocksalt", "full")
    assert (adapted.frequency_mae, adapted.n_labels, adapted.seed) == (0.1, 1, 0)
    assert adapted.training == "train--rocksalt--full-s0"
    means = {one.contestant: one.mean_mae for one in found.summaries}
    assert means == pytest.approx(
        {BASE: 0.5, OWN_SCALAR: 0.4, GLOBAL_SCALAR: 0.4, **WORTH, "full": 0.1}
    )


def test_a_single_supercell_is_judged_and_not_adapted_on(plan):
    found = table(plan, all_done(plan))
    assert row(found, "sodium", BASE).status == "done"
    for contestant in (*WORTH, "full"):
        adapted = row(found, "sodium", contestant)
        assert (adapted.status, adapted.reason) == ("left out", NO_SUBSET)
    assert any("sodium" in notice for notice in found.notices)


def test_the_bill_counts_what_was_adapted(plan):
    found = {one.contestant: one for one in table(plan, all_done(plan)).bills}
    assert (found["full"].supercells_needed, found["full"].supercells_used) == (4, 2)
    assert found["full"].adaptation_hours == pytest.approx(2 * 7.0 * 2 / 3600)
    assert found[BASE].supercells_needed == 5
    labels = found[COMPLETED]  # the same, and nothing is adapted
    assert (labels.supercells_needed, labels.supercells_used) == (4, 2)
    assert labels.adaptation_hours == 0
    assert labels.evaluation_hours == pytest.approx(found["full"].evaluation_hours)
    assert 0 < labels.evaluation_hours < found[BASE].evaluation_hours  # without sodium
    assert not {OWN_SCALAR, GLOBAL_SCALAR} & found.keys()  # they need all of them


def test_a_failed_adaptation_fails_its_material_alone(plan):
    outcomes = all_done(plan)
    outcomes["train--rocksalt--full-s0"] = failed("It diverged.")
    found = table(plan, outcomes)
    assert found.finished  # nothing of it will go away by itself
    bad = row(found, "rocksalt", "full")
    assert (bad.status, bad.reason) == ("failed", "Its adaptation: It diverged.")
    assert bad.frequency_mae is None
    assert row(found, "zincblende", "full").status == "done"
    [summary] = [one for one in found.summaries if one.contestant == "full"]
    assert (summary.n_materials, summary.n_failed) == (1, 1)


def test_a_failed_base_has_no_scalings(plan):
    outcomes = all_done(plan)
    [material] = [one for one in plan.judged if one.name == "rocksalt"]
    outcomes[judge_name(material, None)] = failed("It melts.")
    del outcomes[scale_name(material)]
    found = table(plan, outcomes)
    for contestant in (BASE, OWN_SCALAR, GLOBAL_SCALAR, *WORTH):
        one = row(found, "rocksalt", contestant)
        assert (one.status, one.reason) == ("failed", "It melts.")
    assert found.finished


def test_without_the_base_there_are_no_pseudo_labels_and_no_adaptation(plan):
    outcomes = all_done(plan)
    [training] = [one for one in plan.trainings if one.stem == "rocksalt"]
    [material] = [one for one in plan.judged if one.name == "rocksalt"]
    base = judge_name(material, None)
    del outcomes[training.name], outcomes[judge_name(material, training)]
    outcomes[base] = failed("no such element")
    found = table(plan, outcomes)
    assert found.finished
    missing = row(found, "rocksalt", "full")
    assert missing.status == "failed"
    assert "no such element" in missing.reason
    outcomes[base] = Outcome(status="open", reason="its worker died")
    assert not table(plan, outcomes).finished  # the next call tries the base again


@pytest.mark.parametrize("status", ["open", "failed"])
def test_nothing_is_adapted_before_its_base_is_judged(plan, tmp_path, status):
    maker = _CellMaker(plan=plan, folder=tmp_path, trust={})
    outcomes = all_done(plan)
    [material] = [one for one in plan.judged if one.name == "rocksalt"]
    everything = {one.name for one in maker._trainings_on_answers(outcomes)}
    outcomes[judge_name(material, None)] = Outcome(status=status, reason="lost")
    left = {one.name for one in maker._trainings_on_answers(outcomes)}
    assert list(maker._trainings_on_labels()) == []
    assert everything == {one.name for one in plan.trainings}
    assert everything - left == {"train--rocksalt--full-s0"}


@pytest.mark.parametrize("changes", [{"pseudo_labels": False}, {"mode": "all"}])
def test_labels_alone_wait_for_nobody(plan, tmp_path, changes):
    document = plan.spec.model_dump() | changes | {"folds": 2}
    other = plan_phonon_campaign(parse_campaign_spec(document, "a test"))
    maker = _CellMaker(plan=other, folder=tmp_path, trust={})
    first, second, *_ = maker.stages()
    begun = [one.name for one in first({}) if one.name.startswith("train--")]
    assert begun == [one.name for one in other.trainings]
    later = [one.name for one in second(all_done(plan))]
    assert not set(begun) & set(later)


def test_without_others_the_global_scalar_is_left_out(plan):
    outcomes = all_done(plan)
    [material] = [one for one in plan.judged if one.name == "rocksalt"]
    own = {OWN_SCALAR: NUMBERS | {"factor": 1.1}}
    outcomes[scale_name(material)] = done(rows=own)
    one = row(table(plan, outcomes), "rocksalt", GLOBAL_SCALAR)
    assert (one.status, one.reason) == ("left out", NO_OTHERS)


def test_labels_that_make_no_difference_complete_nothing(plan):
    outcomes = all_done(plan)
    [material] = [one for one in plan.judged if one.name == "rocksalt"]
    told = outcomes[scale_name(material)].document | {"labelled": {}}
    outcomes[scale_name(material)] = done(**told)
    found = table(plan, outcomes)
    one = row(found, "rocksalt", COMPLETED)
    assert (one.status, one.reason, one.seed) == ("left out", NO_DIFFERENCE, 0)
    for name in (LABELS_ALONE, COMBINED):
        one = row(found, "rocksalt", name)
        assert (one.status, one.reason, one.seed) == ("left out", TOO_MANY, 0)


def test_what_has_not_run_leaves_it_open(plan):
    for name in all_done(plan):
        outcomes = all_done(plan)
        del outcomes[name]
        found = table(plan, outcomes)
        assert not found.finished, name
    assert not table(plan, {}).finished
    assert table(plan, {}).summaries == ()


def test_bands_that_wait_leave_it_open_and_failed_ones_are_told(plan):
    name = detail_name(plan.judged[0], None)
    assert name.startswith(DETAIL)
    waiting = all_done(plan) | {name: Outcome(status="open", reason="not run yet")}
    assert not table(plan, waiting).finished
    gone = table(plan, all_done(plan) | {name: failed("No path.")})
    assert gone.finished
    assert any("No path." in notice for notice in gone.notices)
    assert gone.details == ()


def test_names_of_cells_are_names_of_folders(plan):
    names = [*all_done(plan), detail_name(plan.judged[0], plan.trainings[0])]
    assert len(set(names)) == len(names)
    assert all("/" not in name and " " not in name for name in names)
