"""Adapters of others: chosen by name, answered for, never in the way of our own."""

import sys

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import package_versions
from atomgraft.models.loading import adapter_of, known_names, load_potential
from tests.distributions import install

ADAPTER = """
from atomgraft.core.errors import BadInputError
from atomgraft.models.loading import load_potential

def load(name, *, head, trust):
    if head is not None:
        raise BadInputError("No head.", "None.", "Leave it out.")
    return load_potential("pair:sw-si")

def fails(name, *, head, trust):
    raise KeyError(name)

def returns_a_word(name, *, head, trust):
    return "silicon"

def takes_nothing():
    return None
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Install adapters, most of them broken, one of a name that is ours."""
    monkeypatch.syspath_prepend(tmp_path)
    offers = {
        "good": "adapters_of_others:load",
        "fails": "adapters_of_others:fails",
        "word": "adapters_of_others:returns_a_word",
        "nothing": "adapters_of_others:takes_nothing",
        "gone": "no_such_module:load",
    }
    install(
        tmp_path,
        "others",
        modules={"adapters_of_others": ADAPTER},
        adapters=offers,
    )
    yield tmp_path
    sys.modules.pop("adapters_of_others", None)


@pytest.mark.parametrize("name", ["good:silicon", "good:a/b.pth", "runs/mine.good"])
def test_a_name_finds_its_adapter(name, site):
    assert adapter_of(name) == "good"
    assert load_potential(name).card.name == "pair:sw-si"


@pytest.mark.parametrize("name", ["good", "good-0", "7net-0", "x.pth", "pair:sw-si"])
def test_other_names_find_none(name, site):
    assert adapter_of(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("fails:x", "KeyError: 'fails:x'"),
        ("word:x", "it returned a str"),
        ("nothing:x", "unexpected keyword argument"),
        ("gone:x", "No module named 'no_such_module'"),
    ],
)
def test_a_broken_adapter_is_blamed_on_its_giver(name, reason, site):
    with pytest.raises(BadInputError) as caught:
        load_potential(name)
    assert "of others 1.0 fails" in caught.value.came
    assert reason in caught.value.came
    assert load_potential("pair:sw-ge").elements == {32}


def test_an_adapter_may_explain_itself(site):
    with pytest.raises(BadInputError, match=r"^No head\."):
        load_potential("good:silicon", head="PBE")


@pytest.mark.parametrize(
    ("claimed", "name"), [("pair", "pair:sw-si"), ("pth", "x.pth"), ("mace", "mace:x")]
)
def test_a_name_of_ours_is_never_taken(claimed, name, site):
    install(site, "thief", adapters={claimed: "adapters_of_others:load"})
    with pytest.raises(BadInputError, match=r"thief 1.0 offers the adapter"):
        load_potential(name)
    assert "adapters_of_others" not in sys.modules


def test_unknown_names_are_answered_with_the_adapters_too(site):
    assert "good:..." in known_names()
    with pytest.raises(BadInputError, match="names no potential") as caught:
        load_potential("goood:x")
    assert "good:..." in caught.value.needed


def test_a_result_names_the_plug_ins_it_was_made_with(site):
    assert package_versions()["others"] == "1.0"
