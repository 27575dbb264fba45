"""Scores, curves and sentences of trials whose ends are known."""

import dataclasses
import json

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from pydantic import ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.evaluation.moving import frames_of, tell_cost
from atomgraft.evaluation.suite import Subject
from atomgraft.evaluation.survival.answers import answers
from atomgraft.evaluation.survival.page import survival_section
from atomgraft.evaluation.survival.record import (
    AGAINST_BASE,
    AGAINST_SCRATCH,
    DRIFT,
    MEAN,
    SHARE,
    record_of,
)
from atomgraft.evaluation.survival.setup import plan_of
from atomgraft.evaluation.survival.spec import SurvivalOptions
from atomgraft.evaluation.survival.suite import SurvivalSuite
from atomgraft.evaluation.survival.trials import run_trial
from atomgraft.evaluation.survival.watcher import HOT
from atomgraft.models.pair import PRESETS, stillinger_weber
from tests.unit.evaluation.builders import find
from tests.unit.evaluation.survival.runs import PLAN, changed, quiet

REFERENCE = SurvivalOptions(reference="pair:sw-si")


def failing(at):
    return changed(
        quiet(1),
        stopped=dict(enumerate(at)),
        reasons=dict.fromkeys(range(len(at)), HOT),
    )


def told(base, adapted, *, options=REFERENCE, reference=None):
    """Answer for 300 K, where all is quiet, and 900 K."""
    trials = {"base": [quiet(1), base], "adapted": [quiet(2), adapted]}
    own = reference or [quiet(3), quiet(4)]
    return answers(options, PLAN, [], trials, own if options.reference else None)


def rattled(n):
    """Return silicon crystals with displacements so large that frames set limits."""
    frames = [PLAN.system.atoms.copy() for _ in range(n)]
    for seed, one in enumerate(frames):
        one.rattle(0.25, seed=seed)
    return frames


def test_means_curves_and_the_test_are_told():
    found = told(failing([100, 150, 200, 250, 300]), quiet(5))
    assert find(found.scores, "survival", MEAN, "temperature:900 K", "base").value == (
        pytest.approx(0.4)
    )
    after = find(found.scores, "survival", MEAN, "temperature:900 K", "adapted")
    assert (after.value, after.interval[1], after.n_independent) == (2.0, 2.0, 5)
    p = find(found.scores, "survival", AGAINST_BASE, "temperature:900 K", "adapted")
    assert p.value < 0.01
    assert (
        find(found.scores, "survival", "share", "temperature:900 K", "base").value == 0
    )
    drift = find(found.scores, "total energy", DRIFT, "temperature:300 K", "base")
    low, high = drift.interval
    assert low < drift.value < high
    [sentence] = SurvivalSuite.sentences(found.scores)
    assert "900 K, base 0.400 and adapted 2.00 ps, log-rank p = 0.00" in sentence
    assert "300 K, base 2.00 and adapted 2.00 ps;" in sentence
    assert found.unanswered == ()


def test_adapted_is_compared_with_scratch_as_well():
    runs = {
        "base": quiet(1),
        "adapted": quiet(2),
        "scratch": failing([100, 150, 200, 250, 300]),
    }
    trials = {name: [one, one] for name, one in runs.items()}
    found = answers(REFERENCE, PLAN, [], trials, [quiet(3), quiet(4)])
    rows = {(one.model, one.metric) for one in found.scores if "log_rank" in one.metric}
    assert rows == {("adapted", AGAINST_SCRATCH), ("scratch", AGAINST_BASE)}


def test_the_page_shows_curves_and_endings():
    found = told(failing([100, 150]), quiet(5))
    record = record_of(json.loads(json.dumps(found.details)))
    section = survival_section(record)
    [figure] = [one for one in section.blocks if one.kind == "figure"]
    assert [one.title for one in figure.plots] == ["300 K", "900 K"]
    base, adapted = figure.plots[1].figure["data"]
    assert base["x"] == pytest.approx([0, 0.2, 0.3, 2.0])
    assert base["y"] == pytest.approx([100, 80, 60, 60])
    assert adapted["y"] == [100, 100]
    keys = {one.key for one in figure.legend}
    assert all(
        trace["meta"]["key"] in keys
        for plot in figure.plots
        for trace in plot.figure["data"]
    )
    rows = {row[0]: row[1:] for row in figure.table.rows}
    assert rows["900 K, Base"] == ("3", "0.200 ps (too hot), 0.300 ps (too hot)")
    assert "pair:sw-si" in section.blocks[0].text


