"""Make the crystals to rehearse on: other compounds than those of the probe.

Forgetting is measured on the crystals of ``make_crystals.py``; what is rehearsed must
be something else, so no compound is in both tables, and no element in the same
structure. They are neither strained nor rattled: that is done anew for every run.

Lattice constants (Å) are literature values or estimates, brought to the volume at
which 7net-0 has its lowest energy: ``--tune`` prints by how much each should still
be scaled (the ``sevenn`` extra is needed), and the largest force there.

Run ``python scripts/crystals/make_rehearsal_crystals.py`` to write
``src/atomgraft/data/rehearsal/crystals.extxyz``.
"""

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write
from prototypes import perfect

OUT = Path(__file__).parents[2] / "src/atomgraft/data/rehearsal/crystals.extxyz"

SCALES = np.linspace(0.88, 1.14, 27)
"""Trial scales of the lattice constants."""

CRYSTALS: tuple[tuple[str, str, tuple[float, ...]], ...] = (
    # prototype, symbols by site, lattice constants
    ("solid nitrogen", "N", (5.72,)),
    ("solid halogen", "Cl", (5.99, 4.3, 7.93)),
    ("bcc", "He", (3.2,)),
    ("bcc", "Ne", (3.49,)),
    ("bcc", "Ar", (4.43,)),
    ("bcc", "Li", (3.44,)),
    ("bcc", "Cr", (2.85,)),
    ("bcc", "Nb", (3.31,)),
    ("bcc", "Eu", (4.41,)),
    ("fcc", "Ca", (5.53,)),
    ("fcc", "Ni", (3.51,)),
    ("fcc", "Cu", (3.63,)),
    ("fcc", "Rh", (3.87,)),
    ("fcc", "Ag", (4.15,)),
    ("fcc", "Ir", (3.87,)),
    ("fcc", "Au", (4.16,)),
    ("fcc", "Pb", (5.04,)),
    ("fcc", "Yb", (5.44,)),
    ("fcc", "Ac", (5.67,)),
    ("hcp", "Be", (2.26, 3.57)),
    ("hcp", "Co", (2.49, 4.02)),
    ("hcp", "Zn", (2.64, 5.05)),
    ("hcp", "Tc", (2.75, 4.40)),
    ("hcp", "Pm", (3.68, 5.85)),
    ("hcp", "Tm", (3.54, 5.55)),
    ("hcp", "Lu", (3.50, 5.55)),
    ("hcp", "Re", (2.77, 4.48)),
    ("white tin", "Si", (4.81, 2.65)),
    ("white tin", "Ge", (5.2, 2.83)),
    ("white tin", "Sn", (5.99, 3.25)),
    ("grey arsenic", "As", (3.8, 10.6)),
    ("grey selenium", "Se", (4.33, 4.9)),
    ("black phosphorus", "P", (3.34, 10.6, 4.42)),
    ("gallium", "Ga", (4.57, 7.74, 4.58)),
    ("indium", "In", (3.31, 5.05)),
    ("indium", "Pa", (3.92, 3.24)),
    ("methane", "C H", (5.84,)),
    ("dry ice", "C O", (5.73,)),
    ("XeF2", "Xe F", (4.49, 7.27)),
    ("KrF2", "Kr F", (4.73, 6.0)),
    ("LiC6", "Li C", (4.31, 3.71)),
    ("LiOH", "Li O H", (3.62, 4.42)),
    ("NaBH4", "Na B H", (6.21,)),
    ("NH4Cl", "N H Cl", (3.91,)),
    ("brucite", "Mg O H", (3.14, 4.77)),
    ("azide", "Na N N", (3.69, 15.3)),
    ("calcite", "Ca C O", (5.04, 17.3)),
    ("cristobalite", "Si O", (7.47,)),
    ("zincblende", "Si Ge", (5.61,)),
    ("zincblende", "Al P", (5.50,)),
    ("zincblende", "Cd Te", (6.62,)),
    ("zincblende", "Cu I", (6.05,)),
    ("wurtzite", "Ga N", (3.22, 5.24)),
    ("wurtzite", "Ag I", (4.69, 7.65)),
    ("rocksalt", "K F", (5.4,)),
    ("rocksalt", "Rb Br", (7.02,)),
    ("rocksalt", "Sn Te", (6.4,)),
    ("rocksalt", "Ba S", (6.46,)),
    ("rocksalt", "Ti N", (4.25,)),
    ("rocksalt", "Ta C", (4.48,)),
    ("rocksalt", "Dy Sb", (6.21,)),
    ("rocksalt", "Ho N", (4.87,)),
    ("rocksalt", "Np N", (4.85,)),
    ("rocksalt", "Th C", (5.34,)),
    ("CsCl", "Cs Cl", (4.2,)),
    ("CsCl", "Tl Br", (4.04,)),
    ("CsCl", "Ti Fe", (2.95,)),
    ("CsCl", "Y Cu", (3.48,)),
    ("CsCl", "Al Os", (3.03,)),
    ("NiAs", "Mn As", (3.63, 5.49)),
    ("fluorite", "Ba Cl", (7.4,)),
    ("fluorite", "Pb F", (6.0,)),
    ("fluorite", "Hf O", (5.1,)),
    ("fluorite", "Er H", (5.12,)),
    ("fluorite", "Pt Al", (5.94,)),
    ("antifluorite", "Li O", (4.68,)),
    ("antifluorite", "Rb Te", (8.59,)),
    ("rutile", "Ru O", (4.57, 3.15)),
    ("CdI2", "Zr S", (3.72, 5.96)),
    ("CdCl2", "Mn Cl", (3.76, 17.9)),
    ("MoS2", "W Se", (3.32, 13.0)),
    ("Bi2Te3", "Sb Se Se", (4.05, 29.0)),
    ("GeTe", "Ge Te", (4.22, 10.8)),
    ("GaSe", "Ga Se", (3.84, 16.2)),
    ("pyrite", "Fe S", (5.4,)),
    ("AlB2", "Mg B", (3.08, 3.52)),
    ("MoSi2", "Mo Si", (3.22, 7.88)),
    ("CaC2", "Sr C", (4.11, 6.7)),
    ("calomel", "Hg Cl", (4.63, 11.2)),
    ("litharge", "O Pb", (4.04, 5.15)),
    ("PtS", "Pd O", (3.11, 5.45)),
    ("Laves", "Ca Al", (8.04,)),
    ("Laves", "Gd Ni", (7.2,)),
    ("CaCu5", "Sm Co Co", (4.95, 3.93)),
    ("L1_2", "Al Ni", (3.57,)),
    ("L1_0", "Ti Al", (2.82, 4.08)),
    ("BiF3", "Bi K K", (8.71,)),
    ("A15", "Si V", (4.77,)),
    ("UCl3", "La Br", (8.05, 4.54)),
    ("UCl3", "Pu Cl", (7.39, 4.24)),
    ("UCl3", "Nd Cl", (7.47, 4.28)),  # codespell:ignore nd
    ("La2O3", "Ce O O", (3.85, 6.01)),
    ("La2O3", "Pr O O", (3.9, 6.07)),
    ("corundum", "Al O", (4.8, 13.1)),
    ("ReO3", "Sc F", (4.07,)),
    ("perovskite", "K Ta O", (4.02,)),
    ("perovskite", "Cs Sn Br", (5.88,)),
    ("antiperovskite", "Mg Ni C", (3.82,)),
    ("ilmenite", "Mn Ti O", (5.19, 14.4)),
    ("delafossite", "Cu Al O", (2.87, 17.1)),
    ("K2NiF4", "Sr Ru O O", (3.9, 12.8)),
    ("PbFCl", "O Bi Cl", (3.9, 7.4)),
    ("ThCr2Si2", "Ba Fe As", (3.95, 12.7)),
    ("ThCr2Si2", "U Ru Si", (4.17, 9.68)),
    ("elpasolite", "Cs Na Tb Cl", (11.0,)),
    ("K2PtCl6", "Rb Sn I", (12.0,)),
    ("chalcopyrite", "Cu In Se", (5.87, 11.8)),
    ("Ti2AlC", "Ti Al C", (3.07, 13.7)),
    ("half-Heusler", "Zr Ni Sn", (6.15,)),
    ("half-Heusler", "Y Pt Bi", (6.77,)),
)


