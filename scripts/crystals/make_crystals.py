"""Make the shipped crystals: prototypes over the periodic table, slightly disturbed.

Lattice constants are rounded literature values or estimates (Å); they need not be
better, since two models are compared with each other, not with experiment. Each
crystal draws its strain and its rattle from a generator seeded by its own name, so
that adding one leaves the others as they are.

Run ``python scripts/crystals/make_crystals.py`` to write
``src/atomgraft/evaluation/crystals.extxyz``.
"""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write
from prototypes import perfect

from atomgraft.core.seeding import numpy_generator

OUT = Path(__file__).parents[2] / "src/atomgraft/evaluation/crystals.extxyz"
SEED = 2
RATTLE = 0.05  # Å, standard deviation of each coordinate
STRAIN = 0.01  # largest entry of the symmetric strain

CRYSTALS: tuple[tuple[str, str, float, float | None], ...] = (
    # prototype, symbols by site, a, c
    ("diamond", "Si", 5.47, None),
    ("diamond", "Ge", 5.76, None),
    ("diamond", "C", 3.57, None),
    ("graphite", "C C", 2.46, 6.80),
    ("fcc", "Al", 4.04, None),
    ("fcc", "Ne", 4.50, None),
    ("fcc", "Ar", 5.35, None),
    ("fcc", "Kr", 5.75, None),
    ("fcc", "Xe", 6.25, None),
    ("hcp", "He", 3.57, 5.83),
    ("bcc", "Na", 4.20, None),
    ("bcc", "Fe", 2.84, None),
    ("hcp", "Mg", 3.19, 5.18),
    ("L1_2", "Au Cu", 3.79, None),
    ("L1_0", "Fe Pt", 2.73, 3.76),
    ("rocksalt", "Li H", 4.02, None),
    ("rocksalt", "Na Cl", 5.69, None),
    ("rocksalt", "K Br", 6.68, None),
    ("rocksalt", "Mg O", 4.25, None),
    ("rocksalt", "Eu O", 5.15, None),
    ("rocksalt", "Gd N", 4.98, None),
    ("rocksalt", "Sm S", 5.74, None),
    ("rocksalt", "Tb P", 5.69, None),
    ("rocksalt", "Yb Te", 6.38, None),
    ("CsCl", "Er Ag", 3.58, None),
    ("CsCl", "Tm Pd", 3.46, None),
    ("CsCl", "Ho Ir", 3.38, None),
    ("CsCl", "Nd Hg", 3.80, None),  # codespell:ignore nd
    ("CsCl", "Pr Tl", 3.88, None),
    ("CsCl", "Dy Cd", 3.72, None),
    ("CsCl", "Lu Ru", 3.34, None),
    ("CsCl", "Sc Rh", 3.21, None),
    ("CsCl", "Hf Os", 3.25, None),
    ("CsCl", "Ta Tc", 3.18, None),
    ("zincblende", "B N", 3.63, None),
    ("zincblende", "Ga As", 5.75, None),
    ("zincblende", "In P", 5.96, None),
    ("zincblende", "Zn Se", 5.74, None),
    ("wurtzite", "Be O", 2.71, 4.40),
    ("fluorite", "Ca F", 5.50, None),
    ("fluorite", "Ce O", 5.46, None),
    ("fluorite", "Th O", 5.61, None),
    ("fluorite", "Pa O", 5.50, None),
    ("fluorite", "U O", 5.45, None),
    ("fluorite", "Np O", 5.43, None),
    ("fluorite", "Pu O", 5.40, None),
    ("fluorite", "Y H", 5.20, None),
    ("antifluorite", "Mg Si", 6.36, None),
    ("perovskite", "Sr Ti O", 3.94, None),
    ("perovskite", "Ba Zr O", 4.24, None),
    ("perovskite", "Cs Pb I", 6.38, None),
    ("perovskite", "Rb Ca F", 4.50, None),
    ("perovskite", "Ac Al O", 3.86, None),
    ("perovskite", "Pm Cr O", 3.86, None),
    ("rutile", "Ti O", 4.64, 2.97),
    ("MoS2", "Mo S", 3.18, 12.4),
    ("WC", "W C", 2.92, 2.84),
    ("Bi2Te3", "Bi Te Te", 4.43, 30.9),
    ("LiCoO2", "Li Co O", 2.83, 14.1),
    ("A15", "Nb Sn", 5.32, None),
    ("Heusler", "Fe V Al", 5.71, None),
    ("Heusler", "Ni Mn Ga", 5.81, None),
    ("half-Heusler", "Ti Co Sb", 5.89, None),
    ("LaB6", "La B", 4.15, None),
    ("ReO3", "Re O", 3.79, None),
)


def disturbed(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    """Strain and rattle a crystal; only species, positions and cell are kept."""
    strain = rng.uniform(-STRAIN, STRAIN, size=(3, 3))
    moved = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    moved.set_cell(
        atoms.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True
    )
    moved.positions += rng.normal(scale=RATTLE, size=moved.positions.shape)
    return moved


def make_all() -> list[Atoms]:
    """Build every crystal of the table."""
    frames = []
    for prototype, symbols, a, c in CRYSTALS:
        atoms = perfect(prototype, symbols, a, a if c is None else c)
        name = f"{atoms.get_chemical_formula(empirical=True)} {prototype}"
        atoms = disturbed(atoms, numpy_generator(SEED, "crystal", name))
        atoms.info.update(name=name, prototype=prototype)
        frames.append(atoms)
    return frames


if __name__ == "__main__":
    crystals = make_all()
    write(OUT, crystals, format="extxyz")
    n_elements = len({int(Z) for atoms in crystals for Z in atoms.numbers})
    print(
        f"{OUT}: {len(crystals)} crystals, {sum(map(len, crystals))} atoms, "
        f"{n_elements} elements"
    )
