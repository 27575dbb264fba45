"""Are donors and scales decided as they were asked for, and nonsense refused?"""

import dataclasses

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers
from pydantic import ValidationError

from atomgraft.adaptation.axes import Axes, ElementMap, WholeWeights
from atomgraft.adaptation.element_maps import (
    AppliedMap,
    decide_map,
    group_of,
    most_similar,
)
from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import set_labels
from atomgraft.models.elements import with_donors
from atomgraft.models.pair import PRESETS

ALL = frozenset(range(1, 84))


def decided(base="pair:sw-si", structures=(), **wanted):
    return decide_map(ElementMap(**wanted), PRESETS[base](), structures)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"elements": {"Xx": "Si"}}, "Xx is no chemical element"),
        ({"elements": {"Ge": "Silicon"}}, "Silicon is no chemical element"),
        ({"elements": {"Ge": "Si", "Si": "Ge"}}, "in two runs"),
        ({"elements": {"Ge": "Si", "Sn": "Ge"}}, "Ge would be given away"),
        ({"elements": {"Si": "Si"}}, "Si would start from itself, which"),
        ({}, "names no element and no scale"),
        (
            {"elements": {"Ge": "Si"}, "length": 3},
            "neither a number from 0.5 to 2",
        ),
        (
            {"elements": {"Ge": "Si"}, "length": -1},
            "neither a number from 0.5 to 2",
        ),
        ({"elements": {"Ge": "Si"}, "length": "fitted"}, "fit"),
    ],
)
def test_nonsense_is_refused(given, word):
    with pytest.raises(ValidationError, match=word):
        ElementMap(**given)


def test_fresh_weights_take_room_and_no_scale():
    start = {"weights": "fresh", "map": "Si:Ge@1.04"}
    with pytest.raises(ValidationError, match="cannot use a scale"):
        Axes(moves=WholeWeights(), starts=start)
    start["map"] = ElementMap.model_validate("Si:Ge@1.04").without_scales()
    assert Axes(moves=WholeWeights(), starts=start).starts.map.words == "Si:Ge"


@pytest.mark.parametrize(
    ("words", "elements", "length", "energy"),
    [
        ("Si:Ge", {"Ge": "Si"}, 1.0, 1.0),
        ("Li:Na,P:As", {"Na": "Li", "As": "P"}, 1.0, 1.0),
        ("auto:Ge@fit", {"Ge": "auto"}, "fit", 1.0),
        ("Si:Ge@1.04@0.9", {"Ge": "Si"}, 1.04, 0.9),
        ("@1.04", {}, 1.04, 1.0),
    ],
)
def test_words_are_read_and_written(words, elements, length, energy):
    read = ElementMap.model_validate(words)
    assert (read.elements, read.length, read.energy) == (elements, length, energy)
    assert read.words == words


def test_a_donor_is_an_element_of_the_base():
    with pytest.raises(
        BadInputError, match="from C, which pair:sw-si does not support"
    ):
        decided(elements={"Ge": "C"})


@pytest.mark.parametrize(
    ("element", "donor"),
    [("Ge", "Si"), ("Na", "K"), ("As", "P"), ("Br", "Cl"), ("Zr", "Hf"), ("Mg", "Ca")],
)
def test_a_donor_of_the_same_group_is_found(element, donor):
    known = ALL - {atomic_numbers[element]}
    if element == "Na":
        known -= {3}  # lithium and potassium are about as near
    found, reason = most_similar(element, known, {})
    assert found == donor
    assert f"{element} takes the weights of {donor}: the same group" in reason


@pytest.mark.parametrize(
    ("element", "known", "donor"),
    [
        ("O", "N S", "S"),  # nitrogen is nearer by radius and electronegativity
        ("N", "O P", "P"),
        ("F", "O Cl", "Cl"),
        ("Fe", "Ti Ga", "Ti"),  # four and five groups away; gallium is nearer
        ("Sc", "Cr Zn In", "Cr"),  # three, nine and ten groups away
        ("Mg", "Al Sc Sr", "Sr"),
        ("Mg", "Al Rb V", "Al"),  # one valence electron more, and one less
        ("Li", "H Mg", "Mg"),
        ("H", "Li Na C", "C"),
    ],
)
def test_the_group_comes_before_radius_and_electronegativity(element, known, donor):
    numbers = frozenset(atomic_numbers[one] for one in known.split())
    found, reason = most_similar(element, numbers, {})
    assert found == donor
    assert ("the same group" in reason) == (group_of(element) == group_of(donor))


def test_hydrogen_is_no_alkali_metal():
    found, reason = most_similar("H", frozenset({3}), {})
    assert found == "Li"
    assert "takes the weights of Li: group 1" in reason


def test_what_is_mapped_itself_gives_nothing():
    found, reason = most_similar("Ge", frozenset({14, 6, 9}), {"Si": "C"})
    assert found == "C"
    assert "the same group (14)" in reason


def test_no_donor_where_nothing_is_known():
    with pytest.raises(BadInputError, match="No donor for Ge"):
        most_similar("Ge", frozenset({2, 10}), {})


def test_an_element_without_a_frame_is_told():
    applied = decided(elements={"Ge": "auto"}, structures=[Atoms("Si2", cell=[9] * 3)])
    assert applied.donors == {"Ge": "Si"}
    assert any("Ge is mapped, but in no training structure" in o for o in applied.notes)
    applied = decided(elements={"Ge": "Si"}, structures=[Atoms("Ge2", cell=[9] * 3)])
    assert applied.notes == ("Ge takes the weights of Si.",)


def test_a_scale_needs_forces_to_be_fitted():
    with pytest.raises(BadInputError, match="no training structure has forces"):
        decided(elements={"Ge": "Si"}, length="fit", structures=[Atoms("Ge2")])


def test_a_scale_is_not_fitted_to_a_crystal_at_its_sites():
    crystal = bulk("Ge", cubic=True)
    set_labels(crystal, energy=-30.0, forces=np.zeros((8, 3)))
    with pytest.raises(BadInputError, match="forces of all training structures are"):
        decided(elements={"Ge": "Si"}, length="fit", structures=[crystal])


def test_a_decided_map_survives_a_file():
    applied = AppliedMap(donors={"Ge": "Si"}, length=1.04, notes=("so",))
    assert AppliedMap(**applied.document()) == applied


def test_what_was_never_trained_gives_nothing():
    base = PRESETS["pair:sw-sige"]()
    base.card = dataclasses.replace(base.card, untrained=frozenset({32}))
    applied = decide_map(ElementMap(elements={"Sn": "auto"}), base, [])
    assert applied.donors == {"Sn": "Si"}
    assert applied.apply(base).card.untrained == {32}
    with pytest.raises(BadInputError, match="was never trained"):
        decide_map(ElementMap(elements={"Sn": "Ge"}), base, [])
    assert with_donors(base, {50: 32}).card.untrained == {32, 50}
    assert with_donors(base, {32: 14}).card.untrained == frozenset()
    assert base.rescaled(length=1.1).card.untrained == {32}
