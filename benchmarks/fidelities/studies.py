"""What cheap labels of ethanol buy in expensive ones: the studies of the documentation.

Geometries are those of the data folder (``fidelity/ethanol-pbe-*.xyz``): 1,000 to train
on and 1,000 of molecular dynamics, of which each fifth is a test structure and the
others train sources. They are labelled with GFN1, GFN2 and HF/STO-3G; PBE/def2-SVP is
in the files. Then ``atomgraft fidelity`` runs the studies of `STUDIES`, and ``budget``
is asked how to spend hours that the grid of the study can check::

    python benchmarks/fidelities/studies.py label --out runs/fidelities
    python benchmarks/fidelities/studies.py run line --out runs/fidelities --workers 2
    python benchmarks/fidelities/studies.py table line --out runs/fidelities

``label`` and ``run`` can be stopped and started. ``table`` writes
benchmarks/results/fidelity_NAME.json and .md. ``--seed`` runs some of the seeds. Needs
the extras ``xtb`` and ``pyscf``.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase import Atoms
from ase.io import read, write

RESULTS = Path(__file__).parent.parent / "results"
ENGINES = {"gfn1": "xtb:GFN1", "gfn2": "xtb:GFN2", "hf": "pyscf:HF/STO-3G"}
TEST_EACH = 5
"""Each fifth frame of molecular dynamics is a test structure."""

WIDTHS = ("sevennet:tiny:H,C,O", "sevennet:mini:H,C,O")
SEEDS = (0, 1, 2)
SOURCE_STEPS, STEPS = 2000, 500
CHEAP = ("gfn1", "gfn2", "hf")

STUDIES: dict[str, dict[str, Any]] = {
    "line": {
        "base": list(WIDTHS),
        "sources": CHEAP,
        "source_sizes": [100, 300, 1000, 1700],
        "sizes": [100],
        "strategies": ["fine-tuning"],
    },
    "claims": {
        "base": [WIDTHS[1]],
        "sources": ("gfn2", "hf"),
        "source_sizes": [300, 1000],
        "sizes": [30, 100],
        "keep": ["all", "forces", "energy"],
        "strategies": ["fine-tuning", "multi-head", "all-heads", "delta"],
        "recipes": ["full", "readout", "lora"],
    },
    "budget": {
        "base": [WIDTHS[1]],
        "sources": ("gfn2",),
        "source_sizes": [30, 100, 300, 1000],
        "sizes": [10, 30, 100, 300],
        "strategies": ["fine-tuning"],
    },
}
PILOT = {"source_sizes": (30, 300), "sizes": (10, 30, 100)}
"""What the advice of ``budget`` may see of the grid; the rest checks it."""


def geometries(name: str) -> list[Atoms]:
    """Return frames of a file of the data folder, with their labels."""
    folder = Path(os.environ.get("ATOMGRAFT_DATA", "../shared/data"))
    found = read(folder / "fidelity" / f"ethanol-pbe-{name}.xyz", ":")
    return found if isinstance(found, list) else [found]


def call(*words: object) -> None:
    """Run a command of atomgraft; cells left over end the benchmark."""
    program = Path(sys.executable).with_name("atomgraft")
    subprocess.run([str(program), *map(str, words)], check=True)


def label(out: Path, workers: int) -> None:
    """Write the target's files, and label all geometries with the cheap engines."""
    out.mkdir(parents=True, exist_ok=True)
    moving = geometries("test_MD")
    test = moving[::TEST_EACH]
    others = [one for i, one in enumerate(moving) if i % TEST_EACH]
    frames = [*geometries("train"), *others, *test]
    write(out / "pbe-train.extxyz", geometries("train"), format="extxyz")
    write(out / "pbe-test.extxyz", test, format="extxyz")
    bare = [Atoms(one.numbers, one.positions) for one in frames]
    write(out / "geometries.extxyz", bare, format="extxyz")
    for name, engine in ENGINES.items():
        words = ("--engine", engine, "--workers", workers, "--out", out / name)
        call("label", out / "geometries.extxyz", *words)


def spec_of(name: str, out: Path) -> dict[str, Any]:
    """Return the spec of a study."""
    told = dict(STUDIES[name])
    sources = {one: str(out / one / "labels.extxyz") for one in told.pop("sources")}
    return {
        **told,
        "train": str(out / "pbe-train.extxyz"),
        "test": str(out / "pbe-test.extxyz"),
        "sources": sources,
        "seeds": list(SEEDS),
        "source_training": {"steps": SOURCE_STEPS, "batch_size": 8},
        "training": {"steps": STEPS, "batch_size": 8},
    }


def run(name: str, out: Path, workers: int, seeds: Sequence[int]) -> None:
    """Run a study, or go on with it."""
    spec = out / f"{name}.yaml"
    spec.write_text(yaml.safe_dump(spec_of(name, out) | {"seeds": list(seeds)}))
    call("fidelity", spec, "--workers", workers, "--out", out / name)


def table(name: str, out: Path) -> None:
    """Write what a study found, without scores of single structures."""
    study = json.loads((out / name / "fidelity.json").read_text())
    kept = {
        key: study[key]
        for key in ("target", "levels", "rows", "lines", "claims", "headline")
    }
    kept["command"] = f"python benchmarks/fidelities/studies.py run {name}"
    kept["seeds"] = study["spec"]["seeds"]
    kept["versions"] = study["provenance"][-1]["versions"]
    kept["steps"] = [SOURCE_STEPS, STEPS]
    if name == "budget":
        kept["advice"] = advice(study)
    place = RESULTS / f"fidelity_{name}.json"
    place.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    place.with_suffix(".md").write_text(markdown(name, kept))


