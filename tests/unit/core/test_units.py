"""Units and properties: the factors are ASE's, the table is complete."""

import ase.units
import pytest

from atomgraft.core import units
from atomgraft.core.properties import PROPERTIES, Property

SAME_CONSTANTS = 1e-9
"""Relative. ASE multiplies CODATA 2014 values out; newer CODATA differ from 1e-8 on."""


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (units.EV_PER_A3_IN_GPA, 1 / ase.units.GPa),
        (units.EV_PER_A3_IN_KBAR, 10 / ase.units.GPa),
        (units.HARTREE_IN_EV, ase.units.Hartree),
        (units.BOHR_IN_ANGSTROM, ase.units.Bohr),
        (units.RYDBERG_IN_EV, ase.units.Rydberg),
        (units.EV_IN_MEV, 1000 * ase.units.eV),
    ],
    ids=["GPa", "kbar", "hartree", "bohr", "rydberg", "meV"],
)
def test_factors_are_ase_s(ours, theirs):
    assert ours == pytest.approx(theirs, rel=SAME_CONSTANTS)


def test_the_tolerance_tells_editions_of_codata_apart():
    newer = ase.units.create_units("2018")
    assert pytest.approx(newer["Hartree"], rel=SAME_CONSTANTS) != units.HARTREE_IN_EV


def test_every_property_has_a_row_and_a_label_of_its_own():
    assert set(PROPERTIES) == set(Property)
    labels = {row.label for row in PROPERTIES.values()}
    assert len(labels) == len(Property)
    assert all(label.startswith("REF_") for label in labels)


@pytest.mark.parametrize(
    ("asked", "internal", "reported"),
    [
        (Property.ENERGY, 1 * ase.units.eV, 1000.0),
        (Property.FORCES, 1 * ase.units.eV / ase.units.Angstrom, 1000.0),
        (Property.STRESS, 1 * ase.units.GPa, 1.0),
    ],
)
def test_report_factors_turn_internal_values_into_report_units(
    asked, internal, reported
):
    assert internal * PROPERTIES[asked].report_factor == pytest.approx(
        reported, rel=SAME_CONSTANTS
    )


def test_a_property_is_its_name_on_disk():
    assert [str(one) for one in Property] == ["energy", "forces", "stress"]
    assert Property("stress") is Property.STRESS
