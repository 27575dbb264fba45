"""Do force constants know that a crystal can be turned?"""

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.lattice.harmonic import harmonic_of, rotational_residual
from atomgraft.lattice.relaxation import relax
from atomgraft.lattice.supercells import prepare
from atomgraft.models.pair import lennard_jones

DISTANCE = 0.001
"""Å; what third order does to force constants falls as its square."""

SMALL = 1e-4
"""eV/Å; ten times what is left at this displacement."""


@pytest.fixture(scope="module")
def potential():
    return lennard_jones(
        ["Zn", "S"], epsilon=[0.1, 0.1], sigma=[2.2, 2.2], cutoff=4.4, onset=3.0
    )


@pytest.fixture(scope="module")
def strained():
    """Wurtzite, whose sites are polar, with forces on its atoms."""
    return bulk("ZnS", "wurtzite", a=3.0, c=4.9)


@pytest.fixture(scope="module")
def at_rest(potential, strained):
    found = relax(strained, potential, fixed_cell=True, fmax=1e-7)
    assert found.is_converged
    return found.atoms


def harmonic(potential, atoms, n=(4, 4, 2)):
    phonon = prepare(atoms, supercell=np.diag(n), distance=DISTANCE)
    return harmonic_of(potential, phonon)


def test_a_crystal_at_rest_can_be_turned_even_under_stress(potential, at_rest):
    residual = rotational_residual(harmonic(potential, at_rest))
    assert residual is not None
    assert residual < SMALL


def test_forces_at_rest_turn_with_the_crystal(potential, strained):
    # then the sum of atom i is F_γ δ_αβ - F_β δ_αγ, whose largest component is |F|
    # where the force is along an axis
    found = harmonic(potential, strained)
    assert found.residual > 100 * SMALL
    residual = rotational_residual(found)
    assert residual == pytest.approx(found.residual, rel=0.01)


def test_a_supercell_too_small_for_the_force_constants_shows(potential, at_rest):
    small = rotational_residual(harmonic(potential, at_rest, (2, 2, 2)))
    assert small > 100 * SMALL


def test_force_constants_that_cannot_be_of_a_potential_are_caught(potential, at_rest):
    crystal = harmonic(potential, at_rest)
    constants = np.array(crystal.phonon.force_constants)
    springs = np.zeros_like(constants)
    springs[:, 1] = np.diag([0.0, 0.0, 0.1])  # a spring that resists turning
    crystal.phonon.force_constants = constants + springs
    assert rotational_residual(crystal) > 100 * SMALL


@pytest.mark.parametrize(
    "atoms",
    [
        bulk("ZnS", "rocksalt", a=5.0),
        bulk("ZnS", "zincblende", a=5.0),
        bulk("Zn", "hcp", a=2.6),
    ],
    ids=["inversion", "tetrahedral", "hexagonal"],
)
def test_where_symmetry_answers_there_is_no_number(potential, atoms):
    phonon = prepare(atoms, supercell=np.diag([1, 1, 1]))
    assert rotational_residual(harmonic_of(potential, phonon)) is None
