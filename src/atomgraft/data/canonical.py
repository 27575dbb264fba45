"""From a frame as a file gives it to a structure with labels in internal units.

The result is a fresh ``ase.Atoms`` without calculator and without constraints.
What was found on the way stands in its ``info``: ``source`` (file and frame),
``label_keys`` (quantity to the key it was read from), ``label_conflicts``
(quantity to a sentence, where two keys disagree) and ``constrained_atoms``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.data.geometry import check_geometry
from atomgraft.data.label_keys import (
    ENERGY_KEYS,
    FORCES_KEYS,
    STRESS_KEYS,
    STRESS_UNITS,
    VIRIAL_KEYS,
    VIRIAL_UNIT,
    LabelKeys,
)
from atomgraft.data.labels import set_labels

SOURCE = "source"
LABEL_KEYS = "label_keys"
LABEL_CONFLICTS = "label_conflicts"
CONSTRAINED = "constrained_atoms"
FREE_ENERGY = "free_energy"

MAX_LABEL = 1e8
"""eV, eV/Å or eV/Å³; more is a broken number."""

SYMMETRY_TOLERANCE = 1e-3
"""Relative asymmetry that a stress tensor may have from printing."""

AGREEMENT = 1e-6
"""Relative difference below which two labels of a frame are the same."""


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
    energy_key = _choose(found, keys.energy, ENERGY_KEYS)
    forces_key = _choose(found, keys.forces, FORCES_KEYS)
    stress_key = _choose(found, keys.stress, _interleaved(STRESS_KEYS, VIRIAL_KEYS))
    atoms = _bare(frame, {*ENERGY_KEYS, *FORCES_KEYS, *STRESS_KEYS, *VIRIAL_KEYS})
    labels: dict[str, Any] = {}
    if energy_key is not None:
        labels["energy"] = _energy(found[energy_key], f"{place}: {energy_key}")
    if forces_key is not None:
        where = f"{place}: {forces_key}"
        labels["forces"] = _forces(found[forces_key], len(frame), where)
    if stress_key is not None:
        where = f"{place}: {stress_key}"
        labels["stress"] = _stress(found[stress_key], atoms, stress_key, keys, where)
    set_labels(atoms, **labels)
    chosen = {"energy": energy_key, "forces": forces_key, "stress": stress_key}
    _remember(atoms, frame, place, {k: v for k, v in chosen.items() if v is not None})
    conflicts = _conflicts(found, chosen)
    if conflicts:
        atoms.info[LABEL_CONFLICTS] = conflicts
    return atoms


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
        if key not in {*consumed, LABEL_CONFLICTS}:
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


def _conflicts(
    found: Mapping[str, Any], chosen: Mapping[str, str | None]
) -> dict[str, str]:
    rivals = {"energy": ENERGY_KEYS, "forces": FORCES_KEYS, "stress": STRESS_KEYS}
    conflicts: dict[str, str] = {}
    for quantity, names in rivals.items():
        key = chosen[quantity]
        if key is None or key in VIRIAL_KEYS:
            continue
        others = [name for name in names if name != key and name in found]
        for other in others:
            if not _agree(found[key], found[other]):
                conflicts[quantity] = f"{key} was read, {other} differs and was not"
    return conflicts


def _agree(one: object, other: object) -> bool:
    try:
        a, b = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    except (TypeError, ValueError):
        return False
    if a.size in {6, 9} and b.size in {6, 9} and a.shape != b.shape:
        a, b = np.ravel(_matrix(a)), np.ravel(_matrix(b))
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=AGREEMENT, atol=1e-9))


def _matrix(stress: Float[np.ndarray, "..."]) -> Float[np.ndarray, "3 3"]:
    flat = stress.ravel()
    if flat.size == 9:
        return flat.reshape(3, 3)
    return flat[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3)


def _numbers(value: object, where: str, needed: str) -> Float[np.ndarray, "..."]:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        text = str(value)
        raise BadInputError(
            f"{where} is {text[:40]!r}{'...' if len(text) > 40 else ''}, no number.",
            needed,
            "Correct the label, or remove its key from the frame.",
        )
    array = array.astype(float)
    if not (np.abs(array) < MAX_LABEL).all():
        bad = np.argwhere(~(np.abs(array) < MAX_LABEL))[0]
        at = f" at {bad.tolist()}" if array.ndim else ""
        raise BadInputError(
            f"{where} is {array[tuple(bad)]}{at}.",
            f"Finite numbers below {MAX_LABEL:g} are needed; a label that is missing"
            " has no key.",
            "Repair or remove the frame, or remove the key from it.",
        )
    return array


def _energy(value: object, where: str) -> float:
    needed = "One total energy for the frame is needed, eV."
    energy = _numbers(value, where, needed)
    if energy.size != 1:
        raise BadInputError(
            f"{where} has {energy.size} values.",
            needed,
            "Give the total energy, not energies per atom.",
        )
    return float(energy.ravel()[0])


def _forces(value: object, n_atoms: int, where: str) -> Float[np.ndarray, "atoms 3"]:
    needed = f"Forces of shape ({n_atoms}, 3) are needed, eV/Å."
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
    needed = "A stress of 6 (xx yy zz yz xz xy) or 9 components is needed."
    stress = _numbers(value, where, needed)
    if stress.size not in {6, 9}:
        raise BadInputError(
            f"{where} has {stress.size} components.", needed, "Correct the label."
        )
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
