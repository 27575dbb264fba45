"""The energy that it takes to remove one atom from a crystal of one element."""

import math

import numpy as np
from ase import Atoms

from atomgraft.core.errors import AtomgraftError, BadInputError
from atomgraft.core.seeding import numpy_generator
from atomgraft.lattice.relaxation import relax
from atomgraft.lattice.supercells import SYMPREC, supercell_by_length
from atomgraft.lattice.symmetry import distinct_atoms
from atomgraft.models.base import AbstractPotential
from atomgraft.models.memory import require_memory, require_room
from atomgraft.models.prediction import predict_structures

VACANCY_FMAX = 1e-3
"""eV/Å; a vacancy in argon would gain 1 % more below 0.01 eV/Å."""

KICK = 0.02
"""Å; standard deviation of the displacements that let the symmetry break."""

INWARD = (0.0, 0.13)
"""By how much the neighbours start nearer to the vacancy, as a share of their distance.
The vacancy of Stillinger-Weber silicon has two minima, at 4.34 and 2.83 eV, and the
second is found from 0.3 Å inward alone."""

N_MATRICES = 4
"""Of all second derivatives, which a step of the optimiser needs at once."""

SHELL = 1.2
"""Times the smallest distance from the removed atom, up to which atoms are its
neighbours."""


def vacancy_energies(
    potential: AbstractPotential,
    crystal: Atoms,
    *,
    length: float,
    seed: int,
    relaxed: bool = True,
) -> tuple[float, ...]:
    """Return the formation energy of a vacancy for each distinct site, eV.

    E(N-1) - (N-1)/N E(N), in a supercell of fixed shape; the lowest energy that
    relaxations from :data:`INWARD` find. The removed atom goes into the crystal, which
    needs no chemical potential where there is one element.

    Parameters
    ----------
    potential
        In float64.
    crystal
        Conventional cell, relaxed under the potential; not changed.
    length
        Smallest distance between a vacancy and its image, Å.
    seed
        Of the small displacements at the start.
    relaxed
        Let the other atoms move.

    Raises
    ------
    BadInputError
        The crystal has several elements, the length is no positive number, or the
        relaxation would not fit in memory.
    AtomgraftError
        A relaxation does not end, or the crystal falls apart.

    Examples
    --------
    Without relaxation a Stillinger-Weber vacancy costs four bonds, less the two that
    the atom gains elsewhere: the cohesive energy.

    >>> from ase.build import bulk
    >>> from atomgraft.models.pair import stillinger_weber
    >>> silicon = bulk("Si", a=5.431, cubic=True)
    >>> [energy] = vacancy_energies(
    ...     stillinger_weber(["Si"]), silicon, length=10.0, seed=0, relaxed=False
    ... )
    >>> round(energy, 3)
    4.337
    """
    refuse_compound(crystal)
    [whole] = predict_structures(potential, [crystal])
    repeats: list[int] = supercell_by_length(crystal, length).diagonal().tolist()
    _refuse_large(len(crystal) * math.prod(repeats))
    supercell = crystal.repeat(repeats)
    require_room(potential, supercell)
    per_atom = whole.energy / len(crystal)
    rng = numpy_generator(seed, "vacancies")
    found: list[float] = []
    for site in distinct_atoms(crystal, SYMPREC):
        starts = [_start(supercell, site, inward, rng) for inward in INWARD]
        if not relaxed:
            starts = [_without(supercell, site)]
        lowest = min(_energy(potential, one, relaxed=relaxed) for one in starts)
        found.append(lowest - (len(supercell) - 1) * per_atom)
    return tuple(found)


def _refuse_large(n_atoms: int) -> None:
    """Check that a relaxation fits in memory: the optimiser keeps second derivatives.

    Their matrix has (3 N)² numbers, and it is diagonalised in a copy.
    """
    require_memory(
        N_MATRICES * 8 * (3 * n_atoms) ** 2,
        f"The relaxation of a vacancy in {n_atoms} atoms",
        "Bring the images of the vacancy nearer: --set bulk.vacancy_length=10",
    )


def _without(supercell: Atoms, site: int) -> Atoms:
    rest = supercell.copy()
    del rest[site]
    return rest


def _start(
    supercell: Atoms, site: int, inward: float, rng: np.random.Generator
) -> Atoms:
    """Return a supercell without an atom, its neighbours moved towards the gap."""
    others = np.delete(np.arange(len(supercell)), site)
    vectors = supercell.get_distances(site, others, mic=True, vector=True)
    distances = np.linalg.norm(vectors, axis=1)
    is_near = distances < SHELL * distances.min()
    rest = _without(supercell, site)
    rest.positions[is_near] -= inward * vectors[is_near]
    rest.positions += rng.normal(scale=KICK, size=rest.positions.shape)
    return rest


def refuse_compound(crystal: Atoms) -> None:
    """Check that a crystal is of one element.

    Raises
    ------
    BadInputError
        It is not.
    """
    if len(np.unique(crystal.numbers)) > 1:
        raise BadInputError(
            f"{crystal.get_chemical_formula()} has several elements.",
            "A vacancy in a compound depends on chemical potentials, which are not "
            "known here.",
            "Give a crystal of one element, or leave vacancies out.",
        )


def _energy(potential: AbstractPotential, rest: Atoms, *, relaxed: bool) -> float:
    if not relaxed:
        [found] = predict_structures(potential, [rest])
        return found.energy
    ended = relax(
        rest, potential, keep_symmetry=False, fixed_cell=True, fmax=VACANCY_FMAX
    )
    if not ended.is_converged:
        raise AtomgraftError(
            f"The vacancy in {rest.get_chemical_formula()} is not relaxed after "
            f"{ended.n_steps} steps.",
            f"Forces below {VACANCY_FMAX} eV/Å are needed.",
            "Look at the forces of the model.",
        )
    return ended.energy
