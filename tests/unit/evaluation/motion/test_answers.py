"""Scores, words and curves of trials whose differences are known."""

import dataclasses
import json

import numpy as np
import pytest

from atomgraft.evaluation.motion.answers import Standard, answers
from atomgraft.evaluation.motion.page import motion_sections
from atomgraft.evaluation.motion.record import (
    ANGULAR,
    CHANCE,
    CHANGE,
    COORDINATION,
    ERROR,
    NOISE,
    PEAK,
    RADIAL,
    VALUE,
    VIBRATIONAL,
    record_of,
)
from atomgraft.evaluation.motion.suite import MotionSuite
from tests.unit.evaluation.builders import find
from tests.unit.evaluation.motion.runs import PLAN, failed, trembling

ONE = dataclasses.replace(PLAN, conditions=PLAN.conditions[:1])
"""The crystal alone."""

MELT = dataclasses.replace(PLAN, conditions=PLAN.conditions[1:])
"""The melt alone."""

GROUP = "temperature:300 K"


def told(base, adapted, reference=None, plan=ONE, said="pair:sw-si"):
    standard = Standard(
        said="base" if reference is None else said,
        trials=None if reference is None else [reference],
    )
    return answers(plan, {"base": [base], "adapted": [adapted]}, standard)


def test_what_is_nearer_to_the_reference_is_better():
    found = told(trembling(1, stretch=1.02), trembling(2), trembling(3))
    before, after = (
        find(found.scores, RADIAL, ERROR, GROUP, name) for name in ("base", "adapted")
    )
    assert after.value < before.value / 3
    assert before.interval[0] < before.value < before.interval[1]
    assert before.n_independent == 5
    assert find(found.scores, RADIAL, CHANCE, GROUP, "base").value < 0.01
    assert find(found.scores, RADIAL, CHANCE, GROUP, "adapted").value > 0.05
    noise = find(found.scores, RADIAL, NOISE, GROUP, "adapted").value
    assert after.value < 2 * noise
    [condition] = record_of(found.details).conditions
    words = {(one.model, one.quantity): one for one in condition.comparisons}
    assert words["adapted", RADIAL].word == "not distinguishable"
    assert words["adapted", RADIAL].effect == "better"
    assert words["base", RADIAL].word == "different"
    assert words["base", RADIAL].effect is None
    assert words["adapted", VIBRATIONAL].effect == "unclear"
    assert found.unanswered == ()


def test_without_a_reference_the_base_is_what_models_differ_from():
    found = told(trembling(1), trembling(2, stretch=1.02))
    assert find(found.scores, RADIAL, CHANGE, GROUP, "adapted").value > 5
    assert not [one for one in found.scores if one.metric == ERROR]
    assert not [
        one for one in found.scores if one.model == "base" and one.metric == CHANGE
    ]
    [sentence] = MotionSuite.sentences(found.scores)
    assert "the adapted model differs from the base by, %: g(r) " in sentence
    assert "not distinguishable from the base: " in sentence
    assert "vibrations" in sentence.partition("distinguishable")[2]
    assert "g(r)" not in sentence.partition("distinguishable")[2]
    assert not record_of(found.details).has_reference


def test_sentences_say_which_errors_are_noise():
    found = told(trembling(1, stretch=1.02), trembling(2), trembling(3))
    [sentence] = MotionSuite.sentences(found.scores)
    assert sentence.startswith("Errors in motion (300 K), base → adapted, %: g(r) ")
    assert sentence.endswith("is not distinguishable from the reference.")


def test_numbers_have_units_and_intervals():
    found = told(trembling(1), trembling(2))
    peak = find(found.scores, PEAK, VALUE, GROUP, "base")
    assert (peak.unit, peak.n_independent) == ("Å", 5)
    assert peak.value == pytest.approx(2.35, abs=0.05)
    coordination = find(found.scores, COORDINATION, VALUE, GROUP, "base")
    assert coordination.value == pytest.approx(4.0, abs=0.1)


def test_failed_runs_are_a_result_and_no_crash():
    found = told(trembling(1), failed(2, n=2))
    assert find(found.scores, "runs", "share", GROUP, "adapted").value == 60
    row = find(found.scores, RADIAL, CHANGE, GROUP, "adapted")
    assert row.interval is None
    assert "fewer than 5 runs" in row.no_interval
    [condition] = record_of(found.details).conditions
    [failure] = condition.failures
    assert failure.model == "adapted"
    assert "2 of 5 runs failed in the crystal at 300 K: not finite." in failure.said
    assert MotionSuite.sentences(found.scores)[-1] == (
        "Runs in motion that failed, and are in no error or difference: 40.0 % of 5 of "
        "the adapted model (300 K)."
    )


def test_a_model_that_lost_all_runs_is_named_in_the_verdict():
    found = told(trembling(1), failed(2, n=5))
    [said] = MotionSuite.sentences(found.scores)
    assert "100 % of 5 of the adapted model (300 K)" in said


