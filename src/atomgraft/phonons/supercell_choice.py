"""The order in which displaced supercells are labelled."""

import dataclasses
import operator
from collections import Counter
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.data.partners import SAME_PLACE, SMALL
from atomgraft.lattice.supercells import (
    SYMPREC,
    all_displacements,
    displaced_supercells,
    ideal_supercell,
    prepare,
)
from atomgraft.lattice.symmetry import images_of_atoms

Displacements = Float[np.ndarray, "frames atoms 3"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Displaced:
    """The atom that a supercell displaces.

    Parameters
    ----------
    atom
        Its number.
    images
        How many atoms of the supercell symmetry makes of it.
    mass
        u
    """

    atom: int
    images: int
    mass: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Team:
    """Supercells that are labelled together: one, or two at opposite displacements.

    Apart, the two cannot train as a force difference.

    Parameters
    ----------
    supercells
        Their numbers.
    displaced
        None where a supercell of the crystal displaces many atoms, or one so far that
        it does not train as a difference without a word.
    """

    supercells: tuple[int, ...]
    displaced: Displaced | None = None


def displaced(crystal: Atoms, distance: float, n: int) -> list[Atoms]:
    """Return the supercells of a phonon calculation, one atom of each displaced.

    Parameters
    ----------
    crystal
        The supercell, periodic in all directions.
    distance
        Å
    n
        How many at most, chosen by :func:`chosen_supercells`; symmetry may leave fewer
        that differ.

    Raises
    ------
    BadInputError
        The structure is not periodic.

    Examples
    --------
    >>> from ase.build import bulk
    >>> len(displaced(bulk("Si"), 0.01, 8))
    1
    """
    phonon = prepare(
        crystal, supercell=np.eye(3, dtype=int), primitive=np.eye(3), distance=distance
    )
    made, ideal = displaced_supercells(phonon), ideal_supercell(phonon)
    teams = teams_of(ideal, all_displacements(phonon), SYMPREC)
    return [made[i] for i in chosen_supercells(teams, n, is_rest_answered=True)]


def teams_of(
    ideal: Atoms, displacements: Displacements, symprec: float
) -> tuple[Team, ...]:
    """Return the displaced supercells of a crystal, opposite ones together.

    Parameters
    ----------
    ideal
        The supercell, nothing displaced.
    displacements
        Å
    symprec
        Tolerance of the symmetry search, Å.
    """
    found = _opposite_together(displacements)
    lengths = np.linalg.norm(displacements, axis=2)
    is_single = ((lengths > 0).sum(axis=1) == 1).all()
    if not is_single or lengths.max() > SMALL:
        return tuple(Team(supercells=one) for one in found)
    images, masses = images_of_atoms(ideal, symprec), ideal.get_masses()
    atoms = [int(lengths[one[0]].argmax()) for one in found]
    return tuple(
        Team(
            supercells=one,
            displaced=Displaced(
                atom=i, images=int(images[i]), mass=round(float(masses[i]), 3)
            ),
        )
        for one, i in zip(found, atoms, strict=True)
    )


def _opposite_together(displacements: Displacements) -> list[tuple[int, ...]]:
    left = list(range(len(displacements)))
    found: list[tuple[int, ...]] = []
    while left:
        i = left.pop(0)
        apart = np.abs(displacements[left] + displacements[i])
        others = [left[k] for k in np.flatnonzero(apart.max((1, 2)) < SAME_PLACE)[:1]]
        left = [j for j in left if j not in others]
        found.append((i, *others))
    return found


def chosen_supercells(
    teams: Sequence[Team], n: int, *, is_rest_answered: bool
) -> tuple[int, ...]:
    """Choose supercells to label, those at opposite displacements together.

    Where the base answers for the rest, the atoms with the most images by symmetry
    come first, since they determine the most force constants; of equals the lighter
    one, in whose motion an error of forces weighs more; and all displacements of one
    atom before the next. Elsewhere every displaced atom comes once before one comes
    twice: nothing else would hold it in place.

    Parameters
    ----------
    teams
        In the order in which equals are chosen.
    n
        How many. Where there is no room for both of a pair, a smaller team takes its
        place, and there may be fewer; a single label of a crystal that has none but
        pairs is one of a pair.
    is_rest_answered
        Supercells without labels have forces all the same.

    Returns
    -------
    :
        In rising order.

    Examples
    --------
    >>> few = Displaced(atom=0, images=2, mass=1.0)
    >>> many = Displaced(atom=9, images=24, mass=16.0)
    >>> teams = [Team(supercells=(i,), displaced=few) for i in (0, 1)]
    >>> teams += [Team(supercells=(2, 3), displaced=many)]
    >>> chosen_supercells(teams, 2, is_rest_answered=True)
    (2, 3)
    """
    is_known = all(team.displaced is not None for team in teams)
    is_by_images = is_rest_answered and is_known
    order = _most_images_first if is_by_images else _one_atom_after_another
    ordered = order(teams)
    chosen: list[int] = []
    for team in ordered:
        there = team.supercells
        chosen += there if len(chosen) + len(there) <= n else ()
    return tuple(sorted(chosen or ordered[0].supercells[:n]))


def _most_images_first(teams: Sequence[Team]) -> list[Team]:
    """Order teams by the images of their atom, single ones of an atom before pairs."""
    first: dict[int, int] = {}
    for i, team in enumerate(teams):
        first.setdefault(_displaced(team).atom, i)

    def key(team: Team) -> tuple[int, float, int, int]:
        one = _displaced(team)
        return -one.images, one.mass, first[one.atom], len(team.supercells)

    return sorted(teams, key=key)


def _displaced(team: Team) -> Displaced:
    assert team.displaced is not None  # of all or none
    return team.displaced


def _one_atom_after_another(teams: Sequence[Team]) -> list[Team]:
    """Order teams of supercells: the first of every atom come first."""
    seen: Counter[int | None] = Counter()
    rounds: list[int] = []
    for team in teams:
        atom = None if team.displaced is None else team.displaced.atom
        rounds.append(0 if atom is None else seen[atom])
        seen[atom] += 1
    in_rounds = sorted(zip(rounds, teams, strict=True), key=operator.itemgetter(0))
    return [team for _, team in in_rounds]
