"""A crystal with forces at rest, displaced: what a difference must leave out.

Chains of two atoms along z repel each other, so that no symmetry takes the forces at
rest away. A displacement along x has a mirror, one along z has none.
"""

import numpy as np
from ase import Atoms

from atomgraft.data.labels import set_labels
from atomgraft.data.partners import DISPLACEMENT
from atomgraft.models.loading import load_potential
from atomgraft.models.prediction import predict_structures

NAME = "pair:lj-ar"

STEP = 0.01
"""Å"""


def rest():
    """Return 16 atoms of P4/mmm, z of the pair free."""
    cell = Atoms(
        "Ar2",
        positions=[[0, 0, 1.6], [0, 0, 5.0]],
        cell=[4.0, 4.0, 6.6],
        pbc=True,
    )
    return cell.repeat(2)


def potential():
    return load_potential(NAME)


def displaced(displacement, forces=None):
    """Return the crystal with a displacement, labelled by the potential."""
    atoms = rest()
    atoms.positions += displacement
    atoms.arrays[DISPLACEMENT] = displacement
    set_labels(atoms, forces=forces_at(displacement) if forces is None else forces)
    return atoms


def forces_at(displacement):
    atoms = rest()
    atoms.positions += displacement
    [known] = predict_structures(potential(), [atoms])
    return known.forces


def along(axis, atom=0, step=STEP):
    displacement = np.zeros((len(rest()), 3))
    displacement[atom, axis] = step
    return displacement


def symmetric_field():
    """Return forces at rest that keep the symmetry, eV/Å."""
    forces = np.zeros((len(rest()), 3))
    forces[0::2, 2] = 0.3
    forces[1::2, 2] = -0.3
    return forces
