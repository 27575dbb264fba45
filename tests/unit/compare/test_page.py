"""Is the page of a comparison whole and safe, whatever the table lacks?"""

import json
import re

import pytest

from atomgraft.compare.figures import (
    colour_of,
    front_figure,
    learning_figure,
    shape_of,
    shown_contestants,
)
from atomgraft.compare.page import page_text, write_page
from atomgraft.compare.record import Comparison
from atomgraft.compare.tables import (
    cost_table,
    curve_table,
    error_table,
    missing_table,
    size_rows,
    steps_text,
    target_table,
)
from atomgraft.core.errors import BadInputError
from tests.comparisons import (
    HOSTILE,
    LAWS,
    SIZES,
    comparison_of,
    failed,
    table_of,
)
from tests.unit.run.page.test_document import read


@pytest.fixture(scope="module")
def whole():
    return comparison_of(table_of())


@pytest.fixture(scope="module")
def holed():
    cells = [one for one in table_of() if one.n_labels != 40 or one.seed != 1]
    cells += [failed(name, 40, 1, reason="NaN at step 3.") for name in LAWS]
    return comparison_of(cells, finished=False)


@pytest.fixture(scope="module")
def swept():
    laws = {
        f"{name} ×{factor:g}": {
            "error": lambda n, law=law, factor=factor: factor * law["error"](n),
            "drift": law["drift"],
        }
        for name, law in LAWS.items()
        for factor in (1.0, 1.5)
    }
    return comparison_of(table_of(laws))


def empty():
    told = comparison_of(table_of()).model_dump()
    told |= {
        "cells": [one | {"status": "open", "scores": ()} for one in told["cells"]],
        "target": None,
        "summaries": (),
        "curves": (),
        "front": (),
        "baselines": (),
        "finished": False,
    }
    return Comparison.model_validate(told)


def words_of(comparison):
    """Return what a browser would show, in one line."""
    texts = read(page_text(comparison)).texts
    return " ".join(" ".join(texts).split())


def traces(figure):
    [plot] = figure.plots
    return plot.figure["data"]


# --- tables


def test_every_contestant_has_a_row_and_every_size_a_column(whole):
    heads, rows = size_rows(whole)
    assert heads == ("Recipe", *(f"{n} labels" for n in SIZES))
    assert [row[0] for row in rows] == ["base 7net-0", *LAWS]
    assert len({row[1] for row in rows[1:]}) == 3
    assert rows[0][1] == rows[0][-1] == "20.0 [18.0, 22.0]"


@pytest.mark.parametrize("make", [target_table, error_table, cost_table, curve_table])
def test_tables_are_rectangles(make, whole):
    table = make(whole)
    width = len(table.columns)
    assert len(table.is_text) == width
    assert table.rows
    assert all(len(row) == width for row in table.rows)


def test_costs_are_told(whole):
    row = next(r for r in cost_table(whole).rows if r[:2] == ("lora", "40"))
    assert "1,234" in row
    assert "2.50 s" in row
    assert row[-1] == "3"
    assert row[3].startswith("3.00")  # far


def test_what_is_missing_is_listed(whole, holed):
    assert missing_table(whole) is None
    table = missing_table(holed)
    assert len(table.rows) == 3
    assert ("lora-n40-s1", "failed", "NaN at step 3.") in table.rows


def test_laws_are_listed(whole):
    rows = {row[0]: row for row in curve_table(whole).rows}
    assert rows["lora"][1].startswith("0.")
    assert rows["lora"][5] == "60"
    assert "3 seeds" in rows["lora"][-1]


# --- figures


def test_learning_curves_hold_their_points(whole):
    data = traces(learning_figure(whole))
    points = [one for one in data if one["mode"] == "lines+markers"]
    assert [one["name"] for one in points] == list(LAWS)
    assert all(tuple(one["x"]) == SIZES for one in points)
    laws = [one for one in data if one["line"].get("dash") == "dot"]
    assert all(one["x"][-1] == pytest.approx(60) for one in laws)
    [base] = [one for one in data if one["line"].get("dash") == "dash"]
    assert base["y"] == [20.0, 20.0]


