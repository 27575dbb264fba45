"""Checks of what models ignore: charges, boundaries, elements, constraints."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from matscipy.neighbours import neighbour_list

from atomgraft.data.canonical import CONSTRAINED, UNCONVERGED
from atomgraft.data.checks.findings import (
    Finding,
    is_isolated_atom,
    named,
    place_of,
    places,
)
from atomgraft.data.checks.heads import HEAD
from atomgraft.data.checks.predicted import BaseKnowledge
from atomgraft.data.labels import FORCES, forces_of, stress_of

CHARGE_KEYS = frozenset(
    {
        "charge",
        "total_charge",
        "net_charge",
        "tot_charge",
        "system_charge",
        "charge_state",
        "qtot",
        "q",
    }
)
"""Entries of ``info``, in lower case, that give the charge of a cell, e."""

WHOLE = 1e-3
"""e; what a sum of charges may differ from a whole number."""

CONVERGED_KEYS = frozenset(
    {"converged", "is_converged", "scf_converged", "electronic_converged"}
)
"""Entries of ``info``, in lower case, that say whether the electrons converged."""

ENGINE, ENGINE_SETTINGS = "engine", "engine_settings"
"""Entries of ``info`` that ``atomgraft label`` writes: a name, and a hash of all that
changes its numbers."""

BONDED = 1.25
"""Of the sum of covalent radii, within which two atoms are bonded."""

MAX_PARTS = 6
"""Parts of a file that a remedy lists."""


def check_calculations(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find charged cells, boundaries that are not periodic, and loose electrons."""
    yield from _charged(structures)
    yield from _not_periodic(structures)
    yield from _unconverged(structures)
    yield from _engines(structures)


def _charged(structures: Sequence[Atoms]) -> Iterator[Finding]:
    charges = [(atoms, _charge(atoms)) for atoms in structures]
    charged = [atoms for atoms, charge in charges if charge]
    if not charged:
        return
    counts: dict[str, int] = defaultdict(int)
    for _, charge in charges:
        counts[f"{charge:+g}" if charge else "0"] += 1
    text = ", ".join(f"{charge} e in {n}" for charge, n in counts.items())
    yield Finding(
        severity="warning",
        code="charged-frames",
        message=f"{len(charged)} of {len(structures)} structures are charged ({text};"
        f" {named(places(charged))}); the model sees no charge.",
        remedy="Train on one charge state, and use the model only for this charge.",
        frames=places(charged),
        number=len(charged),
        unit="structures",
    )


def _charge(atoms: Atoms) -> float:
    """Return the charge of a frame as it says itself, e."""
    for key, value in atoms.info.items():
        if key.lower() in CHARGE_KEYS and isinstance(value, int | float | np.number):
            return float(value) if np.isfinite(float(value)) else 0.0
    charges = atoms.arrays.get("initial_charges")
    total = 0.0 if charges is None or charges.ndim != 1 else float(charges.sum())
    return float(round(total)) if abs(total - round(total)) < WHOLE else 0.0


