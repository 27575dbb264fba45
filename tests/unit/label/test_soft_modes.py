"""Are the modes those of the model, and populated as statistics asks?"""

import numpy as np
import pytest
import torch
from ase import units
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.label.displacements import (
    FLAT,
    HBAR,
    THZ,
    Modes,
    along_soft_modes,
    modes_of,
    normal_widths,
)
from atomgraft.models.calculator import GraftCalculator
from atomgraft.models.prediction import predict_structures
from tests.unit.label.crystals import displacements, rng, silicon, sw

STEP = 0.01
"""Å, of finite differences."""


@pytest.fixture(scope="module")
def modes():
    return modes_of(silicon(), sw(), STEP)


def hessian(atoms):
    """Return second derivatives by central differences of ASE's forces, eV/Å²."""
    atoms = atoms.copy()
    atoms.calc = GraftCalculator(sw())
    rows = []
    for i in range(atoms.positions.size):
        forces = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.calc = atoms.calc
            moved.positions.ravel()[i] += sign * STEP
            forces.append(moved.get_forces().ravel())
        rows.append(-(forces[0] - forces[1]) / (2 * STEP))
    return np.array(rows)


def test_frequencies_are_those_of_finite_differences(modes):
    """One by one, without symmetry and without phonopy."""
    mass = silicon().get_masses()[0]
    squares = np.linalg.eigvalsh(hessian(silicon()) / mass)[3:]
    assert np.allclose(modes.frequencies, THZ * squares**0.5, atol=0.02)


def test_the_unit_is_terahertz():
    """1 THz is 4.136 meV."""
    assert pytest.approx(4.135667e-3, rel=1e-5) == HBAR / THZ


def test_patterns_are_orthonormal_and_do_not_shift_the_whole(modes):
    roots = modes.crystal.get_masses()[:, None] ** 0.5
    rows = (modes.patterns * roots).reshape(len(modes.patterns), -1)
    assert np.allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-9)
    heavy = (modes.patterns * roots**2).sum(axis=1)
    assert np.abs(heavy).max() < 1e-9


def test_a_small_displacement_costs_what_the_frequency_says(modes):
    """E = ω² Q² / 2, from the model's own energies."""
    structures, expected = [modes.crystal], []
    for i in (0, len(modes.frequencies) - 1):
        atoms = modes.crystal.copy()
        atoms.positions += 0.05 * modes.patterns[i]
        structures.append(atoms)
        expected.append((modes.frequencies[i] / THZ) ** 2 * 0.05**2 / 2)
    accurate = sw().clone(dtype=torch.float64)
    energies = [one.energy for one in predict_structures(accurate, structures)]
    assert np.allclose(np.diff(energies)[0], expected[0], rtol=0.01)
    assert np.allclose(energies[2] - energies[0], expected[1], rtol=0.01)


def test_hot_modes_are_classical_and_cold_ones_are_not():
    omega = 5.0 / THZ
    classical = (units.kB * 3000) ** 0.5 / omega
    assert normal_widths(np.array([5.0]), 3000.0)[0] == pytest.approx(
        classical, rel=0.01
    )
    zero_point = (HBAR / (2 * omega)) ** 0.5
    assert normal_widths(np.array([5.0]), 1.0)[0] == pytest.approx(zero_point)


def test_only_the_softest_move(modes):
    made = list(along_soft_modes(modes, 300.0, (0.1,), 40, rng()))
    masses = modes.crystal.get_masses()[:, None]
    Q = np.array(
        [
            np.tensordot(
                displacements(modes.crystal, one.atoms),
                modes.patterns * masses,
                ([0, 1], [1, 2]),
            )
            for one in made
        ]
    )
    n_soft = len(modes.frequencies) // 3
    assert np.abs(Q[:, n_soft:]).max() < 1e-9
    widths = normal_widths(modes.frequencies[:n_soft], 300.0)
    assert np.allclose((Q[:, :n_soft] / widths).std(), 1.0, atol=0.15)


def test_imaginary_modes_are_displaced_by_the_stated_length():
    crystal = silicon()
    patterns = rng().normal(size=(3, 8, 3))
    patterns -= patterns.mean(axis=1, keepdims=True)
    wrong = Modes(
        crystal=crystal, frequencies=np.array([-3.0, -1.0, FLAT / 2]), patterns=patterns
    )
    made = list(along_soft_modes(wrong, 300.0, (0.05, 0.2), 4, rng()))
    for one, length in zip(made, (0.05, 0.2, 0.05, 0.2), strict=True):
        moved = displacements(crystal, one.atoms)
        assert np.linalg.norm(moved, axis=1).max() == pytest.approx(length)
        assert one.note.startswith("3 flat or imaginary modes from -3.00 THz")


def test_body_centred_silicon_is_unstable():
    """The control: a crystal that is no minimum has imaginary modes, diamond none."""
    centred = bulk("Si", "bcc", a=3.2).repeat(2)
    assert modes_of(centred, sw(), STEP).frequencies[0] < -1
    assert modes_of(silicon(), sw(), STEP).frequencies[0] > 1


def test_a_molecule_has_no_modes_here():
    molecule = bulk("Si").copy()
    molecule.pbc = False
    with pytest.raises(BadInputError, match="periodic"):
        modes_of(molecule, sw(), STEP)
