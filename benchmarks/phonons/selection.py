"""Which ten structures to label: every choice at 5, 10 and 20 labels, on one table.

Silicon and germanium, cells of eight atoms, 7net-0. For each of four kinds twenty
structures are proposed (those of ``atomgraft select``: rattled by 0.05 Å; strained by
1 or 3 % and rattled by 0.05 Å; Monte Carlo at 300 K; soft modes at 300 K) and labelled
once, with GPAW at the settings of the shipped set. A choice is 5, 10 or 20 of one kind,
or of the union of all four, by farthest-point sampling on the features of 7net-0 or at
random. On each, 7net-0 is adapted by low-rank deltas with shipped defaults and few
steps. The seed draws the structures of one kind and of the random choice, and the order
of training; farthest-point sampling is the same for every seed.

The judge knows none of that: frequencies on a 10x10x10 mesh and forces on the displaced
64-atom supercell against DFT, and forces on the shipped test set, molecular dynamics
at 300 to 900 K::

    python benchmarks/phonons/selection.py propose --out runs/selection
    GPAW=... python scripts/shipped_set/label.py runs/selection/Si.extxyz \
        benchmarks/phonons/labels/Si-proposals.extxyz
    python benchmarks/phonons/selection.py run --out runs/selection
    python benchmarks/phonons/selection.py table --out runs/selection

``label.py`` needs GPAW, in an environment of its own; its output is kept beside this
file, so that the rest runs without it. ``run`` can be stopped and started.
"""

import argparse
import dataclasses
import json
import statistics
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import read, write

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
LABELS = HERE / "labels"

BASE = "7net-0"
LATTICE = {"Si": 5.469, "Ge": 5.763}
"""Å, of the shipped set."""

KINDS = ("rattle", "strain", "mc-rattle", "modes")
EVERYTHING = "random of all"
CHOICES = (*KINDS, EVERYTHING, "farthest of all")
N_EACH = 20
COUNTS = (5, 10, 20)
SEEDS = (1, 2, 3)
STEPS = 150
MESH = (10, 10, 10)
AMPLITUDE, STRAINS, TEMPERATURE = 0.05, (0.01, 0.03), 300.0


def propose_frames(material: str) -> list[Atoms]:
    """Return the proposals of all kinds, kind by kind."""
    from atomgraft.label.kinds import Amounts, propose
    from atomgraft.label.proposals import labelled_atoms
    from atomgraft.run.inputs import load_base

    crystal = bulk(material, "diamond", a=LATTICE[material], cubic=True)
    amounts = Amounts(amplitudes=(AMPLITUDE,), strains=STRAINS, temperature=TEMPERATURE)
    proposals, notes = propose(
        crystal, load_base(BASE), dict.fromkeys(KINDS, N_EACH), amounts, seed=0
    )
    print(material, *notes)
    return [labelled_atoms(one) for one in proposals]


def propose_all(arguments: argparse.Namespace) -> None:
    """Write the proposals of each material."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    for material in arguments.materials:
        file = arguments.out / f"{material}.extxyz"
        write(file, propose_frames(material), format="extxyz")


def labelled_frames(material: str) -> list[Atoms]:
    """Return the labelled proposals, kind by kind."""
    return read(LABELS / f"{material}-proposals.extxyz", ":")


def chosen_frames(
    frames: Sequence[Atoms], choice: str, count: int, seed: int
) -> list[Atoms]:
    """Return what one choice labels; a larger count holds the smaller ones."""
    from atomgraft.label.picking import describe, pick
    from atomgraft.run.inputs import load_base

    rng = np.random.default_rng(seed)
    if choice == "farthest of all":
        rows = describe(load_base(BASE), frames).rows
        return [frames[one.index] for one in pick(rows, count, generator=rng)]
    own = [one for one in frames if choice in {one.info["config_type"], EVERYTHING}]
    return [own[i] for i in rng.permutation(len(own))[:count]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scores:
    """What the judge says of a model."""

    frequency_mae: float
    """THz, over the mesh."""
    largest_error: float
    """THz"""
    supercell_forces: float
    """MAE of the change of forces by the displacement, meV/Å."""
    slope: float
    """Of that change against DFT's."""
    test_forces: float
    """MAE on the shipped test set, meV/Å."""


