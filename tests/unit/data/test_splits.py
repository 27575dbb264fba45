"""Splits keep groups together and depend on the seed alone."""

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.core.errors import BadInputError
from atomgraft.data.splits import split_off
from tests.displaced import along, displaced


def frames(n: int, n_groups: int | None = None) -> list[Atoms]:
    return [
        Atoms("H2", info={"i": i} | ({"trajectory": i % n_groups} if n_groups else {}))
        for i in range(n)
    ]


def numbers(structures: tuple[Atoms, ...]) -> list[int]:
    return [atoms.info["i"] for atoms in structures]


@given(n=st.integers(0, 60), percent=st.integers(0, 99), seed=st.integers(0, 99))
def test_every_structure_is_on_one_side(n: int, percent: int, seed: int) -> None:
    split = split_off(frames(n), percent / 100, np.random.default_rng(seed))
    both = numbers(split.kept) + numbers(split.split_off)
    assert sorted(both) == list(range(n))
    assert numbers(split.kept) == sorted(numbers(split.kept))
    if n >= 5 and percent:
        assert len(split.split_off) == max(1, round(n * percent / 100))


def test_the_seed_decides() -> None:
    one, same, other = (
        numbers(split_off(frames(50), 0.2, np.random.default_rng(seed)).split_off)
        for seed in (0, 0, 1)
    )
    assert one == same
    assert one != other


@given(n_groups=st.integers(2, 10), seed=st.integers(0, 99))
def test_groups_stay_together(n_groups: int, seed: int) -> None:
    split = split_off(frames(60, n_groups), 0.25, np.random.default_rng(seed))
    sides = [
        {atoms.info["trajectory"] for atoms in side}
        for side in (split.kept, split.split_off)
    ]
    assert all(sides)
    assert not sides[0] & sides[1]


@pytest.mark.parametrize(
    ("structures", "fraction", "words"),
    [
        (frames(4), 0.5, "too few"),
        (frames(10, 1), 0.5, "one group"),
        (frames(10), 0.0, "Nothing was asked"),
    ],
)
def test_nothing_is_split_off_and_the_note_says_why(
    structures: list[Atoms], fraction: float, words: str
) -> None:
    split = split_off(structures, fraction, np.random.default_rng(0))
    assert len(split.kept) == len(structures)
    assert words in split.note


def test_lone_atoms_stay() -> None:
    lone = [Atoms("H", info={"config_type": "IsolatedAtom", "i": -1})] * 20
    split = split_off([*frames(10), *lone], 0.9, np.random.default_rng(0))
    assert len(split.split_off) == 9
    assert -1 not in numbers(split.split_off)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 2.0, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction: float) -> None:
    with pytest.raises(BadInputError):
        split_off(frames(10), fraction, np.random.default_rng(0))


def test_opposite_displacements_stay_together_and_the_cell_at_rest_stays():
    pairs = [displaced(sign * along(2, atom)) for atom in range(16) for sign in (1, -1)]
    structures = [displaced(0 * along(2)), *pairs]
    split = split_off(structures, 0.25, np.random.default_rng(0))
    moves = [one.arrays["displacement"] for one in split.split_off]
    assert len(moves) == 8
    assert all(any(np.array_equal(-u, other) for other in moves) for u in moves)
    assert all(u.any() for u in moves)
