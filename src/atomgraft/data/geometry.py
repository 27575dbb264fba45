"""What every structure must satisfy before anything is computed from it."""

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float

from atomgraft.core.errors import BadInputError

MAX_COORDINATE = 1e5
"""Å; a larger coordinate is a broken number, and float32 would not resolve it."""

MIN_VOLUME_RATIO = 1e-4
"""Volume of the unit-length cell vectors below which they count as dependent."""


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
            f"{place} has no atoms.", "At least one is needed.", "Remove the frame."
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


def _check_coordinates(
    values: Float[np.ndarray, "rows 3"], place: str, what: str
) -> None:
    bad = ~(np.abs(values) < MAX_COORDINATE).all(axis=1)
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise BadInputError(
            f"{place}: {what} {i} is {values[i].tolist()} Å.",
            f"Finite coordinates below {MAX_COORDINATE:g} Å are needed.",
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
            "A cell vector for every periodic direction is needed, in Å.",
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