def spread(trial, stretch, kept):
    """Return some runs of a trial, each with another density."""
    for k, run in enumerate(trial.frames):
        for one in run:
            one.set_cell(one.cell * (stretch + 0.01 * k), scale_atoms=True)
    return dataclasses.replace(
        trial,
        seeds=tuple(kept),
        frames=tuple(trial.frames[k] for k in kept),
        spectra=trial.spectra[kept],
        temperatures=trial.temperatures[kept],
        intact=trial.intact[kept],
        failures=("not finite",),
    )


def test_effects_pair_the_seeds_that_both_models_have():
    """Each run of one model is nearer by 0.5 %, and runs differ by 1 % and more."""
    plan = dataclasses.replace(ONE, n_replicas=7)
    base = spread(trembling(1, plan=plan), 1.01, [1, 2, 3, 4, 5, 6])
    adapted = spread(trembling(1, plan=plan), 1.005, [0, 1, 2, 3, 4, 5])
    found = told(base, adapted, trembling(3, plan=plan), plan=plan)
    [condition] = record_of(found.details).conditions
    [peak] = [
        one
        for one in condition.comparisons
        if (one.model, one.quantity) == ("adapted", PEAK)
    ]
    assert (peak.effect, peak.n_runs) == ("better", 6)
    swapped = dataclasses.replace(adapted, seeds=(5, 4, 3, 2, 1, 0))
    found = told(base, swapped, trembling(3, plan=plan), plan=plan)
    [condition] = record_of(found.details).conditions
    effects = {(one.model, one.quantity): one.effect for one in condition.comparisons}
    assert effects["adapted", PEAK] == "unclear"


def test_without_five_seeds_of_both_there_are_too_few_runs():
    found = told(trembling(1, stretch=1.02), failed(2, n=1), trembling(3))
    [condition] = record_of(found.details).conditions
    effects = {one.effect for one in condition.comparisons if one.model == "adapted"}
    assert effects == {"too few runs"}
    effects = {one.effect for one in condition.comparisons if one.model == "base"}
    assert effects == {None}


def test_a_model_of_which_no_run_is_left_has_no_differences():
    found = told(trembling(1), failed(2, n=5))
    assert find(found.scores, "runs", "share", GROUP, "adapted").value == 0
    assert not [one for one in found.scores if one.metric == CHANGE]
    assert record_of(found.details).conditions[0].curves


