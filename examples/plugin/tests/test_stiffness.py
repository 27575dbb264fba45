"""The plug-in's suite: the shipped kit, and ASE's equation of state."""

import pytest
from ase.build import bulk
from ase.eos import EquationOfState
from ase.units import GPa
from atomgraft_morse.potential import MorsePotential
from atomgraft_morse.suite import StiffnessOptions, StiffnessSuite, bulk_modulus

from atomgraft.core.errors import BadInputError
from atomgraft.evaluation.suite import Contestants, Subject
from atomgraft.models.calculator import GraftCalculator
from atomgraft.testing import SUITE_CHECKS, SuiteTrial

COPPER = MorsePotential("Cu")


def subject(*structures):
    return Subject(files=(), structures=structures, elements={29}, base=COPPER)


@pytest.mark.parametrize("check", SUITE_CHECKS)
def test_the_suite_passes_the_kit(check):
    models = {"base": COPPER, "adapted": MorsePotential("Cu")}
    trial = SuiteTrial(
        kind=StiffnessSuite,
        options=StiffnessOptions(),
        subject=subject(bulk("Cu")),
        contestants=Contestants(models=models, reference_shifts={}, seed=0),
    )
    SUITE_CHECKS[check](trial)


def test_the_modulus_is_that_of_an_equation_of_state():
    energies, volumes = [], []
    for a in (3.55, 3.58, 3.61, 3.64, 3.67):
        crystal = bulk("Cu", a=a)
        crystal.calc = GraftCalculator(COPPER)
        energies.append(crystal.get_potential_energy())
        volumes.append(crystal.get_volume())
    volume, _, modulus = EquationOfState(volumes, energies).fit()
    relaxed = bulk("Cu", a=(4 * volume) ** (1 / 3))
    assert bulk_modulus(COPPER, relaxed, 0.005) == pytest.approx(
        modulus / GPa, rel=0.02
    )


def test_without_a_crystal_it_is_refused():
    with pytest.raises(BadInputError, match="no crystal is held out"):
        StiffnessSuite(subject(), StiffnessOptions())
