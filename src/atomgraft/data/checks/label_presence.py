"""Checks for labels that are missing, unread, contradictory or zero."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from atomgraft.data.canonical import FREE_ENERGY, LABEL_CONFLICTS, LABEL_KEYS
from atomgraft.data.checks.findings import (
    ALONE,
    Finding,
    is_isolated_atom,
    is_marked_isolated,
    named,
    places,
)
from atomgraft.data.label_keys import VIRIAL_KEYS
from atomgraft.data.labels import (
    ENERGY,
    FORCES,
    STRESS,
    energy_of,
    forces_of,
    stress_of,
)
from atomgraft.data.space_groups import cell_of, searched, space_group

FREE_ENERGY_TOLERANCE = 1e-3
"""eV/atom; below it, energy and free energy are the same for training."""

_LOOKS_LIKE = {
    "energy": re.compile(r"energy|energies$|^e_?(dft|tot|0)|(dft|total)_?e$", re.I),
    "forces": re.compile(r"force|grad", re.I),
    "stress": re.compile(r"stress|virial|pressure", re.I),
}
_KNOWN = {ENERGY, FORCES, STRESS}
_LABELS: dict[str, Callable[[Atoms], Any]] = {
    "energy": energy_of,
    "forces": forces_of,
    "stress": stress_of,
}


def check_label_presence(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find labels that are missing, unread or in conflict."""
    bulk = [atoms for atoms in structures if not is_isolated_atom(atoms)]
    bulk = bulk or list(structures)  # lone atoms alone are judged as all others are
    yield from _missing(bulk)
    yield from _unread(structures)
    yield from _conflicting(structures)
    yield from _mixed_keys(structures)
    yield from _virials(structures)
    yield from _free_energies(bulk)
    yield from _isolated([atoms for atoms in structures if is_isolated_atom(atoms)])


def _isolated(atoms_alone: Sequence[Atoms]) -> Iterator[Finding]:
    """Say what becomes of lone atoms."""
    if not atoms_alone:
        return
    n_marked = sum(map(is_marked_isolated, atoms_alone))
    yield Finding(
        severity="note",
        code="isolated-atoms",
        message=f"{len(atoms_alone)} frames are isolated atoms: {n_marked} are marked,"
        f" {len(atoms_alone) - n_marked} are single atoms with no neighbour within"
        f" {ALONE:g} Å ({named(places(atoms_alone))}).",
        remedy="Nothing to do: they are not used for training or for test errors. "
        "They decide reference energies that the compositions leave open; references: "
        "isolated takes them as they are.",
        frames=places(atoms_alone),
        number=len(atoms_alone),
        unit="frames",
    )


def _missing(structures: Sequence[Atoms]) -> Iterator[Finding]:
    n = len(structures)
    without = {
        name: [atoms for atoms in structures if label(atoms) is None]
        for name, label in _LABELS.items()
    }
    if n and n == len(without["energy"]) == len(without["forces"]):
        yield Finding(
            severity="error",
            code="no-labels",
            message=f"None of the {n} structures has an energy or forces.",
            remedy="Name the keys (--energy-key NAME, --forces-key NAME), or check the"
            " file.",
            frames=places(structures),
            number=n,
        )
        return
    for name, bare in without.items():
        if bare and len(bare) == n:
            yield _all_missing(name, n)
        elif bare:
            yield _some_missing(name, bare, n)


def _all_missing(name: str, n_structures: int) -> Finding:
    return Finding(
        severity="warning" if name == "forces" else "note",
        code=f"no-{name}",
        message=f"None of the {n_structures} structures has a label for its {name}.",
        remedy=_REMEDY[name],
        number=n_structures,
    )


def _some_missing(name: str, bare: Sequence[Atoms], n_structures: int) -> Finding:
    frames = places(bare)
    return Finding(
        severity="note" if name == "stress" else "warning",
        code=f"missing-{name}",
        message=f"{len(bare)} of {n_structures} structures have no {name}"
        f" ({named(frames)}).",
        remedy="Training leaves the missing labels out; add them if they should be"
        " there.",
        frames=frames,
        number=len(bare),
    )


_REMEDY = {
    "energy": "Training uses the other labels; energies stay those of the base.",
    "forces": "Forces contain most of the information: add them if there are any.",
    "stress": "Add stresses if cells should relax or strain; nothing else needs them.",
}


