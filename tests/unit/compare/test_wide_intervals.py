"""Is an interval that says nothing replaced by words, on the page and in figures?"""

import re

import pytest

from atomgraft.compare.figures import front_figure, learning_figure
from atomgraft.compare.page import page_text
from atomgraft.compare.tables import curve_table, size_rows
from atomgraft.records.scores import Score
from tests.comparisons import comparison_of, judged, table_of

FIVE_SEEDS = tuple(range(5))

LARGE = re.compile(r"\d{1,3}(,\d{3}){2,}|\d{8,}|e\+\d|× 10[⁶⁷⁸⁹]")
"""Numbers of millions, in the ways they are written."""


@pytest.fixture(scope="module")
def scattered():
    """Return a comparison whose five seeds differ by orders of magnitude."""
    laws = {"lora": {"error": lambda n: 18 / n**0.5, "drift": 3.0}}
    return comparison_of(table_of(laws, seeds=FIVE_SEEDS, noise=4.0))


def widest(comparison):
    rows = [row for row in comparison.summaries if row.interval is not None]
    return max(row.interval[1] / row.value for row in rows)


def shown(text):
    """Return what a reader sees of a page: neither scripts nor data."""
    return re.sub(r"<script.*?</script>|<style.*?</style>", "", text, flags=re.S)


def test_the_record_keeps_the_interval(scattered):
    assert widest(scattered) > 10


def test_tables_give_the_range_of_the_seeds_instead(scattered):
    _, rows = size_rows(scattered)
    [lora] = [row for row in rows if row[0] == "lora"]
    assert any(" to " in cell for cell in lora)
    assert not any("[" in cell for cell in lora)


def test_no_number_of_millions_reaches_the_page(scattered):
    assert LARGE.search(shown(page_text(scattered))) is None


def test_error_bars_do_not_stretch_the_axes(scattered):
    front = front_figure(scattered)
    [dot] = [one for one in front.plots[0].figure["data"] if one["name"] == "lora"]
    assert dot["error_x"]["array"] == [0.0]
    assert "too few seeds" in dot["customdata"][0]


def test_narrow_intervals_are_kept():
    """Negative control: seeds that agree keep brackets and error bars."""
    laws = {"lora": {"error": lambda n: 18 / n**0.5, "drift": 3.0}}
    comparison = comparison_of(table_of(laws, seeds=FIVE_SEEDS))
    _, rows = size_rows(comparison)
    assert all("[" in cell for cell in rows[-1][1:])
    points = learning_figure(comparison).plots[0].figure["data"][-1]
    assert min(points["error_y"]["array"]) > 0


def test_an_exponent_of_few_seeds_is_said_in_words():
    """Three seeds have an interval of Student's factor 4.3, often of no use."""
    laws = {"lora": {"error": lambda n: 18 / n**0.5, "drift": 3.0}}
    comparison = comparison_of(table_of(laws, seeds=(0, 1, 2), noise=2.0))
    [curve] = comparison.curves
    assert curve.exponent_interval[1] - curve.exponent_interval[0] > 2
    [row] = curve_table(comparison).rows
    assert "too few seeds" in row[1]
    assert curve.reason == "too few seeds to tell whether the error falls with labels"


def test_a_number_of_labels_far_beyond_the_measured_ones_is_said_in_words():
    laws = {"lora": {"error": lambda n: 18 / n**0.5, "drift": 3.0}}
    _, advice = judged(table_of(laws, noise=0.0), more=1000, worthwhile=0.001)
    assert advice.more_labels == "worthwhile"
    assert "10 times the labels there are, or more" in " ".join(advice.sentences)


def test_one_seed_with_too_few_structures_is_said_in_words():
    cells = table_of({"lora": {"error": lambda n: 9.0, "drift": 3.0}}, seeds=(0,))
    wide = [
        cell.model_copy(update={"scores": tuple(map(widened, cell.scores))})
        for cell in cells
    ]
    _, advice = judged(wide)
    assert "too few structures for an interval" in advice.headline


def widened(score: Score) -> Score:
    return score.model_copy(update={"interval": (1.5e-05, 2.9e06)})
