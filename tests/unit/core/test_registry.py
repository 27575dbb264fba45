"""Registries: closed, sorted, helpful about typos."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.core.errors import BadInputError
from atomgraft.core.registry import Registry, unknown


def recipes(*names):
    registry = Registry[int]("recipe")
    for value, name in enumerate(names):
        registry.add(name, value)
    return registry


@given(names=st.lists(st.text(), unique=True))
def test_what_is_added_is_found_and_listed_in_order(names):
    registry = recipes(*names)
    assert list(registry) == sorted(names)
    assert [registry[name] for name in names] == list(range(len(names)))
    assert all(name in registry for name in names)


@pytest.mark.parametrize("typo", ["lroa", "LORa", "lora ", "lor"])
def test_a_typo_is_answered_with_the_name(typo):
    with pytest.raises(BadInputError) as caught:
        recipes("full", "lora")[typo]
    assert caught.value.came == f"There is no recipe named {typo!r}."
    assert caught.value.needed == "Known: full, lora."
    assert caught.value.remedy == "Did you mean 'lora'?"


def test_what_resembles_nothing_is_not_guessed():
    with pytest.raises(BadInputError) as caught:
        recipes("full", "lora")["xyzzy"]
    assert "Did you mean" not in caught.value.remedy
    assert "xyzzy" not in recipes("full")


def test_a_name_is_taken_once():
    registry = recipes("full")
    with pytest.raises(ValueError, match="recipe 'full' is registered twice"):
        registry.add("full", 7)
    assert registry["full"] == 0


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("7net-9", ("7net-0", "mace-mp-0b3"), "7net-0"),
        ("campain", ("run", "compare", "campaign"), "campaign"),
        ("LORA ", ("full", "lora"), "lora"),
        ("elastic", ("phonons",), None),
    ],
)
def test_the_nearest_name_is_asked_for(name, known, meant):
    hint = unknown("thing", name, known).remedy
    assert hint == (f"Did you mean {meant!r}?" if meant else "Choose one of them.")
