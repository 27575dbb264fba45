"""What a reader finds on the page of a tree: every number, every doubt, no outside."""

import json

import pytest

from atomgraft.run.record import Provenance
from atomgraft.stabilise.page import (
    energy_text,
    frequency_text,
    page_text,
    state_of,
    tree_figure,
    write_page,
)
from tests.comparisons import HOSTILE, session
from tests.trees import crystal, perovskite, step, tree
from tests.unit.run.page.test_document import read


def lonely():
    """A crystal that is stable: no steps, no picture."""
    return tree([crystal(0, "Fm-3m", 0.0, 0.0)], headline="It is stable.")


def unrelaxed():
    return tree([crystal(0, "Pm-3m", 0.0, None)], headline="It did not relax.")


def hostile():
    """Everything that has a name is called by a script."""
    return tree(
        [
            crystal(0, HOSTILE, 0.0, -2.0, notes=(HOSTILE,)),
            crystal(1, "P1", -3.0, 0.0, file=HOSTILE),
        ],
        [step(0, 1, label=HOSTILE, direction=HOSTILE, trial_space_group=HOSTILE)],
        name=HOSTILE,
        formula=HOSTILE,
        headline=HOSTILE,
        notices=(HOSTILE,),
    )


def open_tree():
    return tree(
        [crystal(0, "Pm-3m", 0.0, -2.0)], finished=False, provenance=(session(),)
    )


def empty():
    """Nothing was found; a file that holds it can be read."""
    return tree([], finished=False)


MAKERS = [perovskite, lonely, unrelaxed, hostile, open_tree, empty]


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__)
def result(request):
    return request.param()


def test_the_page_is_written_whole(result, tmp_path):
    text = write_page(tmp_path, result).read_text(encoding="utf-8")
    assert text == page_text(result)
    assert text.rstrip().endswith("</html>")


def test_nothing_is_loaded_and_text_stays_text(result):
    page = read(page_text(result))
    assert len(page.scripts) == 3
    for tag, attributes in page.tags:
        assert "src" not in attributes, tag
        assert (attributes.get("href") or "#").startswith(("#", "data:"))


def test_tables_have_heads_and_the_picture_has_words(result):
    page = read(page_text(result))
    tables = [tag for tag, _ in page.tags if tag == "table"]
    captions = [tag for tag, _ in page.tags if tag == "caption"]
    assert len(tables) == len(captions)
    assert bool(tables) == bool(result.crystals)
    drawn = [a for _, a in page.tags if "data-plot" in a]
    assert len(drawn) == (len(result.crystals) > 1)
    assert all(attributes["aria-label"] for attributes in drawn)
    assert set(json.loads(page.scripts[0])) == {a["data-plot"] for a in drawn}


def test_names_on_the_page_are_unique(result):
    page = read(page_text(result))
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(set(ids)) == len(ids)


def test_a_hostile_name_is_text_everywhere():
    text = page_text(hostile())
    assert HOSTILE not in text
    assert read(text).texts.count(HOSTILE) >= 3


def test_a_tree_that_has_not_finished_says_so_first():
    text = page_text(open_tree())
    warning = text.index("This tree has not finished.")
    assert warning < text.index("<table")
    assert "This tree has not finished." not in page_text(perovskite())


def test_every_crystal_and_way_has_its_row():
    page = read(page_text(perovskite()))
    rows = sum(tag == "tr" for tag, _ in page.tags)
    assert rows == 2 + 4 + 4  # two heads, the crystals, the ways


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "stable"),
        ({"is_stable": False}, "unstable"),
        ({"is_stable": None}, "no phonons"),
        ({"is_stable": None, "is_converged": False}, "not converged"),
    ],
)
def test_the_state_of_a_crystal(changes, words):
    assert state_of(crystal(1, "P1", -1.0, 0.0, **changes)) == words


@pytest.mark.parametrize(
    ("frequency", "text"),
    [
        (-0.004, "0.00 THz"),
        (0.0, "0.00 THz"),
        (-0.006, "0.01i THz"),
        (-12.345, "12.35i THz"),
        (0.1, "0.10 THz"),
    ],
)
def test_imaginary_frequencies_have_an_i_and_zero_has_none(frequency, text):
    assert frequency_text(frequency) == text


def test_the_first_crystal_is_the_zero_of_energy():
    assert energy_text(crystal(0, "Pm-3m", 0.0, 0.0)) == "0"
    assert energy_text(crystal(1, "P1", -0.125, 0.0)) == "−0.12"
    assert energy_text(crystal(1, "P1", 2.0, 0.0)) == "+2.00"


def test_settings_are_all_on_the_page():
    text = page_text(perovskite())
    plan = perovskite().settings
    for words in (
        "2 distortions",
        f"at most {plan.max_daughters}",
        "-0.1 THz",
        "2 0 0; 0 2 0; 0 0 2",
        "at least 7.60 Å thick",
        "at most 500 steps",
        "0.02, 0.2 Å",
        "0.01, 0.001 Å",
    ):
        assert words in text


def test_time_is_that_of_all_sessions():
    one: Provenance = session().model_copy(update={"seconds": 1800.0})
    text = page_text(perovskite().model_copy(update={"provenance": (one, one)}))
    assert "1 h" in text


def test_the_picture_has_a_legend_of_what_is_in_it():
    [stable, unstable] = (crystal(0, "P1", 0.0, -2.0), crystal(1, "P2", -3.0, 0.0))
    drawn = tree_figure(tree([stable, unstable], [step(0, 1)]))
    assert drawn is not None
    keys = {one.key for one in drawn.legend}
    traces = drawn.plots[0].figure["data"]
    assert keys == {one["meta"]["key"] for one in traces} - {"way"}
    assert "lost" not in keys
    assert "1 P2 at -3.00 meV/atom, stable" in drawn.plots[0].description


def test_a_deep_tree_has_a_column_for_each_distortion():
    crystals = [crystal(i, "P1", -float(i), -1.0, depth=i) for i in range(4)]
    drawn = tree_figure(tree(crystals, [step(i, i + 1) for i in range(3)]))
    assert drawn is not None
    axis = drawn.plots[0].figure["layout"]["xaxis"]
    assert axis["tickvals"] == [0, 1, 2, 3]
    low, high = axis["range"]
    assert low < 0
    assert high > 3
