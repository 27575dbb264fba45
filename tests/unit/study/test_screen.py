"""What people read on the screen: tables, notices, progress; and when to be quiet."""

import io
import itertools
import time

import pytest
from rich.console import Console

from atomgraft.core.errors import BadInputError
from atomgraft.records.scores import Verdict
from atomgraft.run.record import RoleCoverage
from atomgraft.run.screen import (
    TrainingScreen,
    coverage_table,
    print_record,
    score_table,
    training_screen,
)
from atomgraft.study import screen as screens
from atomgraft.study.cells import Outcome
from atomgraft.study.screen import (
    LOG_WIDTH,
    CampaignScreen,
    Gauge,
    console,
    device_name,
    gauged,
    line_times,
    print_json,
    print_notice,
    stage_screen,
)
from tests.example_result import (
    make_failed,
    make_result,
    make_unproved,
)

HOSTILE = "[bold]a[/bold]/[x].extxyz [/red]"
"""Markup in a file name, with a closing tag that nothing opened."""

N_STEPS = 40


def paper(*, terminal=False):
    """Return a screen that remembers what was printed."""
    return Console(
        file=io.StringIO(),
        width=LOG_WIDTH,
        force_terminal=terminal,
        color_system=None,
        highlight=False,
    )


def text_of(screen):
    return screen.file.getvalue()


def printed(something):
    screen = paper()
    screen.print(something)
    return text_of(screen)


def role(name, *, weights, trainable):
    return RoleCoverage(
        role=name,
        n_tensors=3,
        n_tensors_moving=2,
        n_weights=weights,
        n_weights_moving=weights // 2,
        n_trainable=trainable,
    )


@pytest.fixture
def first_process(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)


# --- tables


def test_coverage_adds_up():
    movements = (
        role("interaction 0", weights=3000, trainable=60),
        role("readout", weights=1000, trainable=40),
    )
    lines = [line.split() for line in printed(coverage_table(movements)).splitlines()]
    assert ["interaction", "0", "2/3", "1,500/3,000", "60"] in lines
    assert ["readout", "2/3", "500/1,000", "40"] in lines
    assert lines[-1] == ["all", "100", "(2.5%", "of", "4,000)"]


def test_coverage_follows_what_moves():
    still = printed(coverage_table((role("readout", weights=1000, trainable=0),)))
    assert "0 (0.0% of 1,000)" in still


def headings(table):
    return [column.header for column in table.columns]


def test_scores_stand_beside_each_other():
    table = score_table(make_result())
    assert headings(table)[4:] == ["base", "adapted", "scratch"]
    text = printed(table)
    forces = next(
        line
        for line in text.splitlines()
        if line.split()[:3] == ["labels", "forces", "mae"]
    )
    assert forces.index("34.3") < forces.index("11.2") < forces.index("198")
    assert "drift" in text


def test_only_the_main_metrics_are_shown():
    metrics = list(score_table(make_result()).columns[2].cells)
    assert set(metrics) == {"mae", "mae_aligned", "drift"}


def test_without_scratch_there_is_no_column_for_it():
    table = score_table(make_failed())
    assert headings(table)[4:] == ["base", "adapted"]
    assert "stress" not in list(table.columns[1].cells)


# --- words


@pytest.mark.parametrize("make", [make_result, make_failed, make_unproved])
def test_a_result_is_told_with_its_verdict(make):
    screen = paper()
    result = make()
    print_record(screen, result)
    text = text_of(screen)
    assert result.verdict.headline in text
    for sentence in result.verdict.sentences:
        assert " ".join(sentence.split()) in " ".join(text.split())
    assert ("adapted" in text.split()) == bool(result.scores)


def test_square_brackets_in_a_verdict_are_no_markup():
    verdict = Verdict(took=None, headline=HOSTILE, sentences=(f"See {HOSTILE}",))
    screen = paper()
    print_record(screen, make_unproved().model_copy(update={"verdict": verdict}))
    assert text_of(screen).count(HOSTILE) == 2


def test_square_brackets_in_a_notice_are_no_markup():
    screen = paper()
    print_notice(screen, HOSTILE)
    assert text_of(screen) == f"Note: {HOSTILE}\n"


@pytest.mark.parametrize("name", ["auto", "cpu", "cuda"])
def test_known_devices(name):
    assert device_name(name) == name


