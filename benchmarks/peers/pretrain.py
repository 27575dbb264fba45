"""A small pretrained MACE that every contender starts from.

    python benchmarks/peers/pretrain.py label --out FOLDER
    MACE_ENV/bin/python benchmarks/peers/pretrain.py train --out FOLDER

``label`` runs where atomgraft and sevenn are installed. It draws structures from the
prototypes of the shipped crystals - species exchanged at random, volume scaled by
covalent radii, strained, rattled - and labels them with 7net-0, so the small model
knows a little about 27 elements and their pairs. Elemental germanium and compounds of
K and Cl, the materials of the benchmark, are left out. ``train`` runs
``mace_run_train`` on them, and goes on where it was stopped.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from ase import Atoms

ELEMENTS = tuple(
    "Li B C N O F Na Mg Al Si P S Cl K Ca Ti Fe Co Ni Cu Zn Ga Ge As Se Br Sr".split()  # noqa: SIM905 - a list of 27 lines says no more
)
HELD_OUT = ({"Ge"}, {"K", "Cl"}, {"K"}, {"Cl"})
"""Compositions that are not drawn."""

N_FRAMES = 3200
N_ATOMS = 8
"""Cells are repeated until they have at least so many."""

MAX_FORCE, MAX_STRESS = 8.0, 0.25
"""eV/Å and eV/Å³ (40 GPa): structures beyond are dropped."""

SEED = 0

MODEL = {
    "model": "ScaleShiftMACE",
    "num_channels": 32,
    "max_L": 1,
    "max_ell": 2,
    "correlation": 2,
    "num_interactions": 2,
    "r_max": 5.0,
    "radial_MLP": "[32, 32, 32]",
    "MLP_irreps": "16x0e",
}
TRAINING = {
    "E0s": "average",
    "loss": "universal",
    "energy_weight": 1,
    "forces_weight": 10,
    "stress_weight": 10,
    "compute_stress": True,
    "error_table": "PerAtomMAE",
    "batch_size": 8,
    "valid_batch_size": 32,
    "lr": 0.01,
    "scheduler": "ExponentialLR",
    "lr_scheduler_gamma": 0.9,
    "ema_decay": 0.995,
    "default_dtype": "float32",
    "device": "cpu",
    "plot": False,
    "seed": SEED,
}
EPOCHS = 25


def draw_structures() -> "list[Atoms]":
    """Return unlabelled structures of the known elements."""
    import numpy as np

    from atomgraft.evaluation.forgetting import shipped_crystals

    rng = np.random.default_rng(SEED)
    prototypes = shipped_crystals()
    drawn: list[Atoms] = []
    while len(drawn) < N_FRAMES:
        prototype = prototypes[rng.integers(len(prototypes))]
        exchanged = _exchange(prototype, rng)
        if set(exchanged.symbols) not in HELD_OUT:
            drawn.append(_disturb(exchanged, rng))
    return drawn


def _exchange(prototype: "Atoms", rng: "Generator") -> "Atoms":
    """Return the prototype with other species, at a volume that suits them."""
    import numpy as np
    from ase.data import covalent_radii

    atoms = prototype.copy()
    species = sorted(set(atoms.symbols))
    known = set(species) <= set(ELEMENTS)
    if not (known and rng.random() < 0.5):
        chosen = rng.choice(ELEMENTS, size=len(species), replace=False)
        names = dict(zip(species, map(str, chosen), strict=True))
        atoms.symbols = [names[symbol] for symbol in prototype.symbols]
    radii = [covalent_radii[one.numbers].mean() for one in (atoms, prototype)]
    atoms.set_cell(atoms.cell * (radii[0] / radii[1]), scale_atoms=True)
    times = np.ones(3, dtype=int)
    while len(atoms) * times.prod() < N_ATOMS:
        times[np.argmin(atoms.cell.lengths() * times)] += 1
    return atoms.repeat(times)


def _disturb(atoms: "Atoms", rng: "Generator") -> "Atoms":
    """Return the structure strained and rattled."""
    import numpy as np

    strain = np.diag(np.full(3, rng.normal(0.0, 0.04))) + rng.normal(0, 0.015, (3, 3))
    atoms.set_cell(atoms.cell @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
    atoms.positions += rng.normal(0.0, rng.uniform(0.02, 0.2), (len(atoms), 3))
    atoms.info.clear()
    return atoms


def label(out: Path) -> None:
    """Write train.xyz and valid.xyz with labels of 7net-0."""
    import numpy as np
    from ase.io import write

    from atomgraft.models.loading import load_potential
    from atomgraft.models.prediction import predict_structures

    out.mkdir(parents=True, exist_ok=True)
    potential = load_potential("7net-0")
    kept = []
    for atoms in draw_structures():
        (one,) = predict_structures(potential, [atoms])
        if (
            np.abs(one.forces).max() < MAX_FORCE
            and np.abs(one.stress).max() < MAX_STRESS
        ):
            atoms.info |= {"REF_energy": one.energy, "REF_stress": one.stress}
            atoms.arrays["REF_forces"] = one.forces
            kept.append(atoms)
    write(out / "valid.xyz", kept[:80], format="extxyz")
    write(out / "train.xyz", kept[80:], format="extxyz")
    print(f"{len(kept)} of {N_FRAMES} structures kept")


def train(out: Path, epochs: int) -> None:
    """Run ``mace_run_train``, from the latest checkpoint if there is one."""
    options = MODEL | TRAINING | {"name": "small", "max_num_epochs": epochs}
    command = [str(Path(sys.executable).parent / "mace_run_train")]
    command += [f"--{key}={value}" for key, value in options.items()]
    command += ["--train_file=train.xyz", "--valid_file=valid.xyz"]
    command += ["--ema", "--amsgrad", "--restart_latest"]
    subprocess.run(command, check=True, cwd=out, env=os.environ)


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["label", "train"])
    parser.add_argument("--out", type=Path, default=Path("runs/peers/pretrained"))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()
    if arguments.what == "label":
        label(arguments.out)
    else:
        train(arguments.out, arguments.epochs)


if __name__ == "__main__":
    main()
