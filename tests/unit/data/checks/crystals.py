"""Small crystals with exact labels, and base models that know them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones

from atomgraft.data.checks.predicted import BaseKnowledge
from atomgraft.data.labels import set_labels


@dataclass
class Word:
    energy: float
    forces: np.ndarray
    stress: np.ndarray


def word(atoms: Atoms) -> Word:
    """An independent potential's energy, forces and stress."""
    copy = Atoms(atoms)
    copy.calc = LennardJones(sigma=2.3, epsilon=0.2, rc=6.0, smooth=True)
    return Word(
        energy=copy.get_potential_energy(),
        forces=copy.get_forces(),
        stress=copy.get_stress(),
    )


def predict(structures: Sequence[Atoms]) -> list[Word]:
    return [word(atoms) for atoms in structures]


BASE = BaseKnowledge(name="lj", elements=frozenset({11, 14, 17, 29}), predict=predict)


def crystals(
    n: int = 12, amplitude: float = 0.06, strain: float = 0.06, seed: int = 0
) -> list[Atoms]:
    """Return labelled copper crystals, displaced and strained independently."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        atoms = bulk("Cu", cubic=True) * (2, 2, 2)
        change = np.eye(3) * (1 + rng.uniform(-strain, strain))
        atoms.set_cell(atoms.cell.array @ change, scale_atoms=True)
        atoms.rattle(amplitude, rng=rng)
        said = word(atoms)
        set_labels(atoms, energy=said.energy, forces=said.forces, stress=said.stress)
        atoms.info["source"] = f"cu.extxyz, frame {i}"
        atoms.info["label_keys"] = {
            "energy": "REF_energy",
            "forces": "REF_forces",
            "stress": "REF_stress",
        }
        found.append(atoms)
    return found
