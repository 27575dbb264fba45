"""Crystals moved at random: rattled at stated amplitudes, under stated strains."""

from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.data.rehearsal.disturbances import are_apart, bare
from atomgraft.label.proposals import N_DRAWS, Proposal, too_close


def rattled(
    crystal: Atoms,
    amplitudes: Sequence[float],
    n: int,
    generator: np.random.Generator,
) -> Iterator[Proposal]:
    """Yield structures whose coordinates are displaced by normal random numbers.

    Parameters
    ----------
    crystal
        What is displaced.
    amplitudes
        Standard deviations of each coordinate, Å; used in turn.
    n
        How many.
    generator
        Source of the displacements.

    Raises
    ------
    BadInputError
        An amplitude brings atoms onto each other.

    Examples
    --------
    >>> from ase.build import bulk
    >>> rng = np.random.default_rng(0)
    >>> [one.amplitude for one in rattled(bulk("Si"), (0.02, 0.1), 3, rng)]
    [0.02, 0.1, 0.02]
    """
    for i in range(n):
        amplitude = amplitudes[i % len(amplitudes)]
        yield Proposal(
            atoms=_moved(crystal, np.eye(3), amplitude, "rattle", generator),
            kind="rattle",
            amplitude=amplitude,
            unit="Å",
        )


def strained(
    crystal: Atoms,
    strains: Sequence[float],
    rattle: float,
    n: int,
    generator: np.random.Generator,
) -> Iterator[Proposal]:
    """Yield structures under a random symmetric strain, slightly rattled.

    Without the rattle, symmetry leaves most forces of a strained crystal at zero,
    and a label of it teaches the stress alone.

    Parameters
    ----------
    crystal
        What is strained; periodic.
    strains
        Largest entry of the strain by size; used in turn.
    rattle
        Standard deviation of each coordinate, Å.
    n
        How many.
    generator
        Source of strains and displacements.

    Raises
    ------
    BadInputError
        Strain and rattle bring atoms onto each other.

    Examples
    --------
    >>> from ase.build import bulk
    >>> rng = np.random.default_rng(0)
    >>> [one.note for one in strained(bulk("Si"), (0.02,), 0.03, 1, rng)]
    ['rattled by 0.03 Å']
    """
    for i in range(n):
        strain = strains[i % len(strains)]
        gradient = np.eye(3) + random_strain(strain, generator)
        yield Proposal(
            atoms=_moved(crystal, gradient, rattle, "strain", generator),
            kind="strain",
            amplitude=strain,
            unit="1",
            note=f"rattled by {rattle:g} Å",
        )


def random_strain(
    largest: float, generator: np.random.Generator
) -> Float[np.ndarray, "3 3"]:
    """Return a random symmetric strain whose largest entry has the given size.

    Parameters
    ----------
    largest
        Off the diagonal half an engineering shear.
    generator
        Source of direction and sign.

    Examples
    --------
    >>> strain = random_strain(0.02, np.random.default_rng(0))
    >>> round(float(abs(strain).max()), 6), bool((strain == strain.T).all())
    (0.02, True)
    """
    entries = np.triu(generator.uniform(-1, 1, size=(3, 3)))
    symmetric = entries + np.triu(entries, 1).T
    return largest * symmetric / np.abs(symmetric).max()


def _moved(
    crystal: Atoms,
    gradient: Float[np.ndarray, "3 3"],
    rattle: float,
    kind: str,
    generator: np.random.Generator,
) -> Atoms:
    for _ in range(N_DRAWS):
        moved = bare(crystal)
        moved.set_cell(crystal.cell.array @ gradient)
        moved.positions = crystal.positions @ gradient
        moved.positions += generator.normal(scale=rattle, size=moved.positions.shape)
        if are_apart(moved):
            return moved
    raise too_close(kind, f"{rattle:g} Å")
