"""Is what Monte Carlo leaves a sample of the canonical ensemble of the model?"""

import functools

import numpy as np
import pytest
from ase.units import kB

from atomgraft.core.errors import AtomgraftError
from atomgraft.label.displacements import N_MOVES, monte_carlo_rattled
from atomgraft.models.prediction import predict_structures
from tests.unit.label.crystals import displacements, rng, silicon, sw

pytestmark = pytest.mark.slow

N = 48
"""Walkers; the mean energy of 21 modes of each is known to 3 %."""

EQUIPARTITION = 0.12
"""Four times that: sampling, and what the crystal is not harmonic."""


def walked(temperature, n=N, seed=0):
    return monte_carlo_rattled(silicon(), sw(), temperature, n, rng(seed))


@functools.cache
def sample(temperature):
    """Return walkers that several tests look at."""
    return walked(temperature)[0]


def mean_rise(proposals):
    """Return how far the energy of a structure is above that of the crystal, eV."""
    structures = [silicon(), *(one.atoms for one in proposals)]
    energies = [one.energy for one in predict_structures(sw(), structures)]
    return np.mean(energies[1:]) - energies[0]


@pytest.mark.parametrize("temperature", [50.0, 200.0])
def test_every_mode_has_its_share(temperature):
    made = sample(temperature)
    n_modes = 3 * len(silicon()) - 3
    expected = n_modes * kB * temperature / 2
    assert mean_rise(made) == pytest.approx(expected, rel=EQUIPARTITION)


def test_another_temperature_is_noticed():
    """Negative control of the test above."""
    made, _ = walked(100.0)
    n_modes = 3 * len(silicon()) - 3
    for wrong in (50.0, 200.0):
        expected = n_modes * kB * wrong / 2
        assert mean_rise(made) != pytest.approx(expected, rel=EQUIPARTITION)


def test_displacements_grow_with_temperature_as_in_a_harmonic_crystal():
    def spread(temperature):
        made = sample(temperature)
        moved = [displacements(silicon(), one.atoms) for one in made]
        return np.mean(np.square(moved))

    cold, warm, hot = (spread(one) for one in (50.0, 200.0, 800.0))
    assert cold < warm < hot
    assert warm / cold == pytest.approx(4, rel=0.35)


def test_the_whole_does_not_drift():
    made, _ = walked(300.0, n=4)
    for one in made:
        shift = (one.atoms.positions - silicon().positions).mean(axis=0)
        assert np.abs(shift).max() < 1e-9


def test_walkers_differ_and_the_seed_decides_them():
    one, other = walked(300.0, n=2, seed=1)[0], walked(300.0, n=2, seed=1)[0]
    first, second = (item.atoms.positions for item in one)
    assert not np.allclose(first, second)
    assert np.array_equal(first, other[0].atoms.positions)


def test_progress_is_told():
    told = []
    monte_carlo_rattled(
        silicon(), sw(), 300.0, 1, rng(), lambda *step: told.append(step)
    )
    assert [done for _, done, _ in told] == list(range(1, N_MOVES + 1))


def test_a_start_on_one_site_is_an_error(monkeypatch):
    monkeypatch.setattr("atomgraft.label.displacements.are_apart", lambda _atoms: False)
    with pytest.raises(AtomgraftError, match="accepted none"):
        walked(300.0, n=2)
