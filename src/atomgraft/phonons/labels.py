"""Labelled supercells of a crystal: alone, and combined with each model."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import structures_fingerprint
from atomgraft.data.readers import read_structures
from atomgraft.lattice.forces import forces_of_supercells
from atomgraft.lattice.harmonic import Harmonic, compact_constants, with_constants
from atomgraft.lattice.label_matching import Matched, match_labels
from atomgraft.lattice.posterior import (
    Labels,
    Posterior,
    at_rest_directions,
    combined,
    labels_alone,
)
from atomgraft.lattice.supercells import ideal_supercell
from atomgraft.lattice.symmetric_basis import SymmetricBasis, symmetric_basis
from atomgraft.models.base import AbstractPotential
from atomgraft.page.wording import counted

if TYPE_CHECKING:
    from phonopy import Phonopy

STILL = 1e-4
"""Å; smaller displacements are digits of a file."""

LARGE = 0.15
"""Å; displacements beyond it have forces that are far from linear."""

STRAINED = 1e-5
"""Strain that is more than digits of a file."""

DISAGREEMENT = 0.5
"""Of the size of the forces: labels that a fit misses by more do not belong to the
crystal, or are not forces."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labelled:
    """Labelled supercells of one crystal.

    Parameters
    ----------
    matched
        Their displacements and forces.
    basis
        Of force constants.
    at_rest
        Forces on the undisplaced supercell that symmetry allows.
    origin
        Files, for people.
    """

    matched: Matched
    basis: SymmetricBasis
    at_rest: Float[np.ndarray, "directions atoms 3"]
    origin: str

    @property
    def n(self) -> int:
        """How many supercells."""
        return len(self.matched.frames)

    def seen_by(self, responses: Float[np.ndarray, "frames atoms 3"] | None) -> Labels:
        """Return the labels as they are fitted, with what a model says of them."""
        return Labels(
            displacements=self.matched.displacements,
            forces=self.matched.forces,
            responses=responses,
            at_rest=self.at_rest,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Combination:
    """Force constants that labels had a part in.

    Parameters
    ----------
    harmonic
        The crystal with them.
    posterior
        What is known of them; none for labels alone.
    n_labels
        Supercells.
    n_constants
        Force constants that symmetry leaves free.
    n_free
        Of these, undetermined by labels alone; zero where there is a model.
    """

    harmonic: Harmonic
    posterior: Posterior | None
    n_labels: int
    n_constants: int
    n_free: int = 0


def read_labelled(
    names: Sequence[str], phonon: "Phonopy", *, cutoff: float | None = None
) -> Labelled:
    """Read labelled supercells of a crystal.

    Parameters
    ----------
    names
        Files of structures with forces, or calculations of phonopy; structures that are
        no displaced supercells of this crystal are left out.
    phonon
        The crystal.
    cutoff
        Å; pairs further apart have the model's force constants.

    Raises
    ------
    BadInputError
        Nothing there is a labelled supercell of this crystal, or force constants are
        too many.
    """
    origin = ", ".join(names)
    frames = without_repeats(read_structures(list(names)))
    matched = match_labels(frames, phonon, origin)
    if matched.largest < STILL:
        raise BadInputError(
            f"{origin} has the undisplaced crystal alone.",
            "Expected supercells with displaced atoms.",
            "Label some: atomgraft select --kinds rattle, then atomgraft label.",
        )
    return Labelled(
        matched=matched,
        basis=symmetric_basis(phonon, cutoff=cutoff),
        at_rest=at_rest_directions(phonon),
        origin=origin,
    )


def without_repeats(frames: Sequence[Atoms]) -> list[Atoms]:
    """Return structures without those that are there twice, labels included."""
    return list({structures_fingerprint([one]): one for one in frames}.values())


def combine(
    potential: AbstractPotential,
    harmonic: Harmonic,
    labelled: Labelled,
    *,
    max_atoms: int | None = None,
) -> Combination:
    """Combine a model's force constants with labels.

    Parameters
    ----------
    potential
        The model.
    harmonic
        Its force constants.
    labelled
        Labels of this crystal.
    max_atoms
        Largest number of atoms in one call of the model; none measures.

    Raises
    ------
    BadInputError
        The labels are no forces of this crystal.
    """
    ideal = ideal_supercell(harmonic.phonon)
    cells = [ideal]
    for displacement in labelled.matched.displacements:
        cells.append(ideal.copy())
        cells[-1].positions += displacement
    forces = forces_of_supercells(potential, cells, max_atoms=max_atoms)
    labels = labelled.seen_by(forces[1:] - forces[0])
    posterior = combined(labelled.basis, compact_constants(harmonic), labels)
    _refuse_strange_forces(posterior, labelled)
    return Combination(
        harmonic=with_constants(harmonic, posterior.constants()),
        posterior=posterior,
        n_labels=labelled.n,
        n_constants=labelled.basis.size,
    )


def alone(harmonic: Harmonic, labelled: Labelled) -> Combination:
    """Fit force constants to labels without a model.

    Parameters
    ----------
    harmonic
        Of a model; only its crystal plays a part.
    labelled
        Labels of this crystal.
    """
    constants, n_free = labels_alone(labelled.basis, labelled.seen_by(None))
    return Combination(
        harmonic=with_constants(harmonic, constants),
        posterior=None,
        n_labels=labelled.n,
        n_constants=labelled.basis.size,
        n_free=n_free,
    )


def _refuse_strange_forces(posterior: Posterior, labelled: Labelled) -> None:
    forces = labelled.matched.forces
    flat = forces.reshape(len(forces), -1)
    rest = labelled.at_rest.reshape(len(labelled.at_rest), flat.shape[1])
    flat = flat - flat @ rest.T @ rest
    size = float(np.sqrt(np.mean(flat**2)))
    if posterior.noise > DISAGREEMENT * size:
        raise BadInputError(
            f"The forces of {labelled.origin} do not follow the symmetry of this "
            f"crystal: {posterior.noise:.2g} eV/Å of {size:.2g} eV/Å stay unexplained.",
            "Expected forces of the same crystal, in its geometry, on displaced atoms.",
            "Check that the labels belong to this crystal and that their order of "
            "atoms is that of their positions.",
        )


def label_notices(labelled: Labelled, n_free: int) -> list[str]:
    """Return what a reader must know of the labels.

    Parameters
    ----------
    labelled
        As they were read.
    n_free
        Force constants that they leave undetermined alone.
    """
    matched = labelled.matched
    found: list[str] = []
    if matched.other:
        number, reason = next(iter(matched.other.items()))
        found.append(
            f"{counted(len(matched.other), 'structure')} of {labelled.origin} played no"
            f" part; structure {number} {reason}."
        )
    if matched.n_reordered:
        found.append(
            f"{counted(matched.n_reordered, 'labelled supercell')} had atoms in another"
            " order or orientation, and were brought to those of the crystal."
        )
    if matched.strain > STRAINED:
        found.append(
            f"Cells of labelled supercells differ from the crystal's by up to "
            f"{100 * matched.strain:.2g} %; their positions were scaled to it."
        )
    if matched.largest > LARGE:
        found.append(
            f"Labelled supercells displace atoms by up to {matched.largest:.2g} Å. "
            "Forces are not linear in such displacements; smaller ones, of about "
            "0.03 Å, determine phonons better."
        )
    if n_free:
        found.append(
            f"The labels alone leave {n_free} of {labelled.basis.size} force constants "
            "undetermined: their phonons without a model have no meaning."
        )
    return found
