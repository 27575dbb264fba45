"""What a spec takes, what it refuses, and what its identity covers."""

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.core.specs import checked_spec
from atomgraft.transport.diffusivity.command import pair_of, words_of
from atomgraft.transport.diffusivity.spec import DiffusivitySpec, require_temperature

GIVEN = {"files": ["a", "b"], "mobile": ["Li"], "temperature": [600, 800]}


def spec_of(**changes):
    return checked_spec(DiffusivitySpec, "diffusivity", GIVEN | changes)


def test_one_value_is_for_all_trajectories():
    spec = spec_of(step=[100], temperature=[700])
    assert [spec.temperature_of(i) for i in range(2)] == [700, 700]
    assert [spec.step_of(i) for i in range(2)] == [100, 100]
    assert spec_of().step_of(1) is None
    assert [spec_of().temperature_of(i) for i in range(2)] == [600, 800]


REFUSED = {
    "three temperatures": ({"temperature": [1, 2, 3]}, "3 values of temperature"),
    "three steps": ({"step": [1, 2, 3]}, "3 values of step"),
    "cold": ({"temperature": [0]}, "temperature"),
    "backwards": ({"step": [-1]}, "step"),
    "twins": ({"files": ["a", "a"]}, "given twice"),
    "no ion": ({"mobile": ["Lx"]}, "not a chemical element"),
    "no type": ({"elements": ["Li", "X"]}, "not a chemical element"),
    "foreign charge": ({"charge": {"Na": 1}}, "not mobile"),
    "no number": ({"charge": {"Li": "much"}}, "charge"),
    "another estimator": ({"estimator": "guess"}, "estimator"),
    "nothing": ({"mobile": []}, "mobile"),
    "unknown": ({"mobil": ["Li"]}, "mobil"),
    "infinite": ({"skip": float("inf")}, "skip"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused(name):
    changes, words = REFUSED[name]
    with pytest.raises(BadInputError, match=words) as told:
        spec_of(**changes)
    assert "atomgraft diffusivity --help" in str(told.value)


def test_a_missing_temperature_says_what_to_type():
    with pytest.raises(BadInputError, match="--temperature 600,800"):
        require_temperature({"temperature": None})
    assert require_temperature(GIVEN) is GIVEN


def test_the_identity_is_of_settings_and_content_and_not_of_names():
    one = spec_of()
    assert one.identity("x", "y") == spec_of(files=["c", "d"]).identity("x", "y")
    others = [
        spec_of(temperature=[600, 801]),
        spec_of(mobile=["O"]),
        spec_of(skip=1.0),
        spec_of(charge={"Li": 0.9}),
        spec_of(seed=1),
    ]
    found = {other.identity("x", "y") for other in others}
    assert len(found) == len(others)
    assert one.identity("x", "y") not in found
    assert one.identity("x", "z") != one.identity("x", "y")


def test_lists_and_pairs_as_they_are_typed():
    assert words_of("600,800 1000") == ["600", "800", "1000"]
    assert pair_of("Cu=2") == ("Cu", "2")
    with pytest.raises(BadInputError, match="--charge Cu=2"):
        pair_of("Cu")
