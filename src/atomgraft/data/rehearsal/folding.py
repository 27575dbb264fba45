"""A small cell from a supercell: repeats along a cell vector are folded onto one."""

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from atomgraft.data.rehearsal.disturbances import bare

SAME_SITE = 1.0
"""Å; atoms of one species that a shift brings this near stand for one another. Above
the displacements of hot and rattled crystals, below half a bond."""

MAX_REPEATS = 8
"""Along one vector."""

MAX_ATOMS = 600
"""Larger structures are not looked at: distances go with the square."""


def folded(atoms: Atoms) -> Atoms:
    """Return the smallest cell along the structure's own vectors that repeats in it.

    One repeat of a disturbed supercell is taken as it is, so that it stays disturbed.
    What does not repeat comes back whole.

    Parameters
    ----------
    atoms
        The structure; labels and other arrays are not taken over.

    Examples
    --------
    >>> from ase.build import bulk
    >>> len(folded(bulk("Si", cubic=True).repeat((3, 2, 2))))
    8
    """
    small = bare(atoms)
    if len(atoms) > MAX_ATOMS or atoms.cell.rank < 3:
        return small
    for axis in np.flatnonzero(atoms.pbc):
        for repeats in range(MAX_REPEATS, 1, -1):
            kept = _one_repeat(small, int(axis), repeats)
            if kept is not None:
                small = _shortened(small, int(axis), repeats, kept)
                break
    return small


def _one_repeat(
    atoms: Atoms, axis: int, repeats: int
) -> Int[np.ndarray, " kept"] | None:
    """Return one atom of each set that a shift by a part of a vector maps on itself."""
    if len(atoms) % repeats:
        return None
    images = _images(atoms, axis, repeats)
    if images is None:
        return None
    left = set(range(len(atoms)))
    kept: list[int] = []
    while left:
        first = min(left)
        orbit = [first]
        while (following := int(images[orbit[-1]])) != first:
            orbit.append(following)
        if len(orbit) != repeats:
            return None
        left -= set(orbit)
        kept.append(first)
    return np.array(kept)


def _images(atoms: Atoms, axis: int, repeats: int) -> Int[np.ndarray, " atoms"] | None:
    """Return where each atom comes to stand after the shift, if all find a place."""
    shift = np.zeros(3)
    shift[axis] = 1 / repeats
    fractional = atoms.get_scaled_positions(wrap=False)
    offsets = fractional[:, None] + shift - fractional[None, :]
    offsets[..., atoms.pbc] -= np.round(offsets[..., atoms.pbc])
    distances: Float[np.ndarray, "atoms atoms"]
    distances = np.linalg.norm(offsets @ atoms.cell.array, axis=-1)
    distances[atoms.numbers[:, None] != atoms.numbers[None, :]] = np.inf
    images = distances.argmin(axis=1)
    nearest = distances[np.arange(len(atoms)), images]
    is_map = len(set(images.tolist())) == len(atoms) and nearest.max() < SAME_SITE
    return images if is_map else None


def _shortened(
    atoms: Atoms, axis: int, repeats: int, kept: Int[np.ndarray, " kept"]
) -> Atoms:
    cell = atoms.cell.array.copy()
    cell[axis] /= repeats
    return Atoms(atoms.numbers[kept], atoms.positions[kept], cell=cell, pbc=atoms.pbc)
