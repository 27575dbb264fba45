"""Spec files to start from: made of the models, and read back as what they are."""

import re

import pytest
import yaml

from atomgraft.cli.kinds import KINDS
from atomgraft.study.spec_files import (
    EXAMPLES,
    meanings_of,
    schema_of,
    starting_text,
)

SETTING = re.compile(r"^#(?=\S|  )", re.M)
"""What makes a comment of a setting; explanations have one space after it."""


@pytest.fixture(params=KINDS)
def spec(request):
    return KINDS[request.param].spec


def test_it_reads_back_with_every_default(spec):
    document = yaml.safe_load(starting_text(spec, "this test"))
    found = spec.model_validate(document)
    assert set(document) <= {
        name for name, one in spec.model_fields.items() if one.is_required()
    }
    whole = yaml.safe_load(SETTING.sub("", starting_text(spec, "this test")))
    assert set(whole) == set(spec.model_fields)
    assert spec.model_validate(whole) == found


def test_examples_are_of_keys_without_a_default(spec):
    """A key that has one, or that is gone, would stand there as if it were needed."""
    needed = {name for name, one in spec.model_fields.items() if one.is_required()}
    assert set(EXAMPLES[spec.__name__]) <= needed


def test_every_spec_has_its_own_examples():
    assert set(EXAMPLES) == {one.spec.__name__ for one in KINDS.values()}
    assert EXAMPLES["DistilSpec"]["mobile"] == "Li"
    assert EXAMPLES["DiffusivitySpec"]["mobile"] == ["Li"]


def test_every_meaning_is_there(spec):
    text = " ".join(starting_text(spec, "").replace("\n#", " ").split())
    for meaning in meanings_of(spec).values():
        assert meaning.split(";")[0][:40] in text


def test_the_schema_says_what_keys_mean(spec):
    schema = schema_of(spec)
    meanings = meanings_of(spec)
    assert meanings
    for name, meaning in meanings.items():
        assert schema["properties"][name]["description"] == meaning


def test_what_the_schema_allows_is_what_the_model_allows(spec):
    plain = spec.model_json_schema()
    if "$ref" in plain:  # it may hold one of its own kind
        plain = plain["$defs"][plain["$ref"].rpartition("/")[2]]
    assert schema_of(spec)["properties"].keys() == plain["properties"].keys()
    assert schema_of(spec).get("required") == plain.get("required")
