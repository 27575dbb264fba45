"""How long germanium survives in motion: fresh weights against a start from silicon.

Models are those of the learning curves (``learning_curves.py``): trained on 1, 2 or 5
germanium frames with the rates chosen there, from silicon with both scales fitted, or
from fresh weights with five times the steps. The suite ``md`` judges them at four
temperatures; its limits come from runs of a model that was trained on all germanium
frames of the pool, which is the reference::

    python benchmarks/elements/hot_md.py reference --out runs/hot
    python benchmarks/elements/hot_md.py run --out runs/hot
    python benchmarks/elements/hot_md.py table

Everything can be stopped and started: finished cells are in
benchmarks/results/element_survival.json.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from learning_curves import ARMS, FRESH, SETTINGS, TRANSFERRED, Bench, best_rate
from starts import BASE_FOLDER, RESULTS, data

RESULT = RESULTS / "element_survival.json"

SIZES = (1, 2, 5)
DRAWS = (0, 1)
ATOMS = (64, 216)
TEMPERATURES = (300.0, 600.0, 900.0, 1500.0)
TIME = 3.0
"""ps of each run."""
TIMESTEP = 4.0
"""fs: a 28th of the shortest period of germanium."""
REPLICAS = 5
REFERENCE_STEPS = 3000


def models_of(bench: Bench, n: int, draw: int, out: Path) -> dict:
    """Train, or load, the models of a draw by the names of the suite."""
    from atomgraft.run.inputs import load_base

    found = {"base": load_base(str(out / "reference"))}
    for name, wanted in (("adapted", TRANSFERRED), ("scratch", FRESH)):
        [arm] = [one for one in ARMS if one.name == wanted]
        rate = best_rate(bench.document, arm, n)
        found[name], _ = bench.trained(arm, n, draw, 0, rate)
    return found


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


def run(bench: Bench, out: Path, sizes: list[int], atoms: list[int]) -> None:
    """Run every cell that is missing."""
    for n_atoms in atoms:
        for draw in DRAWS:
            for n in sizes:
                key = {"n": n, "draw": draw, "atoms": n_atoms}
                document = read()
                if any(key.items() <= one.items() for one in document["cells"]):
                    continue
                cell = one_cell(bench, out, n, draw, n_atoms)
                document["cells"].append({**key, **cell})
                RESULT.write_text(json.dumps(document, indent=0) + "\n")
                print(key, summary(cell), flush=True)


def one_cell(bench: Bench, out: Path, n: int, draw: int, n_atoms: int) -> dict:
    """Ask the suite about the models of a draw."""
    from ase.data import atomic_numbers

    from atomgraft.evaluation.suite import Contestants, Subject
    from atomgraft.evaluation.survival.spec import SurvivalOptions
    from atomgraft.evaluation.survival.suite import SurvivalSuite

    models = models_of(bench, n, draw, out)
    options = SurvivalOptions(
        reference="base",
        temperatures=TEMPERATURES,
        time=TIME,
        timestep=TIMESTEP,
        replicas=REPLICAS,
        atoms=n_atoms,
    )
    subject = Subject(
        files=(data("ge-train.extxyz"),),
        structures=(),
        elements={atomic_numbers["Ge"]},
        base=models["base"],
    )
    place = out / str(n_atoms)  # of all cells: the reference moves once
    place.mkdir(parents=True, exist_ok=True)
    contestants = Contestants(models=models, reference_shifts={}, seed=0, folder=place)
    answers = SurvivalSuite(subject, options).ask(contestants, show)
    for name in ("adapted", "scratch"):  # others may take their places
        (place / "md" / name).rename(place / "md" / f"{name}-{n}-{draw}")
    return {
        "scores": [one.model_dump(mode="json") for one in answers.scores],
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


NAMES = {"base": "reference", "adapted": TRANSFERRED, "scratch": FRESH}


def endings(document: dict, n_atoms: int, n: int, T: float, model: str) -> list[dict]:
    """Return how all replicas of all draws ended."""
    return [
        ending
        for cell in document["cells"]
        if (cell["atoms"], cell["n"]) == (n_atoms, n)
        for condition in cell["details"]["conditions"]
        if condition["temperature"] == T
        for motion in condition["motions"]
        if motion["model"] == model
        for ending in motion["endings"]
    ]


def table(document: dict) -> str:
    """Return the table of all cells, Markdown."""
    from collections import Counter

    from atomgraft.metrics.survival import log_rank, restricted_mean

    lines = [
        "# Germanium in molecular dynamics: survival by number of germanium frames",
        "",
        f"Made by `python benchmarks/elements/hot_md.py`. Langevin dynamics, {TIME:g}"
        f" ps in steps of {TIMESTEP:g} fs, {REPLICAS} replicas of each draw of the"
        " training frames. Restricted mean"
        " survival time over all replicas with its 95 % interval. Replicas of one draw"
        " share a model: intervals and p values are those of these models. The"
        " reference was trained from silicon with both scales on all frames of the"
        " pool.",
        "",
        "| atoms | frames | K | model | survived | mean, ps | log-rank p | failures |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for n_atoms in ATOMS:
        for n in SIZES:
            for T in TEMPERATURES:
                found = {name: endings(document, n_atoms, n, T, name) for name in NAMES}
                if not any(found.values()):
                    continue
                times = {
                    name: np.array([one["time"] for one in rows])
                    for name, rows in found.items()
                }
                failed = {
                    name: np.array([bool(one["reason"]) for one in rows])
                    for name, rows in found.items()
                }
                p = log_rank(
                    times["adapted"],
                    failed["adapted"],
                    times["scratch"],
                    failed["scratch"],
                )
                for name, rows in found.items():
                    mean = restricted_mean(times[name], failed[name], TIME)
                    ends = mean.interval
                    spread = f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else ""
                    why = Counter(one["reason"] for one in rows if one["reason"])
                    said = ", ".join(f"{count} {one}" for one, count in why.items())
                    n_alive = sum(not one["reason"] for one in rows)
                    chance = f"{p:.2g}" if name == "adapted" else ""
                    lines.append(
                        f"| {n_atoms} | {n} | {T:g} | {NAMES[name]} | {n_alive} of"
                        f" {len(rows)} | {mean.value:.2f}{spread} | {chance} | {said} |"
                    )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("reference", "run", "table"))
    parser.add_argument("--out", type=Path, default=Path("runs/hot"))
    parser.add_argument("--size", type=int, action="append")
    parser.add_argument("--atoms", type=int, action="append")
    given = parser.parse_args()
    if given.verb == "table":
        RESULT.with_suffix(".md").write_text(table(read()))
    else:
        bench = Bench(SETTINGS["ge"])
        if given.verb == "reference":
            reference(bench, given.out)
        else:
            run(bench, given.out, given.size or [*SIZES], given.atoms or [*ATOMS])
