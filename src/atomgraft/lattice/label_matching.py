"""Displaced supercells of a crystal, found among labelled structures."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import forces_of
from atomgraft.lattice.supercells import ideal_supercell

if TYPE_CHECKING:
    from phonopy import Phonopy

FARTHEST = 0.6
"""Å; an atom further from every site of its species belongs to another structure."""

SAME_CELL = 1e-3
"""Largest strain; labels in another cell are those of another crystal."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Matched:
    """Labelled supercells of a crystal, atoms in the order of its supercell.

    Parameters
    ----------
    displacements
        Å; the mean over atoms is zero.
    forces
        eV/Å
    frames
        Their numbers among what was given.
    other
        Why each of the others is none, by number.
    n_reordered
        Frames whose atoms stood in another order or orientation.
    strain
        Largest relative difference of their cells from the crystal's.
    """

    displacements: Float[np.ndarray, "frames atoms 3"]
    forces: Float[np.ndarray, "frames atoms 3"]
    frames: tuple[int, ...]
    other: dict[int, str]
    n_reordered: int
    strain: float

    @property
    def largest(self) -> float:
        """Largest displacement of an atom, Å."""
        lengths = np.linalg.norm(self.displacements, axis=2)
        return float(lengths.max()) if lengths.size else 0.0


def match_labels(frames: Sequence[Atoms], phonon: "Phonopy", origin: str) -> Matched:
    """Find the displaced supercells of a crystal among labelled structures.

    Parameters
    ----------
    frames
        In any order of atoms, moved and turned as a whole.
    phonon
        The crystal and its supercell.
    origin
        Where they are from, for messages.

    Raises
    ------
    BadInputError
        None of them is one.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.lattice.supercells import prepare
    >>> phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([2, 2, 2]))
    >>> frame = ideal_supercell(phonon)[::-1]
    >>> frame.rattle(0.01)
    >>> frame.arrays["REF_forces"] = np.zeros((16, 3))
    >>> match_labels([frame], phonon, "an example").n_reordered
    1
    """
    ideal = ideal_supercell(phonon)
    starts = [int(one) for one in phonon.primitive.p2s_map]
    displacements, forces, chosen = [], [], []
    strain = 0.0
    other: dict[int, str] = {}
    n_reordered = 0
    for i, frame in enumerate(frames):
        found = _placed(frame, ideal, starts)
        if isinstance(found, str):
            other[i] = found
            continue
        displacements.append(found.displacement)
        forces.append(found.forces)
        chosen.append(i)
        strain = max(strain, found.strain)
        n_reordered += not found.is_as_it_stands
    if not chosen:
        raise _none_matches(other, ideal, origin)
    return Matched(
        displacements=np.array(displacements),
        forces=np.array(forces),
        frames=tuple(chosen),
        other=other,
        n_reordered=n_reordered,
        strain=strain,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Placed:
    """A frame in the cell, orientation, origin and order of the ideal supercell."""

    displacement: Float[np.ndarray, "atoms 3"]
    forces: Float[np.ndarray, "atoms 3"]
    strain: float
    is_as_it_stands: bool

    @property
    def distance(self) -> float:
        return float(np.square(self.displacement).sum())


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Turned:
    """A frame in the cell of the ideal supercell; a strain is taken off."""

    positions: Float[np.ndarray, "atoms 3"]
    forces: Float[np.ndarray, "atoms 3"]
    strain: float
    is_same: bool


def _placed(frame: Atoms, ideal: Atoms, starts: Sequence[int]) -> _Placed | str:
    """Return a frame brought to the ideal supercell, or say why it is none."""
    if reason := _refusal(frame, ideal):
        return reason
    turns = list(_turns(frame, ideal))
    if not turns:
        return f"has another cell, {_edges(frame)}"
    as_it_stands = np.arange(len(ideal))
    found: list[_Placed] = []
    for turned in turns:
        if np.array_equal(frame.numbers, ideal.numbers):
            moved = _displacement(turned.positions - ideal.positions, ideal)
            if _is_near(moved):
                return _of(turned, as_it_stands, moved)
    for turned in turns:
        placed = _reordered(frame.numbers, turned.positions, ideal, starts)
        if placed is not None:
            found.append(_of(turned, *placed))
    if not found:
        return f"has atoms further than {FARTHEST} Å from every site of the crystal"
    return min(found, key=lambda one: one.distance)


def _refusal(frame: Atoms, ideal: Atoms) -> str:
    """Say why a frame cannot be this supercell, whatever its cell; or nothing."""
    if forces_of(frame) is None:
        return "has no forces"
    if sorted(frame.numbers) != sorted(ideal.numbers):
        return (
            f"is {frame.get_chemical_formula()}, the supercell is "
            f"{ideal.get_chemical_formula()}"
        )
    if not frame.pbc.all() or frame.cell.rank < 3:
        return "is not periodic in three directions"
    return ""


def _of(
    turned: _Turned,
    order: Int[np.ndarray, " atoms"],
    moved: Float[np.ndarray, "atoms 3"],
) -> _Placed:
    is_in_order = bool((order == np.arange(len(order))).all())
    return _Placed(
        displacement=moved,
        forces=turned.forces[order],
        strain=turned.strain,
        is_as_it_stands=turned.is_same and is_in_order,
    )


def _turns(frame: Atoms, ideal: Atoms) -> Iterator[_Turned]:
    """Yield a frame with its cell vectors brought to the ideal ones.

    They may stand in another order or have another sign, and the whole may be turned.
    """
    forces = forces_of(frame)
    assert forces is not None  # its caller has looked
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            cell = np.array(signs)[:, None] * frame.cell.array[list(order)]
            turn = np.linalg.solve(cell, ideal.cell.array)
            left, stretches, right = np.linalg.svd(turn)
            strain = float(np.abs(stretches - 1).max())
            if strain > SAME_CELL:
                continue
            rotation = left @ right
            yield _Turned(
                positions=frame.positions @ turn,
                forces=forces @ rotation,
                strain=strain,
                is_same=bool(np.allclose(rotation, np.eye(3), atol=2 * SAME_CELL)),
            )


def _edges(atoms: Atoms) -> str:
    lengths = ", ".join(f"{one:.4g}" for one in atoms.cell.lengths())
    angles = ", ".join(f"{one:.4g}" for one in atoms.cell.angles())
    return f"edges {lengths} Å, angles {angles}°"


def _reordered(
    numbers: Int[np.ndarray, " atoms"],
    positions: Float[np.ndarray, "atoms 3"],
    ideal: Atoms,
    starts: Sequence[int],
) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]] | None:
    """Return which atom of a frame is at each site, and how far from it.

    An atom of the rarest kind is put on one site of each sublattice; the rest follows.
    """
    kinds, counts = np.unique(ideal.numbers, return_counts=True)
    rarest = kinds[counts.argmin()]
    first = int(np.flatnonzero(numbers == rarest)[0])
    best: tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]] | None = None
    for site in starts:
        if ideal.numbers[site] != rarest:
            continue
        shift = ideal.positions[site] - positions[first]
        found = _assigned(numbers, positions + shift, ideal)
        if found is None:
            continue
        if best is None or np.square(found[1]).sum() < np.square(best[1]).sum() - 1e-9:
            best = found
    return best


