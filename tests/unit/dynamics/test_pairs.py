"""No pair within the cutoff is missed while atoms move."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from atomgraft.dynamics.pairs import PairLists
from atomgraft.models.graph import find_neighbours, make_graph

CUTOFF = 4.0


def structures(n_periodic=3):
    crystal = bulk("Si", cubic=True)
    slab = bulk("Al", cubic=True) * (2, 2, 1)
    slab.pbc = [i < n_periodic for i in range(3)]
    return [crystal, slab, Atoms("H3", positions=np.eye(3))]


def rows(graph):
    table = np.column_stack([graph.edges.T.numpy(), graph.shifts.numpy()])
    return {tuple(map(int, row)) for row in table}


def fresh(frames):
    found = [find_neighbours(one, CUTOFF) for one in frames]
    return make_graph(frames, found, dtype=torch.float64)


def walk(lists, frames, rng, *, step, n_steps=20):
    """Move atoms at random; yield the pairs of the lists, and those that there are."""
    for _ in range(n_steps):
        for one in frames:
            one.positions += rng.normal(scale=step, size=(len(one), 3))
        positions = torch.as_tensor(np.concatenate([one.positions for one in frames]))
        yield rows(lists.graph(positions)), rows(fresh(frames))


@settings(max_examples=8)
@given(st.integers(0, 99), st.sampled_from([0.01, 0.1, 1.0]), st.sampled_from([2, 3]))
def test_lists_hold_what_a_search_finds(seed, step, n_periodic):
    frames = structures(n_periodic)
    lists = PairLists(frames, CUTOFF, skin=0.8, dtype=torch.float64)
    for found, there in walk(lists, frames, np.random.default_rng(seed), step=step):
        assert found == there


def test_lists_are_renewed_seldom_and_one_by_one():
    frames = structures()
    lists = PairLists(frames, CUTOFF, skin=0.8, dtype=torch.float64)
    list(walk(lists, frames, np.random.default_rng(0), step=0.01))
    assert lists.n_searches == 3, "only the first searches"
    frames[1].positions[0] += 0.41
    positions = torch.as_tensor(np.concatenate([one.positions for one in frames]))
    lists.graph(positions)
    assert lists.n_searches == 4


def test_a_list_that_is_not_renewed_misses_pairs():
    """Negative control: the skin that is watched is not the skin there is."""
    frames = structures()
    lists = PairLists(frames, CUTOFF, skin=0.1, dtype=torch.float64)
    lists.skin = 100.0
    found = walk(lists, frames, np.random.default_rng(0), step=0.3)
    assert any(one != there for one, there in found)


def test_the_graph_does_not_depend_on_when_a_list_was_made():
    frames = structures()
    rng = np.random.default_rng(1)
    old = PairLists(frames, CUTOFF, skin=1.0, dtype=torch.float64)
    for one in frames:
        one.positions += rng.normal(scale=0.05, size=(len(one), 3))
    positions = torch.as_tensor(np.concatenate([one.positions for one in frames]))
    new = PairLists(frames, CUTOFF, skin=1.0, dtype=torch.float64)
    assert torch.equal(old.graph(positions).edges, new.graph(positions).edges)
    assert torch.equal(old.graph(positions).shifts, new.graph(positions).shifts)


def test_precision_is_the_model_s():
    frames = structures()
    lists = PairLists(frames, CUTOFF, dtype=torch.float32)
    positions = torch.as_tensor(np.concatenate([one.positions for one in frames]))
    graph = lists.graph(positions)
    assert graph.positions.dtype == graph.shifts.dtype == torch.float32
    assert graph.edges.shape[1] == pytest.approx(len(rows(fresh(frames))))
