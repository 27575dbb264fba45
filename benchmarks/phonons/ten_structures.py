"""What ten DFT structures of one material make of its phonons.

NaCl and MgO: ten of 100 random displacements of 64 atoms; the reference are force
constants of 512 atoms. KCl: ten random displacements between 0.03 and 0.3 Å rms, or the
gentle ones among them, up to 0.12 Å; the reference are those below 0.03 Å. Silicon: ten
shipped 8-atom cells; the reference is the shipped 64-atom supercell. 7net-0 and what
each recipe makes of it are asked for the forces on exactly the reference's supercells;
the same Born charges and the same treatment of dipoles serve both sides. Frequencies
are compared on a 20x20x20 mesh.
Beside the recipes stand the base's force constants times one number: the material's
own best, and 1.029, the median over the PhononDB set. Needs the data folder
(``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    python benchmarks/phonons/ten_structures.py run --out runs/ten
    python benchmarks/phonons/ten_structures.py table --out runs/ten

``run`` can be stopped and started; ``table`` writes
benchmarks/results/phonon_ten_structures.json and .md.
"""

import argparse
import dataclasses
import itertools
import json
import re
import statistics
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write
from public_data import phonon_data

RESULTS = Path(__file__).parent.parent / "results"

FILES = {
    "NaCl": "phono3py_params_NaCl.yaml.xz",
    "MgO": "phono3py_params_MgO-222rd-444rd.yaml.xz",
    "KCl": "phonopy_mlpsscha_params_KCl-120.yaml.xz",
}
GENTLE = "KCl gentle"
FILES[GENTLE] = FILES["KCl"]
MATERIALS = ("NaCl", "Si", "KCl", GENTLE, "MgO")
N_TRAIN = 10
SMALL = 0.03
LARGEST = {"KCl": 0.3, GENTLE: 0.12}
"""Å, rms of a component: KCl's reference is below the first, training between both."""

RECIPES = ("full", "lora", "replay", "ewc", "readout", "ridge", "scratch")
SEEDS = (1, 2, 3)
GLOBAL = 1.029


def file_of(material: str) -> str:
    """Return the file of a material, or say that it is absent."""
    return str(phonon_data(FILES[material]))


def reference_of(material: str):  # noqa: ANN201
    """Return DFT's force constants of a material."""
    from atomgraft.data.force_sets import read_force_sets
    from atomgraft.lattice.reference import read_reference, reference_of

    if material == "Si":
        return read_reference("shipped:si-phonons")
    if material not in LARGEST:
        return read_reference(file_of(material))
    sets = read_force_sets(file_of(material))
    is_small = np.sqrt((sets.displacements**2).mean(axis=(1, 2))) < SMALL
    chosen = dataclasses.replace(
        sets, displacements=sets.displacements[is_small], forces=sets.forces[is_small]
    )
    return reference_of(chosen)


def frames_for(material: str, seed: int) -> list[Atoms]:
    """Return the ten frames of one seed."""
    from atomgraft.data.readers import read_structures

    if material == "Si":
        frames = read_structures(["shipped:si-train"])
    else:
        frames = read_structures([f"{file_of(material)}#dataset"])
    if material in LARGEST:
        largest = LARGEST[material]
        frames = [
            one for one in frames if SMALL < one.info["displacement_rms"] < largest
        ]
    order = np.random.default_rng(seed).permutation(len(frames))
    return [bare(frames[i]) for i in order[:N_TRAIN]]


def bare(atoms: Atoms) -> Atoms:
    """Return a frame with its labels and nothing else."""
    kept = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    kept.info = {
        key: one
        for key, one in atoms.info.items()
        if key in {"REF_energy", "REF_stress"}
    }
    kept.arrays["REF_forces"] = atoms.arrays["REF_forces"]
    return kept


def judged(model, reference, factor: float | None) -> list[dict]:  # noqa: ANN001
    """Return the errors of a model; with a factor, those of the baselines as well."""
    import torch

    from atomgraft.phonons.judge import Question, judge_crystal

    question = Question(has_curves=False, global_factor=factor)
    found = judge_crystal(
        {"base": model.clone(dtype=torch.float64)},
        reference.phonon,
        question,
        reference=reference.harmonic,
    )
    rows = [one.model_dump(mode="json") for one in found.errors]
    return rows if factor is not None else rows[:1]


def row_name(material: str, recipe: str, seed: int) -> str:
    """Return the name of a row, and of the folder of its run."""
    return f"{material.replace(' ', '-')}-{recipe}-{seed}"


