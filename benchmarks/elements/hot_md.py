"""How long germanium survives in motion: fresh weights against a start from silicon.

Models are those of the learning curves (``learning_curves.py``): trained on 1, 2 or 5
germanium frames with the rates chosen there, from silicon with both scales fitted, or
from fresh weights with five times the steps. The suite ``md`` judges them at four
temperatures; its limits come from runs of a model that was trained on all germanium
frames of the pool, which is the reference. Above the melting point of germanium a model
may melt, so neither structure nor coordination is judged there::

    python benchmarks/elements/hot_md.py reference --out runs/hot
    python benchmarks/elements/hot_md.py run --out runs/hot
    python benchmarks/elements/hot_md.py run --out runs/hot --plan long
    python benchmarks/elements/hot_md.py run --out runs/hot --plan foundation
    python benchmarks/elements/hot_md.py table

``long`` are runs of twice the length, for the ratio of times where models outlive
the short ones; ``foundation`` moves 7net-0 with ``lora`` on the same frames. Everything
can be stopped and started: finished cells are in
benchmarks/results/element_survival.json.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
from learning_curves import ARMS, FRESH, SETTINGS, TRANSFERRED, Bench, best_rate
from starts import BASE_FOLDER, RESULTS, data

RESULT = RESULTS / "element_survival.json"

SIZES = (1, 2, 5)
DRAWS = (0, 1)
ATOMS = (64, 216)
MELTING = 1211.0
"""K, of germanium (CRC Handbook of Chemistry and Physics)."""
MELTED = ("other structure", "coordination lost")
"""Reasons that are no failure from there on. Cells without ``melting`` counted them,
and kept no trajectories: whether such a run failed later is unknown."""
UNKNOWN = "melted, then unknown"
TIMESTEP = 4.0
"""fs: a 28th of the shortest period of germanium."""
REPLICAS = 5
REFERENCE_STEPS = 3000
RECIPE, STEPS, BATCH = "lora", 100, 2
"""Of 7net-0, as in ``properties.py``."""

NAMES = {
    "base": "reference",
    "adapted": TRANSFERRED,
    "scratch": FRESH,
    "foundation": "7net-0 adapted",
}
"""Names of models in the suite, and in tables."""

SUITE_NAMES = {"foundation": "adapted"}
"""In the suite, which knows a base, an adapted model and fresh weights."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """Runs of one kind.

    Parameters
    ----------
    time
        Of each, ps.
    temperatures
        K
    models
        That are moved, beside the reference.
    atoms
        Sizes of cells.
    """

    time: float
    temperatures: tuple[float, ...]
    models: tuple[str, ...] = ("adapted", "scratch")
    atoms: tuple[int, ...] = ATOMS


PLANS = {
    "short": Plan(3.0, (300.0, 600.0, 900.0, 1500.0)),
    "long": Plan(6.5, (600.0, 900.0), atoms=(64,)),
    "foundation": Plan(3.0, (900.0,), ("foundation",), atoms=(64,)),
}


def models_of(bench: Bench, plan: Plan, n: int, draw: int, out: Path) -> dict:
    """Train, or load, the models of a draw by their names."""
    from atomgraft.run.inputs import load_base

    found = {"base": load_base(str(out / "reference"))}
    for name in plan.models:
        if name == "foundation":
            found[name] = foundation(bench, n, draw, out)
            continue
        [arm] = [one for one in ARMS if one.name == NAMES[name]]
        rate = best_rate(bench.document, arm, n)
        found[name], _ = bench.trained(arm, n, draw, 0, rate)
    return found


def foundation(bench: Bench, n: int, draw: int, out: Path):  # noqa: ANN201
    """Return 7net-0 after the frames of a draw."""
    import atomgraft as ag
    from atomgraft.run.inputs import merged_run

    run = ag.adapt(
        "7net-0",
        train=[one.copy() for one in bench.chosen(n, draw)],
        recipe=RECIPE,
        steps=STEPS,
        batch_size=min(BATCH, n),
        seed=draw,
        out=out / f"7net-0-{n}-{draw}",
        progress=False,
    )
    return merged_run(run.folder)


def reference(bench: Bench, out: Path) -> None:
    """Train the reference, or go on with it."""
    import atomgraft as ag

    ag.adapt(
        str(BASE_FOLDER),
        train=[atoms.copy() for atoms in bench.pool],
        map="Si:Ge@fit@fit",
        recipe="full",
        steps=REFERENCE_STEPS,
        batch_size=8,
        lr=2e-3,
        out=out / "reference",
    )


def run(bench: Bench, out: Path, given: argparse.Namespace) -> None:
    """Run every cell that is missing."""
    plan = PLANS[given.plan]
    for n_atoms in given.atoms or plan.atoms:
        for draw in given.draw or DRAWS:
            for n in given.size or SIZES:
                key = {"plan": given.plan, "n": n, "draw": draw, "atoms": n_atoms}
                document = read()
                if any(key.items() <= one.items() for one in document["cells"]):
                    continue
                cell = one_cell(bench, out, key)
                document = read()
                document["cells"].append({**key, **cell})
                RESULT.write_text(json.dumps(document, indent=0) + "\n")
                print(key, summary(cell), flush=True)


def one_cell(bench: Bench, out: Path, key: dict) -> dict:
    """Ask the suite about the models of a draw."""
    from ase.data import atomic_numbers

    from atomgraft.evaluation.suite import Contestants, Subject
    from atomgraft.evaluation.survival.spec import SurvivalOptions
    from atomgraft.evaluation.survival.suite import SurvivalSuite

    plan = PLANS[key["plan"]]
    models = models_of(bench, plan, key["n"], key["draw"], out)
    options = SurvivalOptions(
        reference="base",
        temperatures=plan.temperatures,
        time=plan.time,
        timestep=TIMESTEP,
        replicas=REPLICAS,
        atoms=key["atoms"],
        melting=MELTING,
    )
    subject = Subject(
        files=(data("ge-train.extxyz"),),
        structures=(),
        elements={atomic_numbers["Ge"]},
        base=models["base"],
    )
    place = out / f"{key['plan']}-{key['atoms']}"  # the reference moves once
    place.mkdir(parents=True, exist_ok=True)
    # One seed for all draws: the reference moves once, and velocities are shared.
    models = {SUITE_NAMES.get(name, name): one for name, one in models.items()}
    contestants = Contestants(models=models, reference_shifts={}, seed=0, folder=place)
    answers = SurvivalSuite(subject, options).ask(contestants, show)
    for name in plan.models:  # others may take their places
        own = place / "md" / SUITE_NAMES.get(name, name)
        own.rename(place / "md" / f"{name}-{key['n']}-{key['draw']}")
    scores = [one.model_dump(mode="json") for one in answers.scores]
    motions = [row for one in answers.details["conditions"] for row in one["motions"]]
    for name in plan.models:
        for row in (*scores, *motions):
            if row["model"] == SUITE_NAMES.get(name):
                row["model"] = name
    return {
        "melting": MELTING,
        "scores": scores,
        "details": answers.details,
        "unanswered": list(answers.unanswered),
    }


def show(what: str, done: int, total: int) -> None:
    """Write progress, each line over the last."""
    print(f"\r{what}: {done} of {total}", end="", flush=True)


def summary(cell: dict) -> str:
    """Return the restricted means of a cell."""
    return "; ".join(
        f"{row['model']} {row['group']} {row['value']:.2f}"
        for row in cell["scores"]
        if row["metric"] == "restricted_mean"
    )


def read() -> dict:
    """Return what is finished."""
    from atomgraft.core.provenance import package_versions

    if RESULT.is_file():
        return json.loads(RESULT.read_text())
    return {
        "command": "hot_md.py reference; hot_md.py run",
        "versions": package_versions(),
        "cells": [],
    }


Runs = tuple[np.ndarray, np.ndarray]
"""Times, ps, and whether they are failures."""


Condition = tuple[int, int, float, float]
"""Atoms, frames, temperature in K, and length of runs in ps."""


def endings(document: dict, condition: Condition, model: str) -> list[dict]:
    """Return how all replicas of all draws ended.

    The reference is the same in all cells, and counts once.
    """
    n_atoms, n, T, time = condition
    found = [
        [judged(ending, cell, T) for ending in motion["endings"]]
        for cell in document["cells"]
        if (cell["atoms"], cell["n"]) == (n_atoms, n)
        and PLANS[cell["plan"]].time == time
        for one in cell["details"]["conditions"]
        if one["temperature"] == T
        for motion in one["motions"]
        if motion["model"] == model
    ]
    counted = found[:1] if model == "base" else found
    return [ending for one in counted for ending in one]


def judged(ending: dict, cell: dict, T: float) -> dict:
    """Return an ending that says where a melt was counted as a failure by mistake."""
    is_wrong = "melting" not in cell and T >= MELTING and ending["reason"] in MELTED
    return {**ending, "reason": UNKNOWN} if is_wrong else ending


def n_unknown(rows: list[dict]) -> int:
    """Return how many runs melted, and may or may not have failed later."""
    return sum(one["reason"] == UNKNOWN for one in rows)


def runs_of(rows: list[dict], horizon: float) -> Runs:
    """Return times, and whether they are failures.

    What is unknown counts as a survivor: means are then the most that they can be.
    """
    unknown = np.array([one["reason"] == UNKNOWN for one in rows], dtype=bool)
    times = np.array([one["time"] for one in rows], dtype=float)
    failed = np.array([bool(one["reason"]) for one in rows], dtype=bool)
    return np.where(unknown, horizon, times), failed & ~unknown


def conditions(document: dict) -> list[Condition]:
    """Return every condition that has runs."""
    return [
        (n_atoms, n, T, time)
        for time in sorted({one.time for one in PLANS.values()})
        for n_atoms in ATOMS
        for n in SIZES
        for T in PLANS["short"].temperatures
        if endings(document, (n_atoms, n, T, time), "adapted")
    ]


def horizon_of(document: dict, time: float) -> float:
    """Return the end of the last whole window of runs, ps."""
    return next(
        cell["details"]["horizon"]
        for cell in document["cells"]
        if PLANS[cell["plan"]].time == time
    )


def table(document: dict) -> str:
    """Return the table of all cells, Markdown."""
    lines = [
        "# Germanium in molecular dynamics: survival by number of germanium frames",
        "",
        "Made by `python benchmarks/elements/hot_md.py`. Langevin dynamics in steps of"
        f" {TIMESTEP:g} fs, {REPLICAS} replicas of each draw of the training frames."
        " Mean: restricted mean survival time over all replicas with its 95 % interval;"
        " another structure and lost coordination are seen at the end of a window of"
        " 0.5 ps, other failures when they happen. Replicas of one draw share a model,"
        " and all draws share the velocities at the start: intervals and p values are"
        " those of these models and velocities. The reference was trained from silicon"
        " with both scales on all frames of the pool; its own runs set the limits, and"
        f" count once. From {MELTING:g} K on, the melting point, to melt is no failure."
        " Older runs stopped counting where they melted (melted, then unknown):"
        " survivors and mean are the most that they can be (≤), ratios the least (≥),"
        " without interval and p."
        f" 7net-0 adapted: `{RECIPE}`,"
        f" {STEPS} steps. Ratio: to the mean of fresh weights; at least so large where"
        " models outlive the run.",
        "",
        "| runs, ps | atoms | frames | K | model | draws | survived | mean, ps |"
        " ratio | log-rank p | failures |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for condition in conditions(document):
        found = {name: endings(document, condition, name) for name in NAMES}
        horizon = horizon_of(document, condition[-1])
        lines += [row(found, name, condition, horizon) for name in NAMES if found[name]]
    return "\n".join([*lines, ""])


def row(
    found: dict[str, list[dict]],
    name: str,
    condition: Condition,
    horizon: float,
) -> str:
    """Return one line of the table; the ratio is that to fresh weights."""
    from collections import Counter

    from atomgraft.metrics.survival import log_rank, restricted_mean

    runs = {key: runs_of(rows, horizon) for key, rows in found.items() if rows}
    means = {key: restricted_mean(*one, horizon) for key, one in runs.items()}
    unknown = {key: n_unknown(rows) for key, rows in found.items()}
    ends = None if unknown[name] else means[name].interval
    spread = f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else ""
    p = ratio = None
    if name in {"adapted", "foundation"} and not unknown[name]:
        if not unknown["scratch"]:
            p = log_rank(runs[name], runs["scratch"])
        if runs["scratch"][1].any():
            ratio = means[name].value / means["scratch"].value
    most = "≤ " if unknown[name] else ""
    least = "≥ " if unknown["scratch"] else ""
    why = Counter(one["reason"] for one in found[name] if one["reason"])
    n_alive = int((~runs[name][1]).sum())
    n_atoms, n, T, _ = condition
    cells = (
        *(f"{one:g}" for one in (horizon, n_atoms, n, T)),
        NAMES[name],
        "" if name == "base" else str(len(found[name]) // REPLICAS),
        f"{most}{n_alive} of {len(found[name])}",
        f"{most}{means[name].value:.2f}{spread}",
        "" if ratio is None else f"{least}{ratio:.1f}",
        "" if p is None else f"{p:.2g}",
        ", ".join(f"{count} {one}" for one, count in why.items()),
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("reference", "run", "table"))
    parser.add_argument("--out", type=Path, default=Path("runs/hot"))
    parser.add_argument("--size", type=int, action="append")
    parser.add_argument("--atoms", type=int, action="append")
    parser.add_argument("--draw", type=int, action="append")
    parser.add_argument("--plan", choices=PLANS, default="short")
    given = parser.parse_args()
    if given.verb == "table":
        from survival_figure import figure

        RESULT.with_suffix(".md").write_text(table(read()))
        RESULT.with_suffix(".svg").write_text(figure(read()))
    else:
        bench = Bench(SETTINGS["ge"])
        if given.verb == "reference":
            reference(bench, given.out)
        else:
            run(bench, given.out, given)
