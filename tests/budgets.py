"""Studies of levels of theory whose errors follow a law that the test chooses."""

import numpy as np

from atomgraft.fidelity.record import Fidelity, LevelCard, Model, Target
from atomgraft.records.scores import Score

SEEDS = (0, 1, 2)
BASE = "sevennet:mini:H,C,O"
UNIT = "meV/Å"


def score(value):
    return Score(
        model="adapted",
        suite="labels",
        quantity="forces",
        metric="mae",
        value=float(value),
        unit=UNIT,
        n=100,
    )


def model(strategy, error, n, n_source=0, seed=0, **more):
    source = None if strategy == "alone" else "xtb"
    given = {
        "name": f"{strategy}-{more.get('source', source)}-N{n_source}-n{n}-s{seed}",
        "strategy": strategy,
        "base": BASE,
        "recipe": "full" if strategy == "fine-tuning" else "scratch",
        "source": source,
        "n_source": n_source,
        "n_target": n,
        "seed": seed,
        "status": "done",
        "scores": (score(error),),
    }
    return Model(**given | more)


def study_of(truth, sizes, source_sizes, *, noise=0.0, seconds=(0.5, 100.0), **more):
    """Return a study in which `truth(n, N)` is the error without noise."""
    rng = np.random.default_rng(7)
    models = [
        model(
            "fine-tuning" if n_source else "alone",
            truth(n, n_source) * np.exp(noise * rng.standard_normal()),
            n,
            n_source,
            seed,
        )
        for seed in SEEDS
        for n in sizes
        for n_source in (0, *source_sizes)
    ]
    levels = (
        LevelCard(name="target", n_pool=1000, n_test=100, seconds=seconds[1]),
        LevelCard(name="xtb", n_pool=1000, n_test=100, seconds=seconds[0]),
    )
    given = {
        "name": "pilot",
        "finished": True,
        "spec": {},
        "bases": (),
        "data": (),
        "levels": levels,
        "source_sizes": tuple(source_sizes),
        "sizes": tuple(sizes),
        "models": tuple(models),
        "target": Target(quantity="forces", metric="mae", unit=UNIT),
        "rows": (),
        "lines": (),
        "claims": (),
        "headline": "",
        "sentences": (),
        "provenance": (),
    }
    return Fidelity(**given | more)
