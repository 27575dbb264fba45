"""Predictions: batches, cells or none, other weights, and the graph for training."""

import itertools

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.core.properties import Property
from atomgraft.models.graph import find_neighbours, make_graph
from atomgraft.models.pair import stillinger_weber
from atomgraft.models.prediction import batches_by_atoms, predict, predict_structures

ROUND_OFF = 1e-12
"""eV, eV/Å, eV/Å³: the same sums in float64, alone or in a batch."""

READOUT = "readout"


def silicon():
    return stillinger_weber(["Si"])


def crystals():
    found = []
    for seed, size in enumerate([1, 2, 1]):
        atoms = bulk("Si", "diamond", a=5.4, cubic=True) * (size, 1, 1)
        atoms.rattle(0.1, seed=seed)
        found.append(atoms)
    return [*found, Atoms("Si2", [[0, 0, 0], [2.2, 0, 0]])]


def graph_of(structures, potential):
    found = [find_neighbours(atoms, potential.cutoff) for atoms in structures]
    return make_graph(structures, found, dtype=potential.dtype)


@given(sizes=st.lists(st.integers(0, 9), max_size=12), max_atoms=st.integers(1, 20))
def test_batches_keep_the_order_and_the_bound(sizes, max_atoms):
    structures = [Atoms("H" * size) for size in sizes]
    groups = list(batches_by_atoms(structures, max_atoms))
    assert [one for group in groups for one in group] == structures
    for group in groups:
        assert group
        assert len(group) == 1 or sum(map(len, group)) <= max_atoms
    for one, following in itertools.pairwise(groups):
        assert sum(map(len, one)) + len(following[0]) > max_atoms


@pytest.mark.parametrize("max_atoms", [1, 10, 20, 1000])
def test_predictions_do_not_depend_on_the_batch(max_atoms):
    potential, structures = silicon(), crystals()
    found = list(predict_structures(potential, structures, max_atoms=max_atoms))
    for atoms, one in zip(structures, found, strict=True):
        [alone] = predict_structures(potential, [atoms])
        assert one.energy == pytest.approx(alone.energy, abs=ROUND_OFF)
        np.testing.assert_allclose(one.forces, alone.forces, atol=ROUND_OFF)
        np.testing.assert_allclose(one.stress, alone.stress, atol=ROUND_OFF)


def test_a_molecule_without_a_cell_has_forces_and_no_stress():
    [*periodic, molecule] = predict_structures(silicon(), crystals())
    assert np.abs(molecule.forces).max() > 0.1
    assert not molecule.stress.any()
    assert all(np.abs(one.stress).max() > 1e-3 for one in periodic)


def test_an_atom_without_neighbours_has_no_force():
    [alone] = predict_structures(silicon(), [Atoms("Si")])
    assert alone.energy == 0
    assert not alone.forces.any()
    assert not alone.stress.any()


@pytest.mark.parametrize("kept", [Property.FORCES, Property.STRESS])
def test_only_what_is_wanted_is_derived(kept):
    potential = silicon()
    graph = graph_of(crystals(), potential)
    everything = predict(potential, graph)
    one = predict(potential, graph, frozenset({kept}))
    (other,) = {Property.FORCES, Property.STRESS} - {kept}
    assert getattr(one, other) is None
    torch.testing.assert_close(
        getattr(one, kept), getattr(everything, kept), rtol=0, atol=ROUND_OFF
    )
    bare = predict(potential, graph, frozenset({Property.ENERGY}))
    assert bare.forces is None
    assert bare.stress is None
    torch.testing.assert_close(bare.energy, everything.energy)


def test_other_weights_are_used_and_not_kept():
    potential = silicon()
    graph, before = graph_of(crystals(), potential), potential.weights_hash()
    own = predict(potential, graph)
    weights = {READOUT: 2 * potential.module.get_parameter(READOUT).detach()}
    other = predict(potential, graph, weights=weights)
    for key in ("energy", "forces", "stress"):
        torch.testing.assert_close(getattr(other, key), 2 * getattr(own, key))
    assert potential.weights_hash() == before
    assert torch.equal(predict(potential, graph).energy, own.energy)


def test_a_loss_on_derivatives_reaches_the_weights():
    """Energy, forces and stress are linear in the readout: slopes in closed form."""
    potential = silicon()
    graph = graph_of(crystals(), potential)
    weight = potential.module.get_parameter(READOUT).detach().requires_grad_()
    found = predict(potential, graph, weights={READOUT: weight}, for_training=True)
    for value in (found.energy, found.forces, found.stress):
        (slope,) = torch.autograd.grad((value**2).sum(), weight, retain_graph=True)
        expected = 2 * (value**2).sum() / weight
        torch.testing.assert_close(slope, expected.detach())


def test_outside_of_training_no_graph_is_kept_and_no_gradient_left():
    potential = silicon()
    with torch.no_grad():
        found = predict(potential, graph_of(crystals(), potential))
    assert found.forces.abs().max() > 0.1
    for value in (found.energy, found.forces, found.stress):
        assert not value.requires_grad
    assert all(one.grad is None for one in potential.module.parameters())


def test_structures_are_not_changed():
    structures, copies = crystals(), crystals()
    list(predict_structures(silicon(), structures))
    assert structures == copies
