"""Do scores become rows, side by side and without loss?"""

import pytest

from atomgraft.records.scores import ModelName, Score
from atomgraft.run.page.tables import (
    change_text,
    comparison_rows,
    group_rows,
    paired_change,
    score_text,
)
from atomgraft.run.record import RunResult


def make_score(model: ModelName, value: float, **more) -> Score:
    fields = {
        "suite": "labels",
        "quantity": "forces",
        "metric": "mae",
        "unit": "meV/Å",
        "n": 20,
    }
    return Score(model=model, value=value, **(fields | more))


def test_every_overall_score_stands_in_exactly_one_row(full_result: RunResult) -> None:
    rows = comparison_rows(full_result)
    shown = [score for row in rows for score in row.scores]
    overall = [score for score in full_result.scores if score.group is None]
    assert len(shown) == len(overall)
    assert all(score in shown for score in overall)


def test_every_group_score_stands_in_exactly_one_row(full_result: RunResult) -> None:
    suites = {score.suite for score in full_result.scores}
    rows = [row for suite in suites for row in group_rows(full_result, suite)]
    shown = [score for row in rows for score in row.scores]
    assert len(shown) == sum(score.group is not None for score in full_result.scores)


def test_rows_hold_each_model_in_its_place(full_result: RunResult) -> None:
    for row in comparison_rows(full_result):
        assert row.base is None or row.base.model == "base"
        assert row.adapted is None or row.adapted.model == "adapted"
        assert row.scratch is None or row.scratch.model == "scratch"


def test_rows_come_in_the_order_of_the_report(full_result: RunResult) -> None:
    rows = comparison_rows(full_result)
    assert (rows[0].suite, rows[0].quantity, rows[0].metric) == (
        "labels",
        "energy",
        "mae",
    )
    suites = list(dict.fromkeys(row.suite for row in rows))
    assert suites == ["labels", "forgetting", "consistency"]


def test_a_group_is_split_into_kind_and_name(full_result: RunResult) -> None:
    kinds = {row.group_kind for row in group_rows(full_result, "labels")}
    assert kinds == {"config_type"}
    elements = group_rows(full_result, "forgetting", "element")
    assert "Si" in {row.group_name for row in elements}
    plain = [row for row in group_rows(full_result, "forgetting") if not row.group_kind]
    assert {row.group_name for row in plain} == {"near", "far"}


def test_scores_of_other_units_do_not_share_a_row(full_result: RunResult) -> None:
    scores = (make_score("base", 1.0), make_score("adapted", 1.0, unit="eV/Å"))
    result = full_result.model_copy(update={"scores": scores})
    assert len(comparison_rows(result)) == 2


@pytest.mark.parametrize(
    ("base", "adapted", "expected"),
    [
        ((34.3, None), (11.2, None), "3.1× lower"),
        ((1.0, None), (2.0, None), "2.0× higher"),
        ((1.0, None), (1.001, None), "the same"),
        ((1.0, None), (0.9, None), "10 % lower"),
        ((1.0, (0.8, 1.2)), (0.9, (0.7, 1.1)), "10 % lower, intervals overlap"),
        ((1.0, (0.9, 1.1)), (0.5, (0.4, 0.6)), "2.0× lower"),
        ((0.0, None), (0.5, None), "–"),
    ],
)
def test_change_is_said_in_words(full_result, base, adapted, expected) -> None:
    scores = (
        make_score("base", base[0], interval=base[1]),
        make_score("adapted", adapted[0], interval=adapted[1]),
    )
    (row,) = comparison_rows(full_result.model_copy(update={"scores": scores}))
    assert change_text(row).replace("\N{NO-BREAK SPACE}", " ") == expected


@pytest.mark.parametrize(
    ("interval", "is_doubted"), [((-0.2, 0.1), True), ((-0.2, -0.1), False)]
)
def test_the_paired_interval_decides(full_result, interval, is_doubted) -> None:
    scores = (
        make_score("base", 1.0, interval=(0.5, 1.5)),
        make_score("adapted", 0.9, interval=(0.4, 1.4)),
        make_score("adapted", -0.1, interval=interval, metric="mae_change"),
    )
    result = full_result.model_copy(update={"scores": scores})
    row = comparison_rows(result)[0]
    text = change_text(row, paired_change(result, row))
    assert ("within chance" in text) is is_doubted


def test_a_larger_cosine_is_not_called_worse(full_result: RunResult) -> None:
    rows = comparison_rows(full_result)
    (row,) = [row for row in rows if row.metric == "direction"]
    assert change_text(row) == "–"
    assert row.label == "Forces direction (mean cosine)"


def test_a_missing_score_is_a_dash() -> None:
    assert score_text(None) == "–"
    assert score_text(make_score("base", 2.284, interval=(2.1, 2.466))) == (
        "2.28 [2.10, 2.47]"
    )
