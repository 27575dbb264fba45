"""Two ways to one ensemble: Monte Carlo and normal modes must tell the same story."""

import numpy as np
import pytest
import torch
from ase import units

from atomgraft.label.displacements import (
    HBAR,
    THZ,
    along_soft_modes,
    modes_of,
    monte_carlo_rattled,
)
from atomgraft.models.prediction import predict_structures
from tests.unit.label.crystals import displacements, rng, silicon, sw

COLD = 60.0
"""K; hot enough to move, too cold for the crystal to be anything but harmonic."""

N = 96

SAMPLING = 4 / N**0.5
"""Relative; a variance from N samples is known to √(2/N), here threefold."""


@pytest.fixture(scope="module")
def modes():
    return modes_of(silicon(), sw(), 0.01)


@pytest.fixture(scope="module")
def walked():
    made, _ = monte_carlo_rattled(silicon(), sw(), COLD, N, rng(7))
    return made


def coordinates(modes, proposals):
    """Return the normal coordinates of structures, Å·√u."""
    moved = np.array([displacements(modes.crystal, one.atoms) for one in proposals])
    heavy = modes.patterns * modes.crystal.get_masses()[:, None]
    return np.tensordot(moved, heavy, axes=([1, 2], [1, 2]))


def test_every_mode_of_monte_carlo_has_its_classical_width(modes, walked):
    Q = coordinates(modes, walked)
    expected = units.kB * COLD / (modes.frequencies / THZ) ** 2
    ratios = (Q**2).mean(axis=0) / expected
    assert np.abs(ratios - 1).max() < 2 * SAMPLING
    assert ratios.mean() == pytest.approx(1, abs=0.15)


def test_modes_of_monte_carlo_know_nothing_of_each_other(modes, walked):
    Q = coordinates(modes, walked)
    correlations = np.corrcoef(Q.T) - np.eye(len(modes.frequencies))
    assert np.abs(correlations).max() < 4.5 / N**0.5


def test_a_mode_costs_half_a_quantum_and_what_heat_adds(modes):
    """The mean energy of the populated modes is Σ ħω/4 · coth(ħω/2kT)."""
    made = list(along_soft_modes(modes, COLD, (0.1,), N, rng(8)))
    accurate = sw().clone(dtype=torch.float64)
    structures = [modes.crystal, *(one.atoms for one in made)]
    energies = [one.energy for one in predict_structures(accurate, structures)]
    n_soft = len(modes.frequencies) // 3
    omega = modes.frequencies[:n_soft] / THZ
    heat = 1 / np.tanh(HBAR * omega / (2 * units.kB * COLD))
    expected = (HBAR * omega / 4 * heat).sum()
    found = np.mean(energies[1:]) - energies[0]
    assert found == pytest.approx(expected, rel=0.2)
    assert found > 1.3 * n_soft * units.kB * COLD / 2  # the control: not classical
