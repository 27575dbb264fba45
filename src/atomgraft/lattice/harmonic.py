"""Symmetrised force constants from forces on displaced supercells.

The force constants are the second derivatives of the energy,

    Φ_iα,jβ = ∂²E / ∂u_iα ∂u_jβ = - ∂F_jβ / ∂u_iα,

found from the forces on displaced supercells minus those on the undisplaced one: a
model has forces on the atoms of a geometry that another model or DFT has relaxed, and
they are often larger than what a displacement of 0.01 Å does.

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

import copy
import dataclasses
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float

from atomgraft.core.errors import BadInputError, foreign
from atomgraft.core.progress import Count
from atomgraft.lattice.forces import forces_of_supercells
from atomgraft.lattice.supercells import (
    all_displacements,
    displaced_supercells,
    ideal_supercell,
)
from atomgraft.models.base import AbstractPotential

if TYPE_CHECKING:
    from phonopy import Phonopy


SYMMETRISATIONS = 3
"""Rounds of translational and index symmetry; each disturbs the other a little."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Harmonic:
    """A crystal with force constants.

    Parameters
    ----------
    phonon
        phonopy's object, ready for spectra.
    forces
        On the displaced supercells, those of the undisplaced one taken off, eV/Å.
    residual
        Largest force on an atom of the undisplaced supercell, eV/Å; none if unknown.
    drift
        How far the force constants, before they are symmetrised, miss the acoustic sum
        rule Σ_j Φ_iα,jβ = 0: the largest such sum, eV/Å².
    """

    phonon: "Phonopy"
    forces: Float[np.ndarray, "frames atoms 3"]
    residual: float | None
    drift: float


def harmonic_of(
    potential: AbstractPotential,
    phonon: "Phonopy",
    *,
    max_atoms: int | None = None,
    progress: Count | None = None,
) -> Harmonic:
    """Return the force constants of a potential.

    Parameters
    ----------
    potential
        In float64 for frequencies that can be trusted to 0.01 THz.
    phonon
        With displacements; not changed.
    max_atoms
        Largest number of atoms in one call of the model; none measures.
    progress
        Called after every call.

    Raises
    ------
    BadInputError
        The potential does not know an element.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.lattice.supercells import prepare
    >>> from atomgraft.models.pair import stillinger_weber
    >>> phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([2, 2, 2]))
    >>> silicon = harmonic_of(stillinger_weber(["Si"]), phonon)
    >>> bool(silicon.drift < 1e-3)
    True
    """
    cells = [ideal_supercell(phonon), *displaced_supercells(phonon)]
    forces = forces_of_supercells(
        potential, cells, max_atoms=max_atoms, progress=progress
    )
    return with_forces(phonon, forces[1:], undisplaced=forces[0])


def with_forces(
    phonon: "Phonopy",
    forces: Float[np.ndarray, "frames atoms 3"],
    *,
    undisplaced: Float[np.ndarray, "atoms 3"] | None = None,
) -> Harmonic:
    """Return the force constants that follow from forces.

    One atom displaced at a time: the classic solution by site symmetry (Parlinski, Li
    and Kawazoe, Phys. Rev. Lett. 78, 4063 (1997)); all atoms displaced: symfc's least
    squares in the symmetry-adapted basis (Seko and Togo, Phys. Rev. B 110, 214302
    (2024)).

    Parameters
    ----------
    phonon
        With displacements; not changed.
    forces
        eV/Å, in the order of the displacements.
    undisplaced
        Forces on the supercell without displacements, which are taken off, eV/Å.

    Raises
    ------
    BadInputError
        There are not as many forces as displacements and atoms, or the displacements
        do not determine the force constants.
    """
    displacements = all_displacements(phonon)
    if forces.shape != displacements.shape:
        raise BadInputError(
            f"Forces came for {forces.shape[0]} supercells of {forces.shape[1]} atoms.",
            f"{displacements.shape[0]} displaced supercells of "
            f"{displacements.shape[1]} atoms need one each.",
            "Give the forces of exactly these supercells, in their order.",
        )
    shifted = forces if undisplaced is None else forces - undisplaced
    twin = _copy(phonon)
    twin.forces = shifted
    is_single = "first_atoms" in (phonon.dataset or {})
    _solve(twin, "traditional" if is_single else "symfc")
    drift = _drift(twin)
    twin.symmetrize_force_constants(level=SYMMETRISATIONS, show_drift=False)
    return Harmonic(
        phonon=twin,
        forces=shifted,
        residual=None if undisplaced is None else _largest(undisplaced),
        drift=drift,
    )