class Judge:
    """DFT phonons and test forces of one material."""

    def __init__(self, material: str) -> None:
        from atomgraft.data.readers import read_structures

        stem = f"shipped:{material.lower()}"
        self.supercells = read_structures([f"{stem}-phonons"])
        self.test = read_structures([f"{stem}-test"])
        self.known = np.stack([one.arrays["REF_forces"] for one in self.supercells])
        self.phonon = self._prepared()
        self.frequencies = self._frequencies(self.known)

    def _prepared(self):  # noqa: ANN202
        """Return the crystal with exactly the displacement that DFT has labelled."""
        from atomgraft.lattice.supercells import prepare

        ideal, displaced = self.supercells
        moved = displaced.positions - ideal.positions
        atom = int(np.linalg.norm(moved, axis=1).argmax())
        phonon = prepare(ideal, supercell=np.eye(3, dtype=int))
        phonon.dataset = {
            "natom": len(ideal),
            "first_atoms": [{"number": atom, "displacement": moved[atom]}],
        }
        return phonon

    def _frequencies(self, forces: np.ndarray) -> np.ndarray:
        from atomgraft.lattice.harmonic import with_forces
        from atomgraft.lattice.spectra import mesh_frequencies

        harmonic = with_forces(self.phonon, forces[1:], undisplaced=forces[0])
        found = mesh_frequencies(harmonic, MESH)
        return np.repeat(found.frequencies, found.weights.astype(int), axis=0)

    def scaled_base(self, potential) -> float:  # noqa: ANN001
        """Return the frequency MAE where force constants are scaled by one number.

        The number is fitted to the very DFT forces that judge: the best that a mere
        softening can explain, THz.
        """
        forces = self._forces(potential)
        known, found = (one[1] - one[0] for one in (self.known, forces))
        factor = float((found * known).sum() / (found**2).sum())
        errors = self._frequencies(factor * forces) - self.frequencies
        return float(np.abs(errors).mean())

    def _forces(self, potential) -> np.ndarray:  # noqa: ANN001
        import torch

        from atomgraft.lattice.forces import forces_of_supercells

        accurate = potential.clone(dtype=torch.float64)
        return forces_of_supercells(accurate, self.supercells)

    def scores(self, potential) -> Scores:  # noqa: ANN001
        """Judge a model, its phonons in float64."""
        from atomgraft.models.prediction import predict_structures

        forces = self._forces(potential)
        errors = np.abs(self._frequencies(forces) - self.frequencies)
        known, found = (one[1] - one[0] for one in (self.known, forces))
        test = [one.forces for one in predict_structures(potential, self.test)]
        wrong = [
            np.abs(one - atoms.arrays["REF_forces"]).mean()
            for one, atoms in zip(test, self.test, strict=True)
        ]
        return Scores(
            frequency_mae=float(errors.mean()),
            largest_error=float(errors.max()),
            supercell_forces=1000 * float(np.abs(found - known).mean()),
            slope=float((found * known).sum() / (known**2).sum()),
            test_forces=1000 * float(np.mean(wrong)),
        )


def run_one(judge: Judge, material: str, task: tuple[int, int, str], out: Path) -> None:
    """Choose, adapt, judge, and keep the row."""
    from atomgraft.data.readers import read_structures
    from atomgraft.run.adapt import adapt
    from atomgraft.run.inputs import load_base
    from atomgraft.run.spec import parse_spec

    seed, count, choice = task
    frames = chosen_frames(labelled_frames(material), choice, count, seed)
    folder = out / name_of(material, task)
    file = out / "data" / f"{folder.name}.extxyz"
    file.parent.mkdir(parents=True, exist_ok=True)
    write(file, frames, format="extxyz")
    result = adapt(
        parse_spec(
            {
                "base": BASE,
                "train": str(file),
                "recipe": "lora",
                "seed": seed,
                "device": "cpu",
                "training": {"steps": STEPS},
            },
            "benchmark",
        ),
        folder,
    )
    kinds = [one.info["config_type"] for one in frames]
    row = {
        "material": material,
        "choice": choice,
        "count": count,
        "seed": seed,
        "n_by_kind": {kind: kinds.count(kind) for kind in KINDS},
        "n_read": len(read_structures([file])),
        "cpu_s_labels": sum(one.info["cpu_s"] for one in frames),
        "seconds": result.training.seconds,
        "scores": dataclasses.asdict(judge.scores(load_base(str(folder)))),
        "provenance": result.provenance[-1].model_dump(mode="json"),
    }
    keep(out, name_of(material, task), row)


