"""Distances of structures whose atoms correspond one to one.

Structures of one kind have the same elements in the same order, the same periodic
directions, nearly the same cell and, if periodic, every atom near its site. Their
positions are compared as fractional coordinates in a common cell, nearest image,
without the mean translation.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

CELL_TOLERANCE = 0.1
"""Relative difference of cells up to which two structures are of one kind."""

SAME_BASIN = 1.5
"""Å; an atom that is further away has left its site, and a mean over both sites
would mean nothing."""

BLOCK = 512
"""Rows of a distance matrix that are held at a time."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """Structures whose atoms correspond one to one.

    Parameters
    ----------
    members
        Their places in the sequence that was given.
    displacements
        From the first member, without mean translation, Å.
    cells
        Å
    is_periodic
        In at least one direction.
    """

    members: Int[np.ndarray, " members"]
    displacements: Float[np.ndarray, "members coordinates"]
    cells: Float[np.ndarray, "members 9"]
    is_periodic: bool

    @property
    def n_atoms(self) -> int:
        """Number of atoms of each member."""
        return self.displacements.shape[1] // 3


def group_kinds(structures: Sequence[Atoms]) -> list[Kind]:
    """Sort structures into kinds, each in order of appearance.

    Examples
    --------
    >>> [kind.members.tolist() for kind in group_kinds([Atoms("H"), Atoms("O")])]
    [[0], [1]]
    """
    kinds: dict[bytes, list[list[int]]] = {}
    for i, atoms in enumerate(structures):
        key = atoms.numbers.tobytes() + bytes(atoms.pbc.tolist())
        groups = kinds.setdefault(key, [])
        for group in groups:
            if _is_near(structures[group[0]], atoms):
                group.append(i)
                break
        else:
            groups.append([i])
    return [_kind(structures, group) for groups in kinds.values() for group in groups]


def _is_near(first: Atoms, other: Atoms) -> bool:
    if cell_difference(first.cell.array, other.cell.array) > CELL_TOLERANCE:
        return False
    if not first.pbc.any():  # a molecule turns: it has no sites to stay near
        return True
    moved = displacement(first, other)
    return float(np.linalg.norm(moved, axis=1).max()) < SAME_BASIN


def displacement(first: Atoms, other: Atoms) -> Float[np.ndarray, "atoms 3"]:
    """Return how far atoms moved, Å: nearest image, no common translation.

    Parameters
    ----------
    first
        Its cell turns fractional displacements into Cartesian ones.
    other
        Its atoms are in the same order.
    """
    moved = _fractional(other) - _fractional(first)
    moved[:, first.pbc] -= np.round(moved[:, first.pbc])
    moved = moved @ first.cell.complete().array
    return moved - moved.mean(axis=0)


def cell_difference(
    one: Float[np.ndarray, "3 3"], other: Float[np.ndarray, "3 3"]
) -> float:
    """Return the norm of the difference of two cells over the norm of the larger."""
    size = max(float(np.linalg.norm(one)), float(np.linalg.norm(other)))
    return float(np.linalg.norm(one - other)) / size if size else 0.0


def _kind(structures: Sequence[Atoms], members: list[int]) -> Kind:
    first = structures[members[0]]
    rows = [displacement(first, structures[i]).ravel() for i in members]
    return Kind(
        members=np.array(members),
        displacements=np.array(rows),
        cells=np.array([structures[i].cell.array.ravel() for i in members]),
        is_periodic=bool(first.pbc.any()),
    )


def _fractional(atoms: Atoms) -> Float[np.ndarray, "atoms 3"]:
    return np.linalg.solve(atoms.cell.complete().array.T, atoms.positions.T).T


def close_pairs(kind: Kind, tolerance: float) -> Iterator[tuple[int, int]]:
    """Yield pairs of members no atom of which differs by more than `tolerance`.

    Parameters
    ----------
    kind
        Structures of one kind.
    tolerance
        Of positions (largest displacement of an atom) and cell vectors, Å.
    """
    flat = np.hstack([kind.displacements, kind.cells])
    squares = (flat**2).sum(axis=1)
    limit = tolerance**2 * (kind.n_atoms + 3)
    slack = 1e-9 * (1 + float(squares.max()))  # rounding of the difference of squares
    for start in range(0, len(flat), BLOCK):
        rows = flat[start : start + BLOCK]
        distances = squares[start : start + BLOCK, None] + squares - 2 * rows @ flat.T
        for a, b in np.argwhere(distances < limit + slack):
            if start + a < b:
                moved = (rows[a] - flat[b]).reshape(-1, 3)
                if np.linalg.norm(moved, axis=1).max() < tolerance:
                    yield int(kind.members[start + a]), int(kind.members[b])


def patterns(kind: Kind) -> Float[np.ndarray, "members coordinates"]:
    """Return displacements from the median structure, Å.

    The median, because a few hot frames would pull the mean away from the sites
    of the others.
    """
    return kind.displacements - np.median(kind.displacements, axis=0)


def cosines(
    rows: Float[np.ndarray, "rows coordinates"],
    columns: Float[np.ndarray, "columns coordinates"],
) -> Float[np.ndarray, "rows columns"]:
    """Return the cosines between displacement patterns, none of them zero.

    Independent displacements of N atoms have a cosine of 0 ± 1/√(3N), whatever
    their amplitudes; consecutive frames of a trajectory have one near 1.

    Examples
    --------
    >>> cosines(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 1.0]])).tolist()
    [[1.0, 0.0]]
    """

    def unit(vectors: Float[np.ndarray, "rows coordinates"]) -> np.ndarray:
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return unit(rows) @ unit(columns).T
