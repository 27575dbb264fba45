"""Make the grey tin of the learning curves: 50 training and 30 test frames of 8 atoms.

They are made and labelled as the shipped silicon and germanium are
(``scripts/shipped_set``): training frames are rattled or strained, test frames are
snapshots of molecular dynamics with 7net-0. In three steps, of which the second needs
an environment with GPAW (about 20 minutes on one core, it can be stopped and started)::

    python benchmarks/elements/tin.py structures OUT
    python scripts/shipped_set/label.py OUT/frames.extxyz OUT/labelled.extxyz
    python benchmarks/elements/tin.py assemble OUT

The last step writes benchmarks/elements/sn-train.extxyz and sn-test.extxyz.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.io import read, write

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent.parent / "scripts" / "shipped_set"))

LATTICE = 6.65  # Å, PBE
SEED = 50
N_RATTLED, N_STRAINED, N_HOT = 30, 20, 30


def make(out: Path) -> None:
    """Write the frames to be labelled; training frames are shuffled."""
    from structures import hot, rattled, strained

    perfect = bulk("Sn", "diamond", a=LATTICE, cubic=True)
    rng = np.random.default_rng(SEED)
    train = [*rattled(perfect, N_RATTLED, rng), *strained(perfect, N_STRAINED, rng)]
    train = [train[i] for i in np.random.default_rng(0).permutation(len(train))]
    test = hot(perfect, N_HOT, np.random.default_rng(SEED + 1))
    out.mkdir(parents=True, exist_ok=True)
    write(out / "frames.extxyz", [*train, *test], format="extxyz")


def assemble(out: Path) -> None:
    """Write the two sets."""
    frames = read(out / "labelled.extxyz", ":")
    for atoms in frames:
        del atoms.info["cpu_s"]
        atoms.calc = None
    n_train = N_RATTLED + N_STRAINED
    write(HERE / "sn-train.extxyz", frames[:n_train], format="extxyz")
    write(HERE / "sn-test.extxyz", frames[n_train:], format="extxyz")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("structures", "assemble"))
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    (make if given.verb == "structures" else assemble)(given.out)
