"""A spec is complete, frozen and read as it was written."""

import pytest
import yaml

from atomgraft.adaptation.recipes import RECIPES
from atomgraft.core.errors import BadInputError
from atomgraft.run.spec import (
    MAX_RUNS,
    RunSpec,
    parse_spec,
    read_spec,
    refuse_other_spec,
    scratch_spec,
    spec_text,
    with_accepted,
    with_short,
)
from atomgraft.study.spec_files import schema_of

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


OF_BEFORE = {True: "8b38cc1c7f4f", False: "6a4326883cbc"}
"""Identities of runs when references were refitted or not, and nothing else."""


def with_references(given):
    changes = {"base": "7net-0", "train": "a.xyz", "axes": {}}
    changes["axes"] = {"starts": {"references": given}}
    return parsed(**changes)


@pytest.mark.parametrize(
    ("given", "held"),
    [("residual", True), ("true", True), (True, True), ("none", False), (0, False)],
)
def test_references_have_names_and_runs_of_before_their_identities(given, held):
    spec = with_references(given)
    assert spec.axes.starts.references is held
    assert spec.identity().startswith(OF_BEFORE[held])


def test_other_references_make_other_runs():
    found = {with_references(one).identity() for one in (True, "labels", "isolated")}
    assert len(found) == 3
    head = parsed(heads={"pbe": {"train": "p.xyz", "references": "labels"}}).heads[
        "pbe"
    ]
    assert head.references == "labels"


@pytest.mark.parametrize("given", ["label", None, 7, ["labels"]])
def test_references_that_are_no_way_are_refused(given):
    with pytest.raises(BadInputError, match="expected residual, labels, isolated or"):
        with_references(given)


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
    schema = schema_of(RunSpec)
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


CHEAP = {"base": "sevennet:mini:Si", "train": "cheap.extxyz", "recipe": "scratch"}


def ladder(**changes):
    return parsed(base=CHEAP | changes)


def test_a_base_may_be_a_run():
    spec = ladder(training={"steps": 7})
    assert spec.base == parse_spec(CHEAP | {"training": {"steps": 7}}, "here")
    assert (spec.n_runs, spec.base.n_runs) == (2, 1)
    assert spec.base_words == "a run on cheap.extxyz"
    assert parsed().base_words == "pair:sw-si"
    assert parsed(base=spec).n_runs == 3


def test_a_run_in_a_run_comes_back_from_text(tmp_path):
    spec = parsed(base=ladder(seed=3))
    path = tmp_path / "spec.yaml"
    path.write_text(spec_text(spec))
    assert read_spec(path) == spec
    assert read_spec(path).identity() == spec.identity()


def test_identity_holds_what_changes_numbers_of_the_base():
    one = ladder().identity()
    same = {"device": "cpu", "accept": ["same-site"], "targets": {"forces": 5}}
    assert ladder(**same).identity() == one
    assert ladder(train="x/inputs/a.0123456789ab.extxyz").identity() == (
        ladder(train="y/inputs/a.0123456789ab.extxyz").identity()
    )
    for change in ({"seed": 1}, {"training": {"steps": 3}}, {"train": "b.extxyz"}):
        assert ladder(**change).identity() != one
    assert parsed(base="runs/x/base").identity() != one


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"epochs": 3}, "'base.epochs' is an unknown key"),
        ({"recipes": "full"}, "(did you mean 'recipe'?)"),
        ({"train": None}, "'base.train' is None"),
        ({"training": {"steps": "x"}}, "'base.training.steps' is 'x'"),
        ({"base": 3}, "'base.base' is 3: expected a name, a file, the folder of a run"),
        ({"base": CHEAP | {"seed": -1}}, "'base.base.seed' is -1"),
    ],
)
def test_a_problem_of_a_base_is_named_below_it(change, problem):
    with pytest.raises(BadInputError) as caught:
        ladder(**change)
    assert problem in caught.value.came
    assert "RunSpec" not in str(caught.value)


def test_a_head_that_the_base_will_lack_is_refused():
    heads = {"pbe": {"train": "pbe.extxyz"}}
    assert parsed(base=CHEAP | {"heads": heads}, head="pbe").head == "pbe"
    with pytest.raises(BadInputError, match="makes the base has no head 'pbe'"):
        parsed(base=CHEAP, head="pbe")


def test_runs_that_start_from_each_other_are_limited():
    spec = CHEAP
    for _ in range(MAX_RUNS - 1):
        spec = CHEAP | {"base": spec}
    assert parse_spec(spec, "here").n_runs == MAX_RUNS
    with pytest.raises(BadInputError, match=f"at most {MAX_RUNS} may"):
        parse_spec(CHEAP | {"base": spec}, "here")


def test_what_differs_in_a_base_is_named_and_an_equal_one_is_kept(tmp_path):
    (tmp_path / "spec.yaml").write_text(spec_text(ladder(training={"steps": 400})))
    with pytest.raises(BadInputError) as caught:
        refuse_other_spec(tmp_path, ladder(training={"steps": 800}))
    assert "base.training.steps was 400 and is 800." in caught.value.came
    assert "again" not in caught.value.remedy
    with pytest.raises(BadInputError) as caught:
        refuse_other_spec(
            tmp_path, parsed(base=CHEAP | {"training": {"steps": 400}}, seed=1)
        )
    assert f"'base: {tmp_path / 'base'}' uses its base again" in caught.value.remedy


def test_warnings_that_were_accepted_stay_so_for_each_run(tmp_path):
    (tmp_path / "base").mkdir()
    accepted = ladder(accept=["same-site"])
    (tmp_path / "spec.yaml").write_text(spec_text(accepted))
    (tmp_path / "base" / "spec.yaml").write_text(spec_text(accepted.base))
    found = with_accepted(ladder(), tmp_path)
    assert (found.accept, found.base.accept) == ((), ("same-site",))


def test_short_keys_are_those_of_the_last_run():
    found = with_short(ladder(), {"steps": 3}, "here")
    assert found.training.steps == 3
    assert found.base == ladder().base


def test_a_scratch_run_beside_shares_the_base():
    assert scratch_spec(ladder()).base == ladder().base


def test_the_schema_of_a_base_is_the_whole_schema():
    schema = schema_of(RunSpec)
    kinds = schema["properties"]["base"]["anyOf"]
    assert kinds == [{"type": "string"}, {"$ref": "#"}]
    assert "RunSpec" not in schema["$defs"]


def test_a_missing_recipe_is_what_is_missing():
    document = {"base": "pair:sw-si", "train": "a.extxyz"}
    with pytest.raises(BadInputError, match=r"'recipe' is missing; for example") as one:
        parse_spec(document, "A file")
    assert "axes" not in one.value.came
    nested = {"base": document, "train": "b.extxyz", "recipe": "full"}
    with pytest.raises(BadInputError, match=r"'base': 'recipe' is missing"):
        parse_spec(nested, "A file")
