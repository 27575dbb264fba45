"""A force difference as a frequency, against the eigenvalues of random crystals."""

import numpy as np
import pytest
from ase import Atoms

from atomgraft.data.labels import set_labels
from atomgraft.data.partners import DISPLACEMENT
from atomgraft.training.responses import SOFTEST, THZ, frequency_of, frequency_weights

AMPLITUDE = 0.01
"""Å"""


@pytest.fixture
def crystal():
    """Return atoms, force constants (eV/Å²) and modes, frequencies ascending, THz."""
    atoms = Atoms("HCOSiPb", positions=np.random.default_rng(1).normal(size=(5, 3)))
    root = np.random.default_rng(2).normal(size=(15, 15))
    constants = root @ root.T + 5 * np.eye(15)
    return atoms, constants, *modes_of(atoms, constants)


def modes_of(atoms, constants):
    scale = np.repeat(atoms.get_masses(), 3) ** -0.5
    squares, vectors = np.linalg.eigh(scale[:, None] * constants * scale)
    return THZ * np.sqrt(squares), vectors


def labelled(atoms, constants, displacement):
    frame = atoms.copy()
    frame.arrays[DISPLACEMENT] = displacement
    set_labels(frame, forces=-(constants @ displacement.ravel()).reshape(-1, 3))
    return frame


def along_mode(atoms, vector):
    return AMPLITUDE * vector.reshape(-1, 3) / np.sqrt(atoms.get_masses()[:, None])


def length(weights, errors):
    return float(np.linalg.norm(weights * errors))


@pytest.mark.parametrize("mode", [0, 7, 14])
def test_a_normal_mode_has_its_own_frequency(crystal, mode):
    atoms, constants, frequencies, vectors = crystal
    frame = labelled(atoms, constants, along_mode(atoms, vectors[:, mode]))
    assert frequency_of(frame) == pytest.approx(frequencies[mode])


@pytest.mark.parametrize("mode", [0, 7, 14])
def test_stiffer_by_a_little_is_the_change_of_the_eigenvalue(crystal, mode):
    atoms, constants, frequencies, vectors = crystal
    frame = labelled(atoms, constants, along_mode(atoms, vectors[:, mode]))
    step = 1e-6
    stiffer = labelled(atoms, (1 + step) * constants, frame.arrays[DISPLACEMENT])
    error = stiffer.arrays["REF_forces"] - frame.arrays["REF_forces"]
    changed, _ = modes_of(atoms, (1 + step) * constants)
    expected = changed[mode] - frequencies[mode]
    found = length(frequency_weights(frame), error)
    assert found == pytest.approx(expected, rel=1e-3)


def test_no_eigenvalue_changes_by_more(crystal):
    atoms, constants, frequencies, vectors = crystal
    noise = np.random.default_rng(3).normal(size=(15, 15))
    noise = 1e-7 * (noise + noise.T)
    changed, _ = modes_of(atoms, constants + noise)
    for mode in range(15):
        u = along_mode(atoms, vectors[:, mode])
        frame = labelled(atoms, constants, u)
        error = -(noise @ u.ravel()).reshape(-1, 3)
        bound = length(frequency_weights(frame), error)
        assert abs(changed[mode] - frequencies[mode]) <= bound * (1 + 1e-3)


def test_the_size_of_the_displacement_is_nothing(crystal):
    atoms, constants, _, vectors = crystal
    u = along_mode(atoms, vectors[:, 3])
    once, twice = (labelled(atoms, constants, n * u) for n in (1, 2))
    assert frequency_of(once) == pytest.approx(frequency_of(twice))
    np.testing.assert_allclose(frequency_weights(once), 2 * frequency_weights(twice))


def test_an_unstable_displacement_counts_as_a_soft_one(crystal):
    atoms, constants, _, vectors = crystal
    u = along_mode(atoms, vectors[:, 3])
    unstable = labelled(atoms, -constants, u)
    assert frequency_of(unstable) == SOFTEST
    assert np.isfinite(frequency_weights(unstable)).all()
