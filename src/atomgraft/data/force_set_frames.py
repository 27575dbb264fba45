"""Displaced supercells given as plain frames, the first undisplaced."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import fingerprint
from atomgraft.data.force_sets import ForceSets
from atomgraft.data.labels import energy_of, forces_of

STILL = 1e-5
"""Å; a frame in which no atom is further from its place is the undisplaced one."""

FARTHEST = 0.5
"""Å; a larger displacement is another structure, not a vibration."""


def force_sets_of_frames(frames: Sequence[Atoms], name: str) -> ForceSets:
    """Take frames of one supercell for a finite-displacement calculation.

    The first frame must be the undisplaced supercell; its forces are taken off those of
    the others. The symmetry is found from it and
    its magnetic moments, so that it is its own unit cell.

    Parameters
    ----------
    frames
        Labelled structures: atoms in one order, one cell.
    name
        For messages and files.

    Raises
    ------
    BadInputError
        The frames are not displaced copies of the first one, or have no forces.

    Examples
    --------
    >>> from atomgraft.data.readers import read_structures
    >>> sets = force_sets_of_frames(read_structures(["shipped:si-phonons"]), "Si")
    >>> sets.displacements.shape, sets.is_single
    ((1, 64, 3), True)
    """
    ideal = frames[0]
    forces = [_checked(atoms, ideal, i, name) for i, atoms in enumerate(frames)]
    vectors = np.array([_displacement(atoms, ideal) for atoms in frames[1:]])
    _refuse_strangers(vectors, name)
    moved = np.abs(vectors).max(axis=(1, 2)) > STILL
    plain = Atoms(ideal.numbers, ideal.positions, cell=ideal.cell, pbc=True)
    if np.any(moments := ideal.get_initial_magnetic_moments()):
        plain.set_initial_magnetic_moments(moments)
    energies = [energy_of(atoms) for atoms in frames[1:]]
    found = ForceSets(
        name=name,
        unit_cell=plain,
        ideal=plain,
        supercell_matrix=np.eye(3, dtype=int),
        primitive_matrix="auto",
        displacements=np.where(np.abs(vectors) < STILL, 0.0, vectors)[moved],
        forces=np.array(forces[1:])[moved] - forces[0],
        energies=None if None in energies else np.array(energies, dtype=float)[moved],
        is_single=bool((np.abs(vectors).max(axis=2) > STILL).sum(axis=1).max() == 1),
        born=None,
        content="",
    )
    parts = [plain.numbers, plain.positions, plain.cell.array]
    parts += [moments] if np.any(moments) else []
    content = fingerprint(
        np.ascontiguousarray(one, dtype=np.float64).tobytes()
        for one in (*parts, found.displacements, found.forces)
    )
    return dataclasses.replace(found, content=content)


def _checked(
    atoms: Atoms, ideal: Atoms, frame: int, name: str
) -> Float[np.ndarray, "atoms 3"]:
    forces = forces_of(atoms)
    same = (
        len(atoms) == len(ideal)
        and bool((atoms.numbers == ideal.numbers).all())
        and np.allclose(atoms.cell.array, ideal.cell.array, atol=1e-4)
    )
    if forces is None or not same:
        what = "has no forces" if forces is None else "is of another supercell"
        raise BadInputError(
            f"Frame {frame} of {name} {what}.",
            "Expected displaced copies of the first frame, in one order of atoms, "
            "with forces.",
            "Give such a file, a calculation of phonopy, or a single structure.",
        )
    return forces


def _displacement(atoms: Atoms, ideal: Atoms) -> Float[np.ndarray, "atoms 3"]:
    """Return how far each atom is from its place by the nearest image, Å."""
    apart = atoms.get_scaled_positions(wrap=False) - ideal.get_scaled_positions(
        wrap=False
    )
    return (apart - np.rint(apart)) @ ideal.cell.array


def _refuse_strangers(vectors: Float[np.ndarray, "..."], name: str) -> None:
    largest = float(np.abs(vectors).max()) if vectors.size else 0.0
    if not STILL < largest < FARTHEST:
        raise BadInputError(
            f"The frames of {name} move atoms by up to {largest:.3g} Å from the first.",
            f"Displacements between {STILL} and {FARTHEST} Å are vibrations; the first "
            "frame must be the undisplaced supercell.",
            "Give such a file, a calculation of phonopy, or a single structure.",
        )
