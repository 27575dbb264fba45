"""Are the supercells that say the most labelled first, and no pair torn apart?"""

import random

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.phonons.supercell_choice import (
    Displaced,
    Team,
    chosen_supercells,
    displaced,
)
from tests.unit.label.crystals import silicon


def team(*supercells, atom=0, images=8, mass=16.0):
    displaced = Displaced(atom=atom, images=images, mass=mass)
    return Team(supercells=supercells, displaced=displaced)


def chosen(teams, n, *, seed=0, is_rest_answered=True):
    """Choose from teams in the order that a seed makes of them."""
    shuffled = random.Random(seed).sample(teams, len(teams))
    return set(chosen_supercells(shuffled, n, is_rest_answered=is_rest_answered))


SEEDS = pytest.mark.parametrize("seed", range(8))


@SEEDS
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("is_rest_answered", [True, False])
def test_opposite_displacements_stay_together(n, seed, is_rest_answered):
    teams = [team(0), team(1, 2, atom=1), team(3, atom=2), team(4, 5, atom=3)]
    found = chosen(teams, n, seed=seed, is_rest_answered=is_rest_answered)
    for pair in ({1, 2}, {4, 5}):
        assert pair <= found or not pair & found
    assert n - 1 <= len(found) <= n
    assert found


@pytest.mark.parametrize("is_rest_answered", [True, False])
def test_a_pair_is_torn_where_there_is_nothing_else(is_rest_answered):
    teams = [team(0, 1), team(2, 3, atom=1)]
    assert chosen(teams, 1, is_rest_answered=is_rest_answered) in ({0}, {2})


@SEEDS
def test_the_atom_with_the_most_images_comes_first(seed):
    """All its displacements, single ones before pairs, and then the next atom."""
    teams = [
        team(0, atom=0, images=2),
        *(team(1, atom=9, images=24), team(2, 3, atom=9, images=24)),
        *(team(4, atom=5), team(5, atom=5)),
    ]
    assert chosen(teams, 1, seed=seed) == {1}
    assert chosen(teams, 3, seed=seed) == {1, 2, 3}
    assert chosen(teams, 5, seed=seed) == {1, 2, 3, 4, 5}


@SEEDS
def test_of_equals_the_lighter_comes_first(seed):
    teams = [team(0, mass=22.99), team(1, atom=1, mass=79.9)]
    assert chosen(teams, 1, seed=seed) == {0}


def test_the_order_given_decides_among_equals():
    teams = [team(0, atom=0), team(1, atom=1), team(2, atom=1)]
    found = [chosen(teams, 2, seed=seed) for seed in range(12)]
    assert {1, 2} in found
    assert any(0 in one for one in found)


@SEEDS
def test_without_answers_every_atom_is_displaced_before_one_comes_twice(seed):
    teams = [team(0), team(1), team(2), team(3, atom=5)]
    asked = {"seed": seed, "is_rest_answered": False}
    assert 3 in chosen(teams, 2, **asked)
    pairs = [team(0), team(1, 2), team(3, atom=7), team(4, 5, atom=7)]
    both = chosen(pairs, 4, **asked)
    assert both & {0, 1, 2}
    assert both & {3, 4, 5}


def test_symmetry_leaves_one_displaced_supercell_of_diamond():
    [one] = displaced(silicon(), 0.02, 20)
    lengths = np.linalg.norm(one.positions - silicon().positions, axis=1)
    assert sorted(lengths.round(9))[-2:] == [0.0, 0.02]


@pytest.mark.parametrize("distance", [0.01, 0.2])
def test_the_supercell_of_the_lighter_atom_is_proposed_first(distance):
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    both = displaced(salt, distance, 9)
    assert len(both) == 2
    [one] = displaced(salt, 0.01, 1)
    moved = np.linalg.norm(one.positions - salt.positions, axis=1)
    assert salt.symbols[moved.argmax()] == "Na"


def test_where_all_atoms_are_displaced_anything_is_drawn():
    teams = [Team(supercells=(i,)) for i in range(4)]
    asked = {"is_rest_answered": False}
    some = {i for seed in range(8) for i in chosen(teams, 2, seed=seed, **asked)}
    assert some == {0, 1, 2, 3}
