"""A part of its own displaced supercells for each material: errors, and the bill.

7net-0 is adapted to each of the 53 materials of the PhononDB set on a strict subset of
its own displaced supercells, and asked for the phonons of all of them, on exactly DFT's
supercells and an 8x8x8 mesh. Beside the recipes stands what the labels are worth
without training: they are kept, and the base times one number answers for the rest. The
largest full set has six supercells: one label saves five sixths at most, and 78 % of
all: more cannot be reckoned on these materials. The campaign itself is ``atomgraft
campaign phonons``; this runs it and sums up.

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

ARMS = {"half-ridge": 0.5, "one-ridge": 1}
"""Supercells to train on; those without labels train as the base answers them, scaled,
and errors count as frequencies."""

PAST = ("one", "half", "half-ridge-atoms")
"""Kept as they were found, since labels are no longer drawn so: ``one`` and ``half``
with lora on labels alone, at random, opposite displacements torn apart;
``half-ridge-atoms`` as ``half-ridge``, every atom displaced once before one twice."""

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
        spec = {
            "training": {"batch_size": 1, "objective": {"responses": "frequency"}},
            "recipes": ["ridge"],
            "details": 0,
        }
        file = out / f"{name}.yaml"
        file.write_text(json.dumps(spec))
        words = ["--spec", str(file), "--model", "7net-0"]
        words += ["--labels", str(ARMS[name]), "--mesh", "8", "--seed", "1"]
        words += ["--device", "cpu", "--workers", "2", "--out", str(out / name)]
        folder = str(phonon_data("phonondb"))
        subprocess.run(["atomgraft", "campaign", "phonons", folder, *words], check=True)


def table(out: Path) -> None:
    """Write what the campaigns have found; what is not there stays as it was."""
    file = RESULTS / "phonon_own_supercells.json"
    document: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    document["command"] = "own_supercells.py run"
    lines = [
        "| labels | model | materials | supercells saved | frequency MAE, THz [95 %] "
        "| median | slope, median | F1 | better than the base | below 0.1 THz "
        "| drift far away, meV/Å |",
        "|---" * 11 + "|",
    ]
    for name in ARMS:
        path = out / name / "campaign.json"
        if path.is_file():
            document[name] = kept_of(json.loads(path.read_text()))
    for name in (*PAST, *ARMS):
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
        "recipe": campaign["spec"]["recipes"][0]["name"],
        "steps": training["steps"],
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
    labels, recipe = found["labels"], found.get("recipe", "lora")
    words = f"{labels} each" if labels >= 1 else f"{labels:.0%} of each"
    words += ", pseudo-labels" if found.get("pseudo_labels") else ""
    words += f" ({found['drawn']})" if "drawn" in found else ""
    words += f", {found['steps']} steps" if recipe == "lora" else ""
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
        has_labels = one["contestant"] in {recipe, "completed base"}
        adapted = one["contestant"] == recipe
        told = f"{words}, as {counted_as}" if adapted else words.partition(",")[0]
        cells = [
            told if has_labels else "–",
            one["contestant"],
            str(one["n_materials"]),
            f"{saved[one['contestant']]:.0%}" if has_labels else "–",
            f"{one['mean_mae']:.3f} [{low:.3f}, {high:.3f}]",
            f"{one['median_mae']:.3f}",
            f"{one['median_slope']:.3f}",
            f"{one['instability']['f1']:.3f}",
            "–" if one["n_improved"] is None else str(one["n_improved"]),
            str(sum(error < 0.1 for error in errors)),
            f"{one['drift']:.0f}" if one["drift"] is not None else "–",
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
