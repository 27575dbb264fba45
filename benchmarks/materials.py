"""Ten frames of a material nobody here made: every recipe, three seeds, intervals.

NaCl, MgO and KCl (phono3py and phonopy files with random displacements, VASP) and
silicon with forces alone. For each seed ten frames are drawn to train on and twenty
others to judge; all recipes run with the shipped defaults, nothing tuned for a
material. Needs the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    python benchmarks/materials.py run --out runs/materials
    python benchmarks/materials.py table --out runs/materials

``run`` can be stopped and started; ``keep --recipes full readout`` takes the rows of
the last table that no change of the code has touched, and ``table`` writes
benchmarks/results/materials.json and materials.md, with the days of all rows.
``--workers`` runs several at once (on one large GPU, or one for each core with
OMP_NUM_THREADS=1): wall times are then not comparable and are left out.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import re
import statistics
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write

RESULTS = Path(__file__).parent / "results"

FILES = {
    "NaCl": "phono3py_params_NaCl.yaml.xz",
    "MgO": "phono3py_params_MgO-222rd-444rd.yaml.xz",
    "KCl": "phonopy_mlpsscha_params_KCl-120.yaml.xz",
    "Si111": "phono3py_params-Si111-rd.yaml.xz",
}
MAX_DISPLACEMENT = {"KCl": 0.3}
"""Å, rms of a Cartesian component: hotter frames are left out."""

RECIPES = ("full", "lora", "readout", "scratch")
TAKEN_OUT = ("l2sp",)
"""Recipes that are no more; their rows stay."""
N_TRAIN, N_TEST = 10, 20
SEEDS = (1, 2, 3)
"""Seed 0 was used while the defaults were chosen, and is not judged here."""

PROTOTYPE = {"NaCl": 0.62, "MgO": 2.05, "KCl": 11.2}
"""Force MAE to match, meV/Å: the better of a prototype's full and low-rank runs."""


def data_folder() -> Path:
    """Return the folder of public data, or say that it is absent."""
    folder = Path(os.environ.get("ATOMGRAFT_DATA", "../shared/data")) / "phonons"
    if not folder.is_dir():
        sys.exit(f"No data at {folder}: set ATOMGRAFT_DATA.")
    return folder


def frames_of(material: str) -> list[Atoms]:
    """Return the frames of a material that take part."""
    from atomgraft.data.readers import read_structures

    frames = read_structures([data_folder() / FILES[material]])
    limit = MAX_DISPLACEMENT.get(material, np.inf)
    return [atoms for atoms in frames if atoms.info["displacement_rms"] < limit]


def write_split(material: str, seed: int, folder: Path) -> tuple[Path, Path]:
    """Draw the frames of one seed and write them as extended XYZ."""
    train, test = folder / "train.extxyz", folder / "test.extxyz"
    if not test.exists():
        frames = frames_of(material)
        order = np.random.default_rng(seed).permutation(len(frames))
        for path, chosen in (
            (train, order[:N_TRAIN]),
            (test, order[N_TRAIN : N_TRAIN + N_TEST]),
        ):
            write(path, [plain(frames[i]) for i in chosen], format="extxyz")
    return train, test


def plain(atoms: Atoms) -> Atoms:
    """Return the frame with its labels and nothing else."""
    kept = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    kept.info = {key: one for key, one in atoms.info.items() if key == "REF_energy"}
    kept.arrays["REF_forces"] = atoms.arrays["REF_forces"]
    return kept


