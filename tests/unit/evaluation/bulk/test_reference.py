"""Reference values: what a file may hold, and what is said of a wrong one."""

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.evaluation.bulk.record import unit_of
from atomgraft.evaluation.bulk.reference import read_references, require_used

WRONG = {
    "nothing": ("# none\n", "holds no YAML document"),
    "a list": ("- 1\n", "it holds a list"),
    "no properties": ("Si:\n", "Si has nothing"),
    "a number for a crystal": ("Si: 3.0\n", "Si has a float"),
    "an unknown property": ("Si: {hardness: 3.0}\n", "the unknown property 'hardness'"),
    "a constant that is none": ("Si: {C47: 3.0}\n", "the unknown property 'C47'"),
    "text": ("Si: {C11: large}\n", "C11 of Si is 'large'"),
    "a truth": ("Si: {C11: yes}\n", "C11 of Si is True"),
    "zero": ("Si: {C11: 0}\n", "C11 of Si is 0"),
    "infinity": ("Si: {C11: .inf}\n", "no finite number"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_used_is_named(case, tmp_path):
    text, said = WRONG[case]
    file = tmp_path / "values.yaml"
    file.write_text(text)
    with pytest.raises(BadInputError, match=said):
        read_references(file)


def test_values_are_read(tmp_path):
    file = tmp_path / "values.yaml"
    file.write_text(
        "Si: {volume: 20, vacancy_Si: 3.6, surface_1-10: 1.5}\nGe: {C44: 66}"
    )
    found = read_references(file)
    assert found == {
        "Si": {"volume": 20.0, "vacancy_Si": 3.6, "surface_1-10": 1.5},
        "Ge": {"C44": 66.0},
    }
    require_used(file, found, ["Ge", "Si"])
    with pytest.raises(BadInputError, match="has values of Ge"):
        require_used(file, found, ["Si"])


def test_every_property_has_a_unit():
    named = ("volume", "C12", "vacancy_Si", "vacancy_Si_2", "surface_111")
    assert [unit_of(one) for one in named] == [
        "Å³/atom",
        "GPa",
        "eV",
        "eV",
        "J/m²",
    ]
    strange = ("C1", "Cohesion", "vacancy_", "surface_11", "surface_x11", "")
    assert [unit_of(one) for one in strange] == [None] * len(strange)
