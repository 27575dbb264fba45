"""Put labelled files together into the sets that the package ships.

``python assemble.py LABELLED OUT`` reads ``Si-rattled.extxyz`` and so on, as
``label.py`` wrote them. Training frames are shuffled with a fixed seed, so that the
first ten are a fair sample of all ways of generation.
"""

import argparse
from pathlib import Path

import numpy as np
from ase.io import read, write

SETS = {
    "train": ("rattled", "strained"),
    "test": ("hot",),
    "phonons": ("supercell",),
}
SEED = 0


def main() -> None:
    """Write six files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for element in ("Si", "Ge"):
        for name, groups in SETS.items():
            frames = [
                atoms
                for group in groups
                for atoms in read(arguments.labelled / f"{element}-{group}.extxyz", ":")
            ]
            for atoms in frames:
                del atoms.info["cpu_s"]
                atoms.calc = None
            if name == "train":
                order = np.random.default_rng(SEED).permutation(len(frames))
                frames = [frames[i] for i in order]
            target = arguments.out / f"{element.lower()}-{name}.extxyz"
            write(target, frames, format="extxyz")


if __name__ == "__main__":
    main()
