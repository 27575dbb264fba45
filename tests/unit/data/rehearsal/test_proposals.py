"""Proposals: as many as asked for, of allowed elements, apart, unlabelled, the same."""

from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.constraints import FixAtoms
from hypothesis import given, settings
from hypothesis import strategies as st

from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import energy_of, forces_of
from atomgraft.data.readers import read_structures
from atomgraft.data.rehearsal.disturbances import are_apart
from atomgraft.data.rehearsal.proposals import (
    DISTURBANCES,
    FEWEST,
    KINDS,
    LARGEST,
    SMALL,
    propose_rehearsal,
    rehearsal_crystals,
)
from atomgraft.data.rehearsal.relatives import PROBED_FORMULAS, reduced_formula

ALL = frozenset(range(1, 84)) | frozenset(range(89, 95))

OWN = (
    bulk("Si", cubic=True),
    bulk("GaAs", "zincblende", a=5.7, cubic=True),
    bulk("NaCl", "rocksalt", a=5.6).repeat(2),
    molecule("CH3CH2OH"),
)


def proposed(own=OWN, elements=ALL, n=40, seed=0) -> tuple[Atoms, ...]:
    rng = np.random.default_rng(seed)
    return propose_rehearsal(own, elements=elements, n=n, generator=rng)


def elements_of(structures) -> set[int]:
    return {int(Z) for atoms in structures for Z in atoms.numbers}


def kinds(made) -> Counter:
    return Counter(atoms.info["rehearsal"] for atoms in made)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(0, 30),
    seed=st.integers(0, 99),
    chosen=st.sets(st.integers(0, len(OWN) - 1)),
    left_out=st.sets(st.sampled_from(sorted(ALL - {14})), max_size=60),
)
def test_every_proposal_keeps_the_promises(n, seed, chosen, left_out):
    elements = ALL - left_out
    made = proposed([OWN[i] for i in chosen], elements, n, seed)
    assert len(made) == n
    for atoms in made:
        assert elements.issuperset(atoms.numbers.tolist())
        assert atoms.info["rehearsal"] in KINDS
        assert set(atoms.info) == {"rehearsal", "name"}
        assert are_apart(atoms)
        assert len(atoms) <= SMALL
        assert np.isfinite(atoms.positions).all()


def test_half_are_crystals_a_quarter_each_are_relatives():
    made = proposed(n=41)
    assert kinds(made) == {"crystal": 21, "strained": 10, "substituted": 10}
    order = [KINDS.index(atoms.info["rehearsal"]) for atoms in made]
    assert order == sorted(order)


def test_the_generator_decides():
    one, same, other = proposed(), proposed(), proposed(seed=1)
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
        assert a.info == b.info
    assert any(a.info != b.info for a, b in zip(one, other, strict=True))


def test_no_crystal_comes_twice_before_each_came_once():
    names = [atoms.info["name"] for atoms in proposed(own=[], n=120)]
    assert len(set(names)) == 120
    assert {tuple(atoms.info) for atoms in proposed(own=[], n=250)} == {
        ("rehearsal", "name")
    }


def test_few_crystals_reach_many_elements():
    crystals = rehearsal_crystals()
    drawn = np.random.default_rng(0).permutation(len(crystals))[:32]
    by_chance = len(elements_of([crystals[i] for i in drawn]))
    assert len(elements_of(proposed(own=[], n=32))) > 1.2 * by_chance
    assert elements_of(proposed(own=[], n=64)) == ALL


def test_labels_and_constraints_stay_behind():
    own = read_structures(["shipped:si-train"])[:10]
    own[0].set_constraint(FixAtoms([0]))
    assert energy_of(own[0]) is not None
    for atoms in proposed(own, {14}):
        assert energy_of(atoms) is None
        assert forces_of(atoms) is None
        assert atoms.calc is None
        assert not atoms.constraints
        assert set(atoms.arrays) == {"numbers", "positions"}


def test_no_crystal_of_the_judge_is_made_by_substitution():
    own = [bulk("Si", cubic=True), bulk("GaAs", "zincblende", a=5.7, cubic=True)]
    made = proposed(own, n=200)
    for atoms in made:
        if atoms.info["rehearsal"] == "substituted":
            assert reduced_formula(atoms) not in PROBED_FORMULAS
            assert set(atoms.numbers.tolist()) - {14, 31, 33}


def test_supercells_are_rehearsed_in_small():
    rng = np.random.default_rng(0)
    large = bulk("Si", cubic=True).repeat((3, 2, 2))
    large.positions += rng.normal(scale=0.1, size=large.positions.shape)
    made = proposed([large], n=20)
    sizes = {len(one) for one in made if one.info["rehearsal"] != "crystal"}
    assert sizes == {8}


def amorphous(n_atoms: int) -> Atoms:
    """Return atoms on a third of the points of a grid, so that nothing repeats."""
    rng = np.random.default_rng(n_atoms)
    n_side = int(np.ceil((3 * n_atoms) ** (1 / 3)))
    grid = np.argwhere(np.ones((n_side,) * 3))
    places = grid[rng.permutation(len(grid))[:n_atoms]] * 2.4
    cell = np.eye(3) * n_side * 2.4
    return Atoms(f"Si{n_atoms}", places, cell=cell, pbc=True)


@pytest.mark.parametrize(
    ("sizes", "taken"),
    [((7, 50), {7}), ((47, 50, 101), {47, 50}), ((LARGEST + 3,), set())],
)
def test_small_own_structures_come_first(sizes, taken):
    made = proposed([amorphous(size) for size in sizes], n=20)
    relatives = [atoms for atoms in made if atoms.info["rehearsal"] != "crystal"]
    assert {len(atoms) for atoms in relatives} == taken
    assert len(made) == 20


def test_cells_are_not_too_small_to_move_in():
    made = proposed([bulk("Cu")], n=30)
    assert min(map(len, made)) >= FEWEST
    assert {len(one) for one in made if one.info["rehearsal"] == "strained"} == {4}


def test_one_kind_stands_in_for_another():
    assert kinds(proposed([], n=10)) == {"crystal": 10}
    assert kinds(proposed(OWN, {14}, n=10)) == {"crystal": 5, "strained": 5}
    assert kinds(proposed([molecule("H2O")], {1, 8}, n=10)) == {"strained": 10}
    lone = Atoms("Si", info={"config_type": "IsolatedAtom"})
    crushed = Atoms("Si2", [[0, 0, 0], [0, 0, 0.5]])
    unseen = bulk("Ge")
    assert kinds(proposed([lone, crushed, unseen], {14}, 6)) == {"crystal": 6}


def test_crystals_are_strained_and_rattled_by_as_much_as_stated():
    [tin] = [one for one in rehearsal_crystals() if set(one.numbers) == {14}]
    cell = tin.repeat((2, 1, 1)).cell.array
    made = proposed([], {14}, n=400)
    gradients = [np.linalg.solve(cell, one.cell.array) for one in made]
    strains = np.array(gradients) - np.eye(3)
    assert np.abs(strains).max(axis=0) == pytest.approx(0.06, rel=0.05)
    amount = DISTURBANCES["crystal"]
    assert (amount.strain, amount.rattles[0], amount.rattles[-1]) == (0.06, 0.02, 0.3)


@pytest.mark.parametrize("elements", [set(), {8}, {85, 86}])
def test_nothing_possible_is_refused(elements):
    with pytest.raises(BadInputError, match="No replay structure can be made from"):
        proposed([bulk("Si")], elements, 4)


def test_a_negative_number_is_refused():
    with pytest.raises(BadInputError, match="-1"):
        proposed(n=-1)