def run_one(task: tuple[int, str, str], out: Path, reference) -> None:  # noqa: ANN001
    """Adapt, judge, and keep the row."""
    from atomgraft.run.adapt import adapt
    from atomgraft.run.inputs import load_base, merged_run
    from atomgraft.run.spec import parse_spec

    seed, material, recipe = task
    row = {"material": material, "recipe": recipe, "seed": seed}
    if recipe == "base":
        row["errors"] = judged(load_base("7net-0"), reference, GLOBAL)
    else:
        file = out / "data" / f"{material.replace(' ', '-')}-{seed}.extxyz"
        file.parent.mkdir(parents=True, exist_ok=True)
        write(file, frames_for(material, seed), format="extxyz")
        document = {"base": "7net-0", "train": str(file), "recipe": recipe}
        folder = out / row_name(material, recipe, seed)
        spec = parse_spec({**document, "seed": seed, "device": "cpu"}, "benchmark")
        result = adapt(spec, folder)
        row["seconds"] = result.training.seconds
        row["steps"] = result.training.n_steps_done
        row["train_fingerprint"] = result.data[0].fingerprint
        row["provenance"] = result.provenance[-1].model_dump(mode="json")
        row["errors"] = judged(merged_run(folder), reference, None)
    (out / "rows").mkdir(parents=True, exist_ok=True)
    path = out / "rows" / f"{row_name(material, recipe, seed)}.json"
    path.write_text(json.dumps(row, indent=1))


def run(arguments: argparse.Namespace) -> None:
    """Run what has no row yet."""
    warnings.simplefilter("ignore")
    for material in arguments.materials:
        reference = None
        tasks = [(0, material, "base")]
        tasks += [
            (seed, material, recipe)
            for seed, recipe in itertools.product(arguments.seeds, arguments.recipes)
        ]
        for task in tasks:
            name = row_name(task[1], task[2], task[0])
            if (arguments.out / "rows" / f"{name}.json").exists():
                continue
            start = time.perf_counter()
            reference = reference or reference_of(material)
            try:
                run_one(task, arguments.out, reference)
                print(name, f"{time.perf_counter() - start:.0f} s")
            except Exception:  # noqa: BLE001 - one failed cell must not cost the table
                print(name, "failed", traceback.format_exc())
            sys.stdout.flush()


COLUMNS = (
    ("frequency MAE, THz", "frequency_mae", ".3f"),
    ("largest error", "maximum_error", ".2f"),
    ("slope", "slope", ".3f"),
    ("F(300 K), meV/atom", "free_energy_error", "+.2f"),
    ("entropy, J/K/mol", "entropy_error", "+.3f"),
)


def spread(values: Sequence[float | None], digits: str) -> str:
    """Return the mean over seeds and the range."""
    known = [one for one in values if one is not None]
    if not known:
        return "–"
    mean = f"{statistics.mean(known):{digits}}"
    if len(known) == 1:
        return mean
    return f"{mean} [{min(known):{digits}}, {max(known):{digits}}]"


def table(arguments: argparse.Namespace) -> None:
    """Write the committed results from the rows."""
    rows = [
        json.loads(path.read_text())
        for path in sorted((arguments.out / "rows").glob("*.json"))
    ]
    headings = " | ".join(heading for heading, _, _ in COLUMNS)
    lines = [
        f"| material | model | seeds | {headings} |",
        "|---" * (3 + len(COLUMNS)) + "|",
    ]
    for material in MATERIALS:
        own = [row for row in rows if row["material"] == material]
        for row in own:
            if row["recipe"] == "base":
                for one in row["errors"]:
                    factor = one["factor"]
                    name = (
                        f"base × {factor:.3f} ({one['baseline']})" if factor else "base"
                    )
                    lines.append(line(material, name, [one], "–"))
        for recipe in RECIPES:
            chosen = [row for row in own if row["recipe"] == recipe]
            if chosen:
                errors = [row["errors"][0] for row in chosen]
                lines.append(line(material, recipe, errors, str(len(chosen))))
    text = re.sub(
        r'"command": "[^"]*"',
        '"command": "ten_structures.py run"',
        json.dumps(rows, indent=1),
    )
    stem = RESULTS / "phonon_ten_structures"
    stem.with_suffix(".json").write_text(text + "\n")
    stem.with_suffix(".md").write_text("\n".join([*lines, ""]))
    print("\n".join(lines))


def line(material: str, name: str, errors: Sequence[dict], seeds: str) -> str:
    """Return one line of the table."""
    cells = [spread([one[key] for one in errors], digits) for _, key, digits in COLUMNS]
    return f"| {' | '.join([material, name, seeds, *cells])} |"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("run", "table"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--materials", nargs="+", default=MATERIALS)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    arguments = parser.parse_args()
    {"run": run, "table": table}[arguments.verb](arguments)


if __name__ == "__main__":
    main()
