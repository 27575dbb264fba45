"""From a frozen mode to a daughter structure: trial, relaxation, recognition."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.lattice.modulations import FrozenSpace
from atomgraft.lattice.order_parameters import Direction
from atomgraft.lattice.symmetry import (
    EXACT_SYMPREC,
    primitive_of,
    spglib_group,
    standardised,
)

AMPLITUDES = (0.02, 0.07, 0.2, 0.4, 0.7)
"""Å; displacements of the atom that moves most."""

SYMPRECS = (1e-2, 5e-3, 1e-3)
"""Å; tolerances at which a relaxed crystal's space group is sought, widest first. One
is taken where making the crystal exactly symmetric costs next to no energy."""

SYMMETRISING = 0.02
"""meV/atom; what that may cost."""

SAME_ENERGY = 0.1
"""meV/atom; two crystals further apart are two."""

SAME_DISTANCE = 0.03
"""Å; two crystals with neighbours further off are two."""

N_NEIGHBOURS = 24
"""Of each element, whose distances are compared."""

FIRST_REACH = 6.0
"""Å; widened until every atom has as many neighbours."""

Energies = Callable[[Sequence[Atoms]], Sequence[float]]
"""Energies per atom of many structures, eV."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """A crystal with a wave frozen in, at the amplitude of lowest energy.

    Parameters
    ----------
    atoms
        Its primitive cell.
    direction
        Of the order parameter.
    amplitude
        Å, of the atom that moves most; negative along the opposite direction.
    energy
        Against the crystal without the wave, meV/atom.
    space_group
        Symbol and number.
    """

    atoms: Atoms
    direction: Direction
    amplitude: float
    energy: float
    space_group: str


def trials_of(
    space: FrozenSpace,
    directions: Sequence[Direction],
    energies: Energies,
    amplitudes: Sequence[float] = AMPLITUDES,
) -> tuple[Trial, ...]:
    """Look along each direction for the amplitude of lowest energy.

    Both signs are tried where they differ. Amplitudes grow until the energy rises; all
    directions are asked for one amplitude in one call.

    Parameters
    ----------
    space
        The waves.
    directions
        Of their amplitudes.
    energies
        What the potential says.
    amplitudes
        Å, ascending.

    Returns
    -------
    :
        Those that go down, lowest energy first.
    """
    signed = [
        (direction, sign)
        for direction in directions
        for sign in ((1, -1) if not direction.is_even else (1,))
    ]
    start = energies([primitive_of(space.supercell)])[0]
    best: dict[int, Trial] = {}
    descending = list(range(len(signed)))
    for amplitude in amplitudes:
        moved = [
            displaced(space, signed[i][0], signed[i][1] * amplitude) for i in descending
        ]
        found = energies(moved) if moved else []
        going_on = []
        for i, atoms, energy in zip(descending, moved, found, strict=True):
            gain = (energy - start) * 1000
            if gain < (best[i].energy if i in best else 0.0):
                best[i] = Trial(
                    atoms=atoms,
                    direction=signed[i][0],
                    amplitude=signed[i][1] * amplitude,
                    energy=gain,
                    space_group=spglib_group(atoms, EXACT_SYMPREC)[0],
                )
                going_on.append(i)
        descending = going_on
    return tuple(sorted(best.values(), key=lambda one: one.energy))


def displaced(space: FrozenSpace, direction: Direction, amplitude: float) -> Atoms:
    """Return the primitive cell of the crystal with a wave frozen in.

    Parameters
    ----------
    space
        The waves.
    direction
        Of their amplitudes.
    amplitude
        Å, of the atom that moves most.
    """
    atoms = space.supercell.copy()
    atoms.positions += amplitude * space.displacements(direction.amplitudes)
    return primitive_of(atoms)


def symmetrised(atoms: Atoms, energies: Energies) -> tuple[Atoms, float]:
    """Return the primitive cell, exactly symmetric, and the tolerance it was found at.

    Parameters
    ----------
    atoms
        A relaxed crystal, symmetric up to what relaxation leaves.
    energies
        What the potential says.
    """
    plain = primitive_of(atoms, SYMPRECS[-1])
    shapes = [standardised(atoms, one) for one in SYMPRECS]
    found = energies([plain, *shapes])
    for symprec, shape, energy in zip(SYMPRECS, shapes, found[1:], strict=True):
        if abs(energy - found[0]) * 1000 < SYMMETRISING:
            return shape, symprec
    return plain, 0.0


def is_same(one: Atoms, other: Atoms) -> bool:
    """Tell whether two primitive cells are one crystal, in whatever setting.

    The distances of every atom to its neighbours of each element are compared, the
    smallest with the smallest. Mirror images, which have one energy, count as one.

    Parameters
    ----------
    one, other
        Primitive cells.

    Examples
    --------
    >>> from ase.build import bulk
    >>> turned = bulk("Si")
    >>> turned.rotate(30, "x", rotate_cell=True)
    >>> is_same(bulk("Si"), turned), is_same(bulk("Si"), bulk("Si", a=5.6))
    (True, False)
    """
    if sorted(one.numbers.tolist()) != sorted(other.numbers.tolist()):
        return False
    first, second = neighbour_distances(one), neighbour_distances(other)
    return all(
        float(np.abs(first[pair] - second[pair]).max()) < SAME_DISTANCE
        for pair in first
    )


def neighbour_distances(
    atoms: Atoms, n: int = N_NEIGHBOURS
) -> dict[tuple[int, int], Float[np.ndarray, "atoms neighbours"]]:
    """Return sorted distances to the nearest neighbours by pair of elements, Å.

    Parameters
    ----------
    atoms
        Periodic in all directions.
    n
        Neighbours of each element.
    """
    from ase.neighborlist import neighbor_list

    elements = sorted(set(atoms.numbers.tolist()))
    reach = FIRST_REACH
    while True:
        i, j, d = neighbor_list("ijd", atoms, reach)
        counts = [
            np.bincount(i[atoms.numbers[j] == b], minlength=len(atoms))
            for b in elements
        ]
        if np.min(counts) >= n:
            break
        reach *= 1.3
    found = {}
    for a in elements:
        for b in elements:
            rows = [
                np.sort(d[(i == k) & (atoms.numbers[j] == b)])[:n]
                for k in np.flatnonzero(atoms.numbers == a)
            ]
            found[a, b] = np.sort(np.array(rows), axis=0)
    return found
