"""Are known laws found again, and is nothing answered that seeds leave open?"""

import numpy as np
import pytest
from scipy import stats

from atomgraft.fidelity.judge import (
    Errors,
    answered,
    error_of,
    questions,
    rows_of,
    target_of,
)
from atomgraft.fidelity.record import Target
from tests.comparisons import score
from tests.fidelities import (
    ALONE_ERROR,
    SEEDS,
    SOURCE_SIZES,
    judged,
    model,
    models_of,
    tuned_pair,
    whole_study,
    with_every_strategy,
)

ONE_LINE = "Does one line serve all sources (full, 10 labels of the target)?"


def joint(lines):
    [line] = [one for one in lines if one.source is None]
    return line


# --- the line


@pytest.mark.parametrize("b", [0.2, 0.6, 1.0])
@pytest.mark.parametrize("a", [0.5, 4.0])
def test_errors_of_a_law_have_its_slope(a, b):
    rows, lines, _ = judged(models_of(a=a, b=b, noise=0.0))
    line = joint(lines)
    assert line.slope == pytest.approx(b, abs=1e-9)
    assert line.amplitude == pytest.approx(a)
    assert line.r_squared == pytest.approx(1.0)
    assert (line.n_points, line.n_at_floor) == (8, 0)
    assert not any(row.is_at_floor for row in rows)


def test_each_source_has_a_line_of_its_own():
    _, lines, _ = judged(models_of(factors={"xtb": 1.0, "hf": 2.0}, noise=0.0))
    own = {one.source: one for one in lines if one.source}
    assert own["xtb"].amplitude == pytest.approx(4.0)
    assert own["hf"].amplitude == pytest.approx(8.0)
    assert [one.slope for one in own.values()] == [pytest.approx(0.6)] * 2


def test_points_are_geometric_means_over_seeds():
    models = models_of(noise=0.3)
    rows, _, _ = judged(models)
    mine = [r for r in rows if (r.strategy, r.source) == ("fine-tuning", "hf")]
    for row in mine:
        same = [
            error_of(one, target_of(models, "auto"))
            for one in models
            if (one.strategy, one.source, one.n_source)
            == ("fine-tuning", "hf", row.n_source)
        ]
        assert row.value == pytest.approx(np.prod(same) ** (1 / len(same)))
        assert row.range == pytest.approx((min(same), max(same)))
        assert row.over_alone == pytest.approx(row.value / ALONE_ERROR)
        assert (row.n_seeds, row.interval) == (len(SEEDS), None)


def test_five_seeds_have_an_interval_of_student():
    from scipy import stats

    models = models_of(noise=0.3, seeds=tuple(range(5)))
    row = next(one for one in judged(models)[0] if one.strategy == "fine-tuning")
    logs = np.log(
        [
            error_of(one, target_of(models, "auto"))
            for one in models
            if (one.strategy, one.source, one.n_source)
            == ("fine-tuning", row.source, row.n_source)
        ]
    )
    known = stats.t.interval(0.95, 4, logs.mean(), stats.sem(logs))
    assert row.interval == pytest.approx(tuple(np.exp(known)), rel=1e-6)


def test_a_floor_marks_points_and_leaves_them_out():
    sizes = (1, 4, 16, 64, 256, 1024)
    rows, lines, _ = judged(models_of(a=0.1, b=1.2, floor=8.0, sizes=sizes, noise=0.0))
    line = joint(lines)
    limited = [row for row in rows if row.is_at_floor]
    assert 0 < line.n_at_floor == len(limited) < 12
    assert line.n_points == 12 - len(limited)
    free = [row for row in rows if row.source_error and not row.is_at_floor]
    assert max(row.value for row in limited) <= min(row.value for row in free)


def test_without_seeds_of_the_source_a_model_is_no_point():
    models = [
        one
        for one in models_of()
        if (one.strategy, one.n_source, one.seed) != ("source", 10, 1)
    ]
    rows, lines, _ = judged(models)
    assert joint(lines).n_points == 6
    assert all(
        row.source_error is None
        for row in rows
        if row.strategy == "fine-tuning" and row.n_source == 10
    )


def test_two_points_make_no_line():
    _, lines, found = judged(models_of(factors={"xtb": 1.0, "hf": 1.0}, sizes=(10,)))
    line = joint(lines)
    assert (line.slope, line.n_points) == (None, 2)
    assert "too few" in line.reason
    assert found[ONE_LINE].answer == "not resolved"


def test_bases_have_lines_of_their_own_and_one_together():
    models = models_of(noise=0.0)
    other = [
        one.model_copy(update={"base": "mini", "name": f"{one.name}-mini"})
        for one in models
    ]
    _, lines, _ = judged([*models, *other])
    assert {line.base for line in lines} == {None, "7net-0", "mini"}
    assert all(line.slope == pytest.approx(0.6) for line in lines)


# --- does one line serve all?


def test_an_offset_line_is_noticed():
    models = models_of(factors={"xtb": 1.0, "hf": 1.6})
    claim = judged(models)[2][ONE_LINE]
    assert claim.answer == "no"
    assert "probability" in claim.sentence


def test_sources_on_one_line_are_not_told_apart():
    assert judged(models_of())[2][ONE_LINE].answer == "yes"


def test_a_single_source_is_not_asked():
    assert ONE_LINE not in judged(models_of(factors={"xtb": 1.0}))[2]


# --- questions


def test_every_question_has_its_answer():
    found = {one.question: one.answer for one in whole_study().claims}
    assert found[ONE_LINE] == "yes"
    assert found["Is delta better than fine-tuning?"] == "yes"
    assert found["Is all-heads better than multi-head?"] == "yes"
    assert found["Is full better than readout?"] == "yes"
    assert found["Are the source's forces needed?"] == "yes"


