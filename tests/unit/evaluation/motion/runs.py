"""A plan of silicon, and trials of it without any dynamics."""

import dataclasses

import numpy as np
from ase.build import bulk

from atomgraft.evaluation.motion.setup import plan_of
from atomgraft.evaluation.motion.spec import MotionOptions
from atomgraft.evaluation.motion.trials import Trial

SILICON = bulk("Si", cubic=True)

OPTIONS = MotionOptions(time=0.4, window=0.2, melt=3000.0)

PLAN = plan_of(OPTIONS, SILICON)
"""At 300 K, of the crystal and of its melt."""


def trembling(seed, *, size=0.1, stretch=1.0, plan=PLAN, **changes):
    """Return a trial whose atoms are displaced at random, and whose spectra are too."""
    rng = np.random.default_rng(seed)
    runs = []
    for _ in range(plan.n_replicas):
        frames = []
        for _ in range(plan.n_samples):
            one = plan.system.atoms.copy()
            one.positions += rng.normal(scale=size, size=one.positions.shape)
            one.set_cell(one.cell * stretch, scale_atoms=True)
            frames.append(one)
        runs.append(tuple(frames))
    at = plan.frequencies
    states = np.exp(-(((at - 12) / 3) ** 2)) * rng.normal(
        1, 0.05, size=(plan.n_replicas, len(plan.elements), len(at))
    )
    made = Trial(
        seeds=tuple(range(plan.n_replicas)),
        frames=tuple(runs),
        interval=plan.sample_interval,
        spectra=states,
        temperatures=np.full(plan.n_replicas, 300.0),
        intact=np.ones(plan.n_replicas),
    )
    return dataclasses.replace(made, **changes)


def failed(seed, reason="not finite", n=2, **changes):
    """Return a trial in which the first runs came to no end."""
    whole = trembling(seed, **changes)
    return dataclasses.replace(
        whole,
        seeds=whole.seeds[n:],
        frames=whole.frames[n:],
        spectra=whole.spectra[n:],
        temperatures=whole.temperatures[n:],
        intact=whole.intact[n:],
        failures=(reason,) * n,
    )
