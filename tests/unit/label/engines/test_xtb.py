"""Is xTB that of tblite, and is what it cannot take refused?"""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from atomgraft.core.errors import BadInputError
from atomgraft.label.engines.base import make_engine
from tests.unit.label.engines.inside import labelled_inside

pytest.importorskip("tblite")

FORCE_TOLERANCE = 1e-4
"""eV/Å; finite differences of 1e-3 Å at the accuracy of tblite."""


def water(**more):
    atoms = molecule("H2O", **more)
    atoms.rattle(0.05, seed=1)
    return atoms


@pytest.mark.parametrize("method", ["GFN1", "GFN2"])
def test_labels_are_those_of_tblite(method):
    from ase import units
    from tblite.interface import Calculator

    atoms = water()
    found = labelled_inside(make_engine(f"xtb:{method}", {}), atoms)
    direct = Calculator(f"{method}-xTB", atoms.numbers, atoms.positions / units.Bohr)
    direct.set("verbosity", 0)
    result = direct.singlepoint()
    assert found.energy == pytest.approx(result["energy"] * units.Hartree, abs=1e-7)
    gradient = result["gradient"] * units.Hartree / units.Bohr
    np.testing.assert_allclose(found.forces, -gradient, atol=1e-6)


def test_a_method_may_be_short_and_in_small_letters():
    named = [make_engine(f"xtb:{one}", {}) for one in ("GFN1", "gfn1", "gfn1-xtb")]
    named.append(make_engine("xtb", {"method": "gfn1-xtb"}))
    assert {one.name for one in named} == {"xtb:GFN1"}
    assert len({one.identity for one in named}) == 1


def test_the_order_of_structures_changes_nothing():
    engine = make_engine("xtb", {})
    alone = engine.label(water()).energy
    engine.label(molecule("CH4"))
    engine.label(molecule("H2O"))
    assert engine.label(water()).energy == alone


def test_a_structure_may_have_a_spin_of_its_own():
    atoms = Atoms("O", info={"multiplicity": 3})
    own = labelled_inside(make_engine("xtb", {}), atoms).energy
    del atoms.info["multiplicity"]
    triplet = make_engine("xtb", {"multiplicity": 3})
    assert labelled_inside(triplet, atoms).energy == own
    assert labelled_inside(make_engine("xtb", {}), atoms).energy != own


def test_crystals_have_a_stress():
    atoms = bulk("MgO", "rocksalt", a=4.1)
    engine = make_engine("xtb:GFN1", {})
    found = labelled_inside(engine, atoms)
    h = 1e-3
    energies = []
    for sign in (1, -1):
        strained = atoms.copy()
        strained.set_cell(atoms.cell * (1 + sign * h), scale_atoms=True)
        energies.append(labelled_inside(engine, strained).energy)
    slope = (energies[0] - energies[1]) / (2 * h) / atoms.get_volume()
    assert found.stress[:3].sum() == pytest.approx(slope, rel=0.02)


@pytest.mark.parametrize(
    ("atoms", "settings", "why"),
    [
        (Atoms("OH", [[0, 0, 0], [0, 0, 1]]), {}, "9 electrons, and no multiplicity"),
        (Atoms("OH", [[0, 0, 0], [0, 0, 1]]), {"multiplicity": 2}, None),
        (Atoms("OH", [[0, 0, 0], [0, 0, 1]]), {"charge": -1}, None),
        (Atoms("H2O"), {"multiplicity": 2}, "10 electrons cannot have"),
        (Atoms("H"), {"charge": 1}, "0 electrons"),
        (Atoms("UO2"), {}, "beyond radon"),
        (Atoms("He", pbc=[True, True, False]), {}, "one or two directions"),
    ],
)
def test_what_it_cannot_take_is_left_out(atoms, settings, why):
    reason = make_engine("xtb", settings).refusal(atoms)
    assert reason == why if why is None else why in reason


@pytest.mark.parametrize(
    ("engine", "settings", "what"),
    [
        ("xtb:GFN3", {}, "'method'"),
        ("xtb", {"method_": "GFN1-xTB"}, "did you mean 'method'"),
        ("xtb", {"multiplicity": 0}, "multiplicity"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(engine, settings, what):
    with pytest.raises(BadInputError, match=what):
        make_engine(engine, settings)
