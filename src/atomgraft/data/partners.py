"""Force differences: frames and their partners at the opposite displacement.

In a displaced supercell the force that is left at the undisplaced geometry is often
larger than the response to the displacement. A difference of two frames has the
response alone: F(u) - F(-u), where F(-u) is another frame or, by a symmetry of the
undisplaced crystal, the same frame seen from another side; or F(u) - F(0).
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import forces_of
from atomgraft.data.space_groups import space_group

DISPLACEMENT = "displacement"
"""Array of a frame: its displacement from the undisplaced crystal, Å."""

SYMMETRY_TOLERANCE = "symmetry_tolerance"
"""Entry of ``info``: tolerance of the symmetry search of the crystal, Å."""

SYMPREC = 1e-5
"""Å, where the frame says nothing."""

CALCULATION = "atomgraft_calculation"
"""Entry of ``info``: what the forces come from, where a set has forces of two kinds. A
difference is taken within one."""

RELATIVE_TOLERANCE = 1e-3
"""Of a displacement, within which two are opposite."""

SAME_PLACE = 1e-5
"""Å, within which two undisplaced crystals are one."""

SMALL = 0.1
"""Å; the even part of the response to a larger displacement is worth learning."""

Mode = Literal["auto", "always", "required", "never"]
"""Which frames train as differences. ``auto``: those with one displaced atom, by
`SMALL` at most, and a partner; ``always``: all with a partner; ``required``: as
always, and a frame without is refused; ``never``: none."""

Kind = Literal["symmetry", "opposite", "undisplaced", "reference"]
"""Where the partner comes from; ``reference`` is the undisplaced crystal itself, whose
own difference is zero."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Partner:
    """The frame whose forces are subtracted, and how it is turned before.

    Parameters
    ----------
    kind
        Why the two belong together.
    index
        Of the partner among the frames; the frame's own where symmetry provides it.
    rotation
        Turns a force of the partner, as a column.
    permutation
        The atom of the partner that comes to lie on each atom.
    share
        Of the difference: one half for opposite displacements, one for F(u) - F(0).
    """

    kind: Kind
    index: int
    rotation: Float[np.ndarray, "3 3"]
    permutation: Int[np.ndarray, " atoms"]
    share: float

    @property
    def has_copies(self) -> bool:
        """Whether numbers of the difference stand in another place as well.

        All of them in the frame at the opposite displacement; on the atoms that a
        symmetry exchanges, where one leads there.
        """
        return self.kind in {"opposite", "symmetry"}

    def difference(
        self,
        own: Float[np.ndarray, "atoms 3 *columns"],
        other: Float[np.ndarray, "atoms 3 *columns"],
    ) -> Float[np.ndarray, "atoms 3 *columns"]:
        """Return the response in forces, eV/Å, or the change of it in some columns.

        Parameters
        ----------
        own
            Forces of the frame, eV/Å.
        other
            Those of the partner, eV/Å.
        """
        turned = np.einsum("ij,aj...->ai...", self.rotation, other[self.permutation])
        return self.share * (own - turned)


def count_kinds(partners: Sequence[Partner | None]) -> Counter[Kind]:
    """Return how many frames have a partner, by kind.

    Parameters
    ----------
    partners
        Of each frame.

    Examples
    --------
    >>> count_kinds([None]).total()
    0
    """
    return Counter(one.kind for one in partners if one is not None)


def find_partners(structures: Sequence[Atoms], mode: Mode) -> list[Partner | None]:
    """Return the partner of each frame; none where it trains as it is.

    Parameters
    ----------
    structures
        Labelled frames; those with an array `DISPLACEMENT` can have partners.
    mode
        Which of them train as differences.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.data.labels import set_labels
    >>> atoms = bulk("Cu", cubic=True)
    >>> displacement = np.zeros((4, 3))
    >>> displacement[0, 0] = 0.01
    >>> atoms.positions += displacement
    >>> atoms.arrays[DISPLACEMENT] = displacement
    >>> set_labels(atoms, forces=np.zeros((4, 3)))
    >>> [partner] = find_partners([atoms], "auto")
    >>> partner.kind, partner.index
    ('symmetry', 0)
    """
    partners: list[Partner | None] = [None] * len(structures)
    if mode == "never":
        return partners
    for crystal in _crystals(structures, is_everything=mode != "auto"):
        for i in crystal.members:
            partners[i] = crystal.partner(i)
        if crystal.origin is not None and crystal.members:
            partners[crystal.origin] = crystal.reference(crystal.origin)
    return partners


