"""Checks of an adapter: descriptions of the same matter get the same numbers."""

import dataclasses

import numpy as np
from ase.stress import voigt_6_to_full_3x3_stress
from scipy.spatial.transform import Rotation

from atomgraft.core.seeding import numpy_generator
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import StructurePrediction
from atomgraft.testing.adapter_inputs import assert_same_prediction
from atomgraft.testing.measuring import in_double, measure_one
from atomgraft.testing.structures import TrialStructures
from atomgraft.testing.tolerances import Tolerances

ANY_ROTATION = Rotation.from_euler("zyx", (0.3, 1.1, 2.3)).as_matrix()
"""Without a special axis."""

VOIGT = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))
"""Rows and columns of xx, yy, zz, yz, xz, xy."""


def check_lattice_translation(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require the same numbers after an atom has moved by a lattice vector."""
    double = in_double(potential)
    for atoms in (structures.crystal, structures.slab):
        moved = atoms.copy()
        moved.positions[0] += 2 * atoms.cell.array[0] - atoms.cell.array[1]
        assert_same_prediction(
            f"{atoms.symbols}, an atom moved by a lattice vector",
            measure_one(double, moved),
            measure_one(double, atoms),
            tolerances.round_off,
        )


def check_rotation(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that forces and stresses turn with the structure.

    Mirror images may differ: models without parity (7net-0 is one) see handedness.
    """
    double = in_double(potential)
    turn = ANY_ROTATION
    for atoms in (structures.crystal, structures.molecule):
        before = measure_one(double, atoms)
        stress = turn.T @ voigt_6_to_full_3x3_stress(before.stress) @ turn
        turned = atoms.copy()
        turned.set_cell(atoms.cell.array @ turn)
        turned.set_positions(atoms.positions @ turn)
        assert_same_prediction(
            f"{atoms.symbols} rotated",
            measure_one(double, turned),
            StructurePrediction(
                energy=before.energy,
                forces=before.forces @ turn,
                stress=stress[VOIGT],
            ),
            tolerances.rotation,
        )


def check_permutation(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that the order of the atoms does not count."""
    double = in_double(potential)
    for atoms in (structures.crystal, structures.molecule):
        order = numpy_generator(0, "permutation").permutation(len(atoms))
        mixed = measure_one(double, atoms[order])
        before = measure_one(double, atoms)
        assert_same_prediction(
            f"{atoms.symbols}, atoms in another order",
            mixed,
            dataclasses.replace(before, forces=before.forces[order]),
            tolerances.round_off,
        )


def check_supercell(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require twice the energy of a doubled cell, and the same forces and stress."""
    double = in_double(potential)
    cell = structures.crystal
    one = measure_one(double, cell)
    assert_same_prediction(
        "a doubled cell",
        measure_one(double, cell.repeat((1, 2, 1))),
        StructurePrediction(
            energy=2 * one.energy,
            forces=np.concatenate([one.forces, one.forces]),
            stress=one.stress,
        ),
        tolerances.round_off,
    )
