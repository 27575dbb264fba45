"""A base whose scales are fitted to the labels is another base at every size."""

import pytest

from atomgraft.compare.advice import advise, front_points
from atomgraft.compare.figures import learning_figure
from atomgraft.compare.judge import Judge
from atomgraft.compare.record import Contestant
from atomgraft.compare.seed_summaries import (
    SummaryTable,
    baselines_of,
    summarise,
    target_of,
)
from atomgraft.compare.tables import base_range, size_rows, target_table
from tests.comparisons import cell, comparison_of, score

SIZES = (1, 20)
BASES = {1: 100.0, 20: 60.0}
"""Force errors of the base after a fit to so many frames."""


def mapped(scales="@fit@fit"):
    return Contestant(
        name="full",
        base="7net-0",
        recipe="full",
        learning_rate=1e-3,
        factor=1.0,
        element_map=f"Si:Ge{scales}",
    )


def cells_with(*, adapted=58.0, seeds=(0, 1), drift=16.8, bases=BASES):
    found = []
    for n in SIZES:
        for seed in seeds:
            one = cell("full", n, seed, error=adapted + seed / 100)
            rows = [row for row in one.scores if row.model != "base"]
            rows.append(score("base", "forces", bases[n] * (1 + seed / 100)))
            rows.append(
                score(
                    "base",
                    "forces",
                    drift,
                    suite="forgetting",
                    metric="drift",
                    group="far",
                )
            )
            found.append(one.model_copy(update={"scores": tuple(rows)}))
    return found


def judge_of(cells, contestant):
    target = target_of(cells, "auto")
    return Judge(
        cells=cells,
        contestants=[contestant],
        baselines=baselines_of(cells, [contestant]),
        target=target,
        table=SummaryTable(summarise(cells), target),
        curves=[],
    )


def comparison(cells, contestant):
    judge = judge_of(cells, contestant)
    change = {
        "contestants": (contestant,),
        "baselines": tuple(judge.baselines.values()),
        "front": front_points(judge),
    }
    return comparison_of(cells).model_copy(update=change)


def test_each_size_has_its_base_and_seeds_are_averaged():
    found = baselines_of(cells_with(), [mapped()])
    assert [one.n_labels for one in found] == [1, 20]
    values = [one.scores[0].value for one in found]
    assert values == pytest.approx([100 * 1.01**0.5, 60 * 1.01**0.5])
    assert found[0].scores[0].independent == "seeds"


def test_a_base_without_a_fit_is_one_for_all_sizes():
    for scales in ("", "@1.04", "@1.04@1"):
        [found] = baselines_of(cells_with(), [mapped(scales)])
        assert found.n_labels is None
        assert found.scores[0].value == 100.0


def test_the_gain_is_over_the_base_of_the_same_size():
    """Over the base that saw one frame it would be 42 %; it is 3 %."""
    judge = judge_of(cells_with(), mapped())
    assert judge.base_error("full").value == pytest.approx(60.3, abs=0.01)
    told = advise(judge, more=20, worthwhile=0.05)
    assert told.outcome == "keep"
    assert told.headline.startswith("Take the base with the map Si:Ge@fit@fit, without")


def test_every_seed_is_compared_with_its_own_base():
    """The second seed has lost although its error is below the base of the first."""
    cells = cells_with(seeds=(0, 1))
    worse = []
    for one in cells:
        rows = [
            row.model_copy(update={"value": 50.0})
            if (row.model, row.quantity, row.suite) == ("base", "forces", "labels")
            and (one.seed, one.n_labels) == (1, 20)
            else row
            for row in one.scores
        ]
        worse.append(one.model_copy(update={"scores": tuple(rows)}))
    judge = judge_of(worse, mapped())
    assert judge.base_seeds("full") == {0: 60.0, 1: 50.0}
    assert not judge.is_clear_gain("full", judge.base_error("full"))


def test_a_map_has_the_drift_of_its_base():
    judge = judge_of(cells_with(), mapped())
    [base] = [one for one in front_points(judge) if one.contestant == "base"]
    assert base.drift == 16.8
    assert judge_of(cells_with(drift=0.0), mapped()).base_drift("full") == 0.0


def test_the_table_and_the_figure_show_a_base_for_each_size():
    document = comparison(cells_with(), mapped())
    _, rows = size_rows(document)
    assert rows[0][1].startswith("100")
    assert rows[0][2].startswith("60.3")
    assert "scales of its element map are fitted" in target_table(document).caption
    plot = learning_figure(document).plots[0].figure
    [line] = [one for one in plot["data"] if one["meta"] == {"key": "base"}]
    assert line["x"] == [1, 20]
    assert line["y"] == pytest.approx([100.5, 60.3], abs=0.01)


def test_each_size_shows_the_range_of_its_bases():
    document = comparison(cells_with(), mapped())
    assert base_range(document, "7net-0 Si:Ge@fit@fit", 20) == (60.0, 60.6)
    _, rows = size_rows(document)
    assert rows[0][1:] == ("100 (100 to 101)", "60.3 (60.0 to 60.6)")
    plot = learning_figure(document).plots[0].figure
    [line] = [one for one in plot["data"] if one["meta"] == {"key": "base"}]
    assert line["text"][1] == "60.3 (60.0 to 60.6) meV/Å"


def test_from_five_seeds_on_bases_have_an_interval_as_others_have():
    document = comparison(cells_with(seeds=range(5)), mapped())
    _, rows = size_rows(document)
    assert rows[0][2] == "61.2 [60.0, 62.4]"
    one_seed = comparison(cells_with(seeds=(0,)), mapped())
    assert base_range(one_seed, "7net-0 Si:Ge@fit@fit", 20) is None
    assert "to" not in size_rows(one_seed)[1][0][2]


def test_open_cells_and_other_bases_are_in_no_range():
    cells = cells_with(seeds=(0, 1, 2))
    cells = [
        one.model_copy(update={"status": "open"}) if one.seed == 2 else one
        for one in cells
    ]
    document = comparison(cells, mapped())
    assert base_range(document, "7net-0 Si:Ge@fit@fit", 1) == (100.0, 101.0)
    assert base_range(document, "7net-0 Si:Ge", 1) is None
    assert base_range(comparison(cells, mapped("")), "7net-0 Si:Ge", 1) is None


def test_a_base_that_needs_no_labels_is_one_line_and_says_so():
    document = comparison(cells_with(), mapped(""))
    _, rows = size_rows(document)
    assert rows[0][1] == rows[0][2]
    assert "The base uses no labels." in target_table(document).caption
