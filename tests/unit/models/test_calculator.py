"""The ASE calculator: what it computes, keeps and refuses."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.filters import FrechetCellFilter
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from atomgraft.core.errors import BadInputError
from atomgraft.models.calculator import GraftCalculator
from atomgraft.models.pair import stillinger_weber

DRIFT = 1e-4
"""eV/atom: total energy over 100 steps of 0.25 fs. Verlet's own error is 3e-5 and falls
with the square of the step."""


def test_a_cell_relaxes_to_the_closed_form_lattice_constant():
    """The two-body minimum is at 2^(1/6) σ; three-body terms vanish in diamond."""
    atoms = bulk("Si", "diamond", a=5.6)
    atoms.calc = GraftCalculator(stillinger_weber(["Si"]))
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-4)
    bond = atoms.get_distance(0, 1, mic=True)
    assert bond == pytest.approx(2 ** (1 / 6) * 2.0951, abs=1e-4)
    assert atoms.get_potential_energy(force_consistent=True) == pytest.approx(
        atoms.get_potential_energy()
    )


def test_motion_conserves_energy():
    atoms = bulk("Si", "diamond", a=5.431, cubic=True)
    atoms.rattle(0.1, seed=3)
    atoms.calc = GraftCalculator(stillinger_weber(["Si"]))
    start = atoms.get_total_energy()
    VelocityVerlet(atoms, timestep=0.25 * units.fs).run(100)
    assert abs(atoms.get_total_energy() - start) / len(atoms) < DRIFT
    assert atoms.get_kinetic_energy() > 0.01


def test_results_follow_the_structure():
    atoms = bulk("Si", "diamond", a=5.431)
    atoms.calc = GraftCalculator(stillinger_weber(["Si"]))
    before = atoms.get_potential_energy()
    atoms.positions[0] += 0.1
    assert atoms.get_potential_energy() > before
    assert np.abs(atoms.get_forces()).max() > 0.1


def test_unknown_elements_are_named():
    atoms = Atoms("SiCO", [[0, 0, 0], [2, 0, 0], [0, 2, 0]])
    atoms.calc = GraftCalculator(stillinger_weber(["Si"]))
    with pytest.raises(BadInputError, match="C, O"):
        atoms.get_potential_energy()