def many(strategy, factor, seeds=SEEDS, n_settings=6, **more):
    """Return models at six sizes whose errors are `factor` of the target alone's."""
    found = []
    for k in range(n_settings):
        for seed in seeds:
            n = 10 * (k + 1)
            shared = {"seed": seed, "n_target": n}
            found.append(model("alone", 100.0, **shared))
            wobble = factor * (1 + 0.01 * ((k + seed) % 3 - 1) + 0.002 * (-1) ** k)
            told = {"source": "xtb", "n_source": 20, **shared, **more}
            found.append(model(strategy, 100.0 * wobble, **told))
    return found


@pytest.mark.parametrize(("factor", "answer"), [(0.5, "yes"), (2.0, "no")])
def test_what_all_seeds_and_settings_say_is_answered(factor, answer):
    claim = judged(many("multi-head", factor))[2]["Does multi-head from xtb help?"]
    assert claim.answer == answer
    assert "6 settings and 3 seeds" in claim.sentence


@pytest.mark.parametrize(
    "models",
    [
        many("multi-head", 0.5, seeds=(0, 1)),
        many("multi-head", 1.0),
    ],
    ids=["two seeds", "no difference"],
)
def test_what_they_leave_open_is_not_answered(models):
    claim = judged(models)[2]["Does multi-head from xtb help?"]
    assert claim.answer == "not resolved"


def test_settings_with_one_rival_are_not_counted_as_independent():
    """Without an effect the answer is wrong in one case of twenty, and not in four."""
    rng = np.random.default_rng(0)
    n_wrong, n = 0, 400
    for _ in range(n):
        errors = Errors([], Target(quantity="forces", metric="mae", unit="meV/Å"))
        alone = ("alone", "b", "scratch", None, 0, "all", 10)
        errors.by_key[alone] = {s: np.exp(0.1 * rng.normal()) for s in range(3)}
        for size in (10, 20, 40, 80, 160, 320):
            key = ("multi-head", "b", "scratch", "xtb", size, "all", 10)
            errors.by_key[key] = {s: np.exp(0.02 * rng.normal()) for s in range(3)}
        [asked] = [one for one in questions_about(errors) if "help?" in one.question]
        n_wrong += answered(asked, errors).answer != "not resolved"
    assert stats.binomtest(n_wrong, n, 0.05).pvalue > 0.01


def questions_about(errors):
    return questions(rows_of(errors))


def test_a_seed_that_disagrees_leaves_it_open():
    models = [
        one
        if (one.strategy, one.seed) != ("multi-head", 2)
        else one.model_copy(update={"scores": model("alone", 101.0).scores})
        for one in many("multi-head", 0.5)
    ]
    claim = judged(models)[2]["Does multi-head from xtb help?"]
    assert claim.answer == "not resolved"


def test_only_seeds_that_both_have_are_compared():
    models = many("multi-head", 0.5)
    fewer = [one for one in models if (one.strategy, one.seed) != ("alone", 2)]
    claim = judged(fewer)[2]["Does multi-head from xtb help?"]
    assert "2 seeds" in claim.sentence


def test_a_question_without_pairs_is_not_asked():
    found = judged(models_of(factors={"xtb": 1.0}))[2]
    assert set(found) == {"Does fine-tuning from xtb help?"}


@pytest.mark.parametrize("kept", ["energy", "forces"])
def test_sources_without_some_labels_are_asked_too(kept):
    found = judged(many("multi-head", 0.5, kept=kept))[2]
    assert found["Does multi-head from xtb help?"].answer == "yes"
    beside = many("delta", 0.5, n_source=0)
    found = judged([*many("multi-head", 0.5, kept=kept), *beside])[2]
    assert found["Does multi-head from xtb help?"].answer == "yes"


@pytest.mark.parametrize(
    ("strategy", "source"), [("delta", "xtb"), ("all-heads", "xtb+hf")]
)
def test_every_strategy_is_compared_with_the_target_alone(strategy, source):
    found = judged(many(strategy, 0.5, source=source))[2]
    assert found[f"Does {strategy} from {source} help?"].answer == "yes"


def test_models_that_failed_or_are_open_do_not_count():
    models = models_of()
    wrong = [
        tuned_pair("xtb", 10, 7, error=1.0, status=status)[1]
        for status in ("failed", "open")
    ]
    assert judged([*models, *wrong]) == judged(models)


# --- which error


def test_forces_come_before_energies_unless_asked():
    models = models_of()
    assert target_of(models, "auto").quantity == "forces"
    assert target_of(models, "energy").quantity == "energy"
    assert target_of(models, "stress") is None


def test_aligned_energies_come_before_plain_ones():
    rows = (
        score("adapted", "energy", 9.0),
        score("adapted", "energy", 2.0, metric="mae_aligned"),
    )
    one = model("alone", 1.0).model_copy(update={"scores": rows})
    target = target_of([one], "auto")
    assert (target.quantity, target.metric) == ("energy", "mae_aligned")
    assert error_of(one, target) == 2.0


def test_a_model_of_a_source_is_no_model_of_the_target():
    models = [one for one in models_of() if one.strategy == "source"]
    assert target_of(models, "auto") is None


def test_every_kind_of_model_has_its_row():
    rows, _, _ = judged(with_every_strategy(models_of()))
    n = len(SOURCE_SIZES)
    counts = {
        name: sum(row.strategy == name for row in rows)
        for name in ("alone", "source", "fine-tuning", "multi-head", "all-heads")
    }
    assert counts == {
        "alone": 1,
        "source": 2 * n,
        "fine-tuning": 2 * n,
        "multi-head": 2 * n,
        "all-heads": n,
    }
    assert all(row.over_alone is None for row in rows if row.strategy == "source")
