"""Langevin dynamics samples what statistical mechanics says, at any timestep."""

import dataclasses

import numpy as np
import pytest
import torch
from ase.build import bulk
from torch import nn

from atomgraft.dynamics.mover import BatchedMover
from atomgraft.dynamics.replicas import (
    ACCELERATION,
    KELVIN,
    Replica,
    heated,
    places_of,
)
from atomgraft.evaluation.survival.criteria import (
    COORDINATION,
    STRUCTURE,
    limits_of_run,
    outcomes,
)
from atomgraft.evaluation.survival.trials import Plan, run_trial
from atomgraft.evaluation.systems import repeated, system_of
from atomgraft.models.base import AbstractPotential, PotentialCard
from atomgraft.models.pair import PRESETS

T = 300.0

STIFFNESS = 4.0
"""eV/Å²; ω of silicon is 0.117 per fs."""

SAMPLING = 0.02
"""Relative: five standard errors of what is sampled here, or more."""


class Springs(nn.Module):
    """Every atom hangs on its site: the exact harmonic crystal of Einstein."""

    def __init__(self, sites):
        super().__init__()
        self.sites = torch.as_tensor(sites)
        self.references = nn.Parameter(torch.zeros(119, dtype=torch.float64))

    def forward(self, graph):
        sites = self.sites.repeat(graph.n_structures, 1)
        bound = STIFFNESS / 2 * (graph.positions - sites).square().sum(1)
        return bound + self.references[graph.numbers]


class Einstein(AbstractPotential):
    def __init__(self, crystal):
        self.card = PotentialCard(name="Einstein", framework="toy", licence="MIT")
        self.cutoff = 1.0
        self.elements = frozenset(crystal.numbers.tolist())
        self.module = Springs(crystal.positions)
        self.roles = {}

    def blocks(self, parameter):
        return ()

    def reference_places(self):
        return "references", {number: number for number in self.elements}

    def export(self, path):
        raise NotImplementedError


def sampled(crystal, *, timestep, friction, n_samples=250, every=4):
    """Return displacements (Å) and velocities (Å/fs) of four replicas."""
    replicas = [
        Replica(
            atoms=heated(crystal, 2 * T, seed),
            seed=seed,
            temperature=T,
            friction=friction,
        )
        for seed in range(4)
    ]
    mover = BatchedMover(replicas, Einstein(crystal), timestep=timestep)
    state = mover.advance(mover.start(), 100)
    moved, speeds = [], []
    sites = np.concatenate([crystal.positions] * 4)
    for _ in range(n_samples):
        state = mover.advance(state, every)
        moved.append(state.positions - sites)
        speeds.append(state.velocities)
    return np.array(moved), np.array(speeds), places_of(replicas)


SILICON = bulk("Si", cubic=True) * (2, 2, 1)


@pytest.mark.parametrize("phase", [0.2, 1.2])
def test_configurations_are_exact_at_any_timestep(phase):
    """∇U²/∇²U is the temperature; that of the velocities is off by (ωh)²/4."""
    mass = SILICON.get_masses()[0]
    omega = np.sqrt(STIFFNESS * ACCELERATION / mass)
    moved, speeds, _ = sampled(SILICON, timestep=phase / omega, friction=omega)
    gradients = STIFFNESS * moved
    configurational = (gradients**2).mean() / STIFFNESS / KELVIN
    kinetic = mass * (speeds**2).mean() / ACCELERATION / KELVIN
    assert configurational == pytest.approx(T, rel=SAMPLING)
    assert kinetic == pytest.approx(T * (1 - phase**2 / 4), rel=SAMPLING)


def test_energy_is_shared_equally_by_heavy_and_light_atoms():
    crystal = bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (2, 2, 1)
    crystal.set_masses(np.where(crystal.numbers == 11, 5.0, 80.0))
    _, speeds, _ = sampled(crystal, timestep=1.0, friction=0.1, every=8)
    light = np.tile(crystal.numbers == 11, 4)
    for mass, chosen in ((5.0, light), (80.0, ~light)):
        found = mass * (speeds[:, chosen] ** 2).mean() / ACCELERATION / KELVIN
        assert found == pytest.approx(T, rel=2 * SAMPLING)


def test_replicas_do_not_move_alike():
    moved, _, places = sampled(SILICON, timestep=3.0, friction=0.1, n_samples=50)
    one, other = (moved[:, place].ravel() for place in places[:2])
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.1


@pytest.mark.slow
def test_a_perfect_model_raises_no_alarm_and_melting_is_seen():
    """The reference judges itself with other seeds, below and far above melting."""
    potential = PRESETS["pair:sw-si"]()
    system = system_of(repeated(bulk("Si", cubic=True), 64))
    plan = Plan(
        system=system,
        temperatures=(900.0, 4000.0),
        n_replicas=5,
        timestep=2.0,
        window=250,
        n_windows=2,
        n_drift=0,
        look_every=5,
    )
    reference = run_trial(potential, plan, seed=1)
    own = run_trial(potential, plan, seed=2)
    cold, hot = (limits_of_run(one) for one in reference)
    assert cold is not None
    assert hot is not None
    assert (cold.is_solid, hot.is_solid) == (True, False)
    assert not outcomes(own[0], cold, plan).has_failed.any()
    molten = outcomes(own[1], dataclasses.replace(hot, is_solid=True), plan)
    assert molten.reasons.count(COORDINATION) >= 4
    liquid = dataclasses.replace(own[0], structure=own[1].structure)
    assert outcomes(liquid, cold, plan).reasons.count(STRUCTURE) >= 4
