"""Comparisons whose answer is known: errors follow a law that the test chooses."""

import numpy as np

from atomgraft.compare.advice import advise, front_points
from atomgraft.compare.judge import Judge
from atomgraft.compare.learning_curves import learning_curve
from atomgraft.compare.record import (
    ComparedCell,
    Comparison,
    Contestant,
)
from atomgraft.compare.seed_summaries import (
    SummaryTable,
    baselines_of,
    errors_by_seed,
    summarise,
    target_of,
)
from atomgraft.records.documents import Provenance
from atomgraft.records.scores import Score
from atomgraft.run.record import BaseCard, DataCard

SIZES = (5, 10, 20, 40)
SEEDS = (0, 1, 2)

BASE_FORCES = 20.0
"""meV/Å"""

HOSTILE = "</script><script>document.title='owned'</script>"

LAWS = {
    "lora": {"error": lambda n: 18 / n**0.5, "drift": 3.0},
    "full": {"error": lambda n: 18.3 / n**0.5, "drift": 1.0},
    "scratch": {"error": lambda n: 150 / n**0.5, "drift": 400.0},
}


def score(model, quantity, value, **more):
    units = {"energy": "meV/atom", "forces": "meV/Å", "stress": "GPa"}
    given = {
        "model": model,
        "suite": "labels",
        "quantity": quantity,
        "metric": "mae",
        "value": float(value),
        "unit": units[quantity],
        "interval": (0.9 * float(value), 1.1 * float(value)),
        "n": 12,
    }
    return Score(**given | more)


def scores_of(error, drift, choosing=None):
    """Return the rows of one proved run; `choosing` is its error on validation."""
    rows = [score("base", "forces", BASE_FORCES), score("adapted", "forces", error)]
    rows += [
        score(model, "energy", value, metric=metric)
        for model, value in (("base", 5.0), ("adapted", error / 4))
        for metric in ("mae", "mae_aligned")
    ]
    rows.append(score("adapted", "stress", error / 100))
    rows += [
        score(
            "adapted", quantity, factor * (choosing or error), suite="validation", n=8
        )
        for quantity, factor in (("forces", 1.0), ("stress", 0.01))
    ]
    rows.append(
        score(
            "adapted", "energy", (choosing or error) / 4, suite="validation",
            metric="mae_aligned", n=8,
        )
    )  # fmt: skip
    rows += [
        score("adapted", "forces", drift * part, suite="forgetting", metric="drift")
        if group is None
        else score(
            "adapted",
            "forces",
            drift * part,
            suite="forgetting",
            metric="drift",
            group=group,
        )
        for group, part in ((None, 1.5), ("near", 2.0), ("far", 1.0))
    ]
    rows += [
        score("base", "forces", 300.0, suite="forgetting", metric="spread", group=group)
        for group in (None, "near", "far")
    ]
    return tuple(rows)


def cell(contestant, n_labels, seed, *, error, drift=1.0, choosing=None, **more):
    given = {
        "name": f"{contestant}-n{n_labels}-s{seed}",
        "contestant": contestant,
        "n_labels": n_labels,
        "seed": seed,
        "status": "done",
        "scores": scores_of(error, drift, choosing),
        "n_trainable": 1234,
        "n_steps": 100,
        "seconds": 2.5,
        "data_fingerprint": "0" * 64,
        "versions": {"python": "3.11"},
        "device": "cpu",
    }
    return ComparedCell(**given | more)


def failed(contestant, n_labels, seed, *, status="failed", reason="It diverged."):
    return ComparedCell(
        name=f"{contestant}-n{n_labels}-s{seed}",
        contestant=contestant,
        n_labels=n_labels,
        seed=seed,
        status=status,
        reason=reason,
    )


def table_of(laws=None, *, sizes=SIZES, seeds=SEEDS, noise=0.02):
    """Return the cells of contestants that follow their laws but for luck."""
    rng = np.random.default_rng(0)
    return [
        cell(
            name,
            n,
            seed,
            error=law["error"](n) * float(np.exp(noise * rng.normal())),
            drift=law["drift"],
        )
        for seed in seeds
        for n in sizes
        for name, law in (laws or LAWS).items()
    ]


def contestants_in(cells):
    return tuple(
        Contestant(
            name=name,
            base="7net-0",
            recipe=name.split(" ")[0],
            learning_rate=1e-3,
            factor=float(name.partition("×")[2] or 1),
        )
        for name in dict.fromkeys(one.contestant for one in cells)
    )


def judged(cells, *, more=20, worthwhile=0.05, target_error=None, quantity="auto"):
    """Return the judge of a table, and the advice."""
    target = target_of(cells, quantity)
    contestants = contestants_in(cells)
    curves = [
        learning_curve(
            one.name,
            errors_by_seed(cells, target, one.name),
            more=more,
            target_error=target_error,
            worthwhile=worthwhile,
        )
        for one in contestants
    ]
    judge = Judge(
        cells=cells,
        contestants=contestants,
        baselines=baselines_of(cells, contestants_in(cells)),
        target=target,
        table=SummaryTable(summarise(cells), target),
        curves=[one for one in curves if one is not None],
    )
    advice = advise(judge, more=more, worthwhile=worthwhile, target_error=target_error)
    return judge, advice


def comparison_of(cells, *, name="mine", finished=True):
    """Return the whole document of a table."""
    judge, advice = judged(cells)
    return Comparison(
        name=name,
        finished=finished,
        spec={"base": ["7net-0"], "training": {"steps": 100}, "train": [HOSTILE]},
        bases=(base_card(),),
        data=(data_card("train", 40), data_card("test", 12)),
        sizes=tuple(sorted({one.n_labels for one in cells})),
        contestants=contestants_in(cells),
        cells=tuple(cells),
        target=judge.target,
        baselines=baselines_of(cells, contestants_in(cells)),
        summaries=summarise(cells),
        curves=tuple(judge.curves.values()),
        front=front_points(judge),
        advice=advice,
        provenance=(session(),),
    )


def base_card():
    return BaseCard(
        name="7net-0",
        framework="sevennet",
        weights_hash="a" * 64,
        licence="MIT",
        n_weights=842623,
        cutoff=5.0,
        elements=("Si",),
    )


def data_card(role, n):
    return DataCard(
        role=role,
        files=(f"{role}.extxyz",),
        fingerprint="b" * 64,
        n_structures=n,
        n_atoms=8 * n,
        n_energies=n,
        n_forces=n,
        n_stresses=0,
        elements=("Si",),
    )


def session():
    return Provenance(
        verb="compare",
        command="atomgraft compare compare.yaml",
        started="2026-08-01T12:00:00+00:00",
        seconds=60.0,
        versions={"python": "3.11"},
        machine={"cores": 2},
        device="cpu",
        dtype="float32",
        n_threads=1,
    )
