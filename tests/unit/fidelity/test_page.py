"""Is the page of a study whole and safe, whatever the study lacks?"""

import io
import json

import pytest
from rich.console import Console

from atomgraft.fidelity.figures import line_figure, size_figure
from atomgraft.fidelity.page import page_text, write_page
from atomgraft.fidelity.record import FIDELITY, Fidelity
from atomgraft.fidelity.screen import print_record
from atomgraft.fidelity.tables import (
    line_table,
    missing_table,
    row_table,
    screen_rows,
    source_table,
)
from tests.comparisons import HOSTILE
from tests.fidelities import (
    ALONE_ERROR,
    fidelity_of,
    model,
    models_of,
    tuned_pair,
    whole_study,
)
from tests.unit.run.page.test_document import read


@pytest.fixture(scope="module")
def whole():
    return whole_study()


def one_seed():
    return fidelity_of(models_of(seeds=(0,)))


def with_floor():
    sizes = (1, 4, 16, 64, 256, 1024)
    return fidelity_of(models_of(a=0.1, b=1.2, floor=8.0, sizes=sizes, noise=0.0))


def empty():
    opened = [model("alone", 1.0, status="open", reason=None)]
    return fidelity_of(opened, finished=False)


def of_sources_only():
    done = [one for one in models_of() if one.strategy == "source"]
    missing = model("alone", 1.0, status="failed", reason="NaN at step 3.")
    return fidelity_of([*done, missing])


STUDIES = {
    "whole": whole_study,
    "one seed": one_seed,
    "floor": with_floor,
    "empty": empty,
    "sources only": of_sources_only,
    "alone only": lambda: fidelity_of(
        [model("alone", 5.0), model("alone", 6.0, seed=1)]
    ),
}


@pytest.mark.parametrize("name", STUDIES)
def test_there_is_always_a_page(name):
    study = STUDIES[name]()
    text = page_text(study)
    parsed = read(text)
    assert parsed is not None
    assert study.headline in text
    for table in (row_table(study), source_table(study), line_table(study)):
        for row in table.rows if table else ():
            assert len(row) == len(table.columns) == len(table.is_text)
            assert not {"nan", "inf", "None"} & set(row)


@pytest.mark.parametrize("name", STUDIES)
def test_there_is_always_a_screen(name):
    study = STUDIES[name]()
    screen = Console(file=io.StringIO(), width=200)
    print_record(screen, study)
    assert study.headline in " ".join(screen.file.getvalue().split())


def test_text_of_users_cannot_become_markup(whole):
    assert HOSTILE not in page_text(whole)
    assert "\\u003c/script" in page_text(whole) or "&lt;/script&gt;" in page_text(whole)


def test_a_study_survives_its_file(whole, tmp_path):
    FIDELITY.write(tmp_path, whole)
    assert FIDELITY.read(tmp_path) == whole
    page = write_page(tmp_path, whole)
    assert page.read_text() == page_text(whole)


# --- figures


def traces(figure):
    return [trace for plot in figure.plots for trace in plot.figure["data"]]


def test_points_of_the_line_are_the_rows(whole):
    figure = line_figure(whole)
    assert [plot.name for plot in figure.plots] == [
        "line-full-all-10", "line-full-energy-10", "line-readout-all-10",
    ]  # fmt: skip
    [first] = [plot for plot in figure.plots if plot.name == "line-full-all-10"]
    drawn = {
        point
        for trace in first.figure["data"]
        if trace["mode"] != "lines"
        for point in zip(trace["x"], trace["y"], strict=True)
    }
    rows = [
        (row.source_error, row.value)
        for row in whole.rows
        if (row.strategy, row.recipe, row.kept) == ("fine-tuning", "full", "all")
    ]
    assert drawn == set(rows)
    assert len(rows) == 8


def test_the_line_that_is_drawn_is_the_one_that_was_fitted(whole):
    [plot] = [one for one in line_figure(whole).plots if one.name == "line-full-all-10"]
    [drawn] = [one for one in plot.figure["data"] if one["mode"] == "lines"]
    [line] = [
        one
        for one in whole.lines
        if (one.recipe, one.kept, one.source) == ("full", "all", None)
    ]
    for x, y in zip(drawn["x"], drawn["y"], strict=True):
        assert y == pytest.approx(line.amplitude * x**line.slope)


def test_points_at_the_floor_are_open():
    study = with_floor()
    symbols = [s for one in traces(line_figure(study)) if "marker" in one
               for s in one["marker"]["symbol"]]  # fmt: skip
    n_limited = sum(row.is_at_floor for row in study.rows)
    assert sum(one.endswith("-open") for one in symbols) == n_limited > 0
    assert len(symbols) == 12


def test_the_target_alone_is_a_line_across(whole):
    [alone] = [
        one for one in traces(size_figure(whole)) if one["name"].startswith("target")
    ]
    assert alone["y"] == [pytest.approx(ALONE_ERROR)] * 2


def test_no_figures_without_numbers():
    assert line_figure(empty()) is None
    assert size_figure(empty()) is None
    assert line_figure(of_sources_only()) is None


# --- tables and words


def test_the_table_has_each_model_of_the_target_once(whole):
    table = row_table(whole)
    own = [row for row in whole.rows if row.strategy != "source"]
    assert len(table.rows) == len(own) == len({row[:3] for row in table.rows})


def test_several_bases_have_a_column():
    models = models_of()
    other = [
        one.model_copy(update={"base": "mini", "name": f"{one.name}-mini"})
        for one in models
    ]
    assert "Base" in row_table(fidelity_of([*models, *other])).columns
    assert "Base" not in row_table(fidelity_of(models)).columns


def test_the_screen_shows_the_best_model_first(whole):
    heads, rows = screen_rows(whole)
    own = [row for row in whole.rows if row.strategy != "source"]
    assert len(rows) == len(own)
    best = min(own, key=lambda row: row.value)
    assert best.strategy == "delta"
    assert rows[0][0].startswith("delta-learning")
    assert len(heads) == len(rows[0])


def test_missing_cells_are_listed_with_their_reason():
    table = missing_table(of_sources_only())
    assert [row[1:] for row in table.rows] == [("failed", "NaN at step 3.")]
    assert missing_table(fidelity_of(models_of())) is None


@pytest.mark.parametrize(
    ("study", "word"),
    [
        (
            lambda: fidelity_of(models_of(a=1.0, sizes=(5, 10, 20, 40, 80))),
            "Sources help",
        ),
        (lambda: fidelity_of(models_of(a=40.0, sizes=(5, 10, 20, 40, 80))), "No gain"),
        (one_seed, "Unclear"),
        (empty, "Not finished"),
    ],
    ids=["helps", "harms", "one seed", "open"],
)
def test_the_mark_says_what_the_answers_say(study, word):
    assert word in page_text(study())


def test_the_headline_claims_no_more_than_the_answers():
    def headline(*errors):
        found = []
        for seed, error in enumerate(errors):
            found.append(model("alone", 100.0, seed=seed))
            found += tuned_pair("xtb", 10, seed, error=error)
        return fidelity_of(found).headline

    assert headline(50.0) == "Whether a source helps is not resolved."
    assert headline(50.0, 50.0) == "Whether a source helps is not resolved."
    better = "Fine-tuning from xtb: better than the target alone."
    assert headline(50.0, 51.0, 49.0) == better
    assert headline(120.0, 30.0, 60.0) == "Whether a source helps is not resolved."
    assert headline(120.0, 121.0, 122.0) == "No source helps."


def test_a_record_has_plain_values_only(whole):
    assert Fidelity.model_validate(json.loads(whole.model_dump_json())) == whole