def name_of(material: str, task: tuple[int, int, str]) -> str:
    """Return the name of a cell of the table on disk."""
    seed, count, choice = task
    return f"{material}-{choice.replace(' ', '-')}-{count}-{seed}"


def keep(out: Path, name: str, row: dict) -> None:
    """Write a row."""
    (out / "rows").mkdir(parents=True, exist_ok=True)
    (out / "rows" / f"{name}.json").write_text(json.dumps(row, indent=1))


def run(arguments: argparse.Namespace) -> None:
    """Run what has no row yet, seed by seed, so that a stopped run is a whole table."""
    from atomgraft.run.inputs import load_base

    for material in arguments.materials:
        judge = Judge(material)
        potential = load_base(BASE)
        base = dataclasses.asdict(judge.scores(potential))
        scaled = judge.scaled_base(potential)
        keep(
            arguments.out,
            f"{material}-base",
            {"material": material, "scores": base, "scaled_frequency_mae": scaled},
        )
        print(material, "base", base, flush=True)
        tasks = [
            (seed, count, choice)
            for seed in arguments.seeds
            for count in COUNTS
            for choice in CHOICES
        ]
        tasks.append((1, N_EACH * len(KINDS), EVERYTHING))
        for task in tasks:
            if (arguments.out / "rows" / f"{name_of(material, task)}.json").exists():
                continue
            start = time.perf_counter()
            try:
                run_one(judge, material, task, arguments.out)
                print(material, *task, f"{time.perf_counter() - start:.0f} s")
            except Exception:  # noqa: BLE001 - one failed cell must not cost the table
                print(material, *task, "failed", traceback.format_exc())
            sys.stdout.flush()


COLUMNS = (
    ("frequency MAE, THz", "frequency_mae"),
    ("force MAE, test, meV/Å", "test_forces"),
    ("force slope, supercell", "slope"),
)


def table_lines(rows: list[dict]) -> list[str]:
    """Return the table: mean over seeds, and the range."""
    lines: list[str] = []
    for material in LATTICE:
        own = [row for row in rows if row["material"] == material and "choice" in row]
        if not own:
            continue
        [first] = [
            row for row in rows if row["material"] == material and "choice" not in row
        ]
        base = first["scores"]
        for heading, key in COLUMNS:
            seeds = sorted({row["seed"] for row in own})
            lines += [
                f"{material}: {heading}; 7net-0 as it is {base[key]:.3g}; "
                f"seeds {', '.join(map(str, seeds))}: mean [smallest, largest]",
                "",
                "| labels | " + " | ".join(CHOICES) + " |",
                "|---" * (len(CHOICES) + 1) + "|",
            ]
            for count in sorted({row["count"] for row in own}):
                cells = [
                    cell([one for one in own if one["count"] == count], choice, key)
                    for choice in CHOICES
                ]
                lines.append(f"| {count} | " + " | ".join(cells) + " |")
            lines.append("")
        lines += [
            f"{material}: the force constants of 7net-0 times the one number that fits "
            "the DFT forces best: frequency MAE "
            f"{first['scaled_frequency_mae']:.3g} THz.",
            "",
        ]
    return lines


def cell(rows: list[dict], choice: str, key: str) -> str:
    """Return the mean over seeds and the range."""
    values = [row["scores"][key] for row in rows if row["choice"] == choice]
    if not values:
        return "–"
    return f"{statistics.mean(values):.3g} [{min(values):.3g}, {max(values):.3g}]"


def table(arguments: argparse.Namespace) -> None:
    """Write the committed results from the rows."""
    files = sorted((arguments.out / "rows").glob("*.json"))
    rows = [json.loads(path.read_text()) for path in files]
    for row in rows:  # where it ran is nobody's business
        row.get("provenance", {}).pop("command", None)
    lines = table_lines(rows)
    text = json.dumps(rows, separators=(",", ":")) + "\n"
    (RESULTS / "phonon_selection.json").write_text(text)
    (RESULTS / "phonon_selection.md").write_text("\n".join(lines))
    print("\n".join(lines))


def main() -> None:
    """Parse the command."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("verb", choices=("propose", "run", "table"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--materials", nargs="+", default=["Si"], choices=list(LATTICE))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    arguments = parser.parse_args()
    {"propose": propose_all, "run": run, "table": table}[arguments.verb](arguments)


if __name__ == "__main__":
    main()
