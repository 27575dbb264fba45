"""Are displacements, melting and density what they are called?"""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from atomgraft.label.labelling.framework import density_of, displacements

FRAMES = 50


def walk(n_atoms, step, seed=0):
    """Return independent random walks; the mean square grows by 3 step² a frame."""
    steps = np.random.default_rng(seed).normal(scale=step, size=(FRAMES, n_atoms, 3))
    return steps.cumsum(axis=0)


def vibrating(n_atoms, amplitude, seed=0):
    return np.random.default_rng(seed).normal(
        scale=amplitude, size=(FRAMES, n_atoms, 3)
    )


def test_vibrations_are_averaged_out():
    atoms = Atoms("Li50O50")
    found = displacements(atoms, vibrating(100, 0.3))
    instantaneous = 2 * 3 * 0.3**2
    assert found.framework < 0.15 * instantaneous
    assert not found.is_molten(1.0)


def test_ions_that_walk_do_not_melt_a_framework():
    atoms = Atoms("Li50O50")
    positions = vibrating(100, 0.1)
    positions[:, :50] += walk(50, 0.5)
    found = displacements(atoms, positions)
    assert found.mobile == ("Li",)
    assert found.by_element["Li"] > 10
    assert not found.is_molten(1.0)


def test_a_framework_that_walks_is_molten():
    atoms = Atoms("Li50P20O30")
    found = displacements(atoms, walk(100, 0.5))
    assert found.framework > 10
    assert found.is_molten(1.0)
    assert not found.is_molten(1e4)


def test_anions_that_turn_on_rigid_cations_do_not():
    """Negative control of the one above: one element of the framework stays."""
    atoms = Atoms("Li50P20O30")
    positions = walk(100, 0.5)
    positions[:, 50:70] = vibrating(20, 0.05)
    assert not displacements(atoms, positions).is_molten(1.0)


def test_drift_is_removed():
    atoms = Atoms("Li50O50")
    positions = vibrating(100, 0.05)
    drifting = positions + np.linspace(0, 30, FRAMES)[:, None, None]
    here, there = (
        displacements(atoms, one).by_element for one in (positions, drifting)
    )
    assert there == pytest.approx(here)


def test_mobile_elements_can_be_named():
    atoms = Atoms("Li50O50")
    positions = vibrating(100, 0.05)
    positions[:, 50:] += walk(50, 0.5)
    assert displacements(atoms, positions).is_molten(1.0)
    found = displacements(atoms, positions, mobile=["O"])
    assert found.mobile == ("O",)
    assert not found.is_molten(1.0)


def test_where_all_atoms_are_mobile_all_are_the_framework():
    found = displacements(Atoms("Ag100"), walk(100, 0.5))
    assert found.mobile == ()
    assert found.is_molten(1.0)


def test_density():
    assert density_of(bulk("MgO", "rocksalt", a=4.212)) == pytest.approx(
        3.583, abs=1e-3
    )
    assert density_of(Atoms("Ar")) is None
