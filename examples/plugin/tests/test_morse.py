"""The plug-in, tested with the kits that atomgraft ships, and against ASE."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.morse import MorsePotential as AseMorse
from atomgraft_morse.potential import CUTOFF, METALS, ONSET, MorsePotential, load
from atomgraft_morse.recipe import INTERACTIONS

from atomgraft.core.errors import BadInputError
from atomgraft.models.calculator import GraftCalculator
from atomgraft.models.loading import load_potential
from atomgraft.testing import (
    ADAPTATION_CHECKS,
    ADAPTER_CHECKS,
    Tolerances,
    adaptation_trial,
    structures_for,
)

TRIAL = adaptation_trial(MorsePotential("Cu"), INTERACTIONS.axes)
"""Trained once for all checks of the recipe."""


@pytest.mark.parametrize("symbol", METALS)
@pytest.mark.parametrize("check", ADAPTER_CHECKS)
def test_the_adapter_passes_the_kit(symbol, check):
    potential = MorsePotential(symbol)
    ADAPTER_CHECKS[check](potential, structures_for(potential), Tolerances())


@pytest.mark.parametrize("check", ADAPTATION_CHECKS)
def test_the_recipe_passes_the_kit(check):
    ADAPTATION_CHECKS[check](TRIAL, Tolerances())


@pytest.mark.parametrize("symbol", METALS)
def test_energies_and_forces_are_those_of_ase(symbol):
    well = METALS[symbol]
    theirs = bulk(symbol, cubic=True) * 2
    theirs.rattle(0.1, seed=1)
    ours = theirs.copy()
    theirs.calc = AseMorse(
        epsilon=well.depth,
        rho0=well.steepness * well.distance,
        r0=well.distance,
        rcut1=ONSET,
        rcut2=CUTOFF,
    )
    ours.calc = GraftCalculator(load(f"morse:{symbol}", head=None, trust=False))
    assert ours.get_potential_energy() == pytest.approx(theirs.get_potential_energy())
    assert np.allclose(ours.get_forces(), theirs.get_forces(), atol=1e-9)


def test_atomgraft_finds_the_adapter_by_name_and_by_file(tmp_path):
    named = load_potential("morse:Cu")
    file = named.export(tmp_path / "mine")
    assert file.name == "mine.morse"
    assert load_potential(str(file)).weights_hash() == named.weights_hash()


@pytest.mark.parametrize("name", ["morse:Xx", "morse:", "absent.morse"])
def test_what_is_not_there_is_refused(name):
    with pytest.raises(BadInputError):
        load_potential(name)


def test_it_has_no_heads():
    with pytest.raises(BadInputError, match="no heads"):
        load_potential("morse:Cu", head="PBE")
