"""Checks of an adapter: descriptions of the same matter get the same numbers."""

import dataclasses

import numpy as np
from jaxtyping import Float

from atomgraft.core.seeding import numpy_generator
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import StructurePrediction
from atomgraft.testing.adapter_inputs import assert_same_prediction
from atomgraft.testing.measuring import in_double, measure_one
from atomgraft.testing.structures import TrialStructures
from atomgraft.testing.tolerances import Tolerances

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
    turn = random_rotation()
    for atoms in (structures.crystal, structures.molecule):
        before = measure_one(double, atoms)
        turned = atoms.copy()
        turned.set_cell(atoms.cell.array @ turn)
        turned.set_positions(atoms.positions @ turn)
        assert_same_prediction(
            f"{atoms.symbols} rotated",
            measure_one(double, turned),
            StructurePrediction(
                energy=before.energy,
                forces=before.forces @ turn,
                stress=(turn.T @ _matrix(before.stress) @ turn)[VOIGT],
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


def random_rotation(seed: int = 0) -> Float[np.ndarray, "3 3"]:
    """Return a proper rotation without a special axis.

    Parameters
    ----------
    seed
        The same seed gives the same rotation.

    Examples
    --------
    >>> round(float(np.linalg.det(random_rotation())), 9)
    1.0
    """
    matrix, _ = np.linalg.qr(numpy_generator(seed, "rotation").normal(size=(3, 3)))
    return matrix * np.linalg.det(matrix)


def _matrix(stress: Float[np.ndarray, "6"]) -> Float[np.ndarray, "3 3"]:
    matrix = np.zeros((3, 3))
    rows, columns = VOIGT
    matrix[rows, columns] = stress
    matrix[columns, rows] = stress
    return matrix
