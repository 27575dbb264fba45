"""Conversion of a frame of a file to a structure with labels in internal units.

The result is a fresh ``ase.Atoms`` without calculator and without constraints.
What was found on the way stands in its ``info``, under `RESERVED` keys, which a file
cannot set.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.data.geometry import check_geometry
from atomgraft.data.label_keys import (
    ENERGY_KEYS,
    ENERGY_UNITS,
    FORCES_KEYS,
    FORCES_UNITS,
    PER_ATOM,
    STRESS_KEYS,
    STRESS_UNITS,
    VIRIAL_KEYS,
    VIRIAL_UNIT,
    VOIGT,
    LabelKeys,
    components,
)
from atomgraft.data.labels import set_labels

SOURCE = "source"
"""File and frame."""

LABEL_KEYS = "label_keys"
"""Quantity to the key that it was read from."""

LABEL_UNITS = "label_units"
"""Option to the unit or the order that the user gave for the labels."""

UNREAD_LABELS = "unread_labels"
"""Known names of labels that stand in the frame and were not read."""

LABEL_CONFLICTS = "label_conflicts"
"""Quantity to a sentence, where two keys of a frame disagree."""

LABEL_RIVALS = "label_rivals"
"""Quantity to the labels that were not read and disagree, by key, internal units."""

CONSTRAINED = "constrained_atoms"
"""Atoms that were held fixed."""

FREE_ENERGY = "free_energy"
"""The free energy beside the energy, eV."""

UNCONVERGED = "scf_not_converged"
"""Why the electrons of the frame did not converge, in words; a reader sets it."""

SIX_COMPONENTS = "stress_of_six"
"""The stress was given by six numbers, whose order is a convention."""

RESERVED = frozenset(
    {
        SOURCE,
        LABEL_KEYS,
        LABEL_UNITS,
        UNREAD_LABELS,
        LABEL_CONFLICTS,
        LABEL_RIVALS,
        CONSTRAINED,
        FREE_ENERGY,
        SIX_COMPONENTS,
    }
)
"""Keys of ``info`` that say how a frame was read; those of a file are dropped."""

MAX_LABEL = 1e8
"""eV or eV/Å; more is a broken number."""

MAX_STRESS = 1e14
"""In any unit: 600 GPa are 6e11 Pa."""

SAME_ENERGY = 1e-5
"""eV per atom below which two energies of a frame are the same."""

SAME_TENSOR = 1e-3
"""Of the largest component: below it two labels of a frame are the same; files hold
few digits."""

SAME_FORCE = 1e-4
"""eV/Å, beside `SAME_TENSOR`."""

SAME_STRESS = 1e-5
"""eV/Å³, beside `SAME_TENSOR`."""

SYMMETRY_TOLERANCE = 1e-3
"""Relative asymmetry that a stress tensor may have from printing."""


def canonical(frame: Atoms, place: str, keys: LabelKeys) -> Atoms:
    """Return a structure whose labels stand under the canonical keys.

    Raw forces are taken from the calculator's results: ``get_forces`` would zero
    those of constrained atoms.

    Parameters
    ----------
    frame
        As a reader made it, its calculator included; not changed.
    place
        File and frame, for messages.
    keys
        Names and unit of its labels.

    Raises
    ------
    BadInputError
        A label or the geometry is broken.
    """
    check_geometry(frame, place)
    found = _everything(frame)
    known = _known_keys()
    given = keys.given()
    chosen = {
        quantity: key
        for quantity, names in known.items()
        if (key := _choose(found, given.get(quantity), names)) is not None
    }
    atoms = _bare(frame, {name for names in known.values() for name in names})
    labels = {
        quantity: _label(quantity, key, found, atoms, keys, place)
        for quantity, key in chosen.items()
    }
    set_labels(atoms, **labels)
    _remember(atoms, frame, place, chosen)
    if units := keys.units():
        atoms.info[LABEL_UNITS] = units
    unread = {name for names in known.values() for name in names if name in found}
    if unread := sorted(unread - set(chosen.values())):
        atoms.info[UNREAD_LABELS] = unread
    if "stress" in chosen and np.size(found[chosen["stress"]]) == len(VOIGT):
        atoms.info[SIX_COMPONENTS] = True

    def read(quantity: str, key: str) -> Any:  # noqa: ANN401 - a number or an array
        is_alike = (key in VIRIAL_KEYS) == (chosen[quantity] in VIRIAL_KEYS)
        its = keys if is_alike else dataclasses.replace(keys, stress_unit=None)
        return _label(quantity, key, found, atoms, its, place)

    disputed = {one: key for one, key in chosen.items() if one not in given}
    _compare_rivals(atoms, found, disputed, labels, read)
    return atoms


def _known_keys() -> dict[str, tuple[str, ...]]:
    """Return the names that are looked for, the first that is there wins."""
    return {
        "energy": ENERGY_KEYS,
        "forces": FORCES_KEYS,
        "stress": _interleaved(STRESS_KEYS, VIRIAL_KEYS),
    }


def _label(
    quantity: str,
    key: str,
    found: Mapping[str, Any],
    atoms: Atoms,
    keys: LabelKeys,
    place: str,
) -> Any:  # noqa: ANN401 - a number or an array
    """Return one label in internal units."""
    where = f"{place}: {key}"
    if quantity == "energy":
        return _energy(found[key], len(atoms), keys.energy_unit or "eV", where)
    if quantity == "forces":
        forces = _forces(found[key], len(atoms), where)
        return forces * FORCES_UNITS[keys.forces_unit or "eV/A"]
    return _stress(found[key], atoms, key, keys, where)


def _everything(frame: Atoms) -> dict[str, Any]:
    results = {} if frame.calc is None else dict(frame.calc.results)
    return {**results, **frame.info, **frame.arrays}


def _interleaved(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Put ``REF_`` names before plain ones."""
    return tuple(sorted((*first, *second), key=lambda key: not key.startswith("REF_")))


