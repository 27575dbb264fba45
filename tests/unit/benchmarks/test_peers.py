"""The table of the peers says what the curves say, and no more."""

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from scipy.special import stdtrit

FOLDER = Path(__file__).parents[3] / "benchmarks" / "peers"
RESULTS = FOLDER.parent / "results"


def point(seconds, forces, far=10.0):
    return {
        "seconds": seconds,
        "forces": forces,
        "forces_by_frame": [forces + one for one in (-2, -1, 0, 0, 1, 2)],
        "energy": 2 * forces,
        "energy_aligned": forces,
        "drift": {"near": far, "far": far} if seconds else None,
    }


PEER = [point(0.0, 150.0), point(10.0, 120.0), point(40.0, 100.0, far=50.0)]
OURS = [point(0.0, 150.0), point(8.0, 110.0), point(20.0, 95.0), point(60.0, 80.0)]


@pytest.fixture
def table(monkeypatch):
    """Return the script as a module; it is no part of the package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import table

    yield table
    for name in ("table", "figure"):
        sys.modules.pop(name, None)


@pytest.fixture
def figure(table):
    return sys.modules["figure"]


def rows(table, peer=PEER, ours=OURS):
    curves = {"mace-naive-0.01": {1: peer}, "atomgraft-full": {1: ours}}
    return [table.row(name, one, {1: ours}) for name, one in curves.items()]


def test_time_to_is_that_of_a_whole_run_and_never_of_the_base(table):
    assert table.time_to(OURS, 100.0) == 20.0
    assert table.time_to(OURS, 200.0) == 8.0
    assert table.time_to(OURS, 79.0) is None


def test_a_row_compares_the_end_of_a_peer_with_the_first_run_as_good(table):
    peer, _ = rows(table)
    assert peer["forces"] == [100.0]
    assert peer["ours_reaches_after"] == [20.0]
    assert peer["times_shorter"] == [2.0]


def test_what_is_above_ours_is_taken_frame_by_frame(table):
    peer, ours = rows(table)
    assert peer["excess"] == pytest.approx(3 * [20.0])  # no spread: the same in each
    assert ours["excess"] == [0.0, 0.0, 0.0]


def test_the_interval_holds_the_mean_and_grows_with_the_spread(table):
    theirs = [
        point(10.0, 100.0) | {"forces_by_frame": [80.0, 90.0, 100.0, 110.0, 120.0]}
    ]
    mine = [point(10.0, 90.0) | {"forces_by_frame": 5 * [90.0]}]
    middle, low, high = table.excess([(theirs[0], mine[0])])
    assert middle == 10.0
    half = stdtrit(4, 0.98) * np.std([-10, 0, 10, 20, 30], ddof=1) / 5**0.5
    assert (low, high) == pytest.approx((middle - half, middle + half))
    few = [one[0] | {"forces_by_frame": [80.0, 120.0]} for one in (theirs, mine)]
    assert table.excess([tuple(few)]) == [0.0, None, None]


def test_one_seed_shows_no_spread(table):
    assert table.span([83.71]) == "83.7"
    assert table.span([80.0, 90.0]) == "85 [80, 90]"


def test_targets_that_hold_are_met(table):
    lines = table.verdicts(rows(table))
    assert all(line.endswith(": met.") for line in lines)


@pytest.mark.parametrize(
    ("peer", "line"),
    [
        ([PEER[0], point(40.0, 70.0, far=50.0)], 0),
        ([PEER[0], point(40.0, 100.0, far=5.0)], 1),
        ([PEER[0], point(30.0, 100.0, far=50.0)], 2),
    ],
    ids=["more exact", "forgets less", "faster"],
)
def test_targets_that_a_peer_breaks_are_missed(table, peer, line):
    lines = table.verdicts(rows(table, peer))
    assert "missed against mace-naive-0.01" in lines[line]


def test_a_gain_within_its_interval_is_called_so(table):
    noisy = PEER[-1] | {"forces": 81.0, "forces_by_frame": [60.0, 65, 70, 92, 97, 102]}
    line = table.verdicts(rows(table, [PEER[0], noisy]))[0]
    assert "met. The interval of the difference holds zero for mace-naive" in line


def test_a_peer_that_ours_never_reaches_is_missed(table):
    peer = [PEER[0], point(40.0, 60.0)]
    assert table.verdicts(rows(table, peer))[2].endswith("mace-naive-0.01.")


def test_the_learning_rate_is_no_part_of_the_method(table):
    assert table.method_of("mace-naive-0.01") == "mace-naive"
    assert table.method_of("mace-naive-1e-05") == "mace-naive"
    assert table.method_of("equitrain-l2tsp") == "equitrain-l2tsp"


def test_a_tool_that_takes_longer_is_set_beside_ours_of_the_same_time(table):
    late = [point(0.0, 150.0), point(158.0, 70.0)]
    ours = [*OURS, point(150.0, 60.0), point(200.0, 50.0)]
    one = table.row("franken-multiscale", {1: late}, {1: ours})
    assert one["ours_forces"] == [60.0]
    assert table.final(ours)["seconds"] == 60.0


def test_pilots_are_not_judged(table):
    assert table.judged({"a": {0: PEER, 2: OURS}}, "a") == {2: OURS}


def test_a_mean_line_starts_where_all_seeds_have_a_model(figure):
    line = figure.mean_line([PEER, OURS])
    assert line[0] == (10.0, (120.0 + 110.0) / 2)
    assert line[-1] == (60.0, (100.0 + 80.0) / 2)


def test_labels_are_moved_apart_and_stay_in_order(figure):
    placed = figure.spread({"low": 10.0, "high": 9.0, "far": 100.0}, gap=15.0)
    assert placed == {"high": 9.0, "low": 24.0, "far": 100.0}


def test_the_figure_is_xml_with_a_line_for_each_contender(figure):
    text = figure.svg({"franken, x": {1: PEER}, "atomgraft, full": {1: OURS}}, 150.0)
    space = "{http://www.w3.org/2000/svg}"
    assert len(ET.fromstring(text).findall(f"{space}polyline")) == 2


def test_the_stored_table_is_that_of_the_stored_numbers(table):
    stored = json.loads((RESULTS / "peers.json").read_text())
    text = (RESULTS / "peers.md").read_text()
    for one in stored["rows"]:
        curves = stored["curves"][one["name"]]
        ends = [table.final(curves[str(s)])["forces"] for s in one["seeds"]]
        assert one["forces"] == ends
        assert table.span(ends) in text


def test_stored_results_name_no_place_on_a_machine():
    for name in ("peers.json", "peers.md", "peers.svg"):
        text = (RESULTS / name).read_text()
        assert not any(place in text for place in ("/work", "/home", "/tmp", "/root"))
