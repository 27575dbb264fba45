"""Learning curves of elements: which frames are left out, and which rows compared."""

import dataclasses
import types

import pytest

import atomgraft as ag
from atomgraft.core.errors import BadInputError
from atomgraft.run import inputs
from tests.unit.benchmarks.test_leave_out import FOLDER, script
from tests.unit.benchmarks.test_temperatures import frame, runs

CURVES, TABLES, ARMS, LADDER = (
    script(name, FOLDER.parent / "elements")
    for name in ("learning_curves", "curve_tables", "arms", "ladder")
)


@pytest.mark.parametrize("T", [300, 1090])
def test_frames_of_one_temperature_are_left_out(T):
    frames = [*runs(), frame("Elastic", -4.3)]
    for as_test in (False, True):
        is_out = CURVES.left_out(frames, T, as_test=as_test)
        assert sum(is_out) == 6
        assert not is_out[-1]


@pytest.mark.parametrize("as_test", [False, True])
def test_without_a_temperature_all_test_frames_are_tested(as_test):
    """Negative control: nothing is left out of training."""
    assert set(CURVES.left_out(runs(), None, as_test=as_test)) == {as_test}


def test_results_of_options_have_files_of_their_own():
    setting = CURVES.SETTINGS["ge"]
    others = [
        dataclasses.replace(setting, is_more=True),
        dataclasses.replace(setting, without=300),
        dataclasses.replace(setting, without=300, is_more=True),
    ]
    assert setting.result.name == "element_curves_ge.json"
    assert len({one.result for one in (setting, *others)}) == 4


def test_arms_on_request_have_names_of_their_own():
    assert len(ARMS.BY_NAME) == len(ARMS.ARMS) + len(ARMS.MORE_ARMS)


def row(arm, n, draw, error, seed=0):
    return {"arm": arm, "n": n, "draw": draw, "seed": seed, "errors": {"all": error}}


def ratios(lines):
    return [line for line in lines if line.startswith("| ") and "frames" not in line]


def test_pairs_are_compared_on_the_draws_that_they_share():
    base = [row(ARMS.TRANSFERRED, 5, draw, 1.0) for draw in (0, 1)]
    fresh = [row(ARMS.FRESH, 5, draw, 2.0) for draw in (0, 1)]
    lora = [row("map and scales, lora", 5, 1, 0.5)]
    rows = [*base, *fresh, *lora]
    found = ratios(TABLES.ratio_table(rows, is_by_pair=True))
    assert found == [
        "| 5 | fresh weights | 2.00 | 2 of 2 |",
        "| 5 | map and scales, lora | 0.50 | 0 of 1 |",
    ]
    whole = ratios(TABLES.ratio_table(rows))  # draw 1 alone is finished
    assert whole[0] == "| 5 | fresh weights | 2.00 | 1 of 1 |"


def test_arms_are_compared_on_the_seeds_that_they_share():
    """The second seed of fresh weights is not run yet, and is a bad one."""
    base = [row(ARMS.TRANSFERRED, 5, draw, 1.0) for draw in (0, 1)]
    more = [row(ARMS.TRANSFERRED, 5, draw, 9.0, seed=1) for draw in (0, 1)]
    fresh = [row(ARMS.FRESH, 5, draw, 2.0) for draw in (0, 1)]
    [found] = ratios(TABLES.ratio_table([*base, *more, *fresh]))
    assert found == "| 5 | fresh weights | 2.00 | 2 of 2 |"


def test_crossings_are_those_of_draws_with_all_numbers_of_frames():
    """At one frame both draws are finished, at ten the second alone."""
    errors = {ARMS.TRANSFERRED: {1: 1.0, 10: 0.5}, ARMS.FRESH: {1: 4.0, 10: 0.1}}
    rows = [
        row(arm, n, draw, (50.0 if arm == ARMS.FRESH and not draw else 1.0) * error)
        for arm, own in errors.items()
        for n, error in own.items()
        for draw in (0, 1)
        if (n, draw) != (10, 0)
    ]
    one = TABLES.caught_up(rows)
    assert "over 1 draws" in one
    assert one == TABLES.caught_up([each for each in rows if each["draw"] == 1])
    none = [each for each in rows if (each["n"], each["draw"]) != (1, 1)]
    assert TABLES.caught_up(none) == "No draw is finished at all numbers of frames."


@pytest.mark.parametrize("reason", CURVES.NOT_FITTED)
def test_a_frame_without_scales_takes_the_ratio_of_lattice_constants(
    reason, monkeypatch
):
    tried = []

    def adapt(base, **settings):
        tried.append(settings)
        if "fit" in settings["map"]:
            raise BadInputError(f"The {reason} of a frame.", "Forces.", "Give more.")
        return "run"

    monkeypatch.setattr(ag, "adapt", adapt)
    found = CURVES.adapted("si", "Si:Ge@1.042", map="Si:Ge@fit@fit", lr=0.1)
    assert found == "run"
    assert tried[-1] == {"map": "Si:Ge@1.042", "lr": 0.1}


def test_other_errors_of_training_are_raised(monkeypatch):
    """Negative control."""

    def adapt(base, **settings):
        raise BadInputError("Ge is unknown.", "Si.", "Map it.")

    monkeypatch.setattr(ag, "adapt", adapt)
    with pytest.raises(BadInputError, match="Ge is unknown"):
        CURVES.adapted("si", "Si:Ge@1.042", map="Si:Ge@fit@fit")


def test_germanium_of_the_ladder_takes_the_ratio_too(monkeypatch, tmp_path):
    asked = []

    def adapted(base, other, **given):
        asked.append((other, given.get("map")))
        return types.SimpleNamespace(folder="x")

    monkeypatch.setattr(LADDER, "pools", lambda element: ({0: []}, [], []))
    monkeypatch.setattr(LADDER, "adapted", adapted)
    monkeypatch.setattr(inputs, "merged_run", lambda folder: folder)
    for element, source in (("Ge", LADDER.DFT), ("Si", LADDER.CLASSICAL), ("Ge", "")):
        LADDER.trained(LADDER.Way(element, source), tmp_path, 1, 0, 0, 0.1)
    assert [wanted for _, wanted in asked] == ["Si:Ge@fit@fit", None, None]
    assert {other for other, _ in asked} == {"Si:Ge@1.042"}
