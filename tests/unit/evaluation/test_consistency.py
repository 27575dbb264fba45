"""The probes pass a lawful potential and catch each broken law."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from atomgraft.evaluation.consistency import consistency_scores, random_rotation
from tests.unit.evaluation.builders import find
from tests.unit.evaluation.toys import Toy, skewed

TOLERANCE = {"energy": 1e-6, "forces": 1e-2, "stress": 1e-4}
"""meV/atom, meV/Å, GPa: truncation of the differences for a cubic spring."""

SILICON = skewed(bulk("Si", cubic=True))
CHAIN = Atoms("H3", positions=[[0, 0, 0], [0.1, 0.2, 1.5], [1.2, 0, 2.0]])


def probe(potential, structures=(SILICON,)):
    return consistency_scores("base", potential, structures, np.random.default_rng(0))


def test_a_lawful_potential_passes():
    rows = probe(Toy())
    assert {(row.metric, row.quantity) for row in rows} == {
        ("finite_difference", "forces"),
        ("finite_difference", "stress"),
        ("equivariance", "energy"),
        ("equivariance", "forces"),
        ("equivariance", "stress"),
    }
    assert all(row.value < TOLERANCE[row.quantity] for row in rows)


def test_forces_that_are_no_derivative_are_caught():
    rows = probe(Toy(broken="frozen"))
    assert find(rows, "forces", "finite_difference").value > 10
    assert find(rows, "stress", "finite_difference").value > 1
    assert find(rows, "forces", "equivariance").value < TOLERANCE["forces"]


def test_an_energy_that_depends_on_direction_is_caught():
    rows = probe(Toy(broken="directed"))
    assert find(rows, "energy", "equivariance").value > 1
    assert find(rows, "forces", "equivariance").value > 10
    assert find(rows, "stress", "equivariance").value > 1
    assert find(rows, "forces", "finite_difference").value < TOLERANCE["forces"]


def test_a_molecule_has_no_stress_to_probe():
    rows = probe(Toy(), [CHAIN])
    assert {row.quantity for row in rows} == {"energy", "forces"}
    assert all(row.value < TOLERANCE[row.quantity] for row in rows)


def test_the_largest_deviation_is_kept():
    alone = find(probe(Toy(broken="frozen"), [SILICON]), "forces", "finite_difference")
    far = Atoms("H2", positions=[[0, 0, 0], [0, 0, 9.0]])  # no pair, no error
    both = find(
        probe(Toy(broken="frozen"), [SILICON, far]), "forces", "finite_difference"
    )
    assert (both.value, both.n) == (alone.value, 2)


def test_the_potential_is_left_in_its_own_precision():
    import torch

    potential = Toy()
    potential.module.to(torch.float32)
    rows = probe(potential)
    assert potential.dtype == torch.float32
    assert all(row.value < TOLERANCE[row.quantity] for row in rows)


@pytest.mark.parametrize("seed", range(20))
def test_rotations_are_proper(seed):
    R = random_rotation(np.random.default_rng(seed))
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)
