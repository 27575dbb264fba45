"""Supercells: large enough, displaced as the data set says, refused where senseless."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.core.errors import BadInputError
from atomgraft.data.phonopy_files import to_ase
from atomgraft.lattice.supercells import (
    MAX_ATOMS,
    all_displacements,
    crystal,
    displaced_supercells,
    ideal_supercell,
    prepare,
    supercell_by_length,
    to_phonopy,
)
from tests.vibrations import displaced_salt, displaced_silicon, shaken_silicon, silicon

lengths = st.floats(2.5, 9)


def widths(cell):
    return 1 / np.linalg.norm(cell.reciprocal().array, axis=1)


@given(lengths, lengths, lengths, st.floats(60, 120), st.floats(3, 25))
def test_a_sphere_fits_and_no_smaller_cell_would_do(a, b, c, angle, length):
    atoms = Atoms("Si", cell=[a, b, c, 90, 90, angle], pbc=True)
    counts = supercell_by_length(atoms, length).diagonal()
    found = widths(atoms.cell) * counts
    assert (found >= length - 1e-6).all()
    smaller = widths(atoms.cell) * (counts - 1)
    assert (smaller[counts > 1] < length).all()


def test_structures_go_to_phonopy_and_back():
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    atoms.rattle(0.1, seed=0)
    atoms.positions[0] -= 7.0  # outside of the cell, and stays there
    back = to_ase(to_phonopy(atoms))
    np.testing.assert_allclose(back.positions, atoms.positions, atol=1e-12)
    assert (back.numbers == atoms.numbers).all()
    np.testing.assert_allclose(back.cell.array, atoms.cell.array)
    np.testing.assert_allclose(to_phonopy(atoms).masses, atoms.get_masses())


def test_one_atom_is_displaced_in_each():
    phonon = displaced_salt()
    found = all_displacements(phonon)
    moved = np.linalg.norm(found, axis=2)
    assert found.shape == (2, 16, 3)  # one for each of the two ions
    assert ((moved > 0).sum(axis=1) == 1).all()
    np.testing.assert_allclose(moved.max(axis=1), 0.01)


@pytest.mark.parametrize("phonon", [displaced_silicon, shaken_silicon])
def test_displaced_supercells_are_phonopys_own(phonon):
    phonon = phonon()
    ours = displaced_supercells(phonon)
    for atoms, cell in zip(ours, phonon.supercells_with_displacements, strict=True):
        np.testing.assert_allclose(atoms.positions, cell.positions, atol=1e-12)
    assert ideal_supercell(phonon) == to_ase(phonon.supercell)


def test_rows_are_multiples_of_the_cell_vectors():
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    rows = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]])
    found = ideal_supercell(prepare(atoms, supercell=rows))
    np.testing.assert_allclose(found.cell.array, rows @ atoms.cell.array, atol=1e-9)
    assert len(found) == 16


def test_without_displacements_nothing_is_made_up():
    phonon = crystal(silicon(), np.diag([2, 2, 2]), "auto")
    with pytest.raises(BadInputError, match=r"The crystal has no displacements\."):
        all_displacements(phonon)


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (np.zeros((3, 3), dtype=int), "spans no crystal"),
        (np.diag([-2, 2, 2]), "spans no crystal"),
        (np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1]]), "spans no crystal"),
        (np.diag([20, 20, 20]), f"Between 2 and {MAX_ATOMS}"),
    ],
    ids=["nothing", "left-handed", "flat", "huge"],
)
def test_senseless_supercells_are_refused(rows, match):
    with pytest.raises(BadInputError, match=match):
        prepare(silicon(), supercell=rows)


@pytest.mark.parametrize(
    ("atoms", "match"),
    [
        (Atoms("Si2", [[0, 0, 0], [0, 0, 2.3]]), "periodic in 0 directions"),
        (Atoms("Si", cell=[4, 4, 0], pbc=[True, True, False]), "periodic in 2"),
        (Atoms("Si", cell=[4, 4, 0], pbc=True), "periodic in 2"),
        (Atoms("Si2", cell=[4, 4, 4], pbc=True), "are at the same position."),
    ],
    ids=["molecule", "layer", "no volume", "coincident"],
)
def test_what_is_no_crystal_is_refused(atoms, match):
    with pytest.raises(BadInputError, match=match):
        prepare(atoms, supercell=np.diag([1, 1, 1]))


def test_an_atom_alone_has_no_vibrations():
    """All of its force constants vanish; it was called stable."""
    with pytest.raises(BadInputError, match="moves with all of its images"):
        prepare(bulk("Po", "sc", a=3.3), supercell=np.eye(3, dtype=int))
