"""Directions of order parameters: those of the tables, and fixed by their subgroup."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from atomgraft.lattice.order_parameters import (
    directions_of,
    fixed_spaces,
    is_representation,
)
from atomgraft.lattice.symmetry import raise_errors_of_spglib


def rotation(degrees):
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


MIRROR = np.diag([1.0, -1.0])

CUBIC = [
    np.eye(3)[list(order)] * np.array(signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product([1.0, -1.0], repeat=3)
]


def is_tetrahedral(matrix):
    """Tell whether a cubic operation takes (1,1,1) to a corner of the tetrahedron."""
    return np.prod(matrix.sum(axis=1)) > 0


def cyclic(n):
    return [rotation(360 * i / n) for i in range(n)]


def dihedral(n):
    return [*cyclic(n), *(one @ MIRROR for one in cyclic(n))]


GROUPS = {
    "no symmetry, one mode": [np.eye(1)],
    "sign": [np.eye(1), -np.eye(1)],
    "square": dihedral(4),
    "triangle": dihedral(3),
    "hexagon": dihedral(6),
    "cube": CUBIC,
    "tetrahedron": [one for one in CUBIC if is_tetrahedral(one)],
}

TABLE = {
    "no symmetry, one mode": [("(a)", 1, False)],
    "sign": [("(a)", 2, True)],
    "square": [("(a,0)", 4, True), ("(a,a)", 4, True)],
    "triangle": [("(a,0)", 3, False)],
    "hexagon": [("(a,0)", 6, True), ("(0.87a,a)", 6, True)],
    "cube": [("(a,0,0)", 6, True), ("(a,a,a)", 8, True), ("(a,a,0)", 12, True)],
    "tetrahedron": [("(a,a,a)", 4, False), ("(a,0,0)", 6, True)],
}
"""Name, domains, and whether the opposite is the same; Stokes and Hatch, Isotropy
Subgroups of the 230 Crystallographic Space Groups (1988), for vectors."""


@pytest.mark.parametrize("name", GROUPS)
def test_directions_of_the_tables_are_found(name):
    found = directions_of(np.array(GROUPS[name]))
    assert [one.n_domains for one in found] == [row[1] for row in TABLE[name]]
    assert [one.is_even for one in found] == [row[2] for row in TABLE[name]]
    assert all(one.is_fixed and one.n_free == 1 for one in found)


@pytest.mark.parametrize("name", ["sign", "square", "triangle", "cube"])
def test_directions_are_named_as_crystallographers_do(name):
    found = directions_of(np.array(GROUPS[name]))
    assert [one.name for one in found] == [row[0] for row in TABLE[name]]


@pytest.mark.parametrize("name", ["square", "triangle", "cube", "tetrahedron"])
@settings(max_examples=8)
@given(seed=st.integers(0, 10_000))
def test_directions_do_not_depend_on_the_basis(name, seed):
    group = np.array(GROUPS[name])
    turn = ortho_group.rvs(group.shape[1], random_state=seed)
    plain, turned = directions_of(group), directions_of(turn @ group @ turn.T)
    assert [one.n_domains for one in turned] == [one.n_domains for one in plain]
    assert [one.is_even for one in turned] == [one.is_even for one in plain]


@pytest.mark.parametrize("name", GROUPS)
def test_a_direction_is_all_that_its_subgroup_fixes(name):
    group = np.array(GROUPS[name])
    for one in directions_of(group):
        stays = np.abs(group @ one.amplitudes - one.amplitudes).max(axis=1) < 1e-6
        average = group[stays].mean(axis=0)
        assert np.trace(average) == pytest.approx(1)
        assert stays.sum() * one.n_domains == len(group)


@pytest.mark.parametrize("name", GROUPS)
def test_no_two_directions_are_equal_by_symmetry(name):
    group = np.array(GROUPS[name])
    for one, other in itertools.combinations(directions_of(group), 2):
        assert np.abs(group @ one.amplitudes @ other.amplitudes).max() < 0.999


@pytest.mark.parametrize("n", [3, 4])
def test_rotations_alone_fix_no_direction_and_it_is_said(n):
    found = directions_of(np.array(cyclic(n)))
    assert found
    assert not any(one.is_fixed for one in found)
    assert {one.n_free for one in found} == {2}


def test_two_waves_of_one_star_are_combined():
    """Three arms with a sign each, exchanged by rotations: one, two and three waves."""
    names = {one.name for one in directions_of(np.array(CUBIC))}
    assert names == {"(a,0,0)", "(a,a,0)", "(a,a,a)"}


def test_fixed_spaces_are_one_for_each_kind():
    ranks = sorted(round(np.trace(one)) for one in fixed_spaces(np.array(CUBIC)))
    # three lines, the planes of the two kinds of mirrors, and everything
    assert ranks == [1, 1, 1, 2, 2, 3]


def test_modes_that_symmetry_mixes_with_others_are_no_representation():
    cut = np.array(CUBIC)[:, :2, :2]
    assert is_representation(np.array(CUBIC))
    assert not is_representation(cut)


def test_lines_agree_with_those_of_spgrep_modulation():
    """An independent enumeration of the isotropy subgroups of a vector at Γ."""
    isotropy = pytest.importorskip("spgrep_modulation.isotropy")
    import spglib

    raise_errors_of_spglib()
    atoms: Atoms = bulk("Po", "sc", a=3.3)
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    rotations = spglib.get_symmetry(cell)["rotations"]
    vector = rotations.astype(float)  # the axes of the cube are those of space
    other = isotropy.IsotropyEnumerator(
        rotations, np.zeros((len(rotations), 3)), np.zeros(3), vector.astype(complex)
    )
    theirs = [
        one[0].real
        for one in other.order_parameter_directions
        if len(one) == 1  # a line
    ]
    ours = [one.amplitudes for one in directions_of(vector)]
    assert len(ours) == 3
    for line in theirs:
        assert any(np.abs(vector @ line @ one).max() > 1 - 1e-6 for one in ours)
    for one in ours:
        assert any(np.abs(vector @ line @ one).max() > 1 - 1e-6 for line in theirs)
