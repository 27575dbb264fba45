"""How far force constants miss what a rotation of the crystal demands.

Turned as a whole, a crystal has no forces that it did not have before. With no forces
at rest, an infinitesimal rotation u_j = ω × R_j leaves none, so for every atom i

    Σ_j (Φ_iα,jβ R_ij,γ - Φ_iα,jγ R_ij,β) = 0,   R_ij = R_j - R_i

(Born and Huang, Dynamical Theory of Crystal Lattices, 1954, sec. 23; unit eV/Å). It is
the rotational counterpart of the acoustic sum rule. Nothing imposes it on the force
constants here; where it fails, acoustic branches near Γ are wrong, bending ones above
all. Two things break it that are no fault of a model: forces at rest, whose size the
sum then has, and the third order that finite displacements leave in the force
constants, which falls as their square.

R_ij is the shortest vector between the images of two atoms, averaged where several are
equally short. So the sum is that of the crystal only if force constants end within half
a supercell; what a model of longer range misses is in part the supercell's doing, and
falls as that grows. Each sum is a tensor that the symmetry of its site can forbid:
atoms at a centre of inversion or in a tetrahedral site obey the rule whatever the force
constants, and rock salt, diamond and zinc blende say nothing by it.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from atomgraft.lattice.harmonic import Harmonic

if TYPE_CHECKING:
    from phonopy import Phonopy

Tensor = Float[np.ndarray, "3 3 3"]

FORBIDDEN = 1e-8
"""Of a number of order one: what remains of a tensor that symmetry forbids."""


def rotational_residual(harmonic: Harmonic) -> float | None:
    """Return by how much the rotational sum rule is missed, at the worst.

    Parameters
    ----------
    harmonic
        A crystal with force constants; forces on the undisplaced one are zero, or the
        rule does not hold.

    Returns
    -------
    :
        Largest component of the sums over the atoms of the primitive cell, eV/Å; none
        where symmetry makes every one of them zero for any force constants.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.lattice.harmonic import harmonic_of
    >>> from atomgraft.lattice.supercells import prepare
    >>> from atomgraft.models.pair import stillinger_weber
    >>> phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([2, 2, 2]))
    >>> rotational_residual(harmonic_of(stillinger_weber(["Si"]), phonon)) is None
    True
    """
    phonon = harmonic.phonon
    telling = [i for i in range(len(phonon.primitive)) if _can_fail(phonon, i)]
    if not telling:
        return None
    return float(max(np.abs(_sum_of(phonon, i)).max() for i in telling))


def _sum_of(phonon: "Phonopy", atom: int) -> Tensor:
    """Return the antisymmetric sum of an atom of the primitive cell, eV/Å."""
    primitive = phonon.primitive
    constants = np.asarray(phonon.force_constants)
    is_compact = len(constants) == len(primitive)
    row = atom if is_compact else int(primitive.p2s_map[atom])
    vectors = _shortest_vectors(phonon, atom)
    moment = np.einsum("jab,jc->abc", constants[row], vectors)
    return moment - moment.transpose(0, 2, 1)


def _shortest_vectors(phonon: "Phonopy", atom: int) -> Float[np.ndarray, "atoms 3"]:
    """Return the mean shortest vector to every atom of the supercell, Å."""
    vectors, places = phonon.primitive.get_smallest_vectors()
    means = [
        vectors[start : start + count].mean(axis=0)
        for count, start in np.asarray(places)[:, atom]
    ]
    return np.array(means) @ np.asarray(phonon.primitive.cell)


def _can_fail(phonon: "Phonopy", atom: int) -> bool:
    """Tell whether the symmetry of a site leaves the sum anything but zero."""
    cell = np.asarray(phonon.primitive.cell).T
    rotations = phonon.primitive_symmetry.get_site_symmetry(atom)
    probe = np.random.default_rng(0).normal(size=(3, 3, 3))
    total = np.zeros((3, 3, 3))
    for rotation in rotations:
        R = cell @ rotation @ np.linalg.inv(cell)
        total += np.einsum("ia,jb,kc,abc->ijk", R, R, R, probe)
    invariant = total / len(rotations)
    return bool(np.abs(invariant - invariant.transpose(0, 2, 1)).max() > FORBIDDEN)
