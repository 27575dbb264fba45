"""Distances, angles and displacements whose distributions are known."""

import numpy as np
import pytest

from atomgraft.metrics.distributions import (
    bond_angles,
    density,
    diffusion_coefficient,
    first_minimum,
    first_peak,
    radial_distribution,
    square_displacements,
)

WIDTH = 0.05
R = WIDTH * (np.arange(120) + 0.5)


def shell(at, height=5.0, width=0.1):
    return height * np.exp(-(((R - at) / width) ** 2))


def test_an_ideal_gas_has_no_structure():
    rng = np.random.default_rng(0)
    n, length, edges = 40, 12.0, np.linspace(0.0, 6.0, 7)
    counts = np.zeros(6)
    for _ in range(300):
        positions = rng.uniform(0, length, size=(n, 3))
        apart = positions[:, None] - positions[None]
        apart -= length * np.round(apart / length)
        distances = np.linalg.norm(apart, axis=2)[np.triu_indices(n, 1)]
        counts += np.histogram(distances, edges)[0] / 300
    found = radial_distribution(counts, edges, n**2 / 2, length**3)
    assert found[2:] == pytest.approx(np.full(4, 1 - 1 / n), abs=0.01)


def test_the_first_shell_ends_in_the_middle_of_a_gap():
    crystal = shell(2.35) + shell(3.84)
    assert first_peak(crystal, WIDTH) == pytest.approx(2.35, abs=0.01)
    assert first_minimum(crystal, WIDTH) == pytest.approx((2.35 + 3.84) / 2, abs=0.05)


def test_the_first_shell_of_a_liquid_ends_at_its_minimum():
    liquid = np.where(
        R > 2, 1 + 2 * np.exp(-(R - 2.5) / 1.5) * np.cos(4 * (R - 2.5)), 0
    )
    low = (R > 2.8) & (R < 3.8)
    expected = R[low][liquid[low].argmin()]
    assert first_minimum(liquid, WIDTH) == pytest.approx(expected, abs=0.1)


def test_noise_is_neither_peak_nor_minimum():
    rng = np.random.default_rng(1)
    noisy = shell(2.35) + shell(3.84) + rng.normal(scale=0.05, size=len(R))
    assert first_peak(noisy, WIDTH) == pytest.approx(2.35, abs=0.02)
    assert 2.8 < first_minimum(noisy, WIDTH) < 3.5


def test_without_a_second_shell_there_is_no_minimum():
    assert first_minimum(shell(2.35), WIDTH) is None
    assert first_peak(np.zeros(120), WIDTH) is None
    assert first_minimum(np.zeros(120), WIDTH) is None


def test_tetrahedra_have_one_angle_and_atoms_are_told_apart():
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]])
    found = bond_angles(np.zeros(4, dtype=int), corners)
    assert found == pytest.approx(np.full(6, 109.4712), abs=1e-3)
    mixed = bond_angles(np.array([0, 1, 0, 1]), corners)
    assert len(mixed) == 2
    assert len(bond_angles(np.array([0, 1]), corners[:2])) == 0
    assert len(bond_angles(np.zeros(0, dtype=int), np.zeros((0, 3)))) == 0


def test_densities_have_the_integral_one():
    assert (density(np.array([1.0, 2.0, 5.0]), 0.5) * 0.5).sum() == pytest.approx(1)
    assert density(np.zeros(3), 0.5).tolist() == [0, 0, 0]


def test_a_random_walk_diffuses_as_it_was_made():
    """<r²> = 6 D t: steps of variance s² along each axis give D = s² / 2 t."""
    rng = np.random.default_rng(0)
    step, interval = 0.05, 40.0
    walk = np.cumsum(rng.normal(scale=step, size=(400, 300, 3)), axis=0)
    found = diffusion_coefficient(square_displacements(walk, np.ones(300)), interval)
    assert found == pytest.approx(0.1 * step**2 / (2 * interval), rel=0.05)


def test_a_drift_of_everything_is_no_diffusion():
    drifting = np.arange(50.0)[:, None, None] * np.ones((1, 4, 3))
    masses = np.array([1.0, 2.0, 3.0, 4.0])
    assert square_displacements(drifting, masses) == pytest.approx(np.zeros(50))
