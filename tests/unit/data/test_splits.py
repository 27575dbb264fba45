"""Splits keep groups together and depend on the seed alone."""

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import energy_of, forces_of, set_labels, stress_of
from atomgraft.data.partners import count_kinds, find_partners
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
        (frames(10), 0.0, "No validation set was requested."),
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


def rattled(seed):
    return np.random.default_rng(seed).normal(size=(16, 3)) * 0.02


def test_opposite_displacements_of_all_atoms_stay_together():
    """As differences they train with ``always``; apart, each would lose the other."""
    pairs = [displaced(sign * rattled(i)) for i in range(8) for sign in (1, -1)]
    for seed in range(5):
        split = split_off(pairs, 0.3, np.random.default_rng(seed))
        assert len(split.split_off) == 4
        for side in (split.kept, split.split_off):
            kinds = [one and one.kind for one in find_partners(side, "always")]
            assert kinds == ["opposite"] * len(side)


def test_lone_displacements_go_to_any_side():
    """Negative control: without opposites each frame is a group of its own."""
    alone = [displaced(rattled(i)) for i in range(16)]
    split = split_off(alone, 0.3, np.random.default_rng(0))
    assert len(split.split_off) == 5


@pytest.mark.parametrize("is_said", [True, False])
@pytest.mark.parametrize("place", [0, 7, 12])
def test_a_cell_at_rest_stays_whether_or_not_it_says_so(is_said, place):
    """Frames without any other partner need it."""
    at_rest = displaced(0 * along(2))
    if not is_said:
        del at_rest.arrays["displacement"]
    frames = [displaced(along(2, atom)) for atom in range(12)]
    frames.insert(place, at_rest)
    for seed in range(8):
        split = split_off(frames, 0.5, np.random.default_rng(seed))
        assert any(one is at_rest for one in split.kept)
        kinds = count_kinds(find_partners(split.kept, "auto"))
        assert kinds["undisplaced"] == len(split.kept) - 1


def test_validation_frames_bring_their_cell_at_rest_along():
    """Else they would be judged by their forces at rest, which training leaves out."""
    at_rest = displaced(0 * along(2))
    set_labels(at_rest, energy=-1.0, forces=forces_of(at_rest), stress=np.zeros(6))
    frames = [displaced(along(2, atom)) for atom in range(12)]
    plain = split_off(
        [at_rest, *frames], 0.25, np.random.default_rng(0), differences="never"
    )
    assert len(plain.split_off) == 3
    split = split_off([at_rest, *frames], 0.25, np.random.default_rng(0))
    kinds = count_kinds(find_partners(split.split_off, "required"))
    assert kinds == {"undisplaced": 3, "reference": 1}
    moved = [one for one in split.split_off if one.arrays["displacement"].any()]
    assert len(moved) == 3
    [cell] = [one for one in split.split_off if not one.arrays["displacement"].any()]
    assert (energy_of(cell), stress_of(cell)) == (None, None)  # trained on already
    assert energy_of(at_rest) == -1.0
    assert not any(one is other for one in moved for other in split.kept)
    assert len(split.kept) == 10


def test_a_cell_at_rest_that_nobody_needs_is_no_validation():
    mirrored = [displaced(along(0, atom)) for atom in range(12)]
    frames = [displaced(0 * along(2)), *mirrored]
    split = split_off(frames, 0.25, np.random.default_rng(0))
    assert len(split.split_off) == 3
    assert len(split.kept) == 10
