"""Structures with made-up labels, and a base whose predictions are known exactly."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.build import bulk

from atomgraft.data.checks.predicted import BaseKnowledge
from atomgraft.data.checks.suite import check_structures
from atomgraft.data.labels import energy_of, forces_of, set_labels, stress_of
from tests.unit.data.checks.crystals import Word

SALT = 4.2
"""Å, of a crystal of two elements."""


def frame(
    i: int,
    rng: np.random.Generator,
    *,
    salt: bool,
    sizes: Sequence[int],
    primitive: bool,
) -> Atoms:
    """Return a rattled and strained crystal with labels of the usual sizes."""
    cubic = not primitive
    salty = bulk("MgO", "rocksalt", a=SALT, cubic=cubic)
    cell = salty if salt else bulk("Si", cubic=cubic)
    atoms = cell * (sizes[i % len(sizes)], 1, 1)
    atoms.rattle(0.06, rng=rng)
    n = len(atoms)
    binding = 0.05 * n * rng.normal()
    references = {12: -3.1, 8: -7.2, 14: -5.4}
    energy = sum(references[Z] for Z in atoms.numbers.tolist()) + binding
    forces = rng.normal(size=(n, 3))
    set_labels(
        atoms,
        energy=energy,
        forces=forces - forces.mean(axis=0),
        stress=0.04 * rng.normal(size=6),
    )
    atoms.info["source"] = f"a.extxyz, frame {i}"
    atoms.info["stress_of_six"] = True
    atoms.info["label_keys"] = {
        "energy": "REF_energy",
        "forces": "REF_forces",
        "stress": "REF_stress",
    }
    return atoms


def told(
    n: int = 12,
    *,
    salt: bool = False,
    sizes: Sequence[int] = (1, 2),
    primitive: bool = False,
    softness: float = 1.0,
    noise: float = 0.05,
    seed: int = 0,
) -> tuple[list[Atoms], BaseKnowledge]:
    """Return labelled structures, and a base that says almost the same.

    Parameters
    ----------
    n
        Structures.
    salt
        Of two elements.
    sizes
        Cells a frame.
    primitive
        Cells of two atoms, where others have eight.
    softness
        Of the base: its predictions over the labels.
    noise
        Of the predictions, relative.
    """
    rng = np.random.default_rng(seed)
    structures = [
        frame(i, rng, salt=salt, sizes=sizes, primitive=primitive) for i in range(n)
    ]
    words: dict[str, Word] = {}
    for atoms in structures:
        size = len(atoms)
        energy, forces, stress = energy_of(atoms), forces_of(atoms), stress_of(atoms)
        assert energy is not None
        assert forces is not None
        assert stress is not None
        zero = {12: -3.1, 8: -7.2, 14: -5.4}
        reference = sum(zero[Z] for Z in atoms.numbers.tolist())
        off = noise * 0.05 * size * rng.normal()
        words[atoms.info["source"]] = Word(
            energy=reference + softness * (energy - reference) + off,
            forces=softness * forces + noise * rng.normal(size=forces.shape),
            stress=softness * stress + noise * 0.04 * rng.normal(size=6),
        )
    base = BaseKnowledge(
        name="told",
        elements=frozenset({8, 12, 14}),
        predict=lambda asked: [words[atoms.info["source"]] for atoms in asked],
    )
    return structures, base


def scales(structures: Sequence[Atoms], base: BaseKnowledge) -> dict[str, str]:
    """Return what is said of units, by code."""
    return {
        one.code: one.message
        for one in check_structures(structures, base=base)
        if one.code.endswith(("-scale", "-disagrees"))
    }