CASES = {
    "fails": (failed(3), "2 runs of the reference (pair:sw-si) failed"),
    "melts": (trembling(3, intact=np.full(5, 0.3)), "melts at 300 K"),
    "fails again": (failed(3, n=5), "5 runs of the reference (pair:sw-si) failed"),
    "heats": (trembling(3, temperatures=np.full(5, 400.0)), "is at 400 K where 300"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_reference_that_is_none_judges_nothing(case):
    reference, said = CASES[case]
    found = told(trembling(1), trembling(2), reference)
    [sentence] = found.unanswered
    assert said in sentence
    assert "nothing is compared there" in sentence
    assert {one.quantity for one in found.scores} == {"runs"}
    [section] = motion_sections(record_of(found.details))
    assert section.title == "Motion of Si64"


BASES = {
    "melts": (ONE, trembling(1, intact=np.full(5, 0.3)), "The base melts at 300 K"),
    "heats": (ONE, trembling(1, temperatures=np.full(5, 400.0)), "The base is at 400"),
    "stays": (MELT, trembling(1), "The base did not melt at 3000 K"),
}


@pytest.mark.parametrize("case", BASES)
def test_a_base_that_is_no_standard_judges_nothing(case):
    plan, base, said = BASES[case]
    found = told(base, trembling(2), plan=plan)
    [sentence] = found.unanswered
    assert sentence.startswith(said)
    assert {one.quantity for one in found.scores} == {"runs"}
    beside = trembling(3, intact=np.full(5, 0.2)) if plan is MELT else trembling(3)
    assert told(base, trembling(2), beside, plan=plan).unanswered == ()


def test_a_reference_that_did_not_melt_judges_no_melt():
    melts = [trembling(seed, intact=np.full(5, 0.2)) for seed in (1, 2)]
    [sentence] = told(*melts, trembling(3), plan=MELT).unanswered
    assert "The reference (pair:sw-si) did not melt at 3000 K" in sentence
    assert "Raise motion.melt or motion.melt_time" in sentence


def test_the_page_says_where_the_first_shell_ends():
    whole = told(trembling(1), trembling(2), trembling(3))
    assert "the first minimum of g(r) of the reference." in str(
        motion_sections(record_of(whole.details))
    )
    short = dataclasses.replace(ONE, reach=3.0)
    found = told(trembling(1), trembling(2), trembling(3), plan=short)
    [sentence] = found.unanswered
    assert "has no minimum" in sentence
    assert "halfway between two shells of the crystal, because g(r)" in str(
        motion_sections(record_of(found.details))
    )


def test_frames_with_others_between_them_are_told():
    gaps = dataclasses.replace(
        trembling(3), spectra=None, interval=None, has_gaps=True, intact=np.zeros(0)
    )
    [sentence] = told(trembling(1), trembling(2), gaps, said="aimd.xyz").unanswered
    assert "do not follow each other in the file" in sentence


def test_a_temperature_that_is_hardly_known_is_no_heat():
    heat = np.array([300.0, 350.0, 500.0, 420.0, 330.0])
    found = told(trembling(1), trembling(2), trembling(3, temperatures=heat))
    assert found.unanswered == ()


def test_a_contestant_that_melts_is_marked():
    found = told(trembling(1), trembling(2, intact=np.full(5, 0.3)), trembling(3))
    [failure] = record_of(found.details).conditions[0].failures
    assert failure.said == "The crystal melts at 300 K."
    assert find(found.scores, RADIAL, ERROR, GROUP, "adapted") is not None


def test_a_melt_that_did_not_melt_is_marked():
    found = told(trembling(1, intact=np.full(5, 0.2)), trembling(2), plan=MELT)
    [condition] = record_of(found.details).conditions
    [failure] = condition.failures
    assert (failure.model, condition.group) == ("adapted", "melt:300 K")
    assert "it did not melt at 3000 K" in failure.said
    figures = [one.name for one in motion_sections(record_of(found.details))[0].blocks
               if hasattr(one, "plots")]  # fmt: skip
    assert "motion-melt-300-displacement" in figures


def test_a_melt_is_drawn_beside_a_trajectory_of_other_times():
    """Fewer frames than the plan has, at another interval; a drift is its own line."""
    plan = MELT
    melts = [trembling(seed, intact=np.full(5, 0.2)) for seed in (1, 2, 3)]
    reference = dataclasses.replace(
        melts[2],
        frames=tuple(run[:4] for run in melts[2].frames),
        interval=1.5 * plan.sample_interval,
        intact=np.zeros(0),
    )
    for run in reference.frames:
        for k, one in enumerate(run):
            one.positions[:] = plan.system.atoms.positions
            one.positions[::2] += k
    found = told(*melts[:2], reference, plan=plan, said="aimd.extxyz")
    record = record_of(json.loads(json.dumps(found.details, allow_nan=False)))
    [section] = motion_sections(record)
    names = [one.name for one in section.blocks if hasattr(one, "plots")]
    assert "motion-melt-300-displacement" in names
    curves = {
        one.model: one.values
        for one in record.conditions[0].curves
        if one.quantity == "displacement"
    }
    own = curves["reference"]
    assert len(own) == len(curves["base"]) == len(record.lags)
    square = 3 * (np.arange(4) / 2) ** 2  # half of the atoms move beside the others
    known = np.interp(np.arange(5), 1.5 * np.arange(4), square)
    assert own[:5] == pytest.approx(known)
    assert set(own[5:]) == {None}
    assert None not in curves["base"]


def test_a_timestep_that_shifts_frequencies_is_told():
    plan = dataclasses.replace(ONE, timestep=8.0)
    base, adapted, reference = (trembling(seed, plan=plan) for seed in (1, 2, 3))
    found = told(base, adapted, reference, plan=plan)
    [sentence] = found.unanswered
    assert "A timestep of 8 fs is too long" in sentence
    assert "--set motion.timestep=4" in sentence


def test_a_reference_without_velocities_has_no_vibrations():
    bare = dataclasses.replace(
        trembling(3), spectra=None, interval=None, temperatures=np.zeros(0),
        intact=np.zeros(0),
    )  # fmt: skip
    found = told(trembling(1), trembling(2), bare, said="aimd.extxyz")
    [sentence] = found.unanswered
    assert "need momenta" in sentence
    assert find(found.scores, ANGULAR, ERROR, GROUP, "adapted") is not None
    assert not [
        one
        for one in found.scores
        if (one.quantity, one.metric) == (VIBRATIONAL, ERROR)
    ]


def test_frames_too_far_apart_tell_no_vibrations():
    """The states of these trials end at 17 THz."""
    found = told(trembling(1), trembling(2), trembling(3, highest=12.5))
    [sentence] = found.unanswered
    assert "up to 12.5 THz can be told" in sentence
    rows = [one for one in found.scores if one.quantity == VIBRATIONAL]
    assert not [one for one in rows if one.metric == ERROR]
    assert not told(trembling(1), trembling(2), trembling(3, highest=25.0)).unanswered


def test_details_come_back_from_json():
    found = told(trembling(1), trembling(2), trembling(3))
    kept = json.loads(json.dumps(found.details, allow_nan=False))
    assert record_of(kept).model_dump(mode="json") == found.details
    assert record_of({}) is None
