"""Displacements of modes in the smallest commensurate cell.

A mode of wave vector q and eigenvector e moves atom j at r by

    u_j = Re[ e_j exp(2πi q·r) ] / √m_j,

phonopy's convention, in which the phase runs with the position of the atom and not of
its cell. The modes of one irreducible space on all arms of the star of q span the
displacements that a transition can freeze in; they are kept here as real fields,
orthonormal when weighted by √m.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from jaxtyping import Complex, Float, Int

from atomgraft.data.phonopy_files import to_ase

if TYPE_CHECKING:
    from atomgraft.lattice.supercells import Phonopy

LARGEST_DENOMINATOR = 24
"""Of a component of q; beyond it no supercell of ours has waves."""

SAME_Q = 1e-5
"""In reciprocal vectors."""

RANK = 1e-6
"""Singular values below it belong to fields that are there already."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Instability:
    """One irreducible space of imaginary modes: its star, and its modes on each arm.

    Parameters
    ----------
    arms
        The q-points of the star, of q and -q only one, in reciprocal vectors of the
        primitive cell.
    frequency
        THz, negative.
    eigenvectors
        Of the dynamical matrix, by arm.
    """

    arms: Float[np.ndarray, "arms 3"]
    frequency: float
    eigenvectors: tuple[Complex[np.ndarray, "modes atoms 3"], ...]

    @property
    def degeneracy(self) -> int:
        """Number of modes of this frequency at one q-point."""
        return len(self.eigenvectors[0])


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrozenSpace:
    """The displacements of an instability, as fields on one supercell.

    Parameters
    ----------
    supercell
        Without displacements; the smallest one that holds every arm of the star.
    fields
        Orthonormal, weighted by the root of the mass.
    group
        What the operations of the space group do to amplitudes of the fields: distinct
        orthogonal matrices.
    """

    supercell: Atoms
    fields: Float[np.ndarray, "fields atoms 3"]
    group: Float[np.ndarray, "operations fields fields"]

    def displacements(
        self, amplitudes: Float[np.ndarray, " fields"]
    ) -> Float[np.ndarray, "atoms 3"]:
        """Return the displacements of some amplitudes, the largest of length one."""
        field = np.tensordot(amplitudes, self.fields, axes=1)
        moved = field / np.sqrt(self.supercell.get_masses())[:, None]
        return moved / np.linalg.norm(moved, axis=1).max()


def superlattice(q_points: Float[np.ndarray, "arms 3"]) -> Int[np.ndarray, "3 3"]:
    """Return the lattice of all translations t with integer q·t, as compact rows.

    Parameters
    ----------
    q_points
        In reciprocal vectors; rational.

    Examples
    --------
    >>> superlattice(np.array([[0.5, 0.5, 0.5]])).tolist()
    [[1, -1, 0], [0, 1, -1], [1, 1, 0]]
    """
    fractions = [
        [Fraction(float(x)).limit_denominator(LARGEST_DENOMINATOR) for x in q]
        for q in q_points
    ]
    whole = int(np.lcm.reduce([x.denominator for q in fractions for x in q]))
    rows = [[int(x * whole) for x in q] for q in fractions]
    reciprocal = _hermite(np.array([*(whole * np.eye(3, dtype=int)).tolist(), *rows]))
    direct = np.rint(np.linalg.inv(reciprocal / whole).T).astype(int)
    from ase.geometry import minkowski_reduce

    reduced = minkowski_reduce(direct.astype(float))[0]
    integers = np.rint(reduced).astype(int)
    return integers if np.linalg.det(integers) > 0 else -integers


def _hermite(rows: Int[np.ndarray, "rows 3"]) -> Int[np.ndarray, "3 3"]:
    """Return a basis of the lattice that some integer rows span."""
    left = rows.copy()
    basis = []
    for column in range(3):
        while np.count_nonzero(left[:, column]) > 1:
            sizes = np.where(left[:, column] == 0, np.inf, np.abs(left[:, column]))
            pivot = int(np.argmin(sizes))
            others = np.arange(len(left)) != pivot
            times = left[others, column] // left[pivot, column]
            left[others] -= times[:, None] * left[pivot]
        pivot = int(np.flatnonzero(left[:, column])[0])
        basis.append(left[pivot].copy())
        left = np.delete(left, pivot, axis=0)
    return np.array(basis)


