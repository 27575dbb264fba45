"""Page, terminal and sentences of a result by hand."""

import io
import json
import re

import pytest
from rich.console import Console

from atomgraft.transport.diffusivity import page
from atomgraft.transport.diffusivity.figures import (
    arrhenius_figure,
    msd_figure,
    posterior_figure,
)
from atomgraft.transport.diffusivity.page import page_text
from atomgraft.transport.diffusivity.record import FrameworkMotion
from atomgraft.transport.diffusivity.screen import print_record
from atomgraft.transport.diffusivity.wording import (
    axes_table,
    bound_text,
    diffusivity_table,
    headline,
    notices_of,
)
from tests.diffusivities import at, ion, known, limited, line, lithium, trajectory

BRACKETS = "[red]x[/red] [/]"


def shown(result, width=200) -> str:
    screen = Console(file=io.StringIO(), width=width)
    print_record(screen, result)
    return screen.file.getvalue()


def still(**changes):
    return lithium(
        temperatures=(at(600.0, None),),
        trajectories=(trajectory(600.0, None),),
        arrhenius=(),
        **changes,
    )


def test_a_framework_that_moved_is_not_called_solid():
    cell = re.compile(r">\s*moved\s*</td>")
    assert cell.search(page_text(lithium(trajectories=(MOVED,))))
    assert not cell.search(page_text(lithium()))


def test_a_limit_has_its_sign_and_nothing_a_dash():
    assert bound_text(limited(2e-7)) == "< 2.00 × 10⁻⁷"
    assert bound_text(limited(None)) == "–"
    assert bound_text(known(2.0)) == "2.00 (1.80 to 2.20)"


def test_the_headline_is_the_most_that_is_known():
    assert headline(lithium()) == (
        "Li diffuses with an activation energy of 0.300 (0.270 to 0.330) eV."
    )
    single = lithium(arrhenius=(), temperatures=(at(800.0, 1e-5),))
    assert headline(single).startswith("D* of Li at 800 K is 1.00 × 10⁻⁵")
    assert headline(still()) == "No diffusion of Li was seen; upper limits only."


def test_the_table_has_a_row_for_each_ion_and_temperature():
    table = diffusivity_table(lithium())
    assert len(table.rows) == 3
    assert all(len(one) == len(table.columns) for one in table.rows)
    assert table.rows[0][4] == "< 2.00 × 10⁻⁷"
    assert table.rows[1][6] == "–"  # too short for the collective motion
    assert table.rows[2][6].startswith("0.800")


def test_axes_have_a_table_of_their_own():
    """With the others they do not fit on a screen."""
    table = axes_table(lithium())
    assert [one[2] for one in table.rows] == ["x", "y", "z"] * 3
    assert all(len(one) == len(table.columns) == 4 for one in table.rows)
    assert {one[3] for one in table.rows[:3]} == {"< 2.00 × 10⁻⁷"}
    assert len({one[3] for one in table.rows[6:]}) == 1


MOVED = trajectory(
    600.0,
    1e-6,
    framework=(
        FrameworkMotion(element="O", msd=5.1, diffuses=False, shift=8.42),
        FrameworkMotion(element="P", msd=0.3, diffuses=False, shift=0.1),
    ),
)

NOTICES = {
    "moved": (lithium(trajectories=(MOVED,)), "more than 2 Å² from the first to"),
    "which": (lithium(trajectories=(MOVED,)), "(O 8.42 Å²): it melts late"),
    "molten": (lithium(), "1 of 4 trajectories has a molten framework and is left out"),
    "caged": (lithium(), "Li at 600 K is not diffusive: the MSD grows as time"),
    "warning": (lithium(), "Nernst-Einstein conductivities assume"),
    "short": (lithium(), "No collective conductivity and no Haven ratio at 800 K"),
    "two": (lithium(), "goes through two temperatures"),
    "far": (lithium(), "Values at 300 K are extrapolated from 800 to 1000 K"),
    "bent": (
        lithium(arrhenius=(line(widening=3.0, p_line=1e-4),)),
        "intervals are 3.0 times wider",
    ),
    "thin": (
        lithium(temperatures=(at(800.0, 1e-5, 0.2, thickness=8.0),)),
        "only 8.0 Å thick",
    ),
    "few": (
        lithium(temperatures=(at(800.0, 1e-5, ions=(ion(1e-5, n_ions=4),)),)),
        "Only 4 ions of Li",
    ),
    "cage": (
        lithium(temperatures=(at(800.0, 1e-6, 0.2),)),
        "which motion within cages can also give",
    ),
    "breathing": (
        lithium(trajectories=(trajectory(800.0, 1e-5, volume_change=2.5),)),
        "volume by up to 2.5 %",
    ),
    "contradiction": (lithium(), "above the upper limit of 2.00 × 10⁻⁷: it does not"),
    "note": (
        lithium(trajectories=(trajectory(800.0, 1e-5, notes=("A note.",)),)),
        "A note.",
    ),
}


@pytest.mark.parametrize("name", NOTICES)
def test_what_must_be_known_is_said(name):
    result, words = NOTICES[name]
    assert any(words in one for one in notices_of(result)), notices_of(result)


def test_a_clean_result_is_not_doubted():
    clean = lithium(
        trajectories=(trajectory(800.0, 1e-4),),
        temperatures=(at(800.0, 1e-4, 0.2, 0.3),),
        arrhenius=(),
    )
    [only] = notices_of(clean)
    assert only.startswith("Nernst-Einstein")
    [limit] = notices_of(still())
    assert limit.startswith("Li at 600 K is not diffusive")