def _unread(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find keys that look like labels and were not read."""
    holders: dict[tuple[str, str], list[Atoms]] = defaultdict(list)
    for atoms in structures:
        read = set(atoms.info.get(LABEL_KEYS, {}).values()) | _KNOWN
        if energy_of(atoms) is not None:
            read.add(FREE_ENERGY)  # beside an energy it has a check of its own
        for key, value in {**atoms.info, **atoms.arrays}.items():
            quantity = _quantity(key, value, len(atoms))
            if quantity is not None and key not in read:
                holders[quantity, key].append(atoms)
    for (quantity, key), frames in holders.items():
        bare = [atoms for atoms in frames if _LABELS[quantity](atoms) is None]
        yield Finding(
            severity="warning" if bare else "note",
            code="unread-label",
            message=f"The key {key!r} looks like the {quantity} and was not read, in"
            f" {len(frames)} structures, {len(bare)} of which have no {quantity}.",
            remedy=f"If it is the label, name it: --{quantity}-key {key}",
            frames=places(frames),
            number=len(frames),
        )


def _quantity(key: str, value: object, n_atoms: int) -> str | None:
    """Return the label that a key may hold, told from its name and shape."""
    if not isinstance(value, int | float | np.ndarray | np.number | list):
        return None
    shape = np.shape(np.asarray(value, dtype=object))
    shapes = {
        "energy": {(), (1,)},
        "forces": {(n_atoms, 3)},
        "stress": {(6,), (9,), (3, 3)},
    }
    for quantity, pattern in _LOOKS_LIKE.items():
        if pattern.search(key) and shape in shapes[quantity]:
            return quantity
    return None


def _conflicting(structures: Sequence[Atoms]) -> Iterator[Finding]:
    holders: dict[tuple[str, str], list[Atoms]] = defaultdict(list)
    for atoms in structures:
        for quantity, sentence in dict(atoms.info.get(LABEL_CONFLICTS, {})).items():
            holders[quantity, sentence].append(atoms)
    for (quantity, sentence), frames in holders.items():
        yield Finding(
            severity="warning",
            code="conflicting-labels",
            message=f"{len(frames)} structures have two labels for the {quantity}:"
            f" {sentence} ({named(places(frames))}).",
            remedy=f"Remove one of them, or name the right one: --{quantity}-key NAME",
            frames=places(frames),
            number=len(frames),
        )


def _mixed_keys(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find labels that come from different keys in different frames."""
    for quantity in _LABELS:
        holders: dict[str, list[Atoms]] = defaultdict(list)
        for atoms in structures:
            key = atoms.info.get(LABEL_KEYS, {}).get(quantity)
            if key is not None:
                holders[key].append(atoms)
        if len(holders) > 1:
            counts = ", ".join(
                f"{key} in {len(found)}" for key, found in holders.items()
            )
            rarest = min(holders.values(), key=len)
            yield Finding(
                severity="warning",
                code="mixed-keys",
                message=f"The {quantity} was read from several keys: {counts} frames.",
                remedy="Make sure that all of them come from one level of theory.",
                frames=places(rarest),
                number=len(holders),
            )


def _virials(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Say that a virial became a stress."""
    converted = [
        atoms
        for atoms in structures
        if atoms.info.get(LABEL_KEYS, {}).get("stress") in VIRIAL_KEYS
    ]
    if converted:
        yield Finding(
            severity="note",
            code="virial-converted",
            message=f"In {len(converted)} structures a virial (eV) was turned into a"
            " stress: minus the virial over the volume.",
            remedy="If the file's virial is plus the volume times the stress, store"
            " virial/volume as REF_stress.",
            frames=places(converted),
            number=len(converted),
        )


def _free_energies(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find energies of which the forces are not the derivative."""
    pairs = [
        (atoms, (free - energy) / len(atoms))
        for atoms in structures
        if (energy := energy_of(atoms)) is not None
        and (free := atoms.info.get(FREE_ENERGY)) is not None
        and atoms.info.get(LABEL_KEYS, {}).get("energy") != FREE_ENERGY
    ]
    differing = [atoms for atoms, gap in pairs if abs(gap) > FREE_ENERGY_TOLERANCE]
    if not differing:
        return
    gaps = 1000 * np.array([gap for _, gap in pairs])
    spread = float(np.ptp(gaps))
    largest = float(np.abs(gaps).max())
    keys = {atoms.info.get(LABEL_KEYS, {}).get("energy") for atoms in differing}
    read = ", ".join(sorted(map(str, keys)))
    yield Finding(
        severity="warning" if spread > 1000 * FREE_ENERGY_TOLERANCE else "note",
        code="free-energy-differs",
        message=f"In {len(differing)} structures the energy that was read ({read})"
        " differs from free_energy, of which the forces are the derivative, by up to"
        f" {largest:.1f} meV/atom; the gap varies by {spread:.1f} meV/atom.",
        remedy="To train on the free energy: --energy-key free_energy",
        frames=places(differing),
        number=largest,
        unit="meV/atom",
    )


SYMPREC = 1e-4
"""Å; atoms that are displaced by more have forces."""

MAX_CELL = 64
"""Atoms of a primitive cell beyond which no symmetry is looked for."""

ZERO = 1e-8
"""Of a random force of order 1: what symmetry leaves of it where it demands zero."""


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
    remedy = "Remove the label from these frames; for a missing label there is no key."
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
