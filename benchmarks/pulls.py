"""How strong a pull: errors on validation frames and drift, strength by strength.

The default of `decay` is chosen on this table, and `l2sp` was taken out. 7net-0 on
frames of the shipped training set of silicon, drawn with seed 0, which no other table
judges: 20 to train and 20 others to validate; 100 steps. Drift is that of `prove`, on
the shipped crystals::

    python benchmarks/pulls.py run --out runs/pulls
    python benchmarks/pulls.py table --out runs/pulls

``run`` can be stopped and started; ``table`` writes benchmarks/results/pulls.json and
pulls.md.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write

sys.path.insert(0, str(Path(__file__).parent))

from strategies import COLUMNS, Judge, bare, score

RESULTS = Path(__file__).parent / "results"

MATERIAL = "Si"
N_TRAIN, N_VALIDATION = 20, 20

STEPS = 100
SEED = 0

PULLS = {
    "none": None,
    "l2sp 100": {"kind": "l2sp", "strength": 1e2},
    "l2sp 1000": {"kind": "l2sp", "strength": 1e3},
    "l2sp 10000": {"kind": "l2sp", "strength": 1e4},
    "decay 0.01": {"kind": "decay", "share": 0.01},
    "decay 0.03": {"kind": "decay", "share": 0.03},
}


def frames_to_use() -> tuple[list[Atoms], list[Atoms]]:
    """Return training and validation frames."""
    from atomgraft.data.readers import read_structures

    frames = read_structures(["shipped:si-train"])
    order = np.random.default_rng(SEED).permutation(len(frames))
    chosen = [frames[i] for i in order[: N_TRAIN + N_VALIDATION]]
    return chosen[:N_TRAIN], chosen[N_TRAIN:]


def name_of(pull: str) -> str:
    """Return the name of a run's folder and of its row."""
    return f"{MATERIAL}-{pull.replace(' ', '-')}"


def run_one(judge: Judge, pull: str, out: Path) -> None:
    """Adapt, judge, and keep the row."""
    from atomgraft.run.adapt import adapt
    from atomgraft.run.spec import parse_spec

    train, validation = frames_to_use()
    file = out / f"{MATERIAL}.extxyz"
    write(file, [bare(atoms) for atoms in train], format="extxyz")
    axes = {"moves": {"kind": "whole"}} | (
        {} if PULLS[pull] is None else {"pulls": PULLS[pull]}
    )
    document = {
        "base": "7net-0",
        "train": str(file),
        "recipe": "custom",
        "learning_rate": 1e-3,
        "axes": axes,
        "training": {"steps": STEPS},
        "seed": SEED,
        "device": "cpu",
    }
    folder = out / name_of(pull)
    result = adapt(parse_spec(document, "benchmark"), folder)
    scores = (*judge.base_scores(validation), *judge.scores(folder, train, validation))
    row = {
        "material": MATERIAL,
        "pull": pull,
        "document": document | {"train": file.name},
        "train_fingerprint": result.data[0].fingerprint,
        "base_hash": result.base.weights_hash,
        "versions": result.provenance[-1].versions,
        "scores": [
            one.model_dump(mode="json")
            for one in scores
            if one.group is None or one.group in {"near", "far"}
        ],
    }
    rows = out / "rows"
    rows.mkdir(exist_ok=True)
    (rows / f"{folder.name}.json").write_text(json.dumps(row, indent=1))


def run(arguments: argparse.Namespace) -> None:
    """Run what has no row yet."""
    warnings.simplefilter("ignore")
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    judge = Judge()
    for pull in arguments.pulls:
        if not (out / "rows" / f"{name_of(pull)}.json").exists():
            start = time.perf_counter()
            run_one(judge, pull, out)
            print(pull, f"{time.perf_counter() - start:.0f} s", flush=True)


def table(arguments: argparse.Namespace) -> None:
    """Write the committed results from the rows."""
    files = (arguments.out / "rows").glob("*.json")
    rows = [json.loads(path.read_text()) for path in files]
    rows.sort(key=lambda row: list(PULLS).index(row["pull"]))
    text = ",\n".join(json.dumps(row) for row in rows)
    (RESULTS / "pulls.json").write_text(f"[\n{text}\n]\n")
    lines = [
        "# How strong a pull",
        "",
        "Made by `python benchmarks/pulls.py run` and `table`, on validation frames:",
        "the default of `decay`, 0.01, is chosen here. 7net-0, whole weights, 20",
        "frames, 100 steps, one seed that no other table judges. Forgetting: mean",
        "force drift from the base on the shipped crystals, near those that hold a",
        "trained element.",
        "",
        f"| material | pull | {' | '.join(heading for heading, _ in COLUMNS)} |",
        "|---" * (2 + len(COLUMNS)) + "|",
    ]
    for row in rows:
        values = [score(row, "adapted", key) for _, key in COLUMNS]
        cells = [row["material"], row["pull"], *(f"{one:.3g}" for one in values)]
        lines.append(f"| {' | '.join(cells)} |")
    (RESULTS / "pulls.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--out", type=Path, default=Path("runs/pulls"))
    parser.add_argument("--pulls", nargs="+", default=list(PULLS))
    arguments = parser.parse_args()
    {"run": run, "table": table}[arguments.what](arguments)


if __name__ == "__main__":
    main()
