"""Trials whose ends are known, without any dynamics."""

import dataclasses

import numpy as np
from ase.build import bulk

from atomgraft.evaluation.survival.trials import Plan, Trial
from atomgraft.evaluation.systems import repeated, system_of

SILICON = bulk("Si", cubic=True)

SYSTEM = system_of(repeated(SILICON, 8, (1,)))

PLAN = Plan(
    system=SYSTEM,
    temperatures=(300.0, 900.0),
    n_replicas=5,
    timestep=2.0,
    window=250,
    n_windows=4,
    n_drift=100,
    look_every=5,
)
"""Two picoseconds in four windows."""


def quiet(seed=0, *, noise=0.01, n=5):
    """Return a trial in which nothing happens but noise."""
    rng = np.random.default_rng(seed)
    size = SYSTEM.n_features
    own = 1.0 / size + rng.normal(scale=noise / size, size=(n, 4, size))
    return Trial(
        stopped=np.full(n, -1),
        reasons=np.zeros(n, dtype=int),
        structure=own,
        intact=np.ones((n, 4)),
        drifts=rng.normal(scale=0.01, size=n),
    )


def changed(trial, **arrays):
    """Return a trial in which arrays hold other values at some places."""
    new = {}
    for name, values in arrays.items():
        array = getattr(trial, name).astype(float)
        for place, value in values.items():
            array[place] = value
        new[name] = array
    for name in ("stopped", "reasons"):
        if name in new:
            new[name] = new[name].astype(int)
    return dataclasses.replace(trial, **new)
