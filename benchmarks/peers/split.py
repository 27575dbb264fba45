"""The frames of the benchmark, written once so that every tool reads the same files.

    python benchmarks/peers/split.py --out FOLDER --pretrained FOLDER

Target: germanium (PBE; AIMD, vacancies, strains, surfaces). For each seed 16 frames to
train on and 4 to choose weights by, drawn from ge-train; judged on the 25 frames of
ge-test. Beside them the shipped crystals, for forgetting, and the part of the
pretraining set that multi-head fine-tuning rehearses.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

DATA = Path(os.environ.get("ATOMGRAFT_DATA", "../shared/data"))
N_TRAIN, N_VALID = 16, 4
N_REPLAY = 160
"""Ten to one train frame, the ratio below which mace repeats the train frames."""


def plain(atoms: Atoms) -> Atoms:
    """Return the frame with its labels under the keys that mace reads."""
    kept = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    kept.info["REF_energy"] = atoms.info["REF_energy"]
    kept.arrays["REF_forces"] = atoms.arrays["REF_forces"]
    return kept


def write_seed(frames: list[Atoms], seed: int, out: Path) -> None:
    """Draw the frames of one seed."""
    folder = out / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(seed).permutation(len(frames))
    train, valid = order[:N_TRAIN], order[N_TRAIN : N_TRAIN + N_VALID]
    for name, chosen in (("train", train), ("valid", valid)):
        kept = [plain(frames[i]) for i in chosen]
        write(folder / f"{name}.xyz", kept, "extxyz")
        for atoms in kept:  # franken reads the labels of a calculator
            labels = (atoms.info.pop("REF_energy"), atoms.arrays.pop("REF_forces"))
            atoms.calc = SinglePointCalculator(
                atoms, energy=labels[0], forces=labels[1]
            )
        (folder / "franken").mkdir(exist_ok=True)
        write(folder / "franken" / f"{name}.xyz", kept, "extxyz")


def main() -> None:
    """Write everything."""
    from pretrain import ELEMENTS

    from atomgraft.data.readers import read_structures
    from atomgraft.evaluation.forgetting import shipped_crystals, visible

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pretrained", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    arguments = parser.parse_args()
    folder = DATA / "elements"
    frames = read_structures([folder / "ge-train.extxyz"])
    for seed in arguments.seeds:
        write_seed(frames, seed, arguments.out)
    tests = read_structures([folder / "ge-test.extxyz"])
    write(arguments.out / "test.xyz", [plain(one) for one in tests], "extxyz")
    numbers = Atoms(ELEMENTS).numbers
    crystals = visible(shipped_crystals(), [int(Z) for Z in numbers])
    write(arguments.out / "crystals.xyz", crystals, "extxyz")
    replay = arguments.out / "replay"
    replay.mkdir(exist_ok=True)
    source = read(arguments.pretrained / "train.xyz", ":")
    chosen = np.random.default_rng(0).permutation(len(source))[:N_REPLAY]
    write(replay / "train.xyz", [_labelled(source[i]) for i in chosen], "extxyz")
    rest = read(arguments.pretrained / "valid.xyz", ":20")
    write(replay / "valid.xyz", [_labelled(one) for one in rest], "extxyz")


def _labelled(atoms: Atoms) -> Atoms:
    atoms.calc = None
    return atoms


if __name__ == "__main__":
    main()