def test_the_page_has_its_sections_numbers_and_figures():
    shown = page_text(lithium())
    for name in (
        "diffusivity",
        "axes",
        "msd",
        "posterior",
        "arrhenius",
        "trajectories",
    ):
        assert f'id="{name}"' in shown
    for text in ("Diffusion in Li3PO4", "molten, left out", "&lt; 2.00 × 10⁻⁷"):
        assert text in shown
    figures = re.search(
        r'<script type="application/json" id="figures">(.*?)</script>', shown, re.DOTALL
    )
    drawn = json.loads(figures[1])
    assert set(drawn) == {"msd-log", "msd-linear", "posterior", "arrhenius"}


def test_a_page_of_limits_alone_draws_the_msd_and_no_posterior():
    assert msd_figure(still()) is not None
    assert posterior_figure(still()) is None
    assert arrhenius_figure(still()) is None
    assert "Not diffusive" in page_text(still())
    assert "Arrhenius line" not in page_text(still())


def test_an_unfinished_page_says_so():
    begun = lithium(finished=False, temperatures=(), trajectories=(), arrhenius=())
    assert "has not finished" in page_text(begun)
    assert msd_figure(begun) is None


def test_limits_are_drawn_and_not_joined():
    [plot] = arrhenius_figure(lithium()).plots
    names = [one["name"] for one in plot.figure["data"]]
    assert names[:2] == ["Li", "Li, upper limit"]
    points, limits = plot.figure["data"][:2]
    assert points["x"] == [1.25, 1.0]
    assert limits["mode"] == "markers"
    assert limits["marker"]["symbol"].endswith("-open")
    assert "activation energy 0.300" in plot.description


def test_the_posterior_is_a_density():
    result = lithium()
    [plot] = posterior_figure(result).plots
    for trace in plot.figure["data"]:
        assert min(trace["y"]) > 0
        assert trace["x"] == sorted(trace["x"])


def test_the_fit_is_drawn_where_there_is_one():
    log, linear = msd_figure(lithium()).plots
    fits = [one for one in linear.figure["data"] if one["name"].endswith("fit")]
    assert len(fits) == 2
    assert fits[0]["x"] == [1.0, 50.0]
    assert any(one["name"] == "slope 1" for one in log.figure["data"])


def test_the_terminal_has_the_table_and_the_line():
    text = shown(lithium())
    assert "< 2.00 × 10⁻⁷" in text
    assert "E = 0.300 (0.270 to 0.330) eV; extrapolated, D*(300 K)" in text
    assert "Note: One of four trajectories is molten." in text


def test_names_with_brackets_are_text():
    hostile = lithium(
        formula=BRACKETS, headline=BRACKETS, notices=(BRACKETS,), name=BRACKETS
    )
    assert shown(hostile).count(BRACKETS) == 2
    page = page_text(lithium(formula="<b>x</b>", headline="<b>x</b>"))
    assert "<b>x</b>" not in page


def painted(part):
    """Return a figure with real colours in place of names of the style sheet."""
    if isinstance(part, dict):
        return {key: painted(one) for key, one in part.items()}
    if isinstance(part, list):
        return [painted(one) for one in part]
    return "#123456" if isinstance(part, str) and part.startswith("@") else part


@pytest.mark.parametrize("draw", [msd_figure, posterior_figure, arrhenius_figure])
def test_plotly_accepts_every_figure(draw):
    from plotly.graph_objects import Figure as Reference

    drawn = draw(lithium())
    for plot in drawn.plots:
        reference = Reference(painted(plot.figure))
        assert len(reference.data) == len(plot.figure["data"])
        assert plot.description


def test_every_series_has_its_entry_in_the_legend():
    for draw in (msd_figure, posterior_figure, arrhenius_figure):
        drawn = draw(lithium())
        keys = {one.key for one in drawn.legend} | {"slope"}
        for plot in drawn.plots:
            assert {one["meta"]["key"] for one in plot.figure["data"]} <= keys


def test_tables_have_a_cell_for_each_column():
    """And one row for each line, file or ion."""
    result = lithium()
    tables = {
        "diffusivity": (page._main_table(result), len(list(result.ions()))),
        "axes": (page._axes_table(result), 3 * len(list(result.ions()))),
        "line": (page._arrhenius_table(result), len(result.arrhenius)),
        "elsewhere": (page._elsewhere_table(result), len(result.arrhenius)),
        "files": (page._trajectory_table(result), len(result.trajectories)),
    }
    for name, (table, n_rows) in tables.items():
        assert table is not None, name
        assert len(table.rows) == n_rows, name
        assert len(table.is_text) == len(table.columns), name
        assert {len(row) for row in table.rows} == {len(table.columns)}, name


def test_without_a_line_there_are_no_tables_of_it():
    result = lithium(arrhenius=())
    assert page._arrhenius_table(result) is None
    assert page._elsewhere_table(result) is None
    assert "What the line says" not in page.page_text(result)
    assert "What the line says" in page.page_text(lithium())


def test_an_extrapolation_is_called_one():
    [row] = page._elsewhere_table(lithium()).rows
    assert row[-1] == "extrapolated"
    inside = lithium().arrhenius[0].model_copy(update={"is_extrapolation": False})
    [row] = page._elsewhere_table(lithium(arrhenius=(inside,))).rows
    assert row[-1] == "between points"
