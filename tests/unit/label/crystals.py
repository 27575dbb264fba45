"""Silicon and models of it, for tests of what to label."""

import functools

import numpy as np
from ase import Atoms
from ase.build import bulk

from atomgraft.models.pair import stillinger_weber


@functools.cache
def sw():
    return stillinger_weber(["Si"])


def silicon(a: float = 5.431) -> Atoms:
    return bulk("Si", "diamond", a=a, cubic=True)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def displacements(crystal: Atoms, atoms: Atoms) -> np.ndarray:
    """Return how far atoms have moved, the common translation left out."""
    moved = atoms.positions - crystal.positions
    return moved - moved.mean(axis=0)
