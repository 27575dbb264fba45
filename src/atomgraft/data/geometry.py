"""Geometric requirements on every structure."""

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float
from matscipy.neighbours import neighbour_list
from scipy.spatial import KDTree

from atomgraft.core.errors import BadInputError

MAX_COORDINATE = 1e5
"""Å; a larger coordinate is a broken number, and float32 would not resolve it."""

MIN_VOLUME_RATIO = 1e-3
"""Volume of the unit-length cell vectors below which they count as dependent; searches
in a flatter cell take minutes."""

VOLUMES = (0.5, 1e5)
"""Å³ per atom of a crystal: hydrogen at 5 TPa has 0.5; a molecule in vacuum more."""

SAME_SITE = 0.2
"""Å; below it two atoms stand on one site."""

MAX_PAIRS = 20_000_000
"""Directed pairs within a cutoff; their list takes 1 GB, and models more of them."""

MAX_BINS = 50_000_000
"""Boxes as wide as the cutoff into which the search sorts atoms; 0.2 GB."""


def check_geometry(atoms: Atoms, place: str) -> None:
    """Refuse a structure that no potential can see.

    Parameters
    ----------
    atoms
        Its positions in Å.
    place
        File and frame, for messages.

    Raises
    ------
    BadInputError
        No atoms, an unknown element, coordinates that are not finite, or a cell
        that does not span its periodic directions.
    """
    if len(atoms) == 0:
        raise BadInputError(
            f"{place} has no atoms.", "Expected at least one.", "Remove the frame."
        )
    unknown = sorted({int(Z) for Z in atoms.numbers if not 1 <= Z <= 118})
    if unknown:
        raise BadInputError(
            f"{place} has atoms with atomic number {unknown[0]}"
            + (" (the dummy symbol X)." if unknown[0] == 0 else "."),
            "Every atom needs the symbol of an element, H (1) to Og (118).",
            "Correct the symbol, or remove the atom.",
        )
    _check_coordinates(atoms.positions, place, "position")
    _check_coordinates(atoms.cell.array, place, "cell vector")
    _check_cell(atoms.cell.array, atoms.pbc, place)
    if atoms.pbc.all():
        _check_volume(atoms, place, VOLUMES[0], np.inf)


def check_crystal(atoms: Atoms, place: str) -> None:
    """Refuse what is no crystal: searches for symmetry need a sane one.

    Parameters
    ----------
    atoms
        Its unit cell, or a supercell.
    place
        Where it came from, for messages.

    Raises
    ------
    BadInputError
        As `check_geometry`; or there is no cell, the volume is none of matter, or two
        atoms stand on one site.
    """
    check_geometry(atoms, place)
    crystal = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    _check_cell(crystal.cell.array, np.ones(3, dtype=bool), place)
    _check_volume(crystal, place, *VOLUMES)
    check_neighbours(crystal, SAME_SITE, place)
    i, j, d = neighbour_list("ijd", crystal, SAME_SITE)
    if len(d):
        k = int(d.argmin())
        _refuse_pair(int(i[k]), int(j[k]), float(d[k]), place)


def check_apart(atoms: Atoms, place: str) -> None:
    """Refuse a structure in which two atoms stand on one site.

    As in :func:`check_crystal`, and fast enough for every frame of a trajectory: no two
    fractional coordinates differ by more than the distance over the height of the cell.

    Parameters
    ----------
    atoms
        Periodic in all directions, of sound geometry.
    place
        Where it came from, for messages.

    Raises
    ------
    BadInputError
        Two atoms are less than `SAME_SITE` apart.

    Examples
    --------
    >>> check_apart(Atoms("H2", [[0, 0, 0], [0, 0, 1]], cell=[4, 4, 4], pbc=True), "H2")
    """
    fractions = np.linalg.solve(atoms.cell.array.T, atoms.positions.T).T % 1.0
    fractions[fractions >= 1.0] = 0.0  # what rounding has left there
    inverse_heights = np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    near = SAME_SITE * float(np.linalg.norm(inverse_heights))
    pairs = KDTree(fractions, boxsize=1.0).query_pairs(near, output_type="ndarray")
    apart = fractions[pairs[:, 0]] - fractions[pairs[:, 1]]
    lengths = np.linalg.norm((apart - np.round(apart)) @ atoms.cell.array, axis=1)
    if len(lengths) and lengths.min() < SAME_SITE:
        k = int(lengths.argmin())
        i, j = pairs[k].tolist()
        _refuse_pair(i, j, float(lengths[k]), place)


def _refuse_pair(i: int, j: int, distance: float, place: str) -> None:
    raise BadInputError(
        f"{place}: atoms {i} and {j} are {distance:.2g} Å apart.",
        f"Expected atoms at least {SAME_SITE} Å apart.",
        "Remove one of the two; look for a coordinate that was lost.",
    )


