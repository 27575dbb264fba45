"""Supercells chosen for phonons: those whose labels leave the smallest error."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms
from ase.geometry import find_mic
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Progress
from atomgraft.label.picking import forces_on
from atomgraft.label.proposals import Proposal
from atomgraft.lattice.design import Candidates, Design, best_supercells
from atomgraft.lattice.harmonic import Harmonic, compact_constants, harmonic_of
from atomgraft.lattice.label_matching import FARTHEST
from atomgraft.lattice.posterior import Posterior, at_rest_directions, unlabelled
from atomgraft.lattice.spectra import mesh_frequencies
from atomgraft.lattice.supercells import ideal_supercell, prepare
from atomgraft.lattice.symmetric_basis import symmetric_basis
from atomgraft.models.base import AbstractPotential
from atomgraft.page.wording import counted
from atomgraft.phonons.labels import combine, label_notices, read_labelled

SHARE = 0.1
"""How wrong a model's force constants are thought to be before there are labels: the
median of 7net-0 over the 53 materials of PhononDB."""

DIFFERENCE = 0.3
"""Of a model's anharmonic forces: what those of DFT differ by from them."""

FLOOR = 1e-3
"""eV/Å; what forces of DFT are converged to."""

MESH = (4, 4, 4)
"""On which errors of frequencies are averaged."""

SAME = 1e-4
"""Å; cell vectors that differ by less are the same."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhononChoice:
    """Proposals in the order in which their labels help.

    Parameters
    ----------
    order
        Their places in the pool.
    design
        What error each leaves.
    notices
        What the user should know.
    """

    order: tuple[int, ...]
    design: Design
    notices: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked of the choice.

    Parameters
    ----------
    count
        Supercells at most.
    target
        Expected error of frequencies that is small enough, THz; none takes `count`.
    known
        Files with labels that there are already.
    """

    count: int
    target: float | None = None
    known: Sequence[str] = ()


def choose_for_phonons(
    crystal: Atoms,
    potential: AbstractPotential,
    proposals: Sequence[Proposal],
    forces: Sequence[Float[np.ndarray, "_ 3"]],
    wanted: Wanted,
    progress: Progress | None = None,
) -> PhononChoice:
    """Choose the supercells whose labels leave the smallest error of frequencies.

    Parameters
    ----------
    crystal
        The supercell, nothing displaced.
    potential
        Whose force constants labels correct.
    proposals
        To choose from; what is no displaced supercell of the crystal is left out.
    forces
        Of the potential on each proposal, eV/Å.
    wanted
        How many, and how well.
    progress
        Called with what is done.

    Raises
    ------
    BadInputError
        Fewer proposals are displaced supercells than are wanted, the crystal is not
        periodic, labels that are known belong to another one, or their error is
        small enough.
    """
    phonon = prepare(crystal, supercell=np.eye(3, dtype=int))
    ideal = ideal_supercell(phonon)
    places = _places(proposals, ideal)
    if len(places) < (wanted.count if wanted.target is None else 1):
        raise _too_few(len(places), wanted.count)
    accurate = potential.clone(dtype=torch.float64, device=potential.device)
    harmonic = harmonic_of(accurate, phonon)
    best, posterior, about = _known(accurate, harmonic, wanted.known)
    [at_rest] = forces_on(potential, [ideal], progress)
    displacements = np.array([_displacement(proposals[i].atoms, ideal) for i in places])
    numbers = posterior.basis.numbers_of(compact_constants(harmonic))
    linear = (posterior.basis.responses(displacements) @ numbers).reshape(-1)
    responses = np.array([forces[i] - at_rest for i in places])
    anharmonic = responses.reshape(-1) - linear
    design = best_supercells(
        best,
        posterior,
        mesh_frequencies(best, MESH),
        Candidates(
            displacements=displacements,
            noises=noises_of(anharmonic.reshape(displacements.shape)),
            at_rest=at_rest_directions(phonon),
        ),
        count=wanted.count,
        target=wanted.target,
        progress=progress,
    )
    if not design.steps:
        raise _no_need(design.before, wanted.target)
    n_others = len(proposals) - len(places)
    return PhononChoice(
        order=tuple(places[one.index] for one in design.steps),
        design=design,
        notices=(*about, *_notices(design, n_others, wanted)),
    )