def _not_periodic(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find open boundaries around atoms that were computed as a crystal."""
    open_ = [
        atoms
        for atoms in structures
        if atoms.cell.rank == 3 and not atoms.pbc.all() and not is_isolated_atom(atoms)
    ]
    bonded = [atoms for atoms in open_ if _bonds_across(atoms)]
    bonded_ids = set(map(id, bonded))
    stressed = [
        atoms
        for atoms in open_
        if stress_of(atoms) is not None
        and id(atoms) not in bonded_ids
        and not atoms.pbc.any()
    ]
    if bonded:
        yield Finding(
            severity="error",
            code="not-periodic",
            message=f"{len(bonded)} structures have pbc {_open_as(bonded)} and a full"
            " cell across whose open faces atoms are bonded"
            f" ({named(places(bonded))}): without periodic images the model sees a"
            " surface.",
            remedy='Write pbc="T T T" into these frames if they were computed as'
            " crystals, or leave the Lattice out if they are clusters.",
            frames=places(bonded),
            number=len(bonded),
            unit="structures",
        )
    if stressed:
        yield Finding(
            severity="warning",
            code="not-periodic",
            message=f"{len(stressed)} structures have pbc F F F, a full cell and a"
            f" stress ({named(places(stressed))}), which belongs to a periodic cell.",
            remedy='Write pbc="T T T" into these frames, or remove the stress.',
            frames=places(stressed),
            number=len(stressed),
            unit="structures",
        )


def _bonds_across(atoms: Atoms) -> bool:
    """Tell whether atoms are bonded to periodic images, were there any."""
    radii = covalent_radii[atoms.numbers]
    wrapped = Atoms(atoms)
    wrapped.pbc = True
    i, j, d, shifts = neighbour_list(
        "ijdS", atoms=wrapped, cutoff=2 * BONDED * float(radii.max())
    )
    is_bond = d < BONDED * (radii[i] + radii[j])
    return bool((is_bond & shifts[:, ~atoms.pbc].any(axis=1)).any())


def _open_as(structures: Sequence[Atoms]) -> str:
    """Return the boundaries of structures, as files write them."""
    texts = {" ".join("T" if one else "F" for one in atoms.pbc) for atoms in structures}
    return ", ".join(sorted(texts))


def _unconverged(structures: Sequence[Atoms]) -> Iterator[Finding]:
    reasons = {
        id(atoms): reason
        for atoms in structures
        if (reason := _why_unconverged(atoms)) is not None
    }
    found = [atoms for atoms in structures if id(atoms) in reasons]
    if not found:
        return
    texts = ", ".join(sorted(set(reasons.values())))
    yield Finding(
        severity="warning",
        code="not-converged",
        message=f"In {len(found)} of {len(structures)} structures the electrons did"
        f" not converge ({texts}; {named(places(found))}): their energies and forces"
        " may be far off.",
        remedy=_without(found, structures),
        frames=places(found),
        number=len(found),
        unit="structures",
    )


def _engines(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find labels of several engines, or of one with several settings."""
    heads: dict[object, dict[str, list[Atoms]]] = defaultdict(lambda: defaultdict(list))
    for atoms in structures:
        if ENGINE_SETTINGS in atoms.info:
            settings = str(atoms.info[ENGINE_SETTINGS])
            heads[atoms.info.get(HEAD)][settings].append(atoms)
    by_settings = max(heads.values(), key=len, default={})
    if len(by_settings) < 2:
        return
    largest = max(by_settings.values(), key=len)
    others = [
        atoms
        for found in by_settings.values()
        for atoms in found
        if found is not largest
    ]
    names = {str(found[0].info.get(ENGINE)) for found in by_settings.values()}
    what = "versions or settings" if len(names) == 1 else "engines or settings"
    text = ", ".join(
        f"{found[0].info.get(ENGINE)} in {len(found)}" for found in by_settings.values()
    )
    yield Finding(
        severity="warning",
        code="several-engines",
        message=f"The labels are of {len(by_settings)} {what} ({text}): their energies "
        "and forces do not belong to one level of theory.",
        remedy="Give each level a head of its own (heads: in the run file), or train "
        "on one of them.",
        frames=places(others),
        number=len(others),
        unit="structures",
    )


def _why_unconverged(atoms: Atoms) -> str | None:
    if UNCONVERGED in atoms.info:
        return str(atoms.info[UNCONVERGED])
    for key, value in atoms.info.items():
        if key.lower() in CONVERGED_KEYS and str(value).lower() in {"false", "f", "0"}:
            return f"{key} = {value}"
    return None


def _without(found: Sequence[Atoms], structures: Sequence[Atoms]) -> str:
    """Return how to read a file without some frames, as it is typed."""
    left_out = set(places(found))
    parts: list[str] = []
    for file in dict.fromkeys(place.rpartition(", frame ")[0] for place in left_out):
        numbers = [
            int(place.rpartition(", frame ")[2])
            for place in map(place_of, structures)
            if place.startswith(f"{file}, frame ") and place not in left_out
        ]
        parts += [f"{file}@{a}:{b + 1}" for a, b in _runs(sorted(numbers))]
    if not parts or len(parts) > MAX_PARTS:
        return "Leave these frames out, or compute them again."
    return f"Leave these frames out: read {' '.join(parts)}, or compute them again."


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield first and last of consecutive numbers.

    Examples
    --------
    >>> list(_runs([0, 1, 4]))
    [(0, 1), (4, 4)]
    """
    start = 0
    for i in range(1, len(numbers) + 1):
        if i == len(numbers) or numbers[i] != numbers[i - 1] + 1:
            yield numbers[start], numbers[i - 1]
            start = i


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


UNKNOWN_ELEMENT = "unknown-element"
"""The code of structures with elements that the base does not support."""


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
    symbols = [chemical_symbols[Z] for Z in sorted(unknown)]
    yield Finding(
        severity="error",
        code=UNKNOWN_ELEMENT,
        message=f"{base.name} does not support {', '.join(symbols)}, in {len(strange)} "
        f"structures ({named(places(strange))}).",
        remedy="Remove these structures, choose a base that supports the elements, or"
        " start them from similar ones: adapt --map "
        f"{','.join(f'auto:{symbol}' for symbol in symbols)}",
        frames=places(strange),
        number=len(unknown),
        unit="elements",
    )
