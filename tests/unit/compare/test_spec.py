"""What a comparison may be asked, and what is refused."""

from pathlib import Path

import pytest
import yaml

from atomgraft.adaptation.recipes import RECIPES
from atomgraft.compare.spec import (
    DEFAULT_RECIPES,
    GRID,
    QUESTIONS,
    CompareSpec,
    Way,
    compare_spec_text,
    parse_compare_spec,
    read_compare_spec,
)
from atomgraft.core.errors import BadInputError

LEAST = {"base": "pair:sw-si", "train": "pool.xyz", "test": "test.xyz"}


def spec(**changes):
    return parse_compare_spec(LEAST | changes, "a test")


def test_the_least_is_enough():
    found = spec()
    assert [one.name for one in found.recipes] == list(DEFAULT_RECIPES)
    assert found.sizes == "auto"
    assert found.seeds == (0, 1, 2)
    assert found.base == ("pair:sw-si",)


def test_a_spec_survives_its_file(tmp_path):
    settings = {"axes": {"moves": {"kind": "low_rank", "rank": 8}}}
    recipes = ["full", {"name": "lora-8", "recipe": "lora", "settings": settings}]
    found = spec(recipes=recipes, sizes=[4, 8], learning_rate_factors=[0.3, 1])
    path = tmp_path / "compare.yaml"
    path.write_text(compare_spec_text(found))
    assert read_compare_spec(path) == found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipes": []}, "recipes"),
        ({"sizes": []}, "sizes"),
        ({"seeds": []}, "seeds"),
        ({"base": []}, "base"),
        ({"learning_rate_factors": [0]}, "greater than 0"),
        ({"learning_rate_factors": ["inf"]}, "finite"),
        ({"sizes": [0]}, "greater than or equal to 1"),
        ({"sizes": [4, 4]}, "twice"),
        ({"seeds": [1, 1]}, "twice"),
        ({"recipes": ["Full"]}, "Did you mean 'full'"),
        ({"recipes": ["full", {"name": "FULL", "recipe": "lora"}]}, "one name"),
        ({"recipes": ["lorra"]}, "Did you mean 'lora'"),
        ({"recipes": [{"name": "../up", "recipe": "lora"}]}, "pattern"),
        ({"recipes": [{"recipe": "lora", "settings": {"seed": 3}}]}, "same for all"),
        (
            {"recipes": [{"recipe": "lora", "settings": {"lr": 3}}]},
            "' is an unknown key",
        ),
        ({"quantity": "dipole"}, "dipole"),
        ({"worthwhile": 1.5}, "less than 1"),
        ({"target_error": -1}, "greater than 0"),
        ({"more_labels": 0}, "greater than or equal to 1"),
        ({"colour": "red"}, "' is an unknown key"),
        ({"training": {"stepps": 3}}, "' is an unknown key"),
        ({"training": {"patience": 3}}, "leave 'patience' out"),
        ({"validation_fraction": 1.0}, "less than 1"),
        (
            {"recipes": [{"recipe": "full", "settings": {"validation_fraction": 0.5}}]},
            "same for all",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changes, said):
    with pytest.raises(BadInputError, match=r"(?i)" + said):
        spec(**changes)


@pytest.mark.parametrize("key", ["base", "train", "test"])
def test_what_is_needed_is_named(key):
    document = {k: v for k, v in LEAST.items() if k != key}
    with pytest.raises(BadInputError, match=f"'{key}' is missing"):
        parse_compare_spec(document, "a test")


@pytest.mark.parametrize("document", [None, [], "base"])
def test_what_is_no_mapping_is_refused(document):
    with pytest.raises(BadInputError, match="schema compare"):
        parse_compare_spec(document, "a test")


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_every_recipe_makes_a_run(recipe):
    found = spec(recipes=[recipe])
    run = found.run_of(
        Way(base="pair:sw-si", entrant=found.recipes[0], factor=2.0), seed=7
    )
    assert run.recipe == recipe
    assert run.seed == 7
    assert run.learning_rate == pytest.approx(2 * RECIPES[recipe].learning_rate)
    assert run.axes == RECIPES[recipe].axes


def test_settings_hold_for_their_recipe_alone():
    settings = {"learning_rate": 1e-4, "training": {"steps": 3}}
    slow = {"name": "slow", "recipe": "full", "settings": settings}
    found = spec(recipes=["full", slow], training={"steps": 9})
    runs = [
        found.run_of(Way(base="pair:sw-si", entrant=one), seed=0)
        for one in found.recipes
    ]
    assert [run.training.steps for run in runs] == [9, 3]
    assert runs[1].learning_rate == pytest.approx(1e-4)


def test_a_custom_recipe_brings_its_axes():
    settings = {
        "axes": {"moves": {"kind": "whole", "roles": ["readout"]}},
        "learning_rate": 1e-3,
    }
    mine = {"name": "mine", "recipe": "custom", "settings": settings}
    assert spec(recipes=[mine]).recipes[0].recipe == "custom"
    with pytest.raises(BadInputError, match="axes"):
        spec(recipes=[{"name": "mine", "recipe": "custom"}])


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": [0, 1, 2, 3]},
        {"sizes": [2, 4]},
        {"recipes": ["full"]},
        {"learning_rate_factors": [1, 3]},
        {"more_labels": 7},
        {"target_error": 2.0},
        {"worthwhile": 0.1},
        {"quantity": "energy"},
        {"device": "cpu"},
    ],
)
def test_a_campaign_may_grow_and_be_asked_more(changes):
    assert spec(**changes).frame() == spec().frame()
    assert next(iter(changes)) in GRID | QUESTIONS | {"device"}


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"steps": 9}},
        {"train": "other.xyz"},
        {"test": "other.xyz"},
        {"base": "pair:lj-ar"},
        {"dtype": "float64"},
        {"stress_unit": "GPa"},
        {"validation": "other.xyz"},
        {"validation_fraction": 0.5},
    ],
)
def test_another_frame_is_another_campaign(changes):
    assert spec(**changes).frame() != spec().frame()


def test_the_schema_names_every_key():
    keys = CompareSpec.model_json_schema()["properties"].keys()
    assert keys == CompareSpec.model_fields.keys()
    assert keys >= GRID | QUESTIONS


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadInputError, match=r"does not exist\."):
        read_compare_spec(tmp_path / "gone.yaml")


def test_the_written_file_is_plain_yaml():
    assert yaml.safe_load(compare_spec_text(spec()))["sizes"] == "auto"
    assert Path(spec().train[0]).name == "pool.xyz"


def test_a_recipe_without_steps_has_one_learning_rate():
    found = spec(
        recipes=["ridge", "full"],
        learning_rate_factors=[0.3, 1, 3],
        training={"steps": 9},
    )
    ridge, full = found.recipes
    assert found.factors_of(ridge) == (1.0,)
    assert found.factors_of(full) == (0.3, 1.0, 3.0)
    runs = [
        found.run_of(Way(base="pair:sw-si", entrant=one), seed=0)
        for one in (ridge, full)
    ]
    assert [run.training.steps for run in runs] == [0, 9]
