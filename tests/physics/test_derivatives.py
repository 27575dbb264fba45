"""Forces and stresses of every adapter are the derivatives of its energy."""

import numpy as np
import pytest
import torch
from ase.build import bulk

from atomgraft.evaluation.consistency import (
    consistency_scores,
    difference_forces,
    difference_stress,
)
from atomgraft.evaluation.forgetting import shipped_crystals, visible
from atomgraft.models.pair import lennard_jones, stillinger_weber
from atomgraft.models.prediction import predict_structures
from atomgraft.models.sevennet.files import load_sevennet

TOLERANCE = {"energy": 1e-6, "forces": 1e-2, "stress": 1e-4}
"""meV/atom, meV/Å, GPa: fifty times what a central difference of 1e-4 loses."""


def seven_net():
    pytest.importorskip("sevenn")
    return load_sevennet("7net-0")


ADAPTERS = {
    "lennard-jones": lambda: lennard_jones(
        ["Ne", "Ar"], epsilon=[0.003, 0.0103], sigma=[2.8, 3.4], cutoff=8.0
    ),
    "stillinger-weber": lambda: stillinger_weber(["Si", "Ge"]),
    "7net-0": seven_net,
}


@pytest.fixture(params=ADAPTERS, scope="module")
def potential(request):
    return ADAPTERS[request.param]().clone(dtype=torch.float64)


@pytest.fixture
def structures(potential):
    """The first crystals that the adapter can see, and one with many elements."""
    seen = visible(shipped_crystals(), potential.elements)
    return [*seen[:2], max(seen, key=lambda atoms: len(set(atoms.numbers)))]


def test_forces_and_stress_are_derivatives_and_turn_with_the_crystal(
    potential, structures
):
    rows = consistency_scores("base", potential, structures, np.random.default_rng(0))
    assert len(rows) == 5
    for row in rows:
        assert row.value < TOLERANCE[row.quantity], row


def test_every_force_component_of_one_crystal(potential, structures):
    atoms = structures[0]
    (prediction,) = predict_structures(potential, [atoms])
    components = [(i, axis) for i in range(len(atoms)) for axis in range(3)]
    forces = difference_forces(potential, atoms, components).reshape(-1, 3)
    np.testing.assert_allclose(prediction.forces, forces, atol=1e-5)
    assert np.abs(forces).max() > 1e-3  # otherwise the test says nothing
    np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-5)


def test_a_squeezed_crystal_pushes_back():
    """Tensile-positive: under compression the stress is negative."""
    argon = ADAPTERS["lennard-jones"]()
    squeezed = bulk("Ar", a=4.8, cubic=True)
    assert (difference_stress(argon, squeezed)[:3] < -1e-3).all()
    stretched = bulk("Ar", a=5.6, cubic=True)
    assert (difference_stress(argon, stretched)[:3] > 1e-4).all()
