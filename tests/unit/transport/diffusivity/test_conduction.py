"""Conductivities against numbers that are known."""

import numpy as np
import pytest
from scipy.constants import Boltzmann, elementary_charge

from atomgraft.core.errors import BadInputError
from atomgraft.transport.diffusivity.conduction import (
    OXIDATION_STATES,
    charge_of,
    collective_path,
    conductivity,
)
from atomgraft.transport.diffusivity.windows import displacements_of
from tests.hopping import hops


def test_nernst_einstein_in_si_units():
    density = 100 / (5000 * 1e-30)
    expected = density * elementary_charge**2 * 1e-6 * 1e-4 / (Boltzmann * 600)
    found = conductivity(1e-6, 100.0, 5000.0, 600.0)
    assert found == pytest.approx(expected / 100)  # S/m to S/cm


def test_the_usual_charges():
    assert (charge_of("Li", {}), charge_of("Mg", {}), charge_of("O", {})) == (1, 2, -2)
    assert charge_of("Ag", {"Ag": 0.8}) == 0.8
    with pytest.raises(BadInputError, match=r"--charge Xe=2"):
        charge_of("Xe", {})
    assert all(OXIDATION_STATES.values())


def test_independent_ions_conduct_as_nernst_einstein_says():
    """The Haven ratio of a walk without correlations is one."""
    ratios = []
    for seed in range(60):
        path = hops(300, 20, rate=0.05, seed=seed)
        alone = displacements_of([path], 1.0).mean[0]
        together = displacements_of([collective_path(path, np.ones(20))], 1.0).mean[0]
        ratios.append(together / alone)
    assert np.mean(ratios) == pytest.approx(1.0, abs=4 * np.std(ratios) / 60**0.5)


def test_ions_that_move_together_conduct_more_and_opposite_ones_not():
    path = np.repeat(hops(300, 1, rate=0.05, seed=1), 8, axis=1)
    alone = displacements_of([path], 1.0).mean
    together = displacements_of([collective_path(path, np.ones(8))], 1.0).mean
    assert together == pytest.approx(8 * alone)
    mixed = np.array([1.0, -1.0] * 4)
    nothing = displacements_of([collective_path(path, mixed)], 1.0).mean
    assert nothing == pytest.approx(0.0, abs=1e-12)