def noises_of(
    anharmonic: Float[np.ndarray, "frames atoms 3"],
) -> Float[np.ndarray, " frames"]:
    """Return what labels are expected to differ by from what is linear, eV/Å.

    Parameters
    ----------
    anharmonic
        Forces of the model that are not linear in displacements, eV/Å.
    """
    return np.hypot(FLOOR, DIFFERENCE * np.sqrt((anharmonic**2).mean(axis=(1, 2))))


def _known(
    potential: AbstractPotential, harmonic: Harmonic, files: Sequence[str]
) -> tuple[Harmonic, Posterior, list[str]]:
    """Return the best force constants, what is known of them, and notices."""
    if files:
        labelled = read_labelled(files, harmonic.phonon)
        found = combine(potential, harmonic, labelled)
        assert found.posterior is not None  # there is a model
        return found.harmonic, found.posterior, label_notices(labelled, 0)
    basis = symmetric_basis(harmonic.phonon)
    prior = unlabelled(basis, compact_constants(harmonic), share=SHARE)
    return harmonic, prior, []


def _places(proposals: Sequence[Proposal], ideal: Atoms) -> list[int]:
    """Return which proposals are displaced supercells, each only once."""
    found: list[int] = []
    known: set[bytes] = set()
    for i, one in enumerate(proposals):
        if not _is_displaced(one.atoms, ideal):
            continue
        moved = _displacement(one.atoms, ideal)
        key = (np.round(moved / SAME) + 0.0).tobytes()
        if key not in known and SAME < np.abs(moved).max() <= FARTHEST:
            known.add(key)
            found.append(i)
    return found


def _is_displaced(atoms: Atoms, ideal: Atoms) -> bool:
    """Return whether a structure is the supercell but for positions."""
    return (
        len(atoms) == len(ideal)
        and bool((atoms.numbers == ideal.numbers).all())
        and bool(np.abs(atoms.cell.array - ideal.cell.array).max() < SAME)
    )


def _displacement(atoms: Atoms, ideal: Atoms) -> Float[np.ndarray, "atoms 3"]:
    found, _ = find_mic(atoms.positions - ideal.positions, ideal.cell, pbc=True)
    return found - found.mean(axis=0)


def _too_few(there: int, count: int) -> BadInputError:
    return BadInputError(
        f"{there} proposals are supercells of the crystal with displaced atoms, and "
        f"{count} were to be chosen.",
        "Labels for phonons have the cell and the order of atoms of the supercell, and "
        f"atoms up to {FARTHEST:g} Å from their sites.",
        "Lower --count, or propose more: kinds rattle, modes and displacements, more "
        "--proposals, smaller --amplitude, other frames in --pool.",
    )


def _no_need(error: float, target: float | None) -> BadInputError:
    if target is None or error > target:
        return BadInputError(
            "A further label would not lower the expected error of frequencies, "
            f"{error:.2g} THz.",
            "Either labels that are known say all that these could, or the model has "
            "no forces on displaced atoms.",
            "Propose other displacements, or check structure and model.",
        )
    return BadInputError(
        f"Frequencies have an expected error of {error:.2g} THz without further "
        "labels.",
        f"That is below the target of {target:g} THz, and nothing is to be chosen.",
        "Give a smaller --target, or leave it out.",
    )


def _notices(design: Design, n_others: int, wanted: Wanted) -> list[str]:
    found: list[str] = []
    if n_others:
        found.append(
            f"{counted(n_others, 'proposal')} played no part: no displaced supercells "
            "of this crystal in its order of atoms, too far from it, or there twice."
        )
    if not wanted.known:
        found.append(
            "Expected errors assume that the model's force constants are wrong by "
            f"{SHARE:.0%}, as those of 7net-0 are in the median over 53 materials. "
            "With labels named by --known they follow from these."
        )
    n, last, target = len(design.steps), design.steps[-1].error, wanted.target
    if target is not None and last > target:
        found.append(
            f"The target of {target:g} THz is not reached: {counted(n, 'label')} leave "
            f"an expected error of {last:.2g} THz. Raise --count, or propose other "
            "displacements."
        )
    elif target is None and n < wanted.count:
        found.append(
            f"{counted(n, 'structure')} of {wanted.count} are chosen: a further label "
            "would not lower the expected error."
        )
    return found
