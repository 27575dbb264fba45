"""Hot silicon, and what moves it."""

from ase.build import bulk

from atomgraft.dynamics.mover import BatchedMover
from atomgraft.dynamics.replicas import Replica, heated
from atomgraft.models.pair import PRESETS

SILICON = bulk("Si", cubic=True)


def hot(seed=0, *, temperature=600.0, size=1, thermostat=True):
    """Return a replica that starts at its sites with velocities of twice its T."""
    atoms = heated(SILICON * size, 2 * temperature, seed)
    T = temperature if thermostat else None
    return Replica(atoms=atoms, seed=seed, temperature=T)


def mover_of(replicas, *, timestep=1.0, dtype=None, **more):
    potential = PRESETS["pair:sw-si"]()
    if dtype is not None:
        potential = potential.clone(dtype=dtype)
    return BatchedMover(replicas, potential, timestep=timestep, **more)
