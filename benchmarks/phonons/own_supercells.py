"""A part of its own displaced supercells for each material: errors, and the bill.

7net-0 is adapted to each of the 53 materials of the PhononDB set on a strict subset of
its own displaced supercells, and asked for the phonons of all of them, on exactly DFT's
supercells and an 8x8x8 mesh. The largest full set has six supercells: one label saves
five sixths at most, and 78 % of all: more cannot be reckoned on these materials. The
campaign itself is ``atomgraft campaign phonons``; this runs it twice and sums up.

Needs the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    python benchmarks/phonons/own_supercells.py run --out runs/own
    python benchmarks/phonons/own_supercells.py table --out runs/own

``run`` can be stopped and started; ``table`` writes
benchmarks/results/phonon_own_supercells.json and .md.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "results"

ARMS: dict[str, dict[str, Any]] = {
    "one": {"labels": 1, "steps": 40, "responses": "frequency"},
    "half": {"labels": 0.5, "steps": 20, "responses": "force"},
}
"""Supercells to train on, steps of one supercell, and what their errors count as."""

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


def data_folder() -> Path:
    """Return the folder of the PhononDB set, or say that it is absent."""
    root = Path(os.environ.get("ATOMGRAFT_DATA", "../shared/data"))
    folder = root / "phonons" / "phonondb"
    if not folder.is_dir():
        sys.exit(f"No data at {folder}: set ATOMGRAFT_DATA.")
    return folder.resolve()


def run(out: Path) -> None:
    """Run both campaigns, or go on with them."""
    out.mkdir(parents=True, exist_ok=True)
    for name, arm in ARMS.items():
        objective = {"responses": arm["responses"]}
        spec = {"training": {"steps": arm["steps"], "objective": objective}}
        file = out / f"{name}.yaml"
        file.write_text(json.dumps(spec))
        words = ["--spec", str(file), "--model", "7net-0", "--recipe", "lora"]
        words += ["--labels", str(arm["labels"]), "--mesh", "8", "--seed", "1"]
        words += ["--device", "cpu", "--workers", "1", "--out", str(out / name)]
        command = ["atomgraft", "campaign", "phonons", str(data_folder()), *words]
        subprocess.run(command, check=True)


def table(out: Path) -> None:
    """Write what the campaigns have found."""
    document: dict[str, Any] = {"command": "own_supercells.py run"}
    lines = [
        "| labels | model | materials | supercells saved | frequency MAE, THz [95 %] "
        "| median | slope, median | F1 | better than the base | below 0.1 THz |",
        "|---" * 10 + "|",
    ]
    for name in ARMS:
        path = out / name / "campaign.json"
        if not path.is_file():
            continue
        campaign = json.loads(path.read_text())
        kept = [{key: row[key] for key in KEPT} for row in campaign["rows"]]
        training = campaign["spec"]["training"]
        document[name] = {
            "finished": campaign["finished"],
            "labels": campaign["spec"]["labels"],
            "steps": training["steps"],
            "objective": training["objective"],
            "base_hash": campaign["base"]["weights_hash"],
            "versions": campaign["provenance"][-1]["versions"],
            "bills": campaign["bills"],
            "summaries": campaign["summaries"],
            "rows": kept,
        }
        # the base and its scalars are the same in all
        lines += [one for one in table_lines(document[name]) if one not in lines]
    text = json.dumps(document, indent=1)
    (RESULTS / "phonon_own_supercells.json").write_text(text + "\n")
    (RESULTS / "phonon_own_supercells.md").write_text("\n".join([*lines, ""]))
    print("\n".join(lines))


def table_lines(found: dict[str, Any]) -> list[str]:
    """Return the lines of one campaign."""
    saved = {one["contestant"]: one["supercells_saved"] for one in found["bills"]}
    labels, steps = found["labels"], found["steps"]
    words = f"{labels} each" if labels >= 1 else f"{labels:.0%} of each"
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
            f"{words}, {steps} steps, as {counted_as}" if adapted else "–",
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
    arguments = parser.parse_args()
    {"run": run, "table": table}[arguments.verb](arguments.out)


if __name__ == "__main__":
    main()