def make_all() -> list[Atoms]:
    """Build every crystal of the table."""
    frames = []
    for prototype, symbols, lengths in CRYSTALS:
        atoms = perfect(prototype, symbols, *lengths)
        name = f"{atoms.get_chemical_formula(empirical=True)} {prototype}"
        frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
        frame.info.update(name=name, prototype=prototype)
        frames.append(frame)
    return frames


def print_scales(crystals: list[Atoms]) -> None:
    """Say by how much 7net-0 would scale each crystal, and its largest force there."""
    from atomgraft.models.loading import load_potential
    from atomgraft.models.prediction import predict_structures

    potential = load_potential("7net-0")
    for atoms, (prototype, symbols, lengths) in zip(crystals, CRYSTALS, strict=True):
        trials = [atoms.copy() for _ in SCALES]
        for trial, scale in zip(trials, SCALES, strict=True):
            trial.set_cell(atoms.cell * scale, scale_atoms=True)
        predicted = list(predict_structures(potential, trials))
        i = int(np.argmin([one.energy for one in predicted]))
        force = np.abs(predicted[i].forces).max()
        rounded = tuple(float(f"{length * SCALES[i]:.4g}") for length in lengths)
        print(
            f"{SCALES[i]:5.2f} {force:5.2f} eV/Å  ({prototype}, {symbols}, {rounded})",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tune", action="store_true")
    made = make_all()
    if parser.parse_args().tune:
        print_scales(made)
    else:
        write(OUT, made, format="extxyz")
        n_elements = len({int(Z) for atoms in made for Z in atoms.numbers})
        print(
            f"{OUT}: {len(made)} crystals, {sum(map(len, made))} atoms, "
            f"{n_elements} elements"
        )
