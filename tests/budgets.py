"""Studies of levels of theory whose errors follow a law that the test chooses."""

import numpy as np

from atomgraft.fidelity.budget.spec import BudgetSpec
from atomgraft.fidelity.budget.work import advise
from atomgraft.fidelity.record import Fidelity, LevelCard, Model, Target
from atomgraft.records.documents import Provenance
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


def advised():
    """Return a budget with everything in it."""

    def truth(n, n_source):
        return 900.0 * n**-0.5 * (1 + n_source / (20 * n)) ** -0.35

    study = study_of(truth, (10, 30, 100), (30, 300, 3000), noise=0.2)
    few = (model("multi-head", 100.0, 10, 30), model("multi-head", 90.0, 10, 300))
    study = study.model_copy(update={"models": (*study.models, *few)})
    spec = BudgetSpec(study="pilot", cpu_hours=3.0)
    session = Provenance(
        verb="budget",
        command="atomgraft budget pilot --cpu-hours 3",
        started="2026-01-01T00:00:00+00:00",
        seconds=1.0,
        versions={"atomgraft": "0.1.0"},
        machine={},
        device="cpu",
        dtype="float64",
        n_threads=1,
    )
    found = advise(spec, study, "budget")
    return found.model_copy(update={"provenance": (session,)})