def test_a_reference_that_is_none_is_told():
    heating = changed(quiet(4), drifts=dict.fromkeys(range(5), 90.0))
    found = told(quiet(5), quiet(6), reference=[quiet(3), heating])
    [said] = found.unanswered
    assert "A timestep of 2 fs heats the reference pair:sw-si at 900 K" in said
    assert "--set md.timestep=1" in said
    assert {one.group for one in found.scores} == {"temperature:300 K"}
    figure = survival_section(record_of(found.details)).blocks[1]
    assert [one.title for one in figure.plots] == ["300 K"]


def test_a_reference_that_fails_or_melts_is_told():
    failed = changed(quiet(4), stopped={0: 10}, reasons={0: HOT})
    [said] = told(quiet(5), quiet(6), reference=[quiet(3), failed]).unanswered
    assert "fails itself at 900 K" in said
    melting = changed(quiet(4), intact={(0, 3): 0.3})
    found = told(quiet(5), quiet(6), reference=[quiet(3), melting])
    assert "melts at 900 K" in found.unanswered[0]
    assert {one.group for one in found.scores} >= {"temperature:900 K"}


def test_melting_above_the_melting_point_is_no_failure():
    """The reference is superheated; the adapted model melts, the base comes apart."""
    other = quiet(6)
    melts = dataclasses.replace(other, structure=other.structure[:, :, ::-1] + 1.0)
    melts = changed(melts, intact={(0, 1): 0.3, (1, 2): 0.2})
    options = SurvivalOptions(reference="pair:sw-si", melting=900.0)
    found = told(failing([100] * 5), melts, options=options)
    hot = "temperature:900 K"
    assert find(found.scores, "survival", SHARE, hot, "adapted").value == 100
    assert find(found.scores, "survival", SHARE, hot, "base").value == 0
    [said] = found.unanswered
    assert "At 900 K, above the melting point (900 K), the reference pair:sw-si" in said
    assert "neither structure nor lost coordination" in said
    cold, above = record_of(found.details).conditions
    assert (cold.departure is None, cold.is_solid) == (False, True)
    assert (above.departure, above.is_solid) == (None, False)


def test_melting_is_a_failure_below_the_melting_point():
    melts = changed(quiet(6), intact={(0, 1): 0.3})
    options = SurvivalOptions(reference="pair:sw-si", melting=901.0)
    found = told(quiet(5), melts, options=options)
    hot = "temperature:900 K"
    assert find(found.scores, "survival", SHARE, hot, "adapted").value == 80
    assert found.unanswered == ()


def test_frames_of_a_crystal_do_not_judge_a_melt():
    options = SurvivalOptions(melting=600.0)
    trials = {"base": [quiet(1), quiet(5)], "adapted": [quiet(2), quiet(6)]}
    found = answers(options, PLAN, rattled(8), trials, None)
    cold, above = record_of(found.details).conditions
    assert cold.departure is not None
    assert above.departure is None
    [said] = found.unanswered
    assert "At 900 K, above the melting point (600 K)" in said


def test_without_a_reference_the_doubts_are_told():
    options = SurvivalOptions()
    found = told(quiet(5), quiet(6), options=options)
    assert len(found.unanswered) == 4
    assert "too few or too alike" in found.unanswered[0]
    assert "--set md.melting=K" in found.unanswered[1]
    assert "the training frames" in found.details["criterion"]
    known = told(quiet(5), quiet(6), options=SurvivalOptions(melting=600.0))
    assert len(known.unanswered) == 2
    assert [one["is_solid"] for one in known.details["conditions"]] == [True, False]


def test_runs_that_broke_down_have_no_drift():
    broken = changed(quiet(5), drifts={0: np.nan, 1: np.nan})
    found = told(quiet(5), broken)
    assert "2 of 5 runs of the adapted model" in found.unanswered[0]
    assert (
        find(found.scores, "total energy", DRIFT, "temperature:900 K", "adapted").n == 3
    )


