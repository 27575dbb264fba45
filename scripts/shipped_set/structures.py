"""Make the unlabelled structures of the shipped silicon and germanium set.

Three ways of generation, so that the test frames are no siblings of the training
frames: ``rattled`` and ``strained`` (training), ``hot`` (test; Langevin molecular
dynamics with 7net-0, a trajectory of its own for each temperature and volume).

Run ``python structures.py OUT`` (rattled, strained, supercell) and, where the
``sevenn`` extra is installed, ``python structures.py OUT --hot``.
"""

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.io import write

LATTICE = {"Si": 5.469, "Ge": 5.763}  # Å, PBE
SEED = {"Si": 14, "Ge": 32}


def rattled(perfect: Atoms, n_frames: int, rng: np.random.Generator) -> list[Atoms]:
    """Gaussian displacements, amplitude drawn evenly from 0.02 to 0.15 Å."""
    frames = []
    for amplitude in np.linspace(0.02, 0.15, n_frames):
        atoms = perfect.copy()
        atoms.positions += rng.normal(scale=amplitude, size=atoms.positions.shape)
        atoms.info.update(config_type="rattled", amplitude=round(float(amplitude), 4))
        frames.append(atoms)
    return frames


def strained(perfect: Atoms, n_frames: int, rng: np.random.Generator) -> list[Atoms]:
    """Symmetric random strain of up to 4 % an entry, and a rattle of 0.03 Å."""
    frames = []
    for _ in range(n_frames):
        strain = rng.uniform(-0.04, 0.04, size=(3, 3))
        atoms = perfect.copy()
        atoms.set_cell(
            atoms.cell[:] @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True
        )
        atoms.positions += rng.normal(scale=0.03, size=atoms.positions.shape)
        atoms.info["config_type"] = "strained"
        frames.append(atoms)
    return frames


def hot(perfect: Atoms, n_frames: int, rng: np.random.Generator) -> list[Atoms]:
    """Snapshots 0.2 ps apart at 300, 600 and 900 K, each at its own volume."""
    from ase.md.langevin import Langevin
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
    from sevenn.calculator import SevenNetCalculator

    calculator = SevenNetCalculator("7net-0", device="cpu")
    frames = []
    runs = [(300, 1.0), (600, 1.01), (900, 1.02), (600, 0.98), (900, 1.0)]
    for temperature, scale in runs:
        atoms = perfect.copy()
        atoms.set_cell(atoms.cell[:] * scale, scale_atoms=True)
        atoms.calc = calculator
        MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
        dynamics = Langevin(
            atoms, 2 * units.fs, temperature_K=temperature, friction=0.02, rng=rng
        )
        dynamics.run(300)
        for _ in range(n_frames // len(runs)):
            dynamics.run(100)
            frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
            frame.info.update(config_type="hot", temperature=temperature)
            frames.append(frame)
    return frames


def supercells(perfect: Atoms) -> list[Atoms]:
    """Return the 64-atom cell, undisplaced and with one atom moved by 0.02 Å."""
    cell = perfect.repeat(2)
    cell.info["config_type"] = "supercell"
    displaced = cell.copy()
    displaced.positions[0, 0] += 0.02
    displaced.info["config_type"] = "supercell_displaced"
    return [cell, displaced]


def main() -> None:
    """Write one extxyz file for each element and way of generation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--hot", action="store_true")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for element, lattice in LATTICE.items():
        perfect = bulk(element, "diamond", a=lattice, cubic=True)
        rng = np.random.default_rng(SEED[element])
        if arguments.hot:
            groups = {"hot": hot(perfect, 50, np.random.default_rng(SEED[element] + 1))}
        else:
            groups = {
                "rattled": rattled(perfect, 60, rng),
                "strained": strained(perfect, 40, rng),
                "supercell": supercells(perfect),
            }
        for name, frames in groups.items():
            write(arguments.out / f"{element}-{name}.extxyz", frames, format="extxyz")


if __name__ == "__main__":
    main()
