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


Runs = tuple[np.ndarray, np.ndarray]
"""Times, ps, and whether they are failures."""


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


def runs_of(rows: list[dict]) -> Runs:
    """Return times, and whether they are failures."""
    times = np.array([one["time"] for one in rows], dtype=float)
    return times, np.array([bool(one["reason"]) for one in rows], dtype=bool)


def conditions(document: dict) -> list[tuple[int, int, float]]:
    """Return atoms, frames and temperature of every condition that has runs."""
    return [
        (n_atoms, n, T)
        for n_atoms in ATOMS
        for n in SIZES
        for T in TEMPERATURES
        if endings(document, n_atoms, n, T, "adapted")
    ]


def table(document: dict) -> str:
    """Return the table of all cells, Markdown."""
    horizon = document["cells"][0]["details"]["horizon"]
    lines = [
        "# Germanium in molecular dynamics: survival by number of germanium frames",
        "",
        f"Made by `python benchmarks/elements/hot_md.py`. Langevin dynamics, {TIME:g}"
        f" ps in steps of {TIMESTEP:g} fs, {REPLICAS} replicas of each draw of the"
        f" training frames; times are whole windows, {horizon:g} ps at most. Mean:"
        " restricted mean survival time over all replicas with its 95 % interval."
        " Replicas of one draw share a model: intervals and p values are those of these"
        " models. The reference was trained from silicon with both scales on all frames"
        " of the pool; its own runs set the limits. Ratio: to the mean of fresh"
        " weights; at least so large where models outlive the run.",
        "",
        "| atoms | frames | K | model | draws | survived | mean, ps | ratio |"
        " log-rank p | failures |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for n_atoms, n, T in conditions(document):
        found = {name: endings(document, n_atoms, n, T, name) for name in NAMES}
        lines += [row(found, name, (n_atoms, n, T), horizon) for name in NAMES]
    return "\n".join([*lines, ""])


def row(
    found: dict[str, list[dict]],
    name: str,
    condition: tuple[int, int, float],
    horizon: float,
) -> str:
    """Return one line of the table; the ratio is that to fresh weights."""
    from collections import Counter

    from atomgraft.metrics.survival import log_rank, restricted_mean

    runs = {key: runs_of(rows) for key, rows in found.items()}
    means = {key: restricted_mean(*one, horizon) for key, one in runs.items()}
    ends = means[name].interval
    spread = f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else ""
    p = ratio = None
    if name == "adapted":
        p = log_rank(runs["adapted"], runs["scratch"])
        if runs["scratch"][1].any():
            ratio = means["adapted"].value / means["scratch"].value
    why = Counter(one["reason"] for one in found[name] if one["reason"])
    n_alive = int((~runs[name][1]).sum())
    cells = (
        *(f"{one:g}" for one in condition),
        NAMES[name],
        str(len(found[name]) // REPLICAS),
        f"{n_alive} of {len(found[name])}",
        f"{means[name].value:.2f}{spread}",
        "" if ratio is None else f"{ratio:.1f}",
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
            run(bench, given.out, given.size or [*SIZES], given.atoms or [*ATOMS])