def advice(study: dict[str, Any]) -> list[dict[str, Any]]:
    """Return for several sums what `budget` advises from a part of the grid.

    Its mixture is compared with the best point of the whole grid that costs no more:
    the measured error at the advice is interpolated in the grid, linear in logarithms.
    """
    from atomgraft.fidelity.budget.spec import BudgetSpec
    from atomgraft.fidelity.budget.work import advise
    from atomgraft.fidelity.record import Fidelity

    whole = Fidelity.model_validate(study)
    pilot = whole.model_copy(
        update={
            "models": tuple(
                one
                for one in whole.models
                if one.n_source in {0, *PILOT["source_sizes"]}
                and one.n_target in {0, *PILOT["sizes"]}
            )
        }
    )
    costs = {"target": 20.0, "gfn2": 0.2}
    found: list[dict[str, Any]] = []
    for hours in (0.2, 0.4, 0.8, 1.5):
        told = advise(
            BudgetSpec(study="pilot", cpu_hours=hours, costs=costs), pilot, "pilot"
        )
        grid = {
            (row.n_target, row.n_source): row.value
            for row in whole.rows
            if row.strategy in {"alone", "fine-tuning"}
        }
        bought = {
            place: error
            for place, error in grid.items()
            if place[0] * costs["target"] + place[1] * costs["gfn2"] <= 3600 * hours
        }
        best = min(bought, key=lambda place: bought[place])
        mine = interpolated(grid, told.best.n_target, told.best.n_source)
        found.append(
            {
                "cpu_hours": hours,
                "advice": [told.best.n_target, told.best.n_source],
                "predicted": told.best.error,
                "measured": mine,
                "best": list(best),
                "best_error": bought[best],
            }
        )
    return found


def interpolated(
    grid: dict[tuple[int, int], float], n: int, n_source: int
) -> float | None:
    """Return the error at a mixture between points of the grid, or none outside."""
    sizes = sorted({place[0] for place in grid})
    many = sorted({place[1] for place in grid})
    if not (sizes[0] <= n <= sizes[-1] and n_source <= many[-1]):
        return None
    x = np.log(sizes)
    columns = [
        np.interp(np.log(n), x, np.log([grid[one, m] for one in sizes])) for m in many
    ]
    places = np.log1p(many)
    return float(np.exp(np.interp(np.log1p(n_source), places, columns)))


def markdown(name: str, kept: dict[str, Any]) -> str:
    """Return the tables of a study, Markdown."""
    unit = kept["target"]["unit"]
    lines = [
        f"# Levels of theory of ethanol: {name}",
        "",
        f"Made by `{kept['command']}`: {kept['steps'][0]} steps on a source,"
        f" {kept['steps'][1]} of fine-tuning on PBE/def2-SVP, seeds"
        f" {', '.join(map(str, kept['seeds']))}. Forces MAE, {unit}, geometric mean"
        " over seeds with their range.",
        "",
    ]
    if kept["claims"]:
        lines += ["| question | answer | numbers |", "|---|---|---|"]
        lines += [
            f"| {one['question']} | {one['answer']} | {one['sentence']} |"
            for one in kept["claims"]
        ]
        lines.append("")
    if kept["lines"]:
        lines += [
            "| recipe | kept | source | base | slope | R² | models | at floor |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [_line(one) for one in kept["lines"]]
        lines.append("")
    lines += [
        "| model | base | kept | labels of the source | of the target | error | over"
        " target alone | error of the source's model |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(one) for one in kept["rows"]]
    if "advice" in kept:
        lines += [
            "",
            "Advice from a part of the grid"
            f" (n in {PILOT['sizes']}, N in {PILOT['source_sizes']}; 20 s a label of"
            " the target, 0.2 s of the source):",
            "",
            "| h | advised n, N | predicted | measured there | best of the grid | its"
            " error |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {one['cpu_hours']:g} | {one['advice']} | {one['predicted']:.1f} |"
            f" {one['measured'] and round(one['measured'], 1)} | {one['best']} |"
            f" {one['best_error']:.1f} |"
            for one in kept["advice"]
        ]
    return "\n".join(lines) + "\n"


def _line(one: dict[str, Any]) -> str:
    if one["slope"] is None:
        slope, squared = one["reason"], ""
    else:
        ends = one["slope_interval"]
        interval = f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else ""
        slope, squared = f"{one['slope']:.2f}{interval}", f"{one['r_squared']:.3f}"
    names = (one["recipe"], one["kept"], one["source"] or "all", one["base"] or "all")
    counts = (one["n_points"], one["n_at_floor"])
    return "| " + " | ".join(map(str, (*names, slope, squared, *counts))) + " |"


def _row(one: dict[str, Any]) -> str:
    ends = one["range"]
    error = f"{one['value']:.1f}" + (f" ({ends[0]:.1f}, {ends[1]:.1f})" if ends else "")
    over = one["over_alone"]
    source = one["source_error"]
    model = f"{one['strategy']} {one['source'] or ''} {one['recipe']}"
    cells = (
        model,
        one["base"],
        one["kept"],
        one["n_source"],
        one["n_target"],
        error,
        "" if over is None else f"{over:.2f}",
        "" if source is None else f"{source:.1f}",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("verb", choices=("label", "run", "table"))
    parser.add_argument("name", choices=STUDIES, nargs="?", default="line")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, action="append")
    given = parser.parse_args()
    if given.verb == "label":
        label(given.out, given.workers)
    elif given.verb == "run":
        run(given.name, given.out, given.workers, given.seed or SEEDS)
    else:
        table(given.name, given.out)
