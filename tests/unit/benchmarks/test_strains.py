"""Elastic constants from energies alone: are they those of the stress?"""

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.core.units import EV_PER_A3_IN_GPA
from atomgraft.models.pair import stillinger_weber
from atomgraft.models.prediction import predict_structures
from tests.unit.benchmarks.test_leave_out import FOLDER, script

SIZES = (0.02, 0.04, 0.06, 0.08)
SMALL = 1e-4
WITHIN = 0.005
"""Of a constant; what a fit of fourth order leaves in strains of 6 %."""


STRAINS = script("strains", FOLDER.parent / "elements")


@pytest.fixture(scope="module")
def silicon():
    return stillinger_weber(["Si"])


def deformed(strain, *, is_shear):
    """Return a crystal whose Green-Lagrange strain has one component."""
    atoms = bulk("Si", a=5.431, cubic=True)
    cell = np.eye(3)
    if is_shear:
        cell[1] = 2 * strain, np.sqrt(1 - 4 * strain**2), 0
    else:
        cell[0, 0] = np.sqrt(1 + 2 * strain)
    atoms.set_cell(5.431 * cell, scale_atoms=True)
    return atoms


def labelled(silicon):
    """Return strained crystals as those of the data: shears along one pair of axes."""
    signed = [sign * size for size in SIZES for sign in (-1, 1)]
    frames = [deformed(one, is_shear=False) for one in (0.0, *signed)]
    frames += [deformed(one, is_shear=True) for one in signed]
    for atoms, one in zip(frames, predict_structures(silicon, frames), strict=True):
        atoms.info["REF_energy"] = one.energy
        atoms.arrays["REF_forces"] = one.forces
    return frames


def from_stress(silicon, *, is_shear):
    """Return C11, or C44 of clamped atoms, from the stress at a small strain, GPa."""
    pair = [deformed(sign * SMALL, is_shear=is_shear) for sign in (-1, 1)]
    low, high = (one.stress for one in predict_structures(silicon, pair))
    place = 5 if is_shear else 0
    change = high[place] - low[place]
    return EV_PER_A3_IN_GPA * change / ((4 if is_shear else 2) * SMALL)


def test_constants_are_those_of_the_stress(silicon):
    found = STRAINS.of_labels(labelled(silicon))
    C11 = from_stress(silicon, is_shear=False)
    C44 = from_stress(silicon, is_shear=True)
    assert found["C11"][0] == pytest.approx(C11, rel=WITHIN)
    assert found["C44_clamped"][0] == pytest.approx(C44, rel=WITHIN)
    assert abs(found["C11"][0] - C11) < found["C11"][1]
    assert abs(found["stress"][0]) < 0.2  # the crystal is at rest


def test_shears_of_opposite_sign_are_one_measurement(silicon):
    """Their energies are equal by symmetry: four points, three coefficients."""
    frames = labelled(silicon)
    for atoms in frames:
        strain = STRAINS.green(atoms, 5.431)[0, 1]
        if abs(abs(strain) - 0.04) < 1e-3:  # an error that both signs share
            atoms.info["REF_energy"] += 0.01
    value, half = STRAINS.of_labels(frames)["C44_clamped"]
    C44 = from_stress(silicon, is_shear=True)
    eta = np.array([0.0, 0.02, 0.04, 0.06])
    matrix = np.stack([eta**power for power in (0, 2, 4)], axis=1)
    noise = np.array([0.0, 0.0, 0.01, 0.0])
    found, *_ = np.linalg.lstsq(matrix, noise, rcond=None)
    rest = ((noise - matrix @ found) ** 2).sum()  # over one degree of freedom
    error = np.sqrt(np.linalg.inv(matrix.T @ matrix)[1, 1] * rest)
    unit = 0.5 * EV_PER_A3_IN_GPA / 5.431**3
    assert value == pytest.approx(C44 + unit * found[1], rel=WITHIN)
    assert half >= 0.95 * unit * 12.71 * error
    assert abs(value - C44) < half


def test_a_force_of_one_pair_of_shears_has_no_interval(silicon):
    assert STRAINS.of_labels(labelled(silicon))["shear_force"][1] == 0.0


def test_a_fit_of_second_order_is_worse(silicon):
    """Negative control: anharmonic terms are seen, and have to be fitted."""
    kept, edge = STRAINS.strained_frames(labelled(silicon))
    energies = [one.atoms.info["REF_energy"] for one in kept]
    forces = [one.atoms.arrays["REF_forces"] for one in kept]
    found = STRAINS.constants(kept, energies, forces, edge**3, order=2)
    C44 = from_stress(silicon, is_shear=True)
    assert abs(found["C44_clamped"][0] / C44 - 1) > 2 * WITHIN