def opposites(structures: Sequence[Atoms]) -> dict[int, int]:
    """Return frames at opposite displacements, each with the other.

    Parameters
    ----------
    structures
        Labelled frames.
    """
    return {
        i: other
        for crystal in _crystals(structures, is_everything=True)
        for i in crystal.members
        if (other := crystal.opposite(i)) is not None
    }


def is_undisplaced(atoms: Atoms) -> bool:
    """Return whether a frame is marked as the undisplaced crystal.

    Examples
    --------
    >>> is_undisplaced(Atoms("H"))
    False
    """
    displacement = atoms.arrays.get(DISPLACEMENT)
    return displacement is not None and not np.any(displacement)


def require_partners(
    structures: Sequence[Atoms], partners: Sequence[Partner | None]
) -> None:
    """Check that every frame with forces has a partner.

    Parameters
    ----------
    structures
        Labelled frames.
    partners
        Of each.

    Raises
    ------
    BadInputError
        One has none; the first is named.
    """
    alone = [
        i
        for i, (atoms, partner) in enumerate(zip(structures, partners, strict=True))
        if partner is None and forces_of(atoms) is not None
    ]
    if not alone:
        return
    place = structures[alone[0]].info.get("source", f"structure {alone[0]}")
    raise BadInputError(
        f"{len(alone)} of {len(structures)} structures have no partner for a force "
        f"difference; the first is {place}.",
        "With training.differences: required, each needs a displacement, and a frame "
        "at the opposite one, a symmetry that leads there, or the undisplaced cell.",
        "Add those frames, or set it to auto.",
    )


def _plain_partner(kind: Kind, index: int, n_atoms: int, share: float) -> Partner:
    return Partner(
        kind=kind,
        index=index,
        rotation=np.eye(3),
        permutation=np.arange(n_atoms),
        share=share,
    )


