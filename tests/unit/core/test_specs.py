"""What is said of a document that is no spec, and of two that differ."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from atomgraft.core.errors import BadInputError
from atomgraft.core.specs import MAX_NAMED, changes, checked_spec, listed, parsed


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = 1
    shape: Literal["huber", "mse"] = "mse"


class Outer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    training: Inner | None = None
    heads: dict[str, Inner] = {}


def refused(document):
    with pytest.raises(BadInputError) as caught:
        parsed(Outer, document, "run.yaml", title="a run", verb="adapt", schema="run")
    return caught.value


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"bse": "x"}, "'bse' is an unknown key (did you mean 'base'?)"),
        ({"colour": 1}, "'colour' is an unknown key"),
        (
            {"training": {"step": 2}},
            "'training.step' is an unknown key (did you mean 'steps'?)",
        ),
        (
            {"heads": {"pbe": {"stepps": 2}}},
            "'heads.pbe.stepps' is an unknown key (did you mean 'steps'?)",
        ),
        ({"training": {"shape": "Hubber"}}, "(did you mean 'huber'?)"),
        ({"training": {"steps": "x"}}, "'training.steps' is 'x': "),
    ],
)
def test_a_key_is_named_with_what_it_may_have_meant(given, problem):
    told = refused({"base": "7net-0"} | given).came
    assert told.startswith("run.yaml is no valid description of a run: ")
    assert problem in told
    assert ("did you mean" in told) == ("did you mean" in problem)


@pytest.mark.parametrize("document", [None, 3, [{"base": "x"}]])
def test_what_is_no_mapping_is_refused(document):
    told = refused(document)
    assert type(document).__name__ in told.came
    assert "atomgraft schema run" in told.remedy


def test_options_out_of_range_are_named_with_the_verb():
    with pytest.raises(BadInputError) as found:
        checked_spec(Outer, "trial", {"base": "x", "extra": 1})
    told = found.value
    assert "'extra'" in told.came
    assert "atomgraft trial --help" in told.remedy


def test_an_empty_list_is_called_empty():
    class Several(BaseModel):
        names: Annotated[tuple[str, ...], Field(min_length=1)]

    with pytest.raises(BadInputError, match="'names' is empty, and needs at least 1"):
        checked_spec(Several, "trial", {"names": []})


def test_a_spec_comes_out():
    found = parsed(Outer, {"base": "x"}, "run.yaml", title="a run", verb="adapt")
    assert found == Outer(base="x")


def test_equal_documents_do_not_differ():
    document = {"a": [1, {"b": None}], "c": 0.1}
    assert changes(document, {"a": [1, {"b": None}], "c": 0.1 * (1 + 1e-9)}) == ()
    assert changes({"device": 1}, {"device": 2}, free={"device"}) == ()
    assert changes({"device": 1}, {"device": 2}) == ("device was 1 and is 2",)


def test_lists_are_compared_place_by_place_where_they_are_as_long():
    assert changes([1, 2], [1, 3]) == ("1 was 2 and is 3",)
    assert changes({"a": [1]}, {"a": [1, 2]}) == ("a was [1] and is [1, 2]",)


def test_few_changes_are_all_named():
    assert listed(["a"] * MAX_NAMED) == "a; a; a"