def run_one(task: tuple[str, str, int], out: Path, device: str, steps: int) -> None:
    """Adapt and prove one run, and keep its row."""
    from atomgraft.run.adapt import adapt
    from atomgraft.run.prove import prove
    from atomgraft.run.spec import parse_spec

    material, recipe, seed = task
    data = out / "data" / f"{material}-{seed}"
    data.mkdir(parents=True, exist_ok=True)
    train, test = write_split(material, seed, data)
    spec = parse_spec(
        {
            "base": "7net-0",
            "train": str(train),
            "recipe": recipe,
            "seed": seed,
            "device": device,
            "training": {"steps": steps},
        },
        "benchmark",
    )
    folder = out / f"{material}-{recipe}-{seed}"
    adapt(spec, folder)
    result = prove(folder, [str(test)])
    row = {
        "material": material,
        "recipe": recipe,
        "seed": seed,
        "steps": steps,
        "n_train": N_TRAIN,
        "n_test": N_TEST,
        "n_trainable": sum(one.n_trainable for one in result.coverage),
        "reference_refitted": result.reference.was_refitted,
        "train_fingerprint": result.data[0].fingerprint,
        "base_hash": result.base.weights_hash,
        "training_seconds": result.training.seconds,
        "peak_memory_mib": result.training.peak_memory_mib,
        "took": result.verdict.took,
        "provenance": result.provenance[0].model_dump(mode="json"),
        "scores": [
            one.model_dump(mode="json")
            for one in result.scores
            if one.suite in {"labels", "forgetting"}
            and (one.group is None or one.group in {"near", "far"})
        ],
    }
    (out / "rows" / f"{folder.name}.json").write_text(json.dumps(row, indent=1))


def worker(
    tasks: "multiprocessing.Queue[tuple[str, str, int]]",
    out: Path,
    device: str,
    steps: int,
) -> None:
    """Take tasks until there are none."""
    import queue
    import warnings

    warnings.simplefilter("ignore")
    while True:
        try:
            task = tasks.get(timeout=1)
        except queue.Empty:
            return
        start = time.perf_counter()
        try:
            run_one(task, out, device, steps)
            print(*task, f"{time.perf_counter() - start:.0f} s", flush=True)
        except Exception:  # noqa: BLE001 - one failed cell must not cost the table
            print(*task, "failed", traceback.format_exc(), flush=True)


def run(arguments: argparse.Namespace) -> None:
    """Run what has no row yet."""
    (arguments.out / "rows").mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    tasks = context.Queue()
    for seed, material, recipe in itertools.product(
        SEEDS, arguments.materials, arguments.recipes
    ):
        if not (arguments.out / "rows" / f"{material}-{recipe}-{seed}.json").exists():
            tasks.put((material, recipe, seed))
    settings = (tasks, arguments.out, arguments.device, arguments.steps)
    workers = [
        context.Process(target=worker, args=settings) for _ in range(arguments.workers)
    ]
    for one in workers:
        one.start()
    for one in workers:
        one.join()


def score(
    row: dict, model: str, suite: str, quantity: str, metric: str
) -> float | None:
    """Return one overall score of a row."""
    group = "far" if suite == "forgetting" else None
    for one in row["scores"]:
        key = (one["model"], one["suite"], one["quantity"], one["metric"])
        if key == (model, suite, quantity, metric) and one["group"] == group:
            return one["value"]
    return None


def spread(values: Sequence[float | None]) -> str:
    """Return the mean over seeds and the range."""
    known = [one for one in values if one is not None]
    if not known:
        return "–"
    low, high, mean = min(known), max(known), statistics.mean(known)
    return f"{mean:.3g} [{low:.3g}, {high:.3g}]"


def dates_of(rows: Iterable[dict]) -> str:
    """Return the days on which rows were made."""
    return ", ".join(sorted({row["provenance"]["started"][:10] for row in rows}))


def keep(arguments: argparse.Namespace, results: Path) -> None:
    """Take rows of the committed results that no change has touched."""
    (arguments.out / "rows").mkdir(parents=True, exist_ok=True)
    for row in json.loads(results.read_text()):
        name = f"{row['material']}-{row['recipe']}-{row['seed']}"
        path = arguments.out / "rows" / f"{name}.json"
        if row["recipe"] in arguments.recipes and not path.exists():
            path.write_text(json.dumps(row, indent=1))


