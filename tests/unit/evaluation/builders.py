"""Predictions and labels whose errors are known without any model."""

import dataclasses

import numpy as np
from ase import Atoms
from ase.build import bulk

from atomgraft.data.labels import set_labels
from atomgraft.models.prediction import StructurePrediction

GPA = 1 / 160.21766208
"""1 GPa in eV/Å³."""


def labelled_crystal(symbol="Si", *, seed=0, energy=-10.0):
    """Two rattled atoms with forces of about 1 eV/Å and a stress of about 1 GPa."""
    rng = np.random.default_rng(seed)
    atoms = bulk(symbol, "diamond", a=5.4)
    atoms.rattle(0.05, rng=np.random.default_rng(seed))
    set_labels(
        atoms,
        energy=energy,
        forces=rng.normal(size=(len(atoms), 3)),
        stress=rng.normal(size=6) * GPA,
    )
    atoms.info["name"] = f"{symbol} {seed}"
    return atoms


def labelled_crystals(n=6):
    return [
        labelled_crystal("Si" if i % 2 else "Ge", seed=i, energy=-10.0 - i)
        for i in range(n)
    ]


def truth(atoms: Atoms) -> StructurePrediction:
    return StructurePrediction(
        energy=atoms.info["REF_energy"],
        forces=atoms.arrays["REF_forces"].copy(),
        stress=atoms.info["REF_stress"].copy(),
    )


def off_by(prediction, *, energy_per_atom=0.0, force=0.0, stress=0.0):
    """Shift every component by the same amount, in eV, eV/Å and eV/Å³."""
    return dataclasses.replace(
        prediction,
        energy=prediction.energy + energy_per_atom * len(prediction.forces),
        forces=prediction.forces + force,
        stress=prediction.stress + stress,
    )


def find(scores, quantity, metric, group=None, model=None):
    """The one row that answers, or an error that says how many do."""
    rows = [
        row
        for row in scores
        if (row.quantity, row.metric, row.group) == (quantity, metric, group)
        and model in (None, row.model)
    ]
    assert len(rows) == 1, rows
    return rows[0]