def star_of(
    q: Float[np.ndarray, "3"], rotations: Int[np.ndarray, "operations 3 3"]
) -> Float[np.ndarray, "arms 3"]:
    """Return the star of a q-point; of q and -q, which are one real wave, only one.

    Parameters
    ----------
    q
        In reciprocal vectors.
    rotations
        Of the space group, in lattice vectors.
    """
    arms: list[Float[np.ndarray, "3"]] = []
    for rotation in rotations:
        arm = q @ rotation
        if not any(same_q(arm, one) or same_q(-arm, one) for one in arms):
            arms.append(np.where(np.abs(arm) < SAME_Q, 0.0, arm))
    return np.array(arms)


def same_q(one: Float[np.ndarray, "3"], other: Float[np.ndarray, "3"]) -> bool:
    """Tell whether two q-points differ by a reciprocal lattice vector."""
    shift = one - other
    return bool(np.abs(shift - np.rint(shift)).max() < SAME_Q)


def frozen_space(phonon: "Phonopy", instability: Instability) -> FrozenSpace:
    """Return the displacements of an instability and what symmetry does to them.

    Parameters
    ----------
    phonon
        The crystal it belongs to.
    instability
        Its modes.
    """
    primitive = to_ase(phonon.primitive)
    matrix = superlattice(instability.arms)
    supercell = make_supercell(primitive, matrix, wrap=False)
    n_cells = len(supercell) // len(primitive)
    supercell.arrays["masses"] = np.tile(phonon.primitive.masses, n_cells)
    fields = _fields(primitive, supercell, instability)
    group = _group_image(phonon, primitive, supercell, fields)
    return FrozenSpace(supercell=supercell, fields=fields, group=group)


def _fields(
    primitive: Atoms, supercell: Atoms, instability: Instability
) -> Float[np.ndarray, "fields atoms 3"]:
    """Return real fields that span the modes; ASE's supercell goes cell by cell."""
    places = supercell.positions @ np.linalg.inv(primitive.cell.array)
    n_cells = len(supercell) // len(primitive)
    waves = [
        np.tile(vector, (n_cells, 1)) * np.exp(2j * np.pi * (places @ q))[:, None]
        for q, vectors in zip(instability.arms, instability.eigenvectors, strict=True)
        for vector in vectors
    ]
    flat = np.array([part.ravel() for wave in waves for part in (wave.real, wave.imag)])
    _, sizes, rows = np.linalg.svd(flat, full_matrices=False)
    return rows[sizes > RANK * sizes[0]].reshape(-1, len(supercell), 3)


def _group_image(
    phonon: "Phonopy",
    primitive: Atoms,
    supercell: Atoms,
    fields: Float[np.ndarray, "fields atoms 3"],
) -> Float[np.ndarray, "operations fields fields"]:
    """Return the distinct matrices by which the space group acts on the fields."""
    operations = phonon.primitive_symmetry.symmetry_operations
    basis = primitive.cell.array.T
    to_primitive = np.linalg.inv(primitive.cell.array)
    places = supercell.positions @ to_primitive
    to_super = np.linalg.inv(supercell.cell.array @ to_primitive)
    n_atoms = len(primitive)
    shifts = places[::n_atoms] - places[0]  # of the cells in the supercell
    pairs = itertools.product(
        zip(operations["rotations"], operations["translations"], strict=True), shifts
    )
    found: dict[bytes, Float[np.ndarray, "fields fields"]] = {}
    for (rotation, translation), shift in pairs:
        moved = places @ rotation.T + translation + shift
        order = _matched(moved @ to_super, places @ to_super, supercell.numbers)
        cartesian = basis @ rotation @ np.linalg.inv(basis)
        image = np.empty_like(fields)
        image[:, order] = fields @ cartesian.T
        matrix = np.tensordot(fields, image, axes=([1, 2], [1, 2]))
        found.setdefault((np.round(matrix, 3) + 0.0).tobytes(), matrix)
    return np.array(list(found.values()))


def _matched(
    moved: Float[np.ndarray, "atoms 3"],
    places: Float[np.ndarray, "atoms 3"],
    numbers: Int[np.ndarray, " atoms"],
) -> Int[np.ndarray, " atoms"]:
    """Return which atom each moved one lands on."""
    apart = moved[:, None] - places[None]
    apart -= np.rint(apart)
    squared = np.where(
        numbers[:, None] == numbers[None], (apart**2).sum(axis=2), np.inf
    )
    return squared.argmin(axis=1)


def stars(
    q_points: Sequence[Float[np.ndarray, "3"]],
    rotations: Int[np.ndarray, "operations 3 3"],
) -> list[Float[np.ndarray, "arms 3"]]:
    """Return the stars that some q-points belong to, each once."""
    found: list[Float[np.ndarray, "arms 3"]] = []
    for q in q_points:
        if not any(same_q(q, arm) or same_q(-q, arm) for star in found for arm in star):
            found.append(star_of(q, rotations))
    return found
