"""One number for several seeds, and what its interval is over."""

import math

import numpy as np
import pytest

from atomgraft.compare.seed_summaries import (
    SummaryTable,
    errors_by_seed,
    summarise,
    target_of,
)
from atomgraft.metrics.intervals import student_interval
from tests.comparisons import cell, failed, score, table_of


def forces(rows):
    [row] = [one for one in rows if one.quantity == "forces" and one.suite == "labels"]
    return row


def test_several_seeds_have_a_geometric_mean():
    errors = (1.0, 1.5, 2.0, 8 / 3, 4.0)
    row = forces(summarise([cell("a", 5, i, error=e) for i, e in enumerate(errors)]))
    assert row.value == pytest.approx(2.0)
    assert row.n_seeds == 5
    assert row.interval_over == "seeds"
    low, high = student_interval(np.log(errors))
    assert row.interval == pytest.approx((math.exp(low), math.exp(high)))


@pytest.mark.parametrize("errors", [(1.5e-2, 2.9e2), (1.0, 2.0, 4.0, 4.0)])
def test_a_few_seeds_have_a_range_and_no_interval(errors):
    row = forces(summarise([cell("a", 5, i, error=e) for i, e in enumerate(errors)]))
    assert (row.interval, row.interval_over) == (None, None)
    assert row.range == (errors[0], errors[-1])


def test_one_seed_has_the_interval_of_its_structures():
    row = forces(summarise([cell("a", 5, 0, error=3.0)]))
    assert row.value == 3.0
    assert row.interval == pytest.approx((2.7, 3.3))
    assert row.interval_over == "structures"


def test_an_error_of_zero_has_no_logarithm():
    row = forces(summarise([cell("a", 5, i, error=e) for i, e in enumerate((0.0, 2))]))
    assert row.value == 1.0
    assert row.interval is None


def test_the_order_of_cells_does_not_matter():
    cells = table_of()
    known = {row.model_dump_json() for row in summarise(cells)}
    assert {row.model_dump_json() for row in summarise(cells[::-1])} == known


def test_what_is_not_done_does_not_count():
    rows = summarise([cell("a", 5, 0, error=1.0), failed("a", 5, 1)])
    assert forces(rows).n_seeds == 1


def test_sizes_and_contestants_stay_apart():
    rows = summarise(table_of())
    keys = {(row.contestant, row.n_labels) for row in rows}
    assert len(keys) == 3 * 4


@pytest.mark.parametrize(
    ("wanted", "metric", "unit"),
    [
        ("auto", "mae", "meV/Å"),
        ("forces", "mae", "meV/Å"),
        ("energy", "mae_aligned", "meV/atom"),
        ("stress", "mae", "GPa"),
    ],
)
def test_the_target_is_what_was_asked_for(wanted, metric, unit):
    target = target_of(table_of(), wanted)
    assert (target.metric, target.unit) == (metric, unit)
    assert target.drift_group == "far"


def test_without_forces_energies_decide():
    only = cell("a", 5, 0, error=1.0, scores=(score("adapted", "energy", 2.0),))
    target = target_of([only], "auto")
    assert (target.quantity, target.metric) == ("energy", "mae")
    assert target.drift_group is None


def test_without_a_cell_there_is_no_target():
    assert target_of([failed("a", 5, 0)], "auto") is None


def test_the_table_finds_its_rows():
    cells = table_of()
    table = SummaryTable(summarise(cells), target_of(cells, "auto"))
    assert table.largest() == 40
    assert table.error("lora", 40).metric == "mae"
    assert table.drift("lora", 40).group == "far"
    assert table.error("nobody", 40) is None


def test_errors_by_seed_are_those_of_the_cells():
    cells = [cell("a", 5, 0, error=1.5), cell("a", 9, 1, error=2.5), failed("a", 9, 0)]
    found = errors_by_seed(cells, target_of(cells, "auto"), "a")
    assert found == {0: {5: 1.5}, 1: {9: 2.5}}
    assert errors_by_seed(cells, target_of(cells, "auto"), "b") == {}
