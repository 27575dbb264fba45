"""Folders of tiny phonopy calculations whose 'DFT' is another pair potential."""

from pathlib import Path

import numpy as np
from ase.build import bulk

from atomgraft.lattice.forces import forces_of_supercells
from atomgraft.lattice.supercells import displaced_supercells, prepare
from atomgraft.models.pair import lennard_jones

CRYSTALS = {
    "rocksalt": (bulk("NaCl", "rocksalt", a=5.3, cubic=True), 1),
    "rocksalt-wide": (bulk("NaCl", "rocksalt", a=5.4, cubic=True), 1),
    "zincblende": (bulk("NaCl", "zincblende", a=6.1, cubic=True), 1),
    "caesium": (bulk("NaCl", "cesiumchloride", a=3.2), 2),
}
"""Unit cells and multiples of them; two displaced supercells each."""

BASE = "pair:lj-nacl"


def reference_potential():
    """Return 'DFT': the base's law with deeper wells, not all by one share."""
    epsilon, sigma = [0.24, 0.28], [2.2, 2.8]
    return lennard_jones(["Na", "Cl"], epsilon=epsilon, sigma=sigma, cutoff=6.0)


def write_calculation(path, atoms, multiple=1, potential=None, *, distance=None):
    """Write displaced supercells with forces as phonopy itself saves them."""
    phonon = prepare(atoms, supercell=multiple * np.eye(3, dtype=int))
    if distance is not None:
        phonon.generate_displacements(distance=distance)
    cells = displaced_supercells(phonon)
    model = potential or reference_potential()
    phonon.forces = forces_of_supercells(model, cells)
    phonon.save(str(path), settings={"force_sets": True, "force_constants": False})
    return len(cells)


def make_folder(place, names=tuple(CRYSTALS)):
    """Write some of the crystals into a folder and return it."""
    folder = Path(place) / "crystals"
    folder.mkdir()
    for name in names:
        write_calculation(folder / f"{name}.yaml", *CRYSTALS[name])
    return folder
