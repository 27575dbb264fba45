"""Are charges, types and refusals of PMMCS right, and the table whole?"""

import pytest
from ase import Atoms
from ase.data import atomic_numbers

from atomgraft.core.errors import BadInputError
from atomgraft.label.engines.base import Request
from atomgraft.label.engines.pmmcs import (
    FERRIC,
    IONS,
    OXYGEN,
    ions_of,
    pmmcs_engine,
    refusal_of,
    setup_of,
)

VALENCE = {0.6: 1, 1.2: 2, 1.8: 3, 2.4: 4, 3.0: 5}
"""Charges are 0.6 of the formal ones."""


def test_there_are_28_cations_with_formal_charges():
    cations = {name: one for name, one in IONS.items() if name != OXYGEN}
    assert len(cations) == 28
    for name, one in cations.items():
        assert name.removesuffix("3+") in atomic_numbers
        assert one.charge in VALENCE
        assert min(one.D, one.a, one.r0, one.C) > 0
    assert {name for name in cations if cations[name].charge == 0.6} == {
        *("Li", "Na", "K", "Cu", "Ag")
    }


@pytest.mark.parametrize(
    "formula", ["Li2O", "MgO", "Al2O3", "SiO2", "P2O5", "LiTi2P3O12", "Fe3Al2Si3O12"]
)
def test_compounds_of_formal_charges_are_neutral(formula):
    atoms = Atoms(formula)
    assert refusal_of(atoms) is None
    setup = setup_of(atoms)
    charges = dict(zip(setup.elements, setup.charges, strict=True))
    assert sum(charges[one] for one in atoms.symbols) == pytest.approx(0)


def test_iron_is_what_the_crystal_needs():
    assert ions_of(Atoms("FeO")) == {"Fe": "Fe", "O": "O"}
    assert ions_of(Atoms("LiFeO2"))["Fe"] == FERRIC
    assert ions_of(Atoms("Fe3O4")) is None  # mixed valence


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("LiCl", "no parameters for Cl"),
        ("LiNbO3", "no parameters for Nb"),
        ("LiSi", "no oxide"),
        ("LiO", "not neutral"),
        ("LiMnO2", "not neutral"),
    ],
)
def test_what_it_does_not_describe_is_said(formula, why):
    assert why in refusal_of(Atoms(formula))


def test_oxygen_is_the_last_type_and_pairs_with_all():
    setup = setup_of(Atoms("LiTi2P3O12"))
    assert setup.elements == ("Li", "P", "Ti", "O")
    pairs = [one for one in setup.lines if " pedone 0" in one]
    assert [one.split()[1:3] for one in pairs] == [
        ["1", "4"],
        ["2", "4"],
        ["3", "4"],
        ["4", "4"],
    ]


def test_it_has_no_settings():
    with pytest.raises(BadInputError, match="no setting 'cutoff'"):
        pmmcs_engine(Request(settings={"cutoff": 8.0}))
    with pytest.raises(BadInputError, match="no setting 'fast'"):
        pmmcs_engine(Request(argument="fast"))