def _copy(phonon: "Phonopy") -> "Phonopy":
    """Return a crystal with the same displacements and charges.

    Cells and symmetry, which nobody changes, are shared: phonopy's own copy searches
    them again, which takes longer than the force constants.
    """
    twin = copy.copy(phonon)
    twin.force_constants = None
    twin.nac_params = phonon.nac_params
    twin.dataset = phonon.dataset
    return twin


def _solve(phonon: "Phonopy", solver: Literal["traditional", "symfc"]) -> None:
    """Find the force constants of a crystal with displacements and forces."""
    n_needed = 1 if solver == "traditional" else _supercells_needed(phonon)
    if len(all_displacements(phonon)) < n_needed:
        raise _undetermined(phonon, n_needed)
    with foreign(lambda reason: _undetermined(phonon, n_needed, reason)):
        phonon.produce_force_constants(
            calculate_full_force_constants=False,
            fc_calculator=solver,
            show_drift=False,
        )


def _undetermined(phonon: "Phonopy", n_needed: int, reason: str = "") -> BadInputError:
    return BadInputError(
        f"{len(all_displacements(phonon))} displaced supercells do not determine the "
        f"force constants of this crystal{f' ({reason})' if reason else ''}.",
        "Every symmetry-distinct atom must be displaced, in enough directions"
        + (f": at least {n_needed} supercells." if n_needed > 1 else "."),
        "Give all supercells that phonopy generates.",
    )


def _supercells_needed(phonon: "Phonopy") -> int:
    """Return how many supercells have as many forces as there are unknowns.

    With fewer, least squares answer all the same, with a crystal that is made up.
    """
    from phonopy.interface.symfc import SymfcFCSolver

    with foreign(lambda reason: _undetermined(phonon, 1, reason)):
        solver = SymfcFCSolver(phonon.supercell, symmetry=phonon.symmetry)
        return solver.estimate_numbers_of_supercells(orders=[2])[2]


def _largest(forces: Float[np.ndarray, "atoms 3"]) -> float:
    return float(np.linalg.norm(forces, axis=1).max())


def _drift(phonon: "Phonopy") -> float:
    """Return the largest sum of the force constants of an atom, eV/Å²."""
    constants = np.asarray(phonon.force_constants)
    return float(np.abs(constants.sum(axis=1)).max())


def scaled(harmonic: Harmonic, factor: float) -> Harmonic:
    """Return the crystal with every force constant times one number.

    The baseline that an adaptation must beat: a model that is too soft everywhere by
    the same share needs nothing else.

    Parameters
    ----------
    harmonic
        Not changed.
    factor
        Positive; frequencies change by its square root.

    Raises
    ------
    ValueError
        The factor is not positive.
    """
    if not factor > 0:
        raise ValueError(f"force constants times {factor} are no crystal")
    twin = _copy(harmonic.phonon)
    twin.force_constants = np.asarray(harmonic.phonon.force_constants) * factor
    return dataclasses.replace(
        harmonic,
        phonon=twin,
        forces=harmonic.forces * factor,
        drift=harmonic.drift * factor,
    )


def with_constants(
    harmonic: Harmonic, constants: Float[np.ndarray, "primitive atoms 3 3"]
) -> Harmonic:
    """Return the crystal with other force constants.

    Parameters
    ----------
    harmonic
        Not changed.
    constants
        For the atoms of the primitive cell, as symmetric as the crystal, eV/Å².

    Returns
    -------
    :
        With the harmonic forces of these constants on the same displacements.
    """
    from phonopy.harmonic.force_constants import compact_fc_to_full_fc

    twin = _copy(harmonic.phonon)
    twin.force_constants = np.array(constants)
    whole = compact_fc_to_full_fc(twin.primitive, np.array(constants))
    forces = -np.einsum("ijab,fjb->fia", whole, all_displacements(twin), optimize=True)
    drift = float(np.abs(constants.sum(axis=1)).max())
    return Harmonic(phonon=twin, forces=forces, residual=None, drift=drift)


def compact_constants(harmonic: Harmonic) -> Float[np.ndarray, "primitive atoms 3 3"]:
    """Return force constants of the atoms of the primitive cell, eV/Å²."""
    phonon = harmonic.phonon
    found = np.asarray(phonon.force_constants)
    if len(found) == len(phonon.primitive):
        return found
    return found[np.asarray(phonon.primitive.p2s_map)]


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
