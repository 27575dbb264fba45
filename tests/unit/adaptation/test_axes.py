"""The four axes as specs, and the table of recipes made of them."""

import pytest
from pydantic import ValidationError

from atomgraft.adaptation.axes import (
    Axes,
    ElementMap,
    LowRankDeltas,
    WholeWeights,
    map_named,
)
from atomgraft.adaptation.recipes import RECIPES
from atomgraft.core.errors import BadInputError


def test_the_recipes_of_the_papers_are_there():
    papers = {"full", "lora", "readout", "ridge", "decay", "ewc", "replay", "scratch"}
    assert papers <= set(RECIPES)


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_recipe_survives_json(name):
    axes = RECIPES[name].axes
    assert Axes.model_validate_json(axes.model_dump_json()) == axes
    assert RECIPES[name].summary
    assert RECIPES[name].learning_rate > 0


def test_recipes_differ_in_their_axes():
    texts = {RECIPES[name].axes.model_dump_json() for name in RECIPES}
    assert len(texts) == len(list(RECIPES))


def test_a_typo_is_answered_with_the_recipe_that_was_meant():
    with pytest.raises(BadInputError, match="Did you mean 'lora'"):
        RECIPES["loar"]


def test_a_recipe_that_was_taken_out_says_why():
    assert "l2sp" not in RECIPES
    with pytest.raises(BadInputError, match="was removed") as caught:
        RECIPES["l2sp"]
    assert "decay" in caught.value.remedy


@pytest.mark.parametrize(
    "change",
    [
        {"moves": {"kind": "whole", "rank": 2}},
        {"moves": {"kind": "low_rank", "rank": 0}},
        {"moves": {"kind": "low_rank", "rank": 1000}},
        {"moves": {"kind": "low_rank", "alpha": 0.0}},
        {"moves": {"kind": "low_rank", "alpha": float("nan")}},
        {"moves": {"kind": "wholly"}},
        {"moves": {"kind": "whole", "roles": []}},
        {"pulls": {"kind": "l2sp"}},
        {"pulls": {"kind": "l2sp", "strength": -1.0}},
        {"pulls": {"kind": "l2sp", "strength": float("inf")}},
        {"starts": {"weights": "random"}},
        {"rehearses": {"kind": "source"}},
        {"extra": 1},
    ],
)
def test_what_no_axis_knows_is_refused(change):
    good = RECIPES["lora"].axes.model_dump()
    assert Axes.model_validate(good)
    with pytest.raises(ValidationError):
        Axes.model_validate(good | change)


def test_specs_are_frozen():
    with pytest.raises(ValidationError):
        WholeWeights().roles = ("readout",)
    assert LowRankDeltas().rank == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Si", "'Si' is no pair of elements"),
        ("Si:Ge@x", "the length scale 'x' is neither a number from 0.5 to 2 nor fit"),
        ("Si:Ge@9", "the length scale '9' is neither"),
        ("Si:Ge@nan", "the length scale 'nan' is neither"),
        ("Si:Ge@fit@0", "the energy scale '0' is neither a number from 0.1 to 10 nor"),
        ("Si:Uuu", "Uuu is no chemical element"),
        ("@1.0", "it names no element and no scale"),
    ],
)
def test_an_element_map_in_words_is_refused_in_a_paragraph(words, told):
    with pytest.raises(BadInputError) as caught:
        map_named(words)
    assert caught.value.came.startswith(f"The element map '{words}' cannot be used: ")
    assert told in caught.value.came
    assert "--map Si:Ge@1.04" in caught.value.remedy
    for clause in ("axes.starts", "input should", "constrained", "Value error"):
        assert clause not in str(caught.value)


@pytest.mark.parametrize("words", ["Si:Ge", "Si:Ge,C:Sn@1.04@fit", "auto:Ge@fit"])
def test_an_element_map_in_words_is_read(words):
    assert map_named(words).words == words


@pytest.mark.parametrize("scale", ["\uff10.9", "\u0661", "0.9_5", "1,04", "0x1", "nan"])
def test_scales_are_written_in_plain_digits(scale):
    with pytest.raises(BadInputError, match=r"is neither a number from 0\.5"):
        map_named(f"Si:Ge@{scale}")


@pytest.mark.parametrize("scale", [True, float("nan"), [1.0], "x", None])
def test_a_scale_of_a_document_is_refused_in_one_sentence(scale):
    with pytest.raises(ValidationError) as error:
        ElementMap.model_validate({"elements": {"Ge": "Si"}, "length": scale})
    [problem] = error.value.errors()
    assert "is neither a number from 0.5 to 2 nor fit" in problem["msg"]
    assert problem["loc"] == ("length",)


def test_scales_are_numbers_and_words():
    found = ElementMap.model_validate({"length": "1.04", "energy": 1})
    assert (found.length, found.energy) == (1.04, 1.0)
    assert map_named("Si:Ge@1e0@.95").energy == 0.95