def table(arguments: argparse.Namespace) -> None:
    """Write the committed results from the rows."""
    rows = [
        json.loads(path.read_text())
        for path in sorted((arguments.out / "rows").glob("*.json"))
    ]
    for row in rows:  # where it ran is nobody's business
        command = row["provenance"]["command"]
        row["provenance"]["command"] = re.sub(r"--out \S+", "--out FOLDER", command)
    RESULTS.mkdir(exist_ok=True)
    text = ",\n".join(json.dumps(row) for row in rows)
    (RESULTS / "materials.json").write_text(f"[\n{text}\n]\n")
    lines = [
        "# Ten frames, every recipe",
        "",
        "Made by `python benchmarks/materials.py run` and `table`; rows with settings,",
        "fingerprints and intervals over structures in `materials.json`. Mean over",
        f"seeds [smallest, largest]; {N_TRAIN} frames to train, {N_TEST} held out,",
        "shipped defaults. Forgetting: mean force drift from the base on the shipped",
        "crystals that contain no trained element. NaCl, MgO and KCl ran sixteen at a",
        "time on one GPU (two cells of MgO on a CPU), Si111 on a CPU. The defaults",
        "were chosen on other splits (seed 0) of NaCl, MgO and KCl.",
        "",
        "Rows of lora from before 2026-11-29 let the weights of absent elements move.",
        "Its errors do not depend on it, its forgetting does (strategies.md). l2sp, at",
        "strength 100, was taken out; its rows stay.",
        "",
        "| material | recipe | seeds | trained numbers | forces MAE, meV/Å | energy "
        "MAE, meV/atom | forgetting, meV/Å | made |",
        "|---" * 8 + "|",
    ]
    for material in FILES:
        lines += material_lines(
            material, [r for r in rows if r["material"] == material]
        )
    lines += ["", *target_lines(rows)]
    text = "\n".join(lines) + "\n"
    (RESULTS / "materials.md").write_text(text)
    print(text)


def material_lines(material: str, rows: list[dict]) -> list[str]:
    """Return the table lines of one material, the base first."""
    if not rows:
        return []
    firsts = {row["seed"]: row for row in rows}.values()
    lines = [
        f"| {material} | base, as it is | {len(firsts)} | 0 | "
        + spread([score(one, "base", "labels", "forces", "mae") for one in firsts])
        + " | "
        + spread([score(one, "base", "labels", "energy", "mae") for one in firsts])
        + " | 0 | |"
    ]
    for recipe in (*RECIPES, *TAKEN_OUT):
        chosen = [row for row in rows if row["recipe"] == recipe]
        if chosen:
            cells = [
                spread([score(one, "adapted", *key) for one in chosen])
                for key in (
                    ("labels", "forces", "mae"),
                    ("labels", "energy", "mae"),
                    ("forgetting", "forces", "drift"),
                )
            ]
            count = f"{chosen[0]['n_trainable']:,}"
            cells = [str(len(chosen)), count, *cells, dates_of(chosen)]
            lines.append(f"| {material} | {recipe} | {' | '.join(cells)} |")
    return lines


def target_lines(rows: list[dict]) -> list[str]:
    """Return what was aimed at and what was reached."""
    lines = ["Target: the better of a prototype's full and low-rank runs."]
    for material, target in PROTOTYPE.items():
        means = {
            recipe: statistics.mean(
                score(row, "adapted", "labels", "forces", "mae") or np.nan
                for row in rows
                if (row["material"], row["recipe"]) == (material, recipe)
            )
            for recipe in ("full", "lora")
            if any((r["material"], r["recipe"]) == (material, recipe) for r in rows)
        }
        if means:
            best = min(means, key=lambda recipe: means[recipe])
            word = "met" if means[best] <= target else "missed"
            lines.append(
                f"{material}: {target} meV/Å aimed at, {means[best]:.3g} by {best}: "
                f"{word}."
            )
    return lines


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["run", "keep", "table"])
    parser.add_argument("--out", type=Path, default=Path("runs/materials"))
    parser.add_argument("--materials", nargs="+", default=list(FILES), choices=FILES)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    if arguments.what == "keep":
        keep(arguments, RESULTS / "materials.json")
    else:
        {"run": run, "table": table}[arguments.what](arguments)


if __name__ == "__main__":
    main()
