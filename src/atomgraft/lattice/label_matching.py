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
"""Of the length of a cell vector; labels at another strain are those of another
crystal."""

TRIED = 64
"""Atoms at most whose sites are tried for the first atom of a frame."""


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
    """

    displacements: Float[np.ndarray, "frames atoms 3"]
    forces: Float[np.ndarray, "frames atoms 3"]
    frames: tuple[int, ...]
    other: dict[int, str]
    n_reordered: int

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
    >>> from ase.calculators.singlepoint import SinglePointCalculator
    >>> from atomgraft.lattice.supercells import prepare
    >>> phonon = prepare(bulk("Si", a=5.431), supercell=np.diag([2, 2, 2]))
    >>> frame = ideal_supercell(phonon)[::-1]
    >>> frame.rattle(0.01)
    >>> frame.arrays["REF_forces"] = np.zeros((16, 3))
    >>> match_labels([frame], phonon, "an example").n_reordered
    1
    """
    ideal = ideal_supercell(phonon)
    displacements, forces, chosen = [], [], []
    other: dict[int, str] = {}
    n_reordered = 0
    for i, frame in enumerate(frames):
        found = _placed(frame, ideal)
        if isinstance(found, str):
            other[i] = found
            continue
        displacements.append(found.displacement)
        forces.append(found.forces)
        chosen.append(i)
        n_reordered += not found.is_as_it_stands
    if not chosen:
        raise _none_matches(other, ideal, origin)
    return Matched(
        displacements=np.array(displacements),
        forces=np.array(forces),
        frames=tuple(chosen),
        other=other,
        n_reordered=n_reordered,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Placed:
    """A frame in the orientation, origin and order of the ideal supercell."""

    displacement: Float[np.ndarray, "atoms 3"]
    forces: Float[np.ndarray, "atoms 3"]
    is_as_it_stands: bool

    @property
    def distance(self) -> float:
        return float(np.square(self.displacement).sum())


def _placed(frame: Atoms, ideal: Atoms) -> _Placed | str:
    """Return a frame brought to the ideal supercell, or say why it is none."""
    forces = forces_of(frame)
    if forces is None:
        return "has no forces"
    if sorted(frame.numbers) != sorted(ideal.numbers):
        return (
            f"is {frame.get_chemical_formula()}, the supercell is "
            f"{ideal.get_chemical_formula()}"
        )
    turns = list(_turns(frame, ideal)) if frame.pbc.all() else []
    if not turns:
        return f"has another cell, {_edges(frame)}"
    if np.array_equal(frame.numbers, ideal.numbers):
        turn = turns[0]
        shift = frame.positions @ turn - ideal.positions
        moved = _around_zero(_shortest(shift, ideal))
        if _is_near(moved):
            is_same = bool(np.allclose(turn, np.eye(3), atol=SAME_CELL))
            return _Placed(
                displacement=moved, forces=forces @ turn, is_as_it_stands=is_same
            )
    found: list[_Placed] = []
    for turn in turns:
        turned = frame.copy()
        turned.set_cell(ideal.cell)
        turned.positions = frame.positions @ turn
        if (placed := _reordered(turned, ideal)) is not None:
            order, moved = placed
            found.append(
                _Placed(
                    displacement=moved,
                    forces=(forces @ turn)[order],
                    is_as_it_stands=False,
                )
            )
    if not found:
        return f"has atoms further than {FARTHEST} Å from every site of the crystal"
    return min(found, key=lambda one: one.distance)


def _turns(frame: Atoms, ideal: Atoms) -> Iterator[Float[np.ndarray, "3 3"]]:
    """Yield rotations that bring the cell of a frame to the ideal one.

    Its vectors may stand in another order or have another sign.
    """
    size = ideal.cell.lengths().max()
    metric = ideal.cell.array @ ideal.cell.array.T
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            cell = np.array(signs)[:, None] * frame.cell.array[list(order)]
            if np.abs(cell @ cell.T - metric).max() < 2 * SAME_CELL * size**2:
                turn = np.linalg.solve(cell, ideal.cell.array)
                left, _, right = np.linalg.svd(turn)  # strain within the tolerance
                yield left @ right


def _edges(atoms: Atoms) -> str:
    lengths = ", ".join(f"{one:.4g}" for one in atoms.cell.lengths())
    angles = ", ".join(f"{one:.4g}" for one in atoms.cell.angles())
    return f"edges {lengths} Å, angles {angles}°"


def _reordered(
    frame: Atoms, ideal: Atoms
) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]] | None:
    """Return which atom of a frame is at each site, and how far from it."""
    numbers, counts = np.unique(ideal.numbers, return_counts=True)
    rarest = numbers[counts.argmin()]
    first = int(np.flatnonzero(frame.numbers == rarest)[0])
    best: tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]] | None = None
    for site in np.flatnonzero(ideal.numbers == rarest)[:TRIED]:
        shift = ideal.positions[site] - frame.positions[first]
        found = _assigned(frame, ideal, shift)
        if found is None:
            continue
        if best is None or np.square(found[1]).sum() < np.square(best[1]).sum() - 1e-9:
            best = found
    return best


def _assigned(
    frame: Atoms, ideal: Atoms, shift: Float[np.ndarray, "3"]
) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]] | None:
    """Return the atom at each site if a frame is moved by a vector, if all have one."""
    order = np.empty(len(ideal), dtype=int)
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3))) @ ideal.cell.array
    for number in np.unique(ideal.numbers):
        sites = np.flatnonzero(ideal.numbers == number)
        atoms = np.flatnonzero(frame.numbers == number)
        places = ideal.copy()[sites]
        places.wrap()
        around = (places.positions[None] + shifts[:, None]).reshape(-1, 3)
        moved = Atoms(
            frame.numbers[atoms],
            frame.positions[atoms] + shift,
            cell=ideal.cell,
            pbc=True,
        )
        moved.wrap()
        apart, nearest = KDTree(around).query(moved.positions)
        taken = nearest % len(sites)
        if apart.max() > 2 * FARTHEST or len(np.unique(taken)) < len(sites):
            return None
        order[sites[taken]] = atoms
    moved = frame.positions[order] + shift - ideal.positions
    moved = _around_zero(_shortest(moved, ideal))
    return (order, moved) if _is_near(moved) else None


def _shortest(
    vectors: Float[np.ndarray, "atoms 3"], ideal: Atoms
) -> Float[np.ndarray, "atoms 3"]:
    from ase.geometry import find_mic

    return find_mic(vectors, ideal.cell, pbc=True)[0]


def _around_zero(
    displacement: Float[np.ndarray, "atoms 3"],
) -> Float[np.ndarray, "atoms 3"]:
    """Return displacements without their mean, which moves the crystal as a whole."""
    return displacement - displacement.mean(axis=0)


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
