"""Volume over temperature against a crystal that can be solved by hand.

Einstein's crystal with one frequency ω = ω₀ (V/V₀)^-γ has α = γ C_V / (V B).
"""

import numpy as np
import pytest
from ase.units import J, kB, mol

from atomgraft.lattice.equilibrium import (
    equilibrium_over_temperature,
    minimum_of,
    temperature_grid,
)
from atomgraft.lattice.spectra import Thermal

V0, B0, SLOPE = 20.0, 0.6, 4.5
"""Å³, eV/Å³, and the derivative of the bulk modulus by pressure."""

QUANTUM, GRUNEISEN = 0.04, 1.5
"""ħω₀ in eV, and γ."""

VOLUMES = V0 * np.linspace(0.96, 1.06, 9)

FIT = 2e-3
"""Relative; the fit of the sum of two laws by one."""


def vinet(volumes):
    x = np.cbrt(volumes / V0)
    eta = 1.5 * (SLOPE - 1)
    return 9 * B0 * V0 / eta**2 * (1 + (eta * (1 - x) - 1) * np.exp(eta * (1 - x)))


def einstein(volume, temperatures):
    """Return the curves of three oscillators, per atom."""
    quantum = QUANTUM * (volume / V0) ** -GRUNEISEN
    T = np.maximum(np.array(temperatures), 1e-3)
    x = np.minimum(quantum / (kB * T), 500.0)
    capacity = 3 * kB * x**2 / (2 * np.sinh(x / 2)) ** 2
    free = 3 * (quantum / 2 + kB * T * np.log1p(-np.exp(-x)))
    per_mole = mol / J
    return Thermal(
        temperatures=np.array(temperatures),
        free_energy=free * 1000,
        entropy=np.zeros_like(free),
        heat_capacity=capacity * per_mole,
        share_left_out=0.0,
    )


def solve(temperatures, volumes=VOLUMES):
    grid = temperature_grid(temperatures)
    curves = [einstein(volume, grid) for volume in volumes]
    return equilibrium_over_temperature(volumes, vinet(volumes), curves, temperatures)


def test_expansion_is_that_of_einsteins_crystal():
    found = solve([150.0, 300.0, 800.0])
    for i, T in enumerate(found.temperatures):
        fixed = einstein(found.volumes[i], [T]).heat_capacity[0]
        modulus = found.bulk_modulus[i] / 160.21766208
        expected = GRUNEISEN * fixed / (found.volumes[i] * modulus) * J / mol
        assert found.expansion[i] == pytest.approx(expected, rel=FIT)
        # and the heat capacity grows by the factor 1 + αγT
        grown = fixed * (1 + found.expansion[i] * GRUNEISEN * T)
        assert found.heat_capacity[i] == pytest.approx(grown, rel=FIT)


def test_without_temperature_only_the_zero_point_pushes():
    found = solve([0.0])
    # to first order ΔV = γ ε / B with the zero-point energy ε = 3 ħω/2
    expected = GRUNEISEN * 1.5 * QUANTUM / B0
    assert found.volumes[0] - V0 == pytest.approx(expected, rel=0.1)
    assert found.expansion.tolist() == [0.0]
    assert found.heat_capacity[0] == pytest.approx(0.0, abs=1e-9)


def test_the_third_law_holds():
    found = solve([5.0, 20.0, 40.0])
    assert np.abs(found.expansion[0]) < 1e-9
    assert (np.diff(found.expansion) > 0).all()
    assert (np.diff(found.volumes) > -1e-9).all()


def test_temperatures_without_an_equilibrium_are_named():
    found = solve([300.0, 6000.0])
    assert found.temperatures.tolist() == [300.0]
    assert found.outside == (6000.0,)


def test_a_crystal_that_is_nowhere_at_rest_has_no_rows():
    found = solve([300.0], V0 * np.linspace(1.1, 1.2, 7))
    assert len(found.temperatures) == 0
    assert found.outside == (300.0,)


def test_a_maximum_is_no_minimum():
    assert minimum_of(VOLUMES, -vinet(VOLUMES)) is None


def test_neighbours_never_fall_below_zero():
    assert temperature_grid([0.0, 1.0]) == (0.0, 0.5, 1.0, 1.5)