def _assigned(
    numbers: Int[np.ndarray, " atoms"],
    positions: Float[np.ndarray, "atoms 3"],
    ideal: Atoms,
) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]] | None:
    """Return the atom at each site and its displacement, if every site has one."""
    order = np.empty(len(ideal), dtype=int)
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3))) @ ideal.cell.array
    for number in np.unique(ideal.numbers):
        sites = np.flatnonzero(ideal.numbers == number)
        atoms = np.flatnonzero(numbers == number)
        places = ideal[sites]
        places.wrap()
        around = (places.positions[None] + shifts[:, None]).reshape(-1, 3)
        moved = Atoms(numbers[atoms], positions[atoms], cell=ideal.cell, pbc=True)
        moved.wrap()
        apart, nearest = KDTree(around).query(moved.positions)
        taken = nearest % len(sites)
        if apart.max() > 2 * FARTHEST or len(np.unique(taken)) < len(sites):
            return None
        order[sites[taken]] = atoms
    moved = _displacement(positions[order] - ideal.positions, ideal)
    return (order, moved) if _is_near(moved) else None


def _displacement(
    vectors: Float[np.ndarray, "atoms 3"], ideal: Atoms
) -> Float[np.ndarray, "atoms 3"]:
    """Return the shortest displacements without their mean, which moves the whole."""
    from ase.geometry import find_mic

    shortest = find_mic(vectors - vectors[0], ideal.cell, pbc=True)[0]
    return shortest - shortest.mean(axis=0)


def _is_near(displacement: Float[np.ndarray, "atoms 3"]) -> bool:
    return bool(np.linalg.norm(displacement, axis=1).max() < FARTHEST)


def _none_matches(other: dict[int, str], ideal: Atoms, origin: str) -> BadInputError:
    first = "there are no structures"
    if other:
        number, reason = next(iter(other.items()))
        first = f"structure {number} {reason}"
    return BadInputError(
        f"{origin} has no labelled supercell of this crystal: {first}.",
        f"Expected {ideal.get_chemical_formula()} with forces, in the cell with "
        f"{_edges(ideal)}, and atoms displaced by less than {FARTHEST} Å.",
        "Give the crystal and --supercell that the labels were made for; 'atomgraft "
        "check FILE' shows what is in a file.",
    )
