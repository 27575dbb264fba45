"""What silicon says of germanium before any training: maps and scales.

A small SevenNet model is trained from fresh weights on the DFT silicon of
`elements/si-train.extxyz`. It then takes up germanium by map, at the ratio of lattice
constants or at scales fitted to the forces of a few germanium frames, drawn five times.
Errors are those of the forces of `elements/ge-test.extxyz`; no model is trained on
germanium. Needs the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    python benchmarks/elements/starts.py base --out runs/elements
    python benchmarks/elements/starts.py run

``base`` can be stopped and started, and writes benchmarks/elements/si-mini; ``run``
writes benchmarks/results/element_starts.json and .md.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

RESULTS = Path(__file__).parent.parent / "results"
BASE_FOLDER = Path(__file__).parent / "si-mini"
"""The trained silicon model: a graft on fresh weights."""

RATIO = 5.66 / 5.43
"""Of the measured lattice constants of germanium and silicon."""

LATTICE = f"Si:Ge@{RATIO:.3f}"
MAPS = ("Si:Ge", LATTICE, "Si:Ge@fit", "Si:Ge@fit@fit")
SIZES = (1, 2, 5, 10)
N_DRAWS = 5
BASE = ("--base", "sevennet:mini:Si", "--recipe", "scratch")
TRAINING = ("--steps", "4000", "--batch-size", "8", "--seed", "1")


def data(name: str) -> str:
    """Return a file of the data folder, or say that it is absent."""
    folder = Path(os.environ.get("ATOMGRAFT_DATA", "../shared/data")) / "elements"
    if not folder.is_dir():
        sys.exit(f"No data at {folder}: set ATOMGRAFT_DATA.")
    return str(folder / name)


def train_base(out: Path) -> None:
    """Train the silicon model, or go on with it, and keep its weights."""
    words = [sys.executable, "-m", "atomgraft", "adapt", *BASE, *TRAINING]
    words += ["--train", data("si-train.extxyz"), "--out", str(out / "base")]
    subprocess.run(words, check=True)
    keep_weights(out / "base", BASE_FOLDER)


def keep_weights(run: Path, folder: Path) -> None:
    """Write the graft of a run as the only file of a folder, which is a base."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(run / "graft.safetensors", "pt") as graft:
        weights = {name: graft.get_tensor(name) for name in graft.keys()}  # noqa: SIM118
        card = json.loads(graft.metadata()["atomgraft"])
    card["made_in"] = {}  # where it was trained
    folder.mkdir(exist_ok=True)
    kept = folder / "graft.safetensors"
    save_file(weights, kept, {"atomgraft": json.dumps(card)})
    kept.chmod(0o644)


def force_errors(model, structures: Sequence[Atoms]) -> dict[str, float]:  # noqa: ANN001
    """Return the mean absolute force error in eV/Å, in all and by group."""
    from atomgraft.models.prediction import predict_structures

    found: dict[str, list[np.ndarray]] = {}
    told = predict_structures(model, structures)
    for atoms, one in zip(structures, told, strict=True):
        errors = np.abs(one.forces - atoms.arrays["REF_forces"]).ravel()
        for group in ("all", str(atoms.info["config_type"])):
            found.setdefault(group, []).append(errors)
    return {key: float(np.concatenate(one).mean()) for key, one in found.items()}


def run() -> None:
    """Measure every map, and write the table."""
    from atomgraft.adaptation.axes import ElementMap
    from atomgraft.adaptation.element_maps import decide_map
    from atomgraft.core.provenance import package_versions
    from atomgraft.data.readers import read_structures
    from atomgraft.run.inputs import load_base

    base = load_base(str(BASE_FOLDER))
    pool = read_structures([data("ge-train.extxyz")])
    test = read_structures([data("ge-test.extxyz")])
    silicon = force_errors(base, read_structures([data("si-test.extxyz")]))["all"]
    rows = []
    for words in MAPS:
        wanted = ElementMap.model_validate(words)
        is_fitted = "fit" in words
        for n in SIZES if is_fitted else (0,):
            for draw in range(N_DRAWS if is_fitted else 1):
                order = np.random.default_rng(draw).permutation(len(pool))
                chosen = [pool[i] for i in order[: max(n, 1)]]
                applied = decide_map(wanted, base, chosen)
                row = {
                    "map": words,
                    "n": n,
                    "draw": draw,
                    "length": applied.length,
                    "energy": applied.energy,
                    "errors": force_errors(applied.apply(base), test),
                }
                rows.append(row)
                print(words, n, draw, f"{row['errors']['all']:.4f}", flush=True)
    document = {
        "command": "starts.py base; starts.py run",
        "base": [*BASE, *TRAINING],
        "base_hash": base.weights_hash(),
        "silicon_force_mae": silicon,
        "n_test": len(test),
        "versions": package_versions(),
        "rows": rows,
    }
    text = json.dumps(document, indent=1)
    (RESULTS / "element_starts.json").write_text(text + "\n")
    (RESULTS / "element_starts.md").write_text(table(document))


def table(document: dict) -> str:
    """Return the table of the results, Markdown."""
    from atomgraft.metrics.intervals import student_interval

    groups = ("all", "AIMD-NVT", "Vacancy", "Elastic", "Surface")
    lines = [
        "# Germanium from silicon, before any training",
        "",
        "Made by `python benchmarks/elements/starts.py`. Mean absolute force errors in"
        f" eV/Å on {document['n_test']} germanium frames; the base has"
        f" {document['silicon_force_mae']:.3f} on its own silicon test frames. Fitted"
        f" scales: mean over {N_DRAWS} draws of the germanium frames they were fitted"
        " to, with the 95 % interval over draws.",
        "",
        "| map | germanium frames | length | energy | " + " | ".join(groups) + " |",
        "|---" * (4 + len(groups)) + "|",
    ]
    for words in MAPS:
        for n in (0, *SIZES):
            rows = [
                one for one in document["rows"] if (one["map"], one["n"]) == (words, n)
            ]
            if not rows:
                continue
            cells = [words, str(n)]
            scales = [
                np.mean([one[key] for one in rows]) for key in ("length", "energy")
            ]
            cells += [f"{one:.3f}" for one in scales]
            for group in groups:
                values = np.array([one["errors"][group] for one in rows])
                ends = student_interval(values)
                spread = f" [{ends[0]:.4f}, {ends[1]:.4f}]" if ends else ""
                cells.append(f"{values.mean():.4f}{spread if group == 'all' else ''}")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("base", "run"))
    parser.add_argument("--out", type=Path, default=Path("runs/elements"))
    given = parser.parse_args()
    if given.verb == "base":
        train_base(given.out)
    else:
        run()
