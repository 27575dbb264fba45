"""A small antiferromagnet whose forces know its moments, and nobody else's symmetry."""

import functools

import numpy as np
import torch
from ase import Atoms

from atomgraft.lattice.forces import forces_of_supercells
from atomgraft.lattice.harmonic import with_forces
from atomgraft.lattice.supercells import displaced_supercells, prepare
from atomgraft.models.pair import lennard_jones

MOMENTS = (2.0, -2.0, -2.0, 2.0)
"""Bohr magnetons; layers along z, in a cubic cell."""


def iron(moments=MOMENTS):
    """Return four atoms in a face-centred cube."""
    cell = Atoms(
        "Fe4",
        cell=[3.6, 3.6, 3.6],
        scaled_positions=[[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
        pbc=True,
    )
    if moments is not None:
        cell.set_initial_magnetic_moments(moments)
    return cell


@functools.cache
def antiferromagnet():
    """Return it with forces; up and down repel each other as two elements would."""
    phonon = prepare(iron(), supercell=np.diag([2, 2, 2]))
    law = lennard_jones(
        ["Na", "Cl"], epsilon=[0.1, 0.4], sigma=[2.2, 2.35], cutoff=4.5
    ).clone(dtype=torch.float64)
    cells = displaced_supercells(phonon)
    for cell in cells:
        is_up = cell.get_initial_magnetic_moments() > 0
        cell.symbols = np.where(is_up, "Na", "Cl")
    return with_forces(phonon, forces_of_supercells(law, cells))
