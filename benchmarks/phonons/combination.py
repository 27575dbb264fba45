"""Phonons of 53 materials from a model and one or two labelled supercells combined.

For each material of the PhononDB set a model's force constants are combined with labels
in closed form (``atomgraft.lattice.posterior``). Beside them stand the model alone and
the labels alone. Labels are of two kinds:

- real: half of the material's own displaced supercells, with DFT's forces;
- random: supercells in which every atom is displaced by 0.03 Å. DFT has none of these,
  so their forces are emulated: DFT's harmonic forces plus the anharmonic forces of
  another model, 7net-mf-0 (PBE). This is no evidence about DFT's anharmonic forces.

Errors are those of frequencies on an 8x8x8 mesh, against DFT in the same supercell.
Needs the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    python benchmarks/phonons/combination.py forces --out runs/combination
    python benchmarks/phonons/combination.py table --out runs/combination

``forces`` asks the models, once for each material; it can be stopped and started.
``table`` writes benchmarks/results/phonon_combination.json and .md.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from public_data import phonon_data

from atomgraft.lattice.forces import forces_of_supercells
from atomgraft.lattice.harmonic import harmonic_of
from atomgraft.lattice.supercells import ideal_supercell
from atomgraft.phonons.crystals import Crystal, read_crystal
from atomgraft.run.inputs import load_base

RESULTS = Path(__file__).parent.parent / "results"

BASES = {"7net-0": None, "7net-mf-0": "PBE", "7net-l3i5": None}
"""Models and the head of each."""

EMULATED_BY = "7net-mf-0"
"""Whose anharmonic forces the emulated labels have."""

N_RANDOM = 4
AMPLITUDE = 0.03
"""Å; by which every atom of a random supercell is displaced."""


def files() -> list[Path]:
    """Return the calculations of the set."""
    return sorted(phonon_data("phonondb").glob("*.yaml.xz"))


def name_of(file: Path) -> str:
    """Return the name of a material."""
    return file.name.partition(".")[0]


def random_displacements(n_atoms: int) -> np.ndarray:
    """Return displacements of all atoms, all of one length, by a fixed seed."""
    rng = np.random.default_rng(0)
    found = rng.normal(size=(N_RANDOM, n_atoms, 3))
    return AMPLITUDE * found / np.linalg.norm(found, axis=2, keepdims=True)


def forces(out: Path, bases: list[str], part: tuple[int, int]) -> None:
    """Keep what every model says of every material."""
    for base in bases:
        potential = load_base(base, head=BASES[base])
        potential = potential.clone(dtype=torch.float64, device=torch.device("cpu"))
        for file in files()[part[0] :: part[1]]:
            place = out / base / f"{name_of(file)}.npz"
            if place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            crystal = read_crystal(str(file))
            assert crystal.reference is not None
            phonon = crystal.reference.phonon
            harmonic = harmonic_of(potential, phonon)
            ideal = ideal_supercell(phonon)
            cells = [ideal]
            for displacement in random_displacements(len(ideal)):
                cells.append(ideal.copy())
                cells[-1].positions += displacement
            found = forces_of_supercells(potential, cells)
            np.savez(
                place,
                constants=np.asarray(harmonic.phonon.force_constants),
                own=harmonic.forces,
                random=found[1:] - found[0],
            )
            print(base, place.stem, flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("forces", "table"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bases", nargs="+", choices=BASES, default=list(BASES))
    parser.add_argument("--part", nargs=2, type=int, default=(0, 1))
    told = parser.parse_args()
    if told.verb == "forces":
        forces(told.out, told.bases, tuple(told.part))


if __name__ == "__main__":
    main()
