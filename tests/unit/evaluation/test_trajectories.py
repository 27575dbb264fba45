"""Frames that belong together are found, and others are left alone."""

import numpy as np
import pytest
from ase.build import bulk

from atomgraft.data.readers import read_structures
from atomgraft.evaluation.trajectories import find_relatives


def silicon():
    return bulk("Si", "diamond", a=5.43, cubic=True)


def moved(positions, scale=1.0):
    atoms = silicon()
    atoms.set_cell(atoms.cell * scale, scale_atoms=True)
    atoms.positions += positions
    return atoms


def trajectory(n, *, memory, seed=0, amplitude=0.1, scale=1.0):
    """Frames whose displacements forget at the rate of an autoregressive series."""
    rng = np.random.default_rng(seed)
    x, frames = rng.normal(size=(8, 3)), []
    for _ in range(n):
        frames.append(moved(amplitude * x, scale))
        x = memory * x + np.sqrt(1 - memory**2) * rng.normal(size=x.shape)
    return frames


def sizes(structures):
    found = find_relatives(structures)
    assert sorted(i for one in found.groups for i in one) == list(
        range(len(structures))
    )
    return sorted(map(len, found.groups)), found.unit


def test_what_is_named_belongs_together():
    frames = trajectory(6, memory=0.0)
    for i, atoms in enumerate(frames):
        atoms.info["run"] = i % 2
    found = find_relatives(frames)
    assert found.groups == ((0, 2, 4), (1, 3, 5))
    assert found.unit == "trajectories"
    assert found.of([1, 2, 5]) == [[1], [0, 2]]


@pytest.mark.parametrize("n", [5, 8, 20, 50])
@pytest.mark.parametrize("seed", range(3))
def test_neighbours_in_time_are_seen(n, seed):
    assert sizes(trajectory(n, memory=0.9, seed=seed)) == ([n], "trajectories")


@pytest.mark.parametrize("n", [5, 8, 20])
@pytest.mark.parametrize("seed", range(3))
def test_independent_displacements_are_left_alone(n, seed):
    """The negative control."""
    frames = trajectory(n, memory=0.0, seed=seed)
    assert sizes(frames) == ([1] * n, "structures")


def test_amplitudes_in_order_are_no_trajectory():
    rng = np.random.default_rng(0)
    frames = [moved(a * rng.normal(size=(8, 3))) for a in np.linspace(0.02, 0.2, 20)]
    assert sizes(frames) == ([1] * 20, "structures")


def test_volumes_in_order_are_no_trajectory():
    frames = [moved(np.zeros((8, 3)), scale) for scale in np.linspace(0.95, 1.05, 9)]
    assert sizes(frames) == ([1] * 9, "structures")


def test_a_jump_of_the_cell_begins_another_trajectory():
    frames = [
        atoms
        for seed, scale in enumerate((1.0, 1.01, 1.02))
        for atoms in trajectory(10, memory=0.7, seed=seed, scale=scale)
    ]
    assert find_relatives(frames).groups == (
        tuple(range(10)),
        tuple(range(10, 20)),
        tuple(range(20, 30)),
    )


def test_a_leap_of_the_atoms_begins_another_trajectory():
    frames = [
        *trajectory(20, memory=0.97, seed=1),
        *trajectory(20, memory=0.97, seed=2),
    ]
    assert sizes(frames) == ([20, 20], "trajectories")


def test_frames_in_another_order_are_one_trajectory():
    frames = trajectory(40, memory=0.95)
    order = np.random.default_rng(1).permutation(40)
    assert sizes([frames[i] for i in order]) == ([40], "trajectories")


def test_repeats_opposites_and_amplitudes_of_one_pattern_are_one():
    rng = np.random.default_rng(3)
    frames = []
    for _ in range(6):
        u = 0.1 * rng.normal(size=(8, 3))
        frames += [moved(u), moved(u), moved(-u)]
    assert sizes(frames) == ([3] * 6, "groups")


def test_compositions_and_kinds_are_apart():
    calm, hot = trajectory(8, memory=0.0), trajectory(8, memory=0.95, seed=5)
    for atoms in calm:
        atoms.info["config_type"] = "rattled"
    assert sizes(calm + hot) == ([1] * 8 + [8], "groups")


@pytest.mark.parametrize("material", ["si", "ge"])
def test_the_shipped_sets_are_what_their_card_says(material):
    """Five runs of ten frames; displacements drawn one by one."""
    test = read_structures([f"shipped:{material}-test"])
    assert sizes(test) == ([10] * 5, "trajectories")
    train = read_structures([f"shipped:{material}-train@:40"])
    assert sizes(train) == ([1] * 40, "structures")


def test_nothing_is_nothing():
    assert find_relatives([]).groups == ()