def test_bars_are_the_intervals_or_the_range_of_a_few_seeds(whole):
    trace = next(t for t in traces(learning_figure(whole)) if t["name"] == "lora")
    row = next(
        s
        for s in whole.summaries
        if (s.contestant, s.n_labels, s.quantity, s.suite)
        == ("lora", 40, "forces", "labels")
    )
    assert trace["y"][-1] + trace["error_y"]["array"][-1] == row.range[1]
    assert trace["y"][-1] - trace["error_y"]["arrayminus"][-1] == row.range[0]


def test_a_law_that_is_not_identified_is_not_drawn():
    laws = {"flat": {"error": lambda n: 3.0, "drift": 1.0}}
    data = traces(learning_figure(comparison_of(table_of(laws, noise=0.1))))
    assert not [one for one in data if one["line"].get("dash") == "dot"]


def test_of_each_recipe_the_best_rate_is_shown(swept):
    assert shown_contestants(swept) == {f"{name} ×1" for name in LAWS}
    figure = learning_figure(swept)
    shown = {entry.key for entry in figure.legend if entry.is_shown}
    assert shown == {"base", *(f"{name} ×1" for name in LAWS)}
    assert len(figure.legend) == 7


def test_no_two_contestants_look_alike(swept):
    looks = {
        (colour_of(swept, one.name), shape_of(swept, one.name))
        for one in swept.contestants
    }
    assert len(looks) == len(swept.contestants)
    assert colour_of(swept, "base") == "base"


def test_the_front_is_a_line_through_who_is_ahead(whole):
    line, *dots = traces(front_figure(whole))
    ahead = [p for p in whole.front if p.is_on_front]
    assert sorted(line["x"]) == sorted(p.error for p in ahead)
    assert len(dots) == 4
    faint = {dot["name"] for dot in dots if "opacity" in dot["marker"]}
    assert faint == {p.contestant for p in whole.front if not p.is_on_front}


def test_without_drift_there_is_no_front(whole):
    assert front_figure(whole.model_copy(update={"front": whole.front[:1]})) is None
    assert learning_figure(empty()) is None


# --- the page


@pytest.mark.parametrize("maker", ["whole", "holed", "swept"])
def test_the_page_says_all_of_it(maker, request):
    comparison = request.getfixturevalue(maker)
    words = words_of(comparison)
    assert comparison.advice.headline in words
    for sentence in comparison.advice.sentences:
        assert sentence in words
    for title in ("Learning curves", "The table", "Error against forgetting", "Spec"):
        assert title in words
    assert ("Cells without a result" in words) == (maker == "holed")
    assert ("This comparison has not finished." in words) == (maker == "holed")


def test_an_empty_table_has_a_page():
    words = words_of(empty())
    assert "This comparison has not finished." in words
    assert "36 cells left" in words


def test_the_advice_comes_first(whole):
    text = page_text(whole)
    assert text.index(whole.advice.headline) < text.index('id="learning"')


def test_a_script_in_a_file_name_stays_text(whole):
    assert HOSTILE in whole.spec["train"]
    text = page_text(whole)
    assert HOSTILE not in text
    assert "&lt;/script&gt;" in text


def test_the_figures_are_json(whole):
    text = page_text(whole)
    found = re.search(r'id="figures">(.*?)</script>', text, re.S)
    assert json.loads(found[1]).keys() == {"learning", "front"}


def test_the_page_is_written_whole_or_not(whole, tmp_path):
    path = write_page(tmp_path, whole)
    assert path.read_text() == page_text(whole)
    with pytest.raises(BadInputError, match=r"does not exist\."):
        write_page(tmp_path / "nowhere", whole)


def test_steps_are_those_that_were_made(whole):
    """Recipes of a comparison file may set their own."""
    first, second, *others = whole.cells
    cells = [
        first.model_copy(update={"n_steps": 300}),
        second.model_copy(update={"n_steps": 1500}),
        *(one.model_copy(update={"n_steps": None}) for one in others),
    ]
    assert steps_text(whole.model_copy(update={"cells": cells})) == "300 to 1,500"
    assert steps_text(whole.model_copy(update={"cells": cells[:1]})) == "300"