@pytest.mark.parametrize("name", ["tpu", "CPU", "cuda:0", ""])
def test_other_devices_are_refused(name):
    with pytest.raises(BadInputError, match="auto, cpu, cuda") as caught:
        device_name(name)
    assert repr(name) in str(caught.value)


# --- who speaks, and where


@pytest.mark.usefixtures("first_process")
def test_people_are_spoken_to_on_standard_error(capsys):
    console().print("word")
    seen = capsys.readouterr()
    assert seen.err == "word\n"
    assert seen.out == ""


@pytest.mark.usefixtures("first_process")
def test_quiet_is_quiet(capsys):
    console(quiet=True).print("word")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("rank", "speaks"), [("0", True), ("1", False), ("7", False)])
def test_one_of_several_processes_speaks(monkeypatch, capsys, rank, speaks):
    monkeypatch.setenv("RANK", rank)
    console().print("word")
    print_json("{}")
    seen = capsys.readouterr()
    assert (seen.err, seen.out) == (("word\n", "{}\n") if speaks else ("", ""))


@pytest.mark.usefixtures("first_process")
def test_a_log_has_its_own_width(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "30")
    line = "x" * (LOG_WIDTH - 1)
    console().print(line)
    assert capsys.readouterr().err == line + "\n"


@pytest.mark.usefixtures("first_process")
def test_a_terminal_keeps_the_width_it_has(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert console().width == 30


# --- training


def training(screen):
    return TrainingScreen(screen, Gauge(screen, "reading"))


def test_the_setup_says_what_moves_and_what_shifts():
    result = make_result()
    shifts = {"Si": -0.031254, "Ge": 1.20443, "C": 0.0002}
    refit = result.reference.model_copy(update={"shifts": shifts})
    screen = paper()
    training(screen).on_setup(result.coverage, refit)
    text = text_of(screen)
    assert "interaction 2" in text
    assert refit.note in text
    assert "shifts in eV/atom: Si -0.031, Ge +1.204\n" in text  # carbon's is too small


def test_small_shifts_take_no_line():
    result = make_result()
    refit = result.reference.model_copy(update={"shifts": {"Si": -0.0002}})
    screen = paper()
    training(screen).on_setup(result.coverage, refit)
    assert "shifts in eV/atom" not in text_of(screen)


@pytest.mark.parametrize(("step", "says"), [(0, False), (17, True)])
def test_only_a_resumed_run_says_so(step, says):
    screen = paper()
    shown = training(screen)
    shown.on_start(step, N_STEPS)
    assert ("Continuing from step 17." in text_of(screen)) == says
    (task,) = shown.gauge.progress.tasks
    assert (task.completed, task.total) == (step, N_STEPS)


@pytest.mark.parametrize(
    ("extra", "note"),
    [
        ({}, "loss 0.123"),
        ({"validation": {"energy": 3.0}}, "loss 0.123"),
        (
            {"validation": {"forces": 45.678}},
            "loss 0.123, validation 45.68 meV/Å",
        ),
    ],
)
def test_a_step_moves_the_bar(extra, note):
    shown = training(paper())
    shown.on_start(0, N_STEPS)
    shown.on_step({"step": 8, "loss": 0.12345} | extra)
    (task,) = shown.gauge.progress.tasks
    assert task.completed == 8
    assert task.fields["note"] == note


def test_a_notice_is_printed_as_it_is():
    screen = paper()
    training(screen).on_notice(HOSTILE)
    assert HOSTILE in text_of(screen)


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_is_drawn_on_terminals_only(terminal):
    screen = paper(terminal=terminal)
    with training_screen(screen) as shown:
        shown.on_start(0, N_STEPS)
        assert shown.gauge.progress.live.is_started == terminal
        shown.on_step({"step": 8, "loss": 0.5})
    assert not shown.gauge.progress.live.is_started
    assert ("8/40" in text_of(screen)) == terminal


def test_a_failure_leaves_the_terminal_as_it_was():
    screen = paper(terminal=True)
    kept = []

    def fail():
        with training_screen(screen) as shown:
            kept.append(shown)
            shown.on_start(0, N_STEPS)
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail()
    assert not kept[0].gauge.progress.live.is_started


@pytest.mark.parametrize("terminal", [True, False])
def test_stages_are_shown_on_terminals_only(terminal):
    screen = paper(terminal=terminal)
    with stage_screen(screen) as show:
        show("predicting", 3, 9)
        show("forgetting", 4, 9)
    text = text_of(screen)
    assert ("forgetting" in text) == terminal
    assert ("4/9" in text) == terminal


# --- in a log


@pytest.fixture
def quick(monkeypatch):
    """Give lines after fractions of a second."""
    monkeypatch.setattr(screens, "FIRST_LINE", 0.05)
    monkeypatch.setattr(screens, "LONGEST_GAP", 0.2)


def wait_for(screen, text):
    deadline = time.monotonic() + 20
    while text not in text_of(screen):
        assert time.monotonic() < deadline, text_of(screen)
        time.sleep(0.005)


def test_a_line_says_what_how_far_how_long_and_what_is_left():
    gauge = Gauge(paper(), "reading")
    gauge.show("training", 10, 40)  # a run that goes on: ten steps cost nothing now
    gauge.begin -= 90
    gauge.first = gauge.first._replace(moment=gauge.first.moment - 60)
    gauge.show("training", 20, 40, "loss 0.5")
    assert gauge.line() == (
        "training: 20 of 40 (50 %), 1 min 30 s so far, about 2 min 00 s left, loss 0.5"
    )


def test_a_line_says_how_far_a_stream_is_whose_end_nobody_knows():
    gauge = Gauge(paper(), "reading")
    assert gauge.line() == "reading, 0 s so far"
    gauge.show("structures", 1280, 0)
    gauge.begin -= 90
    assert gauge.line() == "structures: 1280, 1 min 30 s so far"


@pytest.mark.usefixtures("quick")
def test_a_line_comes_also_where_nothing_moves_on():
    screen = paper()
    with stage_screen(screen, "relaxing [Si]"):
        wait_for(screen, "relaxing [Si], 0 s so far\n")
    assert text_of(screen).endswith("Ended after 0 s.\n")


def test_what_is_quick_leaves_no_line():
    screen = paper()
    with gauged(screen, "reading") as gauge:
        for i in range(1000):
            gauge.show("training", i, 1000)
    assert text_of(screen) == ""


def test_lines_become_rarer():
    assert list(itertools.islice(line_times(), 7)) == [10, 20, 40, 80, 160, 320, 620]


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
@pytest.mark.usefixtures("quick")
def test_what_has_failed_is_not_said_to_have_ended(fault):
    screen = paper()

    def fail():
        with stage_screen(screen):
            wait_for(screen, "so far")
            raise fault

    with pytest.raises(fault):
        fail()
    assert "Ended" not in text_of(screen)


@pytest.mark.usefixtures("quick")
def test_another_count_has_a_rate_of_its_own():
    gauge = Gauge(paper(), "reading")
    gauge.show("one", 2, 4)
    gauge.show("one", 3, 4)
    assert "left" in gauge.line()
    gauge.show("one", 4, 4)
    assert "left" not in gauge.line()
    gauge.show("another", 0, 4)
    assert "left" not in gauge.line()
    assert "another: 0 of 4 (0 %)" in gauge.line()


@pytest.mark.usefixtures("quick")
def test_a_terminal_gets_no_lines():
    screen = paper(terminal=True)
    with stage_screen(screen) as show:
        show("predicting", 3, 9)
        time.sleep(0.2)
    assert "so far" not in text_of(screen)


@pytest.mark.usefixtures("quick")
def test_who_is_quiet_gets_no_lines(capsys):
    with stage_screen(console(quiet=True)) as show:
        show("predicting", 3, 9)
        time.sleep(0.2)
    assert capsys.readouterr().err == ""


def test_cells_take_a_line_only_where_they_have_no_result():
    screen = paper()
    with gauged(screen, "starting") as gauge:
        shown = CampaignScreen(screen, gauge)
        shown.on_campaign(2, 5, 1)
        shown.on_cell("a", Outcome(status="done"))
        shown.on_cell("b", Outcome(status="failed", reason="no energies"))
        line = gauge.line()
    assert text_of(screen).splitlines() == [
        "2 of 5 cells are already finished.",
        "Running 3 cells, 1 at a time.",
        "Note: b failed: no energies",
    ]
    assert line.startswith("cells: 4 of 5 (80 %)")
    assert line.endswith("1 without a result")


@pytest.mark.parametrize("has_widgets", [True, False])
def test_a_notebook_without_widgets_is_a_log(monkeypatch, has_widgets):
    known = {"ipywidgets": object()} if has_widgets else {}
    monkeypatch.setattr(screens.importlib.util, "find_spec", known.get)
    screen = Console(file=io.StringIO(), force_jupyter=True)
    assert screens.is_live(screen) == has_widgets
