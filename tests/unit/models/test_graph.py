"""Pairs within a cutoff against ASE, in every shape of cell; graphs of several."""

import dataclasses

import ase.neighborlist
import numpy as np
import pytest
import torch
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.models.graph import find_neighbours, make_graph

ROUND_OFF = 1e-10
"""Å: vectors of some Å in float64, put together in two ways."""

CUTOFF = 4.01371
"""Å: no length of a cell that a search for simple cases would try."""

cells = st.tuples(
    st.tuples(*[st.floats(2.0, 6.0)] * 3), st.tuples(*[st.floats(-2.0, 2.0)] * 3)
)
periodicities = st.tuples(*[st.booleans()] * 3)


def structure(cell, pbc, *, seed=0, n_atoms=4, spread=1.0):
    """Return atoms in a skewed cell; a spread above one puts some outside of it."""
    (a, b, c), (d, e, f) = cell
    rng = np.random.default_rng(seed)
    fractions = rng.uniform(-spread / 2, spread, size=(n_atoms, 3))
    vectors = np.array([[a, 0, 0], [d, b, 0], [e, f, c]])
    numbers = rng.integers(1, 90, n_atoms)
    return Atoms(numbers, fractions @ vectors, cell=vectors, pbc=pbc)


def ours(atoms, cutoff):
    found = find_neighbours(atoms, cutoff)
    return sorted(
        (i, j, *shift)
        for i, j, shift in zip(
            *found.edges.tolist(), found.shifts.tolist(), strict=True
        )
    )


def theirs(atoms, cutoff):
    centre, neighbour, shifts = ase.neighborlist.neighbor_list("ijS", atoms, cutoff)
    pairs = zip(centre.tolist(), neighbour.tolist(), shifts.tolist(), strict=True)
    return sorted((i, j, *shift) for i, j, shift in pairs)


@given(
    cell=cells,
    pbc=periodicities,
    seed=st.integers(0, 999),
    cutoff=st.sampled_from([1.01371, CUTOFF, 5.01371]),
)
def test_pairs_are_ase_s(cell, pbc, seed, cutoff):
    atoms = structure(cell, pbc, seed=seed)
    assert ours(atoms, cutoff) == theirs(atoms, cutoff)


@given(cell=cells, pbc=periodicities, seed=st.integers(0, 999))
def test_pairs_of_atoms_outside_their_cell_are_ase_s(cell, pbc, seed):
    atoms = structure(cell, pbc, seed=seed, spread=3.0)
    assert ours(atoms, CUTOFF) == theirs(atoms, CUTOFF)


@given(seed=st.integers(0, 999), n_atoms=st.integers(0, 6))
def test_without_a_cell_pairs_are_those_of_a_double_loop(seed, n_atoms):
    positions = np.random.default_rng(seed).uniform(-3, 3, size=(n_atoms, 3))
    close = [
        (i, j, 0, 0, 0)
        for i in range(n_atoms)
        for j in range(n_atoms)
        if i != j and np.linalg.norm(positions[i] - positions[j]) < 2.5
    ]
    assert ours(Atoms("H" * n_atoms, positions), 2.5) == close


def test_an_atom_sees_its_own_images_beyond_the_next_cell():
    alone = Atoms("H", cell=np.eye(3), pbc=(True, False, False))
    assert ours(alone, 2.5) == [(0, 0, i, 0, 0) for i in (-2, -1, 1, 2)]


def graph_of(structures, cutoff=CUTOFF, dtype=torch.float64):
    found = [find_neighbours(atoms, cutoff) for atoms in structures]
    return make_graph(structures, found, dtype=dtype)


@given(cell=cells, pbc=periodicities, seed=st.integers(0, 999))
def test_edge_vectors_are_ase_s(cell, pbc, seed):
    atoms = structure(cell, pbc, seed=seed)
    graph = graph_of([atoms])
    found = graph.edge_vectors().numpy()
    wanted = ase.neighborlist.neighbor_list("D", atoms, CUTOFF)
    assert found.shape == wanted.shape
    ordered = [one[np.lexsort(one.round(6).T)] for one in (found, wanted)]
    np.testing.assert_allclose(*ordered, atol=1e-5)  # near ties may swap in the order
    lengths = np.sort(np.linalg.norm(found, axis=1))
    np.testing.assert_allclose(
        lengths, np.sort(np.linalg.norm(wanted, axis=1)), atol=ROUND_OFF
    )


@given(cell=cells, seed=st.integers(0, 999))
def test_every_pair_comes_in_both_directions(cell, seed):
    pairs = set(ours(structure(cell, (True, True, False), seed=seed), CUTOFF))
    assert {(j, i, -a, -b, -c) for i, j, a, b, c in pairs} == pairs


SEVERAL = (
    structure(((4, 5, 6), (1, 0, -1)), (True, True, True), seed=1),
    Atoms("HOH", [[0, 0, 0], [1, 0, 0], [1, 1, 0]]),
    Atoms("He"),
    structure(((3, 3, 9), (0, 1, 1)), (True, True, False), seed=2, n_atoms=2),
)


def test_a_batch_is_its_structures_one_after_the_other():
    batch, singles = graph_of(SEVERAL), [graph_of([atoms]) for atoms in SEVERAL]
    sizes = [len(atoms) for atoms in SEVERAL]
    assert batch.n_structures == len(SEVERAL)
    assert batch.n_atoms.tolist() == sizes
    assert batch.owner.tolist() == np.repeat(range(len(SEVERAL)), sizes).tolist()
    for key in ("numbers", "positions", "cells", "shifts", "volumes"):
        joined = torch.cat([getattr(one, key) for one in singles])
        assert torch.equal(getattr(batch, key), joined), key
    vectors = torch.cat([one.edge_vectors() for one in singles])
    assert torch.equal(batch.edge_vectors(), vectors)


def test_no_pair_joins_two_structures():
    batch = graph_of(SEVERAL)
    centre, neighbour = batch.owner[batch.edges]
    assert batch.edges.shape[1] > 0
    assert torch.equal(centre, neighbour)


def test_what_has_no_cell_has_no_finite_volume():
    volumes = graph_of(SEVERAL).volumes.tolist()
    assert volumes[0] == pytest.approx(120)
    assert volumes[1] == volumes[2] == float("inf")


def test_empty_structures_and_batches_without_pairs_are_graphs():
    graph = graph_of([Atoms(), Atoms("H"), Atoms()])
    assert graph.n_atoms.tolist() == [0, 1, 0]
    assert graph.edge_vectors().shape == (0, 3)


def test_pairs_and_structures_must_go_together():
    found = [find_neighbours(SEVERAL[0], CUTOFF)]
    with pytest.raises(ValueError, match="argument 2"):
        make_graph(SEVERAL[:2], found, dtype=torch.float64)


def test_to_moves_every_tensor_and_changes_none():
    graph = graph_of(SEVERAL, dtype=torch.float32)
    assert graph.positions.dtype == graph.volumes.dtype == torch.float32
    moved = graph.to("meta")
    for field in dataclasses.fields(graph):
        before, after = getattr(graph, field.name), getattr(moved, field.name)
        assert after.device.type == "meta", field.name
        assert (after.shape, after.dtype) == (before.shape, before.dtype)
        assert before.device.type == "cpu"
        assert torch.equal(getattr(graph.to("cpu"), field.name), before)