def _check_volume(atoms: Atoms, place: str, least: float, most: float) -> None:
    volume = float(atoms.cell.volume) / len(atoms)
    if not least <= volume <= most:
        bounds = f"at least {least:g}" if most == np.inf else f"{least:g} to {most:g}"
        raise BadInputError(
            f"{place} has {volume:.3g} Å³ per atom.",
            f"Expected {bounds} Å³ per atom.",
            "Correct the cell (its unit is Å), or remove the frame.",
        )


def check_neighbours(atoms: Atoms, cutoff: float, place: str | None = None) -> None:
    """Refuse a search for neighbours that would not fit in memory, before it starts.

    Parameters
    ----------
    atoms
        Any mixture of periodic and open directions, with independent cell vectors.
    cutoff
        Å
    place
        Where it came from, for messages; none is what the structure says of itself.

    Raises
    ------
    BadInputError
        More than `MAX_PAIRS` pairs are expected, or the box is too large to sort.

    Examples
    --------
    >>> check_neighbours(Atoms("H2", positions=[[0, 0, 0], [0, 0, 1]]), 6.0)
    """
    if len(atoms) == 0:
        return
    cell = closed_cell(atoms, cutoff)
    volume = abs(float(np.linalg.det(cell)))
    areas = np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    heights = volume / areas
    bins = np.maximum(1, np.floor(heights / cutoff))
    images = np.prod(2 * np.ceil(cutoff / heights[atoms.pbc]) + 1)
    if images * len(atoms) ** 2 <= MAX_PAIRS and np.prod(bins) <= MAX_BINS:
        return  # all pairs there are
    fractions = np.linalg.solve(cell.T, (atoms.positions - atoms.positions[0]).T).T
    filled = np.floor((fractions % 1.0) * bins)
    counts = np.unique(filled, axis=0, return_counts=True)[1].astype(float)
    sphere = 4 / 3 * np.pi * cutoff**3
    n_pairs = float((counts**2).sum() * sphere / (volume / np.prod(bins)))
    if max(n_pairs, float(images) * len(atoms)) > MAX_PAIRS or np.prod(bins) > MAX_BINS:
        raise BadInputError(
            f"{place or atoms.info.get('source') or atoms.get_chemical_formula()} has"
            f" {len(atoms)} atoms in a box of {volume:.3g} Å³: about {n_pairs:.1g}"
            f" neighbours within {cutoff:g} Å, sought in {np.prod(bins):.1g} boxes.",
            f"Up to {MAX_PAIRS:.0g} neighbours and {MAX_BINS:.0g} boxes fit in memory.",
            "Correct the cell and the positions (in Å), or take a smaller structure.",
        )


def closed_cell(atoms: Atoms, cutoff: float) -> Float[np.ndarray, "3 3"]:
    """Complete the cell in open directions: the search needs a finite box.

    Parameters
    ----------
    atoms
        Any mixture of periodic and open directions.
    cutoff
        Å

    Examples
    --------
    >>> closed_cell(Atoms("H"), 2.0).diagonal().tolist()
    [5.0, 5.0, 5.0]
    """
    cell = atoms.cell.complete().array.copy()
    extent = float(np.ptp(atoms.positions, axis=0).max()) + 2 * cutoff + 1.0
    for axis in np.flatnonzero(~atoms.pbc):
        length = np.linalg.norm(cell[axis])
        cell[axis] *= extent / length
    return cell


def _check_coordinates(
    values: Float[np.ndarray, "rows 3"], place: str, what: str
) -> None:
    bad = ~(np.abs(values) < MAX_COORDINATE).all(axis=1)
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise BadInputError(
            f"{place}: {what} {i} is {values[i].tolist()} Å.",
            f"Expected finite coordinates below {MAX_COORDINATE:g} Å.",
            "Repair the frame, or remove it.",
        )


def _check_cell(
    cell: Float[np.ndarray, "3 3"], pbc: Bool[np.ndarray, "3"], place: str
) -> None:
    vectors = cell[pbc]
    if len(vectors) == 0:
        return
    lengths = np.linalg.norm(vectors, axis=1)
    if (lengths == 0).any():
        raise BadInputError(
            f"{place} is periodic (pbc {_letters(pbc)}) and has no cell"
            f" ({int((lengths == 0).sum())} of its periodic vectors are zero).",
            "Expected a cell vector for every periodic direction, in Å.",
            'Add Lattice="ax ay az bx by bz cx cy cz", or set pbc="F F F".',
        )
    volume = np.sqrt(max(0.0, float(np.linalg.det(_gram(vectors / lengths[:, None])))))
    if volume < MIN_VOLUME_RATIO:
        raise BadInputError(
            f"{place} has a singular cell: its periodic vectors, scaled to unit"
            f" length, span {volume:.1e} where a cube spans 1.",
            "Cell vectors must be linearly independent.",
            "Correct the Lattice entry: nine numbers in Å, one vector after the other.",
        )


def _gram(vectors: Float[np.ndarray, "rows 3"]) -> Float[np.ndarray, "rows rows"]:
    return vectors @ vectors.T


def _letters(pbc: Bool[np.ndarray, "3"]) -> str:
    return " ".join("T" if one else "F" for one in pbc)
