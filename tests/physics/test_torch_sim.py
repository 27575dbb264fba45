"""torch-sim conserves energy, and shares it equally, with our forces and units."""

import numpy as np
import pytest

from atomgraft.dynamics import torch_sim
from atomgraft.dynamics.replicas import (
    ACCELERATION,
    KELVIN,
    Replica,
    heated,
    kinetic_energies,
)
from tests.unit.dynamics.crystals import SILICON, hot, mover_of

pytestmark = pytest.mark.torch_sim

EQUAL_SHARES = 0.06
"""Relative: five standard errors of a temperature that is sampled here, or more."""


def moved_by_torch_sim(replicas, *, timestep=1.0):
    return mover_of(replicas, timestep=timestep, engine=torch_sim.torch_sim_engine())


def spread(timestep):
    """Return how far the total energy of 16 fs to 160 fs spreads, eV/atom."""
    replica = hot(1, thermostat=False)
    mover = moved_by_torch_sim([replica], timestep=timestep)
    state, found = mover.start(), []
    for _ in range(10):
        state = mover.advance(state, round(16 / timestep))
        found.append(state.energies[0] + kinetic_energies([replica], state)[0])
    return np.ptp(found) / len(replica.atoms)


def test_energy_is_conserved_to_second_order_in_the_timestep():
    coarse, fine = spread(2.0), spread(0.5)
    assert coarse < 1e-3
    assert 12 < coarse / fine < 20


def shares(n_samples):
    """Return T found / T wanted of light and heavy atoms of replicas of two sizes."""
    replicas = []
    for seed, (size, T) in enumerate([(1, 300.0)] * 6 + [(2, 600.0)]):
        atoms = SILICON * size
        atoms.set_masses(np.where(np.arange(len(atoms)) % 2, 14.0, 60.0))
        atoms = heated(atoms, 2 * T, seed)
        one = Replica(atoms=atoms, seed=seed, temperature=T, friction=0.1)
        replicas.append(one)
    mover = moved_by_torch_sim(replicas)
    state = mover.advance(mover.start(), 100)
    squares = []
    for _ in range(n_samples):
        state = mover.advance(state, 5)
        squares.append((state.velocities**2).mean(1))
    masses = np.concatenate([one.atoms.get_masses() for one in replicas])
    wanted = np.repeat(
        [one.temperature for one in replicas], [len(one.atoms) for one in replicas]
    )
    found = masses * np.mean(squares, axis=0) / ACCELERATION / KELVIN / wanted
    return [
        found[(masses == mass) & (wanted == T)].mean()
        for mass in (14.0, 60.0)
        for T in (300.0, 600.0)
    ]


def test_energy_is_shared_equally_by_replicas_of_all_sizes():
    assert shares(200) == pytest.approx([1.0] * 4, rel=EQUAL_SHARES)


def test_wrong_heat_would_be_seen(monkeypatch):
    """Negative control."""
    monkeypatch.setattr(torch_sim, "KELVIN", 1.2 * KELVIN)
    assert min(shares(60)) > 1 + EQUAL_SHARES
