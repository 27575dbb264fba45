"""Labels of exactly zero, which stand for nothing that was computed."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from ase import Atoms

from atomgraft.data.checks.findings import Finding, is_isolated_atom, named, places
from atomgraft.data.labels import energy_of, forces_of, stress_of
from atomgraft.data.space_groups import cell_of, searched, space_group

SYMPREC = 1e-4
"""Å; atoms that are displaced by more have forces."""

MAX_CELL = 64
"""Atoms of a primitive cell beyond which no symmetry is looked for."""

ZERO = 1e-8
"""Of a random force of order 1: what symmetry leaves of it where it demands zero."""

_LABELS: dict[str, Callable[[Atoms], object]] = {
    "energy": energy_of,
    "forces": forces_of,
    "stress": stress_of,
}


def check_placeholders(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find energies, forces and stresses that are exactly zero in whole frames.

    Lone atoms may have the energy zero, and symmetry may demand that no atom of a
    perfect crystal feels a force; such frames are passed over.
    """
    bulk = [atoms for atoms in structures if not is_isolated_atom(atoms)]
    for quantity, label in _LABELS.items():
        zero: list[Atoms] = []
        n_others = 0
        for atoms in bulk:
            values = label(atoms)
            if values is None:
                continue
            if np.any(np.asarray(values)):
                n_others += 1
            elif quantity != "forces" or not _demands_no_forces(atoms):
                zero.append(atoms)
        if zero:
            yield _zeros(quantity, zero, n_others)


def _zeros(quantity: str, zero: Sequence[Atoms], n_others: int) -> Finding:
    frames = places(zero)
    n_labelled = len(zero) + n_others
    what = {
        "energy": "an energy of exactly zero",
        "forces": "forces of exactly zero on all atoms, which symmetry does not demand",
        "stress": "a stress of exactly zero in all components",
    }[quantity]
    is_all = n_others == 0
    others = "" if is_all else f", where the other {n_others} have not"
    remedy = "Remove the label from these frames: a label that is missing has no key."
    return Finding(
        severity="error" if is_all else "warning",
        code=f"placeholder-{quantity}",
        message=f"{len(zero)} of {n_labelled} structures have {what}{others}"
        f" ({named(frames)}).",
        remedy=remedy,
        frames=frames,
        number=len(zero),
        unit="structures",
    )


def _demands_no_forces(atoms: Atoms) -> bool:
    """Tell whether symmetry makes all forces vanish: a random field does not survive.

    A net force is taken off, as translations allow none.
    """
    if len(atoms) == 1:
        return True
    turns, shifts, cell = _primitive(atoms)
    if cell is None or len(turns) == 0:
        return False
    places_ = cell.get_scaled_positions(wrap=False)
    lattice = cell.cell.array
    rotations = lattice.T @ turns @ np.linalg.inv(lattice).T
    field = np.random.default_rng(0).normal(size=(len(cell), 3))
    kept = np.zeros_like(field)
    for rotation, turn, shift in zip(rotations, turns, shifts, strict=True):
        apart = (places_ @ turn.T + shift)[:, None] - places_[None]
        distances = np.linalg.norm((apart - np.rint(apart)) @ lattice, axis=2)
        kept[distances.argmin(1)] += field @ rotation.T
    kept = kept / len(turns)
    return bool(np.abs(kept - kept.mean(axis=0)).max() < ZERO)


def _primitive(atoms: Atoms) -> tuple[np.ndarray, np.ndarray, Atoms | None]:
    """Return rotations and translations of the primitive cell, and this cell."""
    nothing = np.zeros((0, 3, 3)), np.zeros((0, 3)), None
    found = None
    if atoms.pbc.all():
        found = searched("find_primitive", cell_of(atoms), SYMPREC)
    if found is None or len(found[2]) > MAX_CELL:
        return nothing
    lattice, scaled, numbers = found
    small = Atoms(numbers=numbers, cell=lattice, scaled_positions=scaled, pbc=True)
    return *space_group(small, SYMPREC), small
