"""The page and picture of a tree, from its result alone."""

import re

import pytest

from atomgraft.stabilise.page import page_text, places, tree_figure
from atomgraft.stabilise.screen import crystal_line
from tests.trees import crystal, perovskite, tree


def text_of(result):
    """Return the words of a page, its scripts and style left out."""
    page = page_text(result)
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_a_page_shows_parent_mode_and_daughter():
    text = text_of(perovskite())
    for words in (
        "Instabilities of BaTiO3",
        "Stable daughter found",
        "Pm-3m",
        "Γ 7.47i THz",
        "(a,0,0)",
        "1: P4mm",
        "−13.00",
        "2: Amm2, known",
        "one of many",
        "2 relaxed, 1 fell back",
        "not converged",
    ):
        assert words in text


def test_names_cannot_end_the_page():
    assert "R<3>m" not in page_text(perovskite())


@pytest.mark.parametrize(
    ("result", "word"),
    [
        (tree([crystal(0, "Fm-3m", 0.0, 0.0)]), "Stable"),
        (tree([crystal(0, "Pm-3m", 0.0, -2.0)]), "No stable daughter"),
        (perovskite(), "Stable daughter found"),
        (tree([crystal(0, "Pm-3m", 0.0, -2.0)], finished=False), "Not finished"),
    ],
)
def test_the_verdict_fits(result, word):
    assert word in text_of(result)


def test_a_crystal_alone_needs_no_picture():
    assert tree_figure(tree([crystal(0, "Fm-3m", 0.0, 0.0)])) is None


def test_every_crystal_and_every_way_is_drawn():
    result = perovskite()
    drawn = tree_figure(result)
    assert drawn is not None
    [plot] = drawn.plots
    traces = plot.figure["data"]
    points = [one for one in traces if one["mode"] == "markers+text"]
    lines = [one for one in traces if one["mode"] == "lines"]
    assert sum(len(one["x"]) for one in points) == len(result.crystals)
    assert len(lines) == len(result.steps)
    assert [one["line"]["dash"] for one in lines] == ["solid", "solid", "dot", "solid"]
    place = places(result)
    for line, way in zip(lines, result.steps, strict=True):
        assert (line["x"][0], line["x"][-1]) == (place[way.parent], place[way.daughter])
    shapes = {one["marker"]["symbol"] for one in points}
    assert len(shapes) == len(points) == len(drawn.legend) == 3


def test_crystals_of_one_depth_stand_apart():
    place = places(perovskite())
    assert len(set(place.values())) == len(place)
    assert place[3] > place[2] > place[1]  # the lowest at the right


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "unstable, -7.47"), (2, "stable"), (3, "not converged")],
)
def test_the_screen_says_the_state(number, words):
    assert words in crystal_line(perovskite().crystals[number])
