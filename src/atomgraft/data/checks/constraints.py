"""Elements that a base does not know, and forces of constrained atoms."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from atomgraft.data.base_knowledge import BaseKnowledge
from atomgraft.data.canonical import CONSTRAINED
from atomgraft.data.checks.findings import Finding, named, places
from atomgraft.data.labels import FORCES, forces_of

MIN_FRAMES = 3
"""Frames of one composition in which an atom's force must vanish to be suspicious."""

MOVED = 1e-3
"""Å; atoms of two frames must have moved by more, or the zero may be symmetry."""


def check_constraints(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find forces that are exactly zero on atoms that were held fixed."""
    held: list[Atoms] = []
    n_zero = 0
    for atoms in structures:
        forces, fixed = forces_of(atoms), atoms.info.get(CONSTRAINED)
        if forces is not None and fixed is not None:
            zero = (forces[np.atleast_1d(fixed)] == 0).all(axis=1)
            n_zero += int(zero.sum())
            if zero.any():
                held.append(atoms)
    if held:
        yield Finding(
            severity="error",
            code="constrained-forces",
            message=f"{n_zero} atoms held fixed have forces of exactly zero, in"
            f" {len(held)} structures ({named(places(held))}).",
            remedy="ASE zeroes the forces of constrained atoms: write the raw ones"
            " (get_forces(apply_constraint=False)) and read the file again.",
            frames=places(held),
            number=n_zero,
            unit="atoms",
        )
    free = [atoms for atoms in structures if CONSTRAINED not in atoms.info]
    yield from _always_zero(free)


def _always_zero(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find atoms without any force in every frame, though others move around them."""
    groups: dict[bytes, list[Atoms]] = defaultdict(list)
    for atoms in structures:
        if forces_of(atoms) is not None and len(atoms) > 1:
            groups[atoms.numbers.tobytes()].append(atoms)
    for group in groups.values():
        positions = np.stack([atoms.positions for atoms in group])
        forces = np.stack([atoms.arrays[FORCES] for atoms in group])
        never = (forces == 0).all(axis=(0, 2))
        has_moved = np.ptp(positions, axis=0).max() > MOVED
        if len(group) >= MIN_FRAMES and never.any() and not never.all() and has_moved:
            n_zero = int(never.sum())
            yield Finding(
                severity="warning",
                code="zero-forces",
                message=f"{n_zero} of {len(never)} atoms have forces of exactly zero"
                f" in all {len(group)} frames of their kind"
                f" ({named(places(group))}).",
                remedy="If they were held fixed, write the raw forces"
                " (get_forces(apply_constraint=False)) and read the file again.",
                frames=places(group),
                number=n_zero,
                unit="atoms",
            )


def check_elements(
    structures: Sequence[Atoms], base: BaseKnowledge
) -> Iterator[Finding]:
    """Find elements that the base model cannot see."""
    strange = [
        atoms
        for atoms in structures
        if not set(atoms.numbers.tolist()) <= base.elements
    ]
    if not strange:
        return
    unknown = {int(Z) for atoms in strange for Z in atoms.numbers} - base.elements
    symbols = ", ".join(chemical_symbols[Z] for Z in sorted(unknown))
    yield Finding(
        severity="error",
        code="unknown-element",
        message=f"{base.name} does not know {symbols}, which stand in {len(strange)}"
        f" structures ({named(places(strange))}).",
        remedy="Remove these structures, or choose a base that covers the elements.",
        frames=places(strange),
        number=len(unknown),
        unit="elements",
    )
