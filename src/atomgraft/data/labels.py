"""Access to the labels of a structure.

Everywhere in atomgraft a labelled structure is an ``ase.Atoms`` whose reference
values stand under three keys, in internal units and without any calculator:
``info["REF_energy"]`` (eV), ``arrays["REF_forces"]`` (eV/Å) and
``info["REF_stress"]`` (eV/Å³, tensile-positive, Voigt order xx yy zz yz xz xy).
A label that is absent is absent: no key, never zeros. Readers convert at the door.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.core.provenance import fingerprint

ENERGY = PROPERTIES[Property.ENERGY].label
FORCES = PROPERTIES[Property.FORCES].label
STRESS = PROPERTIES[Property.STRESS].label


def energy_of(atoms: Atoms) -> float | None:
    """Return the reference energy, eV, or none."""
    value = atoms.info.get(ENERGY)
    return None if value is None else float(value)


def forces_of(atoms: Atoms) -> Float[np.ndarray, "atoms 3"] | None:
    """Return the reference forces, eV/Å, or none."""
    return atoms.arrays.get(FORCES)


def stress_of(atoms: Atoms) -> Float[np.ndarray, "6"] | None:
    """Return the reference stress, eV/Å³, Voigt, tensile-positive, or none."""
    value = atoms.info.get(STRESS)
    return None if value is None else np.asarray(value, dtype=float)


def set_labels(
    atoms: Atoms,
    *,
    energy: float | None = None,
    forces: Float[np.ndarray, "atoms 3"] | None = None,
    stress: Float[np.ndarray, "6"] | None = None,
) -> None:
    """Store the given labels on `atoms` and leave the others as they are.

    Parameters
    ----------
    atoms
        Changed in place.
    energy
        eV
    forces
        eV/Å
    stress
        eV/Å³, tensile-positive, Voigt order.

    Examples
    --------
    >>> atoms = Atoms("H")
    >>> set_labels(atoms, energy=-1.0)
    >>> energy_of(atoms), forces_of(atoms)
    (-1.0, None)
    """
    if energy is not None:
        atoms.info[ENERGY] = float(energy)
    if forces is not None:
        atoms.arrays[FORCES] = np.asarray(forces, dtype=float)
    if stress is not None:
        atoms.info[STRESS] = np.asarray(stress, dtype=float)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelCount:
    """How many structures carry each label."""

    n_structures: int
    n_atoms: int
    n_energies: int
    n_forces: int
    n_stresses: int
    elements: tuple[str, ...]


def count_labels(structures: Sequence[Atoms]) -> LabelCount:
    """Count structures, atoms and labels."""
    symbols = {symbol for atoms in structures for symbol in atoms.symbols}
    return LabelCount(
        n_structures=len(structures),
        n_atoms=sum(len(atoms) for atoms in structures),
        n_energies=sum(energy_of(atoms) is not None for atoms in structures),
        n_forces=sum(forces_of(atoms) is not None for atoms in structures),
        n_stresses=sum(stress_of(atoms) is not None for atoms in structures),
        elements=tuple(sorted(symbols)),
    )


def structures_fingerprint(structures: Iterable[Atoms]) -> str:
    """Return a hash of geometries and labels, whatever the file and its key order.

    Examples
    --------
    >>> a, b = Atoms("H"), Atoms("H")
    >>> b.info["comment"] = "x"
    >>> structures_fingerprint([a]) == structures_fingerprint([b])
    True
    """
    return fingerprint(_content(atoms) for atoms in structures)


def _content(atoms: Atoms) -> bytes:
    labels: Mapping[str, object] = {
        ENERGY: energy_of(atoms),
        FORCES: forces_of(atoms),
        STRESS: stress_of(atoms),
    }
    arrays = [atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc]
    arrays += [value for value in labels.values() if value is not None]
    present = ",".join(key for key, value in labels.items() if value is not None)
    return present.encode() + b"".join(
        np.ascontiguousarray(array, dtype=np.float64).tobytes() for array in arrays
    )
