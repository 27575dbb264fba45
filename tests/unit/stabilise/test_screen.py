"""A tree and a campaign on the screen: all of it, brackets as text, doubts printed."""

import io
import sys

import pytest
from rich.console import Console

from atomgraft.cli import main
from atomgraft.core.errors import BadInputError
from atomgraft.core.specs import checked_spec
from atomgraft.phonons.campaign.record import BASE, CAMPAIGN
from atomgraft.phonons.campaign.screen import print_record as print_campaign
from atomgraft.phonons.campaign.tables import SHORT, summary_table
from atomgraft.stabilise.record import STABILISE
from atomgraft.stabilise.screen import crystal_line, print_record
from atomgraft.stabilise.spec import StabiliseSpec
from tests.phonon_campaigns import campaign_of, make_campaign, row
from tests.trees import crystal, perovskite, step, tree

BRACKETS = "[red]x[/red] [/]"
"""Markup of the screen, and a tag that closes nothing: it would end the program."""


def shown(what, result, width=200) -> str:
    screen = Console(file=io.StringIO(), width=width)
    what(screen, result)
    return screen.file.getvalue()


def test_a_tree_hangs_each_crystal_where_it_was_found():
    lines = shown(print_record, perovskite()).splitlines()
    assert lines[0].startswith("0: Pm-3m (1), unstable, -7.47 THz")
    [first] = [one for one in lines if "(a,0,0) -> 1: P4mm" in one]
    assert "-12.00 meV/atom, unstable, -3.00 THz" in first
    [again] = [one for one in lines if "crystal 2, Amm2" in one]
    depth = [len(one) - len(one.lstrip(" │├└─")) for one in (first, again)]
    assert depth[0] < depth[1]  # the known crystal hangs below crystal 1


def test_every_crystal_has_one_line_of_its_own():
    text = shown(print_record, perovskite())
    for one in perovskite().crystals:
        assert text.count(f"{one.number}: {one.space_group} (") == 1
    assert "BaTiO3 is unstable." in text
    assert "crystal 3" in text  # the notice


def test_names_with_brackets_are_text():
    hostile = tree(
        [
            crystal(0, BRACKETS, 0.0, -2.0),
            crystal(1, BRACKETS, -1.0, 0.0),
            crystal(2, BRACKETS, -2.0, None),
        ],
        [
            step(0, 1, label=BRACKETS, direction=BRACKETS),
            step(0, 2),
            step(1, 2, is_first=False),
        ],
        headline=BRACKETS,
        notices=(BRACKETS,),
    )
    text = shown(print_record, hostile)
    assert text.count(BRACKETS) == 8


def test_a_tree_without_crystals_prints_its_verdict():
    text = shown(print_record, tree([], headline="Nothing yet."))
    assert text.split() == ["Nothing", "yet."]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_converged": False}, "not converged"),
        ({"is_stable": None, "is_converged": True}, "no phonons"),
        ({"is_converged": True, "is_stable": True}, "stable"),
    ],
)
def test_a_line_says_the_state(changes, words):
    line = crystal_line(crystal(1, "P1", -1.0, None, **changes))
    assert f"]{words}[" in line
    assert "-1.00 meV/atom" in line


def test_a_campaign_shows_its_summary_worst_cases_and_bill():
    campaign = make_campaign(notices=(BRACKETS,), dft_hours=10.0)
    text = shown(print_campaign, campaign)
    assert "60 % less than the base" in text
    for name in ("Base × own scalar", "Base × scalar of the others", "lora"):
        assert name in text
    for one in campaign.materials:
        assert one.name in text
    assert "DFT alone" in text
    assert BRACKETS in text


def test_the_summary_of_the_screen_is_that_of_the_page_in_fewer_columns():
    campaign = make_campaign()
    text = shown(print_campaign, campaign)
    table = summary_table(campaign)
    for i, name in enumerate(table.columns):
        assert (name in text) == (i in SHORT or name == "Materials"), name
    first = [table.rows[-1][i] for i in SHORT]
    assert any(all(cell in line for cell in first) for line in text.splitlines())


def test_a_campaign_that_has_judged_nothing_is_printed_too():
    gone = {"status": "open", "reason": BRACKETS, "frequency_mae": None}
    gone |= {"is_stable": None, "mean": None}
    rows = [row("NaCl", BASE, 0.1).model_copy(update=gone)]
    text = shown(print_campaign, campaign_of(rows, [], mode=None))
    assert "No material has been evaluated." in text
    assert BRACKETS in text


def run(monkeypatch, *command):
    monkeypatch.setattr(sys, "argv", ["atomgraft", *command])
    with pytest.raises(SystemExit) as ended:
        main.main()
    return ended.value.code or 0


@pytest.mark.parametrize(
    ("write", "result", "words"),
    [
        (STABILISE.write, perovskite(), "2: Amm2"),
        (STABILISE.write, tree([], finished=False, headline="Open."), "Open."),
        (CAMPAIGN.write, make_campaign(), "60 % less"),
    ],
)
def test_a_page_is_written_again_from_its_file_alone(
    write, result, words, tmp_path, monkeypatch, capsys
):
    write(tmp_path, result)
    assert run(monkeypatch, "report", str(tmp_path)) == 0
    assert words in " ".join(capsys.readouterr().err.split())
    page = (tmp_path / "report.html").read_text()
    assert page.rstrip().endswith("</html>")


@pytest.mark.parametrize(
    "wrong", [{"depth": -1}, {"fmax": 0.0}, {"supercell": [[1, 2, 3]]}, {"deep": 1}]
)
def test_options_out_of_range_are_told_with_the_help(wrong):
    given = {"crystal": "POSCAR", "model": "7net-0"}
    assert checked_spec(StabiliseSpec, "stabilise", given).depth == 3
    with pytest.raises(BadInputError, match=next(iter(wrong))) as told:
        checked_spec(StabiliseSpec, "stabilise", given | wrong)
    assert "atomgraft stabilise --help" in str(told.value)
