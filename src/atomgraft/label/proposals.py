"""Proposed structures, and random displacements that make them."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.data.rehearsal.disturbances import are_apart, bare

N_DRAWS = 20
"""Times that a displacement is drawn again where it brings atoms too close."""

MAX_AMOUNT = 1e5
"""In any unit: of an amplitude, a strain or a temperature."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proposal:
    """A structure without labels.

    Parameters
    ----------
    atoms
        Species, positions, cell, periodic directions; no labels.
    kind
        How it was made: a name in :data:`~atomgraft.label.kinds.KINDS`, or
        ``pool``.
    amplitude
        How far it was moved; none where nobody knows.
    unit
        Of the amplitude: ``Å``, ``K``, ``1`` for a strain; empty without one.
    note
        More about it, in words: the modes, the frame of a file.
    """

    atoms: Atoms
    kind: str
    amplitude: float | None = None
    unit: str = ""
    note: str = ""


def labelled_atoms(proposal: Proposal) -> Atoms:
    """Return a plain copy that says how it was made and holds no labels.

    Parameters
    ----------
    proposal
        ``config_type`` of the copy is its kind.

    Examples
    --------
    >>> proposal = Proposal(atoms=Atoms("H"), kind="rattle", amplitude=0.1, unit="Å")
    >>> labelled_atoms(proposal).info
    {'config_type': 'rattle', 'amplitude': 0.1}
    """
    atoms = bare(proposal.atoms)
    atoms.info["config_type"] = proposal.kind
    if proposal.amplitude is not None:
        atoms.info["amplitude"] = round(proposal.amplitude, 6)
    return atoms


def require_positive(
    values: tuple[float, ...], what: str, unit: str, most: float = MAX_AMOUNT
) -> None:
    """Check that amplitudes, strains or temperatures can be those of a crystal.

    Parameters
    ----------
    values
        At least one.
    what, unit
        Their name and unit, for the message.
    most
        More makes no crystal; a search for its neighbours might not end.

    Raises
    ------
    BadInputError
        There is none, or one is not.
    """
    wrong = [one for one in values if not 0 < one <= most]
    if wrong or not values:
        came = f"{what} of {wrong[0]:g} {unit}" if wrong else f"no {what}"
        raise BadInputError(
            f"To move atoms, {came.rstrip()} was given.",
            f"Expected a number above zero and at most {most:g}.",
            "Leave it out for the default, or give another.",
        )


def too_close(kind: str, amplitude: str) -> BadInputError:
    """Return the error for an amplitude that brings atoms onto each other.

    Parameters
    ----------
    kind
        What was proposed.
    amplitude
        How far, with its unit.
    """
    return BadInputError(
        f"Atoms are too close in {N_DRAWS} consecutive draws of the kind {kind} at "
        f"{amplitude}.",
        "Structures with unphysically short distances are not proposed.",
        "Use a smaller amplitude or temperature.",
    )


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
