"""A part of its own displaced supercells for each material: errors, and the bill.

7net-0 is adapted to each of the 53 materials of the PhononDB set on a strict subset of
its own displaced supercells, and asked for the phonons of all of them, on exactly DFT's
supercells and an 8x8x8 mesh. The largest full set has six supercells: one label saves
five sixths at most, and 78 % of all: more cannot be reckoned on these materials. The
campaign itself is ``atomgraft campaign phonons``; this runs it and sums up.

Needs the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    python benchmarks/phonons/own_supercells.py run --out runs/own
    python benchmarks/phonons/own_supercells.py table --out runs/own

``run`` can be stopped and started; ``table`` writes
benchmarks/results/phonon_own_supercells.json and .md.
"""

import argparse
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from public_data import phonon_data

RESULTS = Path(__file__).parent.parent / "results"

ARMS: dict[str, dict[str, Any]] = {
    "one": {"labels": 1, "steps": 40, "responses": "frequency", "pseudo": False},
    "half": {"labels": 0.5, "steps": 20, "responses": "force", "pseudo": False},
    "half-pseudo": {
        "labels": 0.5,
        "steps": 60,
        "batch_size": 2,
        "learning_rate": 2e-3,
        "responses": "frequency",
        "pseudo": True,
    },
}
"""Supercells to train on, steps, what their errors count as, and whether the other
supercells train as the base answers them, scaled. Without a word: one supercell a step,
at the recipe's own rate. The first two were run when labels were drawn at random:
opposite displacements could be torn apart. Steps, batch and rate of the last were tried
on one material, Rb2SiF6."""

KEPT = (
    "material",
    "contestant",
    "n_labels",
    "frequency_mae",
    "maximum_error",
    "slope",
    "free_energy_error",
    "minimum",
    "minimum_reference",
)


def run(out: Path, arms: Sequence[str]) -> None:
    """Run campaigns, or go on with them."""
    out.mkdir(parents=True, exist_ok=True)
    for name in arms:
        arm = ARMS[name]
        objective = {"responses": arm["responses"]}
        training = {
            "steps": arm["steps"],
            "batch_size": arm.get("batch_size", 1),
            "objective": objective,
        }
        recipe = {"recipe": "lora", "settings": {}}
        if "learning_rate" in arm:
            recipe["settings"] = {"learning_rate": arm["learning_rate"]}
        spec = {
            "training": training,
            "recipes": [recipe],
            "pseudo_labels": arm["pseudo"],
            "details": 0,
        }
        file = out / f"{name}.yaml"
        file.write_text(json.dumps(spec))
        words = ["--spec", str(file), "--model", "7net-0"]
        words += ["--labels", str(arm["labels"]), "--mesh", "8", "--seed", "1"]
        words += ["--device", "cpu", "--workers", "1", "--out", str(out / name)]
        command = [
            "atomgraft",
            "campaign",
            "phonons",
            str(phonon_data("phonondb")),
            *words,
        ]
        subprocess.run(command, check=True)


def table(out: Path) -> None:
    """Write what the campaigns have found; what is not there stays as it was."""
    file = RESULTS / "phonon_own_supercells.json"
    document: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    document["command"] = "own_supercells.py run"
    lines = [
        "| labels | model | materials | supercells saved | frequency MAE, THz [95 %] "
        "| median | slope, median | F1 | better than the base | below 0.1 THz |",
        "|---" * 10 + "|",
    ]
    for name in ARMS:
        path = out / name / "campaign.json"
        if path.is_file():
            document[name] = kept_of(json.loads(path.read_text()))
        if name in document:  # the base and its scalars are the same in all
            lines += [one for one in table_lines(document[name]) if one not in lines]
    text = json.dumps(document, indent=1)
    file.write_text(text + "\n")
    file.with_suffix(".md").write_text("\n".join([*lines, ""]))
    print("\n".join(lines))


def kept_of(campaign: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a campaign."""
    training = campaign["spec"]["training"]
    return {
        "finished": campaign["finished"],
        "labels": campaign["spec"]["labels"],
        "pseudo_labels": campaign["spec"]["pseudo_labels"],
        "steps": training["steps"],
        "batch_size": training["batch_size"],
        "recipes": campaign["spec"]["recipes"],
        "objective": training["objective"],
        "base_hash": campaign["base"]["weights_hash"],
        "versions": campaign["provenance"][-1]["versions"],
        "bills": campaign["bills"],
        "summaries": campaign["summaries"],
        "rows": [{key: row[key] for key in KEPT} for row in campaign["rows"]],
    }


def table_lines(found: dict[str, Any]) -> list[str]:
    """Return the lines of one campaign."""
    saved = {one["contestant"]: one["supercells_saved"] for one in found["bills"]}
    labels, size = found["labels"], found.get("batch_size", 1)
    steps = f"{found['steps']} steps of {size}"
    words = f"{labels} each" if labels >= 1 else f"{labels:.0%} of each"
    words += ", pseudo-labels" if found.get("pseudo_labels") else ""
    counted = {"force": "forces", "frequency": "frequencies"}
    counted_as = counted[found["objective"]["responses"]]
    lines = []
    for one in found["summaries"]:
        errors = [
            row["frequency_mae"]
            for row in found["rows"]
            if row["contestant"] == one["contestant"] and row["frequency_mae"]
        ]
        low, high = one["mean_interval"]
        adapted = one["n_compared"] is not None and one["contestant"] == "lora"
        cells = [
            f"{words}, {steps}, as {counted_as}" if adapted else "–",
            one["contestant"],
            str(one["n_materials"]),
            f"{saved[one['contestant']]:.0%}" if adapted else "–",
            f"{one['mean_mae']:.3f} [{low:.3f}, {high:.3f}]",
            f"{one['median_mae']:.3f}",
            f"{one['median_slope']:.3f}",
            f"{one['instability']['f1']:.3f}",
            "–" if one["n_improved"] is None else str(one["n_improved"]),
            str(sum(error < 0.1 for error in errors)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("run", "table"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    arguments = parser.parse_args()
    if arguments.verb == "run":
        run(arguments.out, arguments.arms)
    else:
        table(arguments.out)


if __name__ == "__main__":
    main()
