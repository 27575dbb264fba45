"""A spec is complete, frozen and read as it was written."""

import pytest
import yaml

from atomgraft.adaptation.recipes import RECIPES
from atomgraft.core.errors import BadInputError
from atomgraft.run.spec import (
    RunSpec,
    parse_spec,
    read_spec,
    refuse_other_spec,
    scratch_spec,
    spec_text,
)

GIVEN = {"base": "pair:sw-si", "train": "train.extxyz", "recipe": "lora"}


def parsed(**changes):
    return parse_spec(GIVEN | changes, "here")


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_a_recipe_fills_axes_and_rate(recipe):
    spec = parsed(recipe=recipe)
    assert spec.axes == RECIPES[recipe].axes
    assert spec.learning_rate == RECIPES[recipe].learning_rate


def test_what_is_given_wins_over_the_recipe():
    assert parsed(learning_rate=0.5).learning_rate == 0.5


def test_one_file_is_a_list_of_one():
    assert parsed().train == ("train.extxyz",)
    assert parsed(validation="v.xyz").validation == ("v.xyz",)


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_text_comes_back(recipe, tmp_path):
    spec = parsed(recipe=recipe, seed=3, dtype="float64")
    path = tmp_path / "spec.yaml"
    path.write_text(spec_text(spec))
    assert read_spec(path) == spec
    assert read_spec(path).identity() == spec.identity()


def test_every_default_is_written_out():
    document = yaml.safe_load(spec_text(parsed()))
    assert document["training"]["objective"]["shape"] == "norm"
    assert document["axes"]["moves"]["rank"] == 4


def test_identity_is_what_changes_numbers():
    one = parsed().identity()
    assert one == parsed(device="cpu").identity()
    for change in (
        {"seed": 1},
        {"dtype": "float64"},
        {"training": {"steps": 3}},
        {"learning_rate": 0.1},
        {"train": "other.extxyz"},
    ):
        assert parsed(**change).identity() != one


def test_scratch_differs_in_weights_and_rate_alone():
    spec = parsed(seed=7, training={"steps": 5})
    scratch = scratch_spec(spec)
    assert scratch.axes.starts.weights == "fresh"
    assert scratch.learning_rate == RECIPES["scratch"].learning_rate
    assert (scratch.seed, scratch.training) == (spec.seed, spec.training)
    assert scratch.identity() != spec.identity()


def test_all_problems_are_named_at_once():
    with pytest.raises(BadInputError) as caught:
        parsed(epochs=3, seed=-1, training={"steps": "many"})
    for word in ("'epochs'", "'seed'", "'training.steps'"):
        assert word in caught.value.came
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("document", [None, 3, "text", [GIVEN]])
def test_what_is_no_mapping_is_refused(document):
    with pytest.raises(BadInputError, match="here does not describe a run"):
        parse_spec(document, "here")


def test_the_schema_names_every_key():
    schema = RunSpec.model_json_schema()
    assert set(schema["properties"]) == set(type(parsed()).model_fields)


def test_identity_is_as_it_was_before_differences_unless_they_are_asked_for():
    plain = parsed()
    assert "differences" not in plain.document(without=set())["training"]
    asked = parsed(training={"differences": "always"})
    assert asked.identity() != plain.identity()
    assert parsed(training={"differences": "auto"}).identity() == plain.identity()


def test_kernels_identify_a_run_where_they_are_not_ours():
    plain, asked = parsed(), parsed(kernels="upstream")
    assert parsed(kernels="ours").identity() == plain.identity() != asked.identity()
    assert "kernels" not in spec_text(plain)
    assert "kernels: upstream" in spec_text(asked)
    assert asked.model_dump()["kernels"] == "upstream"
    with pytest.raises(BadInputError, match="kernels"):
        parsed(kernels="theirs")


def test_a_run_of_a_recipe_that_was_taken_out_stays_readable():
    given = {"base": "pair:sw-si", "train": "a.extxyz", "recipe": "l2sp"}
    with pytest.raises(BadInputError, match="was removed"):
        parse_spec(given, "here")
    pulls = {"kind": "l2sp", "strength": 100.0}
    axes = {"moves": {"kind": "whole"}, "pulls": pulls}
    spec = parse_spec({**given, "axes": axes, "learning_rate": 1e-3}, "here")
    assert spec.recipe == "l2sp"
    assert spec.axes.pulls.strength == 100.0


def test_another_run_in_the_folder_is_refused_by_what_differs(tmp_path):
    (tmp_path / "spec.yaml").write_text(spec_text(parsed(training={"steps": 400})))
    refuse_other_spec(tmp_path, parsed(training={"steps": 400}, device="cpu"))
    with pytest.raises(BadInputError) as caught:
        refuse_other_spec(tmp_path, parsed(training={"steps": 800}, seed=3))
    assert "training.steps was 400 and is 800; seed was 0 and is 3." in (
        caught.value.came
    )


def test_a_recipe_may_start_from_an_element_map():
    document = {
        "base": "pair:sw-si",
        "train": "a.xyz",
        "recipe": "full",
        "axes": {"starts": {"map": "Si:Ge@1.04"}},
    }
    found = parse_spec(document, "this test")
    plain = parse_spec(document | {"axes": None}, "this test")
    assert found.axes.starts.map.words == "Si:Ge@1.04"
    assert found.axes.model_copy(update={"starts": plain.axes.starts}) == plain.axes
    assert found.learning_rate == plain.learning_rate
    assert found.identity() != plain.identity()
    with pytest.raises(BadInputError, match="custom"):
        parse_spec(document | {"axes": {"starts": {"readout": "ridge"}}}, "this test")
