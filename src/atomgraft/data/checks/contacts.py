"""Check for atoms that are too close."""

from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from jaxtyping import Float, Int
from matscipy.neighbours import neighbour_list

from atomgraft.data.checks.findings import Finding, named, place_of, places
from atomgraft.data.geometry import SAME_SITE, check_neighbours, closed_cell

CLOSE = 0.7
"""Fraction of the sum of covalent radii (Cordero et al., Dalton Trans. 2008, 2832)
below which a pair is reported; bonds of stable matter stay above 0.8."""


def check_contacts(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find pairs of atoms closer than `CLOSE` times the sum of covalent radii."""
    contacts = [(atoms, *_shortest(atoms)) for atoms in structures]
    contacts = [one for one in contacts if one[1] < np.inf]
    if not contacts:
        return
    _, shortest, closest = min(contacts, key=lambda one: one[1])
    coincident = [atoms for atoms, d, _ in contacts if d < SAME_SITE]
    close = [atoms for atoms, d, _ in contacts if d >= SAME_SITE]
    if coincident:
        yield Finding(
            severity="error",
            code="same-site",
            message=f"In {len(coincident)} structures two atoms are at the same "
            f"position: {closest}.",
            remedy="Remove one of the atoms, or the frames.",
            frames=places(coincident),
            number=shortest,
            unit="Å",
        )
    if close:
        yield _close(close, [one for one in contacts if one[1] >= SAME_SITE])


Contact = tuple[Atoms, float, str]
"""A structure, its shortest contact (Å), and that contact in words."""


def _close(close: Sequence[Atoms], contacts: Sequence[Contact]) -> Finding:
    _, shortest, closest = min(contacts, key=lambda one: one[1])
    return Finding(
        severity="warning",
        code="close-atoms",
        message=f"In {len(close)} structures atoms are closer than {CLOSE:g} of the"
        f" sum of their covalent radii ({named(places(close))}); {closest}.",
        remedy="Keep them only if the model is meant for such distances (shock, "
        "irradiation, a repulsive wall); otherwise leave the frames out.",
        frames=places(close),
        number=shortest,
        unit="Å",
    )


def _shortest(atoms: Atoms) -> tuple[float, str]:
    """Return the shortest contact, Å, and the words for it; infinite if none."""
    i, j, d = close_pairs(atoms)
    if not len(d):
        return np.inf, ""
    k = int(d.argmin())
    a, b = sorted((int(i[k]), int(j[k])))
    return float(d[k]), (
        f"atoms {a} ({atoms.symbols[a]}) and {b} ({atoms.symbols[b]}) of"
        f" {place_of(atoms)} are {d[k]:.2f} Å apart"
    )


def close_pairs(
    atoms: Atoms,
) -> tuple[
    Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]
]:
    """Return both atoms and the length of each pair that is too close.

    Parameters
    ----------
    atoms
        The structure; periodic images count.

    Returns
    -------
    :
        Pairs closer than `CLOSE` times the sum of their covalent radii, each found
        from both sides; lengths in Å.

    Examples
    --------
    >>> close_pairs(Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.4]]))[2]
    array([0.4, 0.4])
    """
    radii = covalent_radii[atoms.numbers]
    cutoff = 2 * CLOSE * float(radii.max())
    check_neighbours(atoms, cutoff)
    cell = closed_cell(atoms, cutoff)
    i, j, d = neighbour_list(
        "ijd", positions=atoms.positions, cell=cell, pbc=atoms.pbc, cutoff=cutoff
    )
    is_close = d < CLOSE * (radii[i] + radii[j])
    return i[is_close], j[is_close], d[is_close]
