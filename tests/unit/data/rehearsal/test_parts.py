"""Folding, substituting and disturbing, each on what has a known answer."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.data import atomic_numbers, chemical_symbols, covalent_radii
from hypothesis import given, settings
from hypothesis import strategies as st

from atomgraft.data.rehearsal.disturbances import are_apart, disturbed
from atomgraft.data.rehearsal.relatives import (
    NOBLE_GASES,
    chemical_neighbours,
    folded,
    substituted,
)


@settings(deadline=None, max_examples=25)
@given(
    repeats=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2)),
    rattle=st.floats(0, 0.12),
    seed=st.integers(0, 99),
)
def test_a_supercell_is_folded_to_its_unit(repeats, rattle, seed):
    unit = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    rng = np.random.default_rng(seed)
    large = unit.repeat(repeats)[rng.permutation(8 * int(np.prod(repeats)))]
    large.positions += rng.normal(scale=rattle, size=large.positions.shape)
    small = folded(large)
    assert len(small) == 8
    np.testing.assert_allclose(small.cell, unit.cell, atol=1e-9)
    assert small.get_chemical_formula() == "Cl4Na4"
    assert are_apart(small)


def test_what_does_not_repeat_stays_whole():
    doped = bulk("Si", cubic=True).repeat(2)
    doped.numbers[5] = 32
    vacancy = bulk("Si", cubic=True).repeat(2)[1:]
    shifted = bulk("Si", cubic=True).repeat((2, 1, 1))
    shifted.positions[0, 1] += 1.2
    for atoms in (doped, vacancy, shifted, molecule("C6H6")):
        assert len(folded(atoms)) == len(atoms)


def test_open_directions_are_not_folded():
    slab = bulk("Cu", cubic=True).repeat((2, 2, 2))
    slab.pbc = (True, True, False)
    assert folded(slab).cell.lengths() == pytest.approx([3.61, 3.61, 7.22])


@pytest.mark.parametrize(
    ("symbol", "neighbours"),
    [
        ("H", "Li"),
        ("Li", "H Na Be"),
        ("C", "B N Si"),
        ("F", "O Cl"),
        ("Ne", "He Ar"),
        ("Al", "Mg Si B Ga"),
        ("Sc", "Ca Ti Y"),
        ("Zr", "Y Nb Ti Hf"),
        ("Hf", "Zr Lu Ta Rf"),
        ("La", "Ba Ce Ac"),
        ("Eu", "Sm Gd Am"),
        ("U", "Pa Np Nd"),  # codespell:ignore nd
        ("Tl", "Hg Pb In Nh"),
    ],
)
def test_neighbours_are_those_of_the_periodic_table(symbol, neighbours):
    found = {chemical_symbols[Z] for Z in chemical_neighbours(atomic_numbers[symbol])}
    assert found == set(neighbours.split())


def test_to_be_neighbours_is_mutual():
    table = {Z: chemical_neighbours(Z) for Z in range(1, 119)}
    assert all(Z in table[other] for Z in table for other in table[Z])
    assert all(Z not in table[Z] for Z in table)
    noble = set(NOBLE_GASES)
    assert all(table[Z] <= noble for Z in noble)


@settings(deadline=None)
@given(seed=st.integers(0, 500))
def test_substitutes_fit_in_size(seed):
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    found = substituted(atoms, set(range(1, 84)), np.random.default_rng(seed))
    assert found is not None
    changed = atoms.numbers != found.atoms.numbers
    assert changed.any()
    for old, new in zip(atoms.numbers, found.atoms.numbers, strict=True):
        assert old == new or int(new) in chemical_neighbours(int(old))
    radii = covalent_radii
    scale = radii[found.atoms.numbers].sum() / radii[atoms.numbers].sum()
    volume = atoms.get_volume() * scale**3
    assert found.atoms.get_volume() == pytest.approx(volume)
    np.testing.assert_allclose(
        found.atoms.get_scaled_positions(), atoms.get_scaled_positions(), atol=1e-12
    )


def test_without_an_allowed_neighbour_there_is_no_substitute():
    rng = np.random.default_rng(0)
    assert substituted(bulk("Si"), {14, 8}, rng) is None
    assert substituted(Atoms("Si"), {14, 32}, rng) is None, "germanium is probed"


@settings(deadline=None)
@given(
    strain=st.floats(0, 0.08),
    rattle=st.floats(0, 1.5),
    seed=st.integers(0, 99),
)
def test_disturbed_atoms_keep_apart(strain, rattle, seed):
    for atoms in (bulk("Si", cubic=True), molecule("CH4")):
        rng = np.random.default_rng(seed)
        made = disturbed(atoms, strain=strain, rattle=rattle, generator=rng)
        assert are_apart(made)
        np.testing.assert_array_equal(made.pbc, atoms.pbc)


def test_strain_is_symmetric_with_shear_and_moves_atoms_along():
    atoms = bulk("Si", cubic=True)
    rng = np.random.default_rng(1)
    made = disturbed(atoms, strain=0.06, rattle=0.0, generator=rng)
    gradient = np.linalg.solve(atoms.cell.array, made.cell.array) - np.eye(3)
    np.testing.assert_allclose(gradient, gradient.T, atol=1e-12)
    assert 0.01 < np.abs(gradient).max() <= 0.06
    assert np.abs(gradient[np.triu_indices(3, 1)]).min() > 1e-4
    np.testing.assert_allclose(
        made.get_scaled_positions(), atoms.get_scaled_positions(), atol=1e-12
    )


def test_a_rattle_has_the_size_that_was_asked_for():
    atoms = bulk("Si", cubic=True).repeat(4)
    rng = np.random.default_rng(0)
    made = disturbed(atoms, strain=0.0, rattle=0.05, generator=rng)
    assert (made.positions - atoms.positions).std() == pytest.approx(0.05, rel=0.1)


def test_what_cannot_be_disturbed_comes_back_as_it_is():
    dense = Atoms("H", cell=np.eye(3) * 0.44, pbc=True)
    rng = np.random.default_rng(0)
    made = disturbed(dense, strain=0.9, rattle=0.0, generator=rng)
    assert made.cell.lengths() == pytest.approx(dense.cell.lengths(), rel=0.1)
