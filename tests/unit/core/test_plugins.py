"""Plug-ins: found by name, loaded when asked, blamed by name, and never in the way."""

import sys

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.core.registry import Plugins, Registry, plugin_versions
from tests.distributions import install

NUMBERS = "THREE = 3\nWORD = 'three'\n"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Return a folder of installed distributions."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("numbers_of_greeks", "sneezes"):
        sys.modules.pop(name, None)


@pytest.fixture
def greeks(site):
    """Install a plug-in with a good entry and two bad ones."""
    place = "numbers_of_greeks"
    return install(
        site,
        "greek-numbers",
        "2.1",
        {place: NUMBERS, "sneezes": "raise RuntimeError('at\\nchoo')"},
        recipes={
            "three": f"{place}:THREE",
            "word": f"{place}:WORD",
            "sneeze": "sneezes:ONE",
            "absent": f"{place}:FOUR",
        },
    )


def plugins():
    return Plugins[int]("recipe", "atomgraft.recipes", lambda one: isinstance(one, int))


def registry(**entries):
    made = Registry[int]("recipe", plugins())
    for name, value in entries.items():
        made.add(name, value)
    return made


def test_an_entry_is_found_by_its_name(greeks):
    assert "three" in plugins()
    assert plugins()["three"] == 3
    assert "four" not in plugins()


def test_listing_runs_no_code(greeks):
    assert list(plugins()) == ["absent", "sneeze", "three", "word"]
    assert list(registry(one=1)) == ["absent", "one", "sneeze", "three", "word"]
    assert sys.modules.keys().isdisjoint({"numbers_of_greeks", "sneezes"})


BROKEN = {
    "sneeze": "RuntimeError: at choo",
    "absent": "has no attribute 'FOUR'",
    "word": "is a str",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_entry_is_blamed_on_its_giver(name, greeks):
    for asked in (plugins(), registry(one=1)):
        with pytest.raises(BadInputError) as caught:
            asked[name]
        assert BROKEN[name] in str(caught.value)
        assert f"recipe {name!r} of greek-numbers 2.1" in caught.value.came
        assert caught.value.remedy.endswith("pip uninstall greek-numbers")
        assert "\n" not in str(caught.value)


def test_a_broken_entry_leaves_other_names_alone(greeks):
    made = registry(one=1)
    assert (made["one"], made["three"]) == (1, 3)
    with pytest.raises(BadInputError, match="no recipe named 'trhee'") as caught:
        made["trhee"]
    assert caught.value.remedy == "Did you mean 'three'?"


def test_a_plug_in_never_replaces_a_name_of_ours(greeks):
    made = registry(three=33, one=1)
    with pytest.raises(BadInputError, match=r"greek-numbers 2.1 offers the recipe"):
        made["three"]
    assert made["one"] == 1
    assert "numbers_of_greeks" not in sys.modules


def test_two_givers_of_one_name_are_both_named(greeks):
    install(greeks, "roman-numbers", recipes={"three": "numbers_of_greeks:THREE"})
    with pytest.raises(BadInputError) as caught:
        plugins()["three"]
    assert "greek-numbers 2.1" in caught.value.came
    assert "roman-numbers 1.0" in caught.value.came


def test_what_nobody_offers_is_refused():
    with pytest.raises(BadInputError, match="Nobody offer"):
        plugins()["three"]


def test_a_closed_registry_stays_closed(greeks):
    """Negative control: only those who are told to look see plug-ins."""
    made = Registry[int]("recipe")
    made.add("one", 1)
    assert list(made) == ["one"]
    assert "three" not in made


def test_versions_of_plug_ins_are_recorded(greeks):
    assert plugin_versions()["greek-numbers"] == "2.1"