def test_a_model_that_is_not_finite_at_the_start_fails_there():
    """The other contestants are judged as if it were not there."""
    broken = stillinger_weber(["Si"], parameters={"Si": (1e308, 2.0951, 1e308)})
    plan = dataclasses.replace(PLAN, temperatures=(300.0,), window=10, n_drift=20)
    models = {"base": PRESETS["pair:sw-si"](), "adapted": broken}
    trials = {name: run_trial(one, plan, seed=0) for name, one in models.items()}
    found = answers(SurvivalOptions(), plan, [], trials, None)
    base, adapted = record_of(found.details).conditions[0].motions
    assert {(one.time, one.reason) for one in adapted.endings} == {(0.0, "not finite")}
    assert {one.reason for one in base.endings} == {""}
    group = "temperature:300 K"
    assert find(found.scores, "survival", MEAN, group, "adapted").value == 0
    assert find(found.scores, "survival", MEAN, group, "base").value == (
        pytest.approx(plan.horizon)
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"replicas": 4},
        {"temperatures": [0]},
        {"time": -1},
        {"supercell": [0]},
        {"unknown": 1},
    ],
)
def test_wrong_options_are_refused(wrong):
    with pytest.raises(ValidationError):
        SurvivalOptions.model_validate(wrong)


def test_times_become_whole_intervals():
    options = SurvivalOptions(time=1.1, window=0.3, drift_time=0.001, timestep=3.0)
    plan = plan_of(options, bulk("Si", cubic=True))
    assert plan.window % plan.look_every == 0
    assert plan.horizon == pytest.approx(1.1, rel=0.05)
    assert plan.n_drift == 5 * plan.look_every
    assert len(plan.replicas(0)) == 3 * 2 * 5


@pytest.mark.parametrize(("symbol", "timestep"), [("Si", 2.0), ("C", 1.0)])
def test_light_elements_take_shorter_steps(symbol, timestep):
    assert plan_of(SurvivalOptions(), bulk(symbol, cubic=True)).timestep == timestep


def subject(**changes):
    known = {
        "files": (),
        "structures": (),
        "elements": {14},
        "base": PRESETS["pair:sw-si"](),
    }
    return Subject(**known | changes)


def test_a_crystal_is_needed(tmp_path):
    with pytest.raises(BadInputError, match="files hold none"):
        SurvivalSuite(subject(), SurvivalOptions())
    write(tmp_path / "POSCAR", bulk("Ge", cubic=True))
    options = SurvivalOptions(structure=str(tmp_path / "POSCAR"))
    with pytest.raises(BadInputError, match="contains Ge"):
        SurvivalSuite(subject(), options)


def test_crystal_and_limits_come_from_training_files_alone(tmp_path):
    """Test files may be hotter than training files, or of another phase."""
    files: dict[str, str] = {}
    for name, size, n in (("train", 2, 6), ("test", 1, 9)):
        frames = [bulk("Si", cubic=name == "train") * (size, 1, 1) for _ in range(n)]
        for seed, one in enumerate(frames):
            one.rattle(0.05, seed=seed)
        files[name] = str(tmp_path / f"{name}.extxyz")
        write(files[name], frames)
    both = tuple(files.values())
    run = subject(files=both, training_files=both[:1])
    assert len(frames_of(run, "md")) == 6
    assert len(SurvivalSuite(run, SurvivalOptions()).frames) == 6
    assert len(frames_of(subject(files=both), "md")) == 15, "a suite's own subject"


def test_an_unknown_reference_is_told():
    frames = [bulk("Si", cubic=True)]
    with pytest.raises(BadInputError, match="names no potential"):
        SurvivalSuite(subject(structures=frames), SurvivalOptions(reference="nobody"))


def test_the_time_of_all_runs_is_told_first():
    options = SurvivalOptions(time=1.0, temperatures=(300.0, 600.0), drift_time=0.5)
    plan = plan_of(options, bulk("Si", cubic=True))
    steps = plan.steps_of_runs()
    assert len(steps) == len(plan.replicas(seed=0)) == 20
    assert sum(steps) == 10 * (plan.n_steps + plan.n_drift)
    heard = []
    models = [stillinger_weber(["Si"])] * 3
    tell_cost("md", models, plan.system.atoms, steps, lambda *one: heard.append(one))
    [(what, _, _)] = heard
    assert what.startswith("md: 20 runs of 64 atoms under each of 3 models, at most ")
    tell_cost("md", models, plan.system.atoms, steps)


def test_without_runs_at_constant_energy_heating_was_not_measured():
    still = [dataclasses.replace(quiet(k), drifts=np.zeros(0)) for k in (3, 4)]
    found = told(quiet(5), quiet(6), reference=still)
    said = [one for one in found.unanswered if "md.drift_time=0" in one]
    assert len(said) == len(PLAN.temperatures)
    assert "was not measured" in said[0]
    assert not any("drift_time" in one for one in told(quiet(5), quiet(6)).unanswered)
