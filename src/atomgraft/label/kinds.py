"""The kinds of proposed structures, by name."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Progress
from atomgraft.core.registry import Registry
from atomgraft.core.seeding import numpy_generator
from atomgraft.label.displacements import (
    along_soft_modes,
    modes_of,
    monte_carlo_rattled,
)
from atomgraft.label.proposals import Proposal, rattled, require_positive, strained
from atomgraft.models.base import AbstractPotential
from atomgraft.phonons.supercell_choice import displaced

MAX_AMPLITUDE = 10.0
"""Å; atoms moved further are not where they belong."""

MAX_STRAIN = 1.0

MAX_TEMPERATURE = 1e5
"""K; what is hotter is no solid by far, and atoms leave every box."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Amounts:
    """How far atoms are moved.

    Parameters
    ----------
    amplitudes
        Standard deviations of rattled coordinates, and displacements along flat and
        imaginary modes, Å; used in turn.
    strains
        Largest entries of strains; used in turn.
    temperature
        Of Monte Carlo and of soft modes, K.
    distance
        Of the one atom in the supercells of a phonon calculation, Å.
    """

    amplitudes: tuple[float, ...] = (0.02, 0.05, 0.1)
    strains: tuple[float, ...] = (0.01, 0.03)
    temperature: float = 300.0
    distance: float = 0.01

    def __post_init__(self) -> None:
        require_positive(self.amplitudes, "amplitude", "Å", MAX_AMPLITUDE)
        require_positive(self.strains, "strain", "", MAX_STRAIN)
        require_positive((self.temperature,), "temperature", "K", MAX_TEMPERATURE)
        require_positive((self.distance,), "displacement", "Å", MAX_AMPLITUDE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What a kind is made from.

    Parameters
    ----------
    crystal
        The supercell, nothing displaced.
    potential
        Whose energies and modes count.
    amounts
        How far atoms are moved.
    n
        How many are wanted.
    generator
        Source of everything random of this kind.
    progress
        Called with what is done.
    """

    crystal: Atoms
    potential: AbstractPotential
    amounts: Amounts
    n: int
    generator: np.random.Generator
    progress: Progress | None = None


Made = tuple[list[Proposal], str]
"""The proposals, and what the user should know of them; may be empty."""

KINDS = Registry[Callable[[Request], Made]]("kind of structure")


def _rattle(asked: Request) -> Made:
    amplitudes = asked.amounts.amplitudes
    return list(rattled(asked.crystal, amplitudes, asked.n, asked.generator)), ""


def _strain(asked: Request) -> Made:
    if not asked.crystal.pbc.all():
        raise BadInputError(
            f"{asked.crystal.get_chemical_formula()} is periodic in"
            f" {int(asked.crystal.pbc.sum())} directions.",
            "The kind 'strain' needs a crystal, periodic in three directions.",
            "Leave out the kind 'strain': --kinds rattle,mc-rattle.",
        )
    strains, rattle = asked.amounts.strains, min(asked.amounts.amplitudes)
    made = strained(asked.crystal, strains, rattle, asked.n, asked.generator)
    return list(made), ""


def _monte_carlo(asked: Request) -> Made:
    made, share = monte_carlo_rattled(
        asked.crystal,
        asked.potential,
        asked.amounts.temperature,
        asked.n,
        asked.generator,
        asked.progress,
    )
    return made, f"Monte Carlo accepted {share:.0%} of its moves."


def _modes(asked: Request) -> Made:
    amounts = asked.amounts
    modes = modes_of(asked.crystal, asked.potential, amounts.distance)
    made = along_soft_modes(
        modes, amounts.temperature, amounts.amplitudes, asked.n, asked.generator
    )
    lowest = modes.frequencies[0]
    note = f"The softest of {len(modes.frequencies)} modes is at {lowest:.2f} THz."
    return list(made), note


def _displacements(asked: Request) -> Made:
    distance = asked.amounts.distance
    made = [
        Proposal(atoms=one, kind="displacements", amplitude=distance, unit="Å")
        for one in displaced(asked.crystal, distance, asked.n)
    ]
    note = (
        f"{len(made)} of the {asked.n} requested displaced supercells are proposed: "
        "symmetry leaves no more, or opposite displacements stay together."
    )
    return made, note if len(made) < asked.n else ""


KINDS.add("rattle", _rattle)
KINDS.add("strain", _strain)
KINDS.add("mc-rattle", _monte_carlo)
KINDS.add("modes", _modes)
KINDS.add("displacements", _displacements)

OF_ONE_CELL = tuple(kind for kind in KINDS if kind != "strain")
"""Kinds that leave the cell as it is; force constants follow from no other."""


def propose(
    crystal: Atoms,
    potential: AbstractPotential,
    kinds: Mapping[str, int],
    amounts: Amounts,
    *,
    seed: int,
    progress: Progress | None = None,
) -> tuple[list[Proposal], list[str]]:
    """Propose structures of several kinds; each kind has random numbers of its own.

    Parameters
    ----------
    crystal
        The supercell, nothing displaced.
    potential
        Whose energies and modes count.
    kinds
        Names in `KINDS`, and how many of each.
    amounts
        How far atoms are moved.
    seed
        Of everything random.
    progress
        Called with what is done.

    Returns
    -------
    list[Proposal]
        Kind by kind.
    list[str]
        What the user should know.

    Raises
    ------
    BadInputError
        A kind is unknown, or impossible for this crystal.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.models.pair import stillinger_weber
    >>> sw = stillinger_weber(["Si"])
    >>> made, _ = propose(bulk("Si"), sw, {"rattle": 2, "strain": 1}, Amounts(), seed=0)
    >>> [one.kind for one in made]
    ['rattle', 'rattle', 'strain']
    """
    makers = {kind: KINDS[kind] for kind in kinds}
    proposals: list[Proposal] = []
    notices: list[str] = []
    for kind, make in makers.items():
        made, note = make(
            Request(
                crystal=crystal,
                potential=potential,
                amounts=amounts,
                n=kinds[kind],
                generator=numpy_generator(seed, "select", kind),
                progress=progress,
            )
        )
        proposals += made
        notices += [note] if note else []
    return proposals, notices


def parse_kinds(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of kinds, each known and named once.

    Raises
    ------
    BadInputError
        One is unknown or comes twice, or there is none.

    Examples
    --------
    >>> parse_kinds(["rattle", "modes"])
    ('rattle', 'modes')
    """
    for name in names:
        KINDS[name]  # raises where it is unknown
    if not names or len(set(names)) < len(names):
        raise BadInputError(
            f"The kinds are given as {', '.join(names) or '(none)'}.",
            f"Expected one or more of {', '.join(KINDS)}, each once.",
            "For example: --kinds rattle,modes.",
        )
    return tuple(names)