class _Crystal:
    """An undisplaced crystal and the frames that are displaced from it."""

    def __init__(self, rest: Atoms, symprec: float) -> None:
        self.rest = rest
        self.calculation = rest.info.get(CALCULATION)
        self.symprec = symprec
        self.members: dict[int, Float[np.ndarray, "atoms 3"]] = {}
        self.origin: int | None = None
        self._by_displacement: dict[bytes, int] = {}
        self._operations: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def size(self) -> int:
        """Number of atoms."""
        return len(self.rest)

    def is_of(self, rest: Atoms) -> bool:
        """Return whether an undisplaced crystal is this one, atom by atom."""
        return (
            rest.info.get(CALCULATION) == self.calculation
            and np.array_equal(rest.numbers, self.rest.numbers)
            and np.allclose(rest.cell.array, self.rest.cell.array, 0, SAME_PLACE)
            and np.allclose(rest.positions, self.rest.positions, 0, SAME_PLACE)
            and np.array_equal(_moments(rest), _moments(self.rest))
        )

    def add(self, i: int, displacement: Float[np.ndarray, "atoms 3"]) -> None:
        """Take in a frame."""
        if not displacement.any():
            self.origin = i
            return
        self.members[i] = displacement
        self._by_displacement[_key(displacement)] = i

    def partner(self, i: int) -> Partner | None:
        """Return the partner of a frame: by symmetry, at -u, or at rest."""
        by_symmetry = self._by_symmetry(i)
        if by_symmetry is not None:
            return by_symmetry
        j = self.opposite(i)
        if j is not None:
            return _plain_partner("opposite", j, self.size, 0.5)
        if self.origin is not None:
            return _plain_partner("undisplaced", self.origin, self.size, 1.0)
        return None

    def reference(self, i: int) -> Partner:
        """Return the partner of the undisplaced frame: itself, for no difference."""
        return _plain_partner("reference", i, self.size, 1.0)

    def opposite(self, i: int) -> int | None:
        """Return the frame at minus the displacement of frame `i`."""
        return self._by_displacement.get(_key(-self.members[i]))

    def _by_symmetry(self, i: int) -> Partner | None:
        """Return the frame itself where an operation turns u into -u."""
        displacement = self.members[i]
        tolerance = RELATIVE_TOLERANCE * float(np.abs(displacement).max())
        for rotation, turn, shift in self._candidates(displacement, tolerance):
            images = self._images(turn, shift)
            if images is None:
                continue
            left = displacement[images] + displacement @ rotation.T
            if (np.abs(left) < tolerance).all():
                return Partner(
                    kind="symmetry",
                    index=i,
                    rotation=rotation,
                    permutation=np.argsort(images),
                    share=0.5,
                )
        return None

    def _candidates(
        self, displacement: Float[np.ndarray, "atoms 3"], tolerance: float
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield operations that put the most displaced atom where it may be put.

        Each is a Cartesian rotation, and rotation and translation in fractions.
        """
        lengths = np.linalg.norm(displacement, axis=1)
        first = int(lengths.argmax())
        alike = np.flatnonzero(lengths > lengths[first] - 2 * tolerance)
        turns, shifts = self._symmetry()
        cell = self.rest.cell.array
        rotations = cell.T @ turns @ np.linalg.inv(cell).T
        wanted = -rotations @ displacement[first]
        places = self.rest.get_scaled_positions(wrap=False)
        moved = turns @ places[first] + shifts
        for atom in alike:
            is_turned = (np.abs(displacement[atom] - wanted) < tolerance).all(1)
            is_there = self._distances(moved, places[[atom]])[:, 0] < self.reach
            for k in np.flatnonzero(is_turned & is_there):
                yield rotations[k], turns[k], shifts[k]

    @property
    def reach(self) -> float:
        """Distance within which an operation puts an atom on another, Å."""
        return 10 * self.symprec

    def _images(
        self, turn: Int[np.ndarray, "3 3"], shift: Float[np.ndarray, "3"]
    ) -> Int[np.ndarray, " atoms"] | None:
        """Return where an operation puts each atom; none if somewhere is nobody."""
        places = self.rest.get_scaled_positions(wrap=False)
        distances = self._distances(places @ turn.T + shift, places)
        images = distances.argmin(1)
        is_whole = len(np.unique(images)) == self.size
        is_close = bool((distances.min(1) < self.reach).all())
        return images if is_whole and is_close else None

    def _distances(
        self, one: Float[np.ndarray, "some 3"], other: Float[np.ndarray, "others 3"]
    ) -> Float[np.ndarray, "some others"]:
        """Return distances between places, the nearest image of tiny ones, Å."""
        apart = one[:, None] - other[None]
        return np.linalg.norm((apart - np.rint(apart)) @ self.rest.cell.array, axis=2)

    def _symmetry(self) -> tuple[np.ndarray, np.ndarray]:
        """Return rotations and translations of the undisplaced crystal, fractional."""
        if self._operations is None:
            self._operations = space_group(self.rest, self.symprec)
        return self._operations


def _moments(atoms: Atoms) -> Float[np.ndarray, "..."]:
    return atoms.get_initial_magnetic_moments()


def _key(displacement: Float[np.ndarray, "atoms 3"]) -> bytes:
    return np.rint(displacement / SAME_PLACE).astype(np.int64).tobytes()


def _crystals(structures: Sequence[Atoms], *, is_everything: bool) -> list[_Crystal]:
    """Return the undisplaced crystals behind frames, each with its frames."""
    crystals: list[_Crystal] = []
    waiting: list[tuple[int, Atoms]] = []
    for i, atoms in enumerate(structures):
        displacement = atoms.arrays.get(DISPLACEMENT)
        if forces_of(atoms) is None:
            continue
        if displacement is None:
            waiting.append((i, atoms))
            continue
        if not is_everything and not _is_small(displacement):
            continue
        rest = atoms.copy()
        rest.positions -= displacement
        crystal = next((one for one in crystals if one.is_of(rest)), None)
        if crystal is None:
            symprec = float(atoms.info.get(SYMMETRY_TOLERANCE, SYMPREC))
            crystal = _Crystal(rest, symprec)
            crystals.append(crystal)
        crystal.add(i, displacement)
    for i, atoms in waiting:  # undisplaced cells from a file that does not say so
        for crystal in crystals:
            if crystal.origin is None and crystal.is_of(atoms):
                crystal.origin = i
    return crystals


def _is_small(displacement: Float[np.ndarray, "atoms 3"]) -> bool:
    """Return whether one atom at most is displaced, and not far."""
    lengths = np.linalg.norm(displacement, axis=1)
    return bool((lengths > 0).sum() <= 1 and lengths.max() <= SMALL)