def _choose(
    found: Mapping[str, Any], given: str | None, known: tuple[str, ...]
) -> str | None:
    wanted = known if given is None else (given,)
    return next((key for key in wanted if found.get(key) is not None), None)


def _bare(frame: Atoms, consumed: set[str]) -> Atoms:
    atoms = Atoms(
        numbers=frame.numbers, positions=frame.positions, cell=frame.cell, pbc=frame.pbc
    )
    for name, array in frame.arrays.items():
        if name not in {*consumed, "numbers", "positions"}:
            atoms.set_array(name, array)
    for key, value in frame.info.items():
        if key not in consumed | RESERVED:
            atoms.info[key] = value
    return atoms


def _remember(atoms: Atoms, frame: Atoms, place: str, chosen: dict[str, str]) -> None:
    atoms.info[SOURCE] = place
    atoms.info[LABEL_KEYS] = chosen
    constrained = sorted(
        {int(i) for one in frame.constraints for i in np.ravel(one.get_indices())}
    )
    if constrained:
        atoms.info[CONSTRAINED] = constrained
    if frame.calc is not None and frame.calc.results.get("free_energy") is not None:
        atoms.info[FREE_ENERGY] = float(frame.calc.results["free_energy"])


Read = Callable[[str, str], Any]
"""Quantity and key to the label in internal units."""


def _compare_rivals(
    atoms: Atoms,
    found: Mapping[str, Any],
    chosen: Mapping[str, str],
    labels: Mapping[str, Any],
    read: Read,
) -> None:
    """Note labels that were not read and mean something else than those read.

    A virial is compared with a stress, and the free energy with nothing: it may
    differ.
    """
    conflicts: dict[str, str] = {}
    rivals: dict[str, dict[str, Any]] = {}
    for quantity, key in chosen.items():
        names = _known_keys()[quantity]
        others = [one for one in names if one != key and found.get(one) is not None]
        for other in others:
            try:
                rival = read(quantity, other)
            except BadInputError as error:
                conflicts[quantity] = (
                    f"{key} was read, {other} cannot: {error.came.rstrip('.')}"
                )
                continue
            relation = _relation(quantity, labels[quantity], rival, len(atoms))
            if relation is not None:
                conflicts[quantity] = f"{key} was read, {other} {relation}"
                rivals.setdefault(quantity, {})[other] = rival
    if conflicts:
        atoms.info[LABEL_CONFLICTS] = conflicts
    if rivals:
        atoms.info[LABEL_RIVALS] = rivals


def _relation(quantity: str, label: Any, rival: Any, n_atoms: int) -> str | None:  # noqa: ANN401 - numbers or arrays
    """Return how a second label differs from the first, in words; none if not."""
    one, other = np.ravel(label), np.ravel(rival)
    size = float(np.abs(one).max())
    limit = {
        "energy": SAME_ENERGY * n_atoms,
        "forces": SAME_FORCE + SAME_TENSOR * size,
        "stress": SAME_STRESS + SAME_TENSOR * size,
    }[quantity]
    if np.abs(other - one).max() <= limit:
        return None
    ratio = float(one @ other / (one @ one)) if size else 0.0
    if quantity == "energy" or np.abs(other - ratio * one).max() > limit * abs(ratio):
        return "differs"
    if abs(ratio + 1) < SAME_TENSOR:
        return f"means the opposite {quantity} (its negative)"
    return f"means {ratio:.3g} times this"


def _matrix(stress: Float[np.ndarray, "..."]) -> Float[np.ndarray, "3 3"]:
    flat = stress.ravel()
    if flat.size == 9:
        return flat.reshape(3, 3)
    return flat[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3)


def _numbers(
    value: object, where: str, needed: str, limit: float = MAX_LABEL
) -> Float[np.ndarray, "..."]:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        text = str(value)
        raise BadInputError(
            f"{where} is {text[:40]!r}{'...' if len(text) > 40 else ''}, no number.",
            needed,
            "Correct the label, or remove its key from the frame.",
        )
    array = array.astype(float)
    if not (np.abs(array) < limit).all():
        bad = np.argwhere(~(np.abs(array) < limit))[0]
        at = f" at {bad.tolist()}" if array.ndim else ""
        raise BadInputError(
            f"{where} is {array[tuple(bad)]}{at}.",
            f"Expected finite numbers below {limit:g}; for a missing label there is "
            "no key.",
            "Repair or remove the frame, or remove the key from it.",
        )
    return array


def _energy(value: object, n_atoms: int, unit: str, where: str) -> float:
    needed = "Expected one total energy for the frame, eV."
    energy = _numbers(value, where, needed)
    if energy.size != 1:
        raise BadInputError(
            f"{where} has {energy.size} values.",
            needed,
            "Give the total energy, not energies per atom.",
        )
    is_per_atom = unit.endswith(PER_ATOM)
    return (
        float(energy.ravel()[0]) * ENERGY_UNITS[unit] * (n_atoms if is_per_atom else 1)
    )


def _forces(value: object, n_atoms: int, where: str) -> Float[np.ndarray, "atoms 3"]:
    needed = f"Expected forces of shape ({n_atoms}, 3), eV/Å."
    forces = _numbers(value, where, needed)
    if forces.shape != (n_atoms, 3):
        raise BadInputError(
            f"{where} has shape {forces.shape}.",
            needed,
            "Write three columns for each atom (forces:R:3 in Properties).",
        )
    return forces


def _stress(
    value: object, atoms: Atoms, key: str, keys: LabelKeys, where: str
) -> Float[np.ndarray, "6"]:
    """Return a stress in eV/Å³; a virial is divided by minus the volume."""
    needed = "Expected a stress of 6 (xx yy zz yz xz xy) or 9 components."
    stress = _numbers(value, where, needed, MAX_STRESS)
    if stress.size not in {6, 9}:
        raise BadInputError(
            f"{where} has {stress.size} components.", needed, "Correct the label."
        )
    if stress.size == len(VOIGT) and keys.stress_order is not None:
        order = components(keys.stress_order)
        stress = stress.ravel()[[order.index(one) for one in VOIGT]]
    matrix = _matrix(stress)
    scale = float(np.abs(matrix).max()) or 1.0
    asymmetry = float(np.abs(matrix - matrix.T).max())
    if asymmetry > SYMMETRY_TOLERANCE * scale + 1e-6:
        raise BadInputError(
            f"{where} is not symmetric: components differ by {asymmetry:.2g}.",
            needed,
            "Check the order of the components and the rotation of the cell.",
        )
    volume = abs(float(np.linalg.det(atoms.cell.array)))
    if volume == 0:
        raise BadInputError(
            f"{where} is given for a structure without a three-dimensional cell.",
            "A stress needs a volume.",
            "Add the Lattice, or remove the label.",
        )
    symmetric = (matrix + matrix.T) / 2
    voigt = symmetric[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return voigt * _stress_factor(key, keys.stress_unit, volume, where)


def _stress_factor(key: str, unit: str | None, volume: float, where: str) -> float:
    is_virial = key in VIRIAL_KEYS
    if unit == f"-{VIRIAL_UNIT}":
        return 1 / volume
    if is_virial and unit not in {None, VIRIAL_UNIT}:
        raise BadInputError(
            f"{where} is a virial by its name, and the stress unit given is {unit}.",
            "A virial is an energy, eV: minus the volume times the stress.",
            f"Rename the key to REF_stress if it is a stress in {unit},"
            " or leave the stress unit out.",
        )
    if is_virial or unit == VIRIAL_UNIT:
        return -1 / volume
    return STRESS_UNITS[unit or "eV/A^3"]
