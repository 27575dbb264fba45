"""Are features those the readout reads, and blind to what does not matter?"""

import numpy as np
import pytest
import torch

from atomgraft.label.picking import (
    READOUT,
    SHELLS,
    describe,
    principal_plane,
    structure_row,
)
from atomgraft.models.graph import find_neighbours, make_graph
from atomgraft.models.prediction import predict
from tests.trials import NEEDS_SEVENN, in_precision
from tests.unit.label.crystals import rng, silicon, sw

TINY = "sevennet:tiny:Si"

MODELS = [
    pytest.param("pair:sw-si", id="shells"),
    pytest.param(TINY, id="readout", marks=NEEDS_SEVENN),
]


def potential(name):
    return in_precision(name, torch.float64)


def shaken(n=3, seed=0):
    frames = []
    for i in range(n):
        atoms = silicon()
        atoms.rattle(0.1, seed=seed + i)
        frames.append(atoms)
    return frames


@pytest.mark.parametrize("name", MODELS)
def test_a_turned_shifted_shuffled_and_repeated_crystal_is_the_same(name):
    [atoms, other] = shaken(2)
    turned = atoms.copy()
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    shifted = atoms.copy()
    shifted.positions += (0.3, 1.1, -0.7)
    shuffled = atoms[rng().permutation(len(atoms))]
    rows = describe(
        potential(name),
        [atoms, turned, shifted, shuffled, atoms.repeat((2, 1, 1)), other],
    ).rows
    assert np.allclose(rows[1:5], rows[0], atol=1e-6)
    assert np.linalg.norm(rows[5] - rows[0]) > 0.1


@pytest.mark.parametrize("name", MODELS)
def test_the_unit_is_the_spread_of_the_pool(name):
    frames = shaken(5)
    rows = describe(potential(name), [*frames, silicon()], n_scale=5).rows
    assert np.allclose(rows[:5].mean(axis=0), 0, atol=1e-9)
    assert (rows[:5] ** 2).sum(axis=1).mean() == pytest.approx(1)


@NEEDS_SEVENN
def test_features_are_what_a_change_of_the_readout_does_to_the_energy():
    """Against the model itself, its weights changed and nothing differentiated."""
    model = potential(TINY)
    frames = shaken(2)
    [(name, directions)] = model.readout_directions().items()
    graph = make_graph(
        frames,
        [find_neighbours(one, model.cutoff) for one in frames],
        dtype=model.dtype,
    )
    weight = model.module.get_parameter(name).detach()
    base = predict(model, graph).energy
    by_hand = torch.stack(
        [
            predict(model, graph, weights={name: weight + one}).energy - base
            for one in directions
        ]
    )
    means = (by_hand.T / len(silicon())).numpy()
    rows = describe(model, frames).rows[:, : len(directions)]
    ours, theirs = rows[0] - rows[1], means[0] - means[1]
    cosine = ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)
    assert cosine == pytest.approx(1, abs=1e-6)


def test_a_model_without_readout_is_described_otherwise_and_says_so():
    found = describe(sw(), shaken(2))
    assert (found.is_models_own, found.words) == (False, SHELLS)


@NEEDS_SEVENN
def test_a_model_with_readout_is_looked_into():
    found = describe(potential(TINY), shaken(2))
    assert (found.is_models_own, found.words) == (True, READOUT)
    assert found.rows.shape == (2, 2 * found.n_features)


def test_elements_have_columns_of_their_own():
    features = np.array([[1.0], [3.0], [10.0]])
    row = structure_row(np.array([14, 14, 8]), features, [8, 14, 20])
    assert row.tolist() == [10.0, 0.0, 2.0, 1.0, 0.0, 0.0]


def test_equal_structures_have_no_spread_and_no_error():
    rows = describe(sw(), [silicon(), silicon()]).rows
    assert np.array_equal(rows, np.zeros_like(rows))


def test_the_map_shows_the_widest_directions():
    points = rng().normal(size=(200, 4)) * [0.1, 5.0, 0.1, 1.0]
    plane, shares = principal_plane(points)
    gaps = np.linalg.norm(points[:, None] - points[None], axis=-1)
    seen = np.linalg.norm(plane[:, None] - plane[None], axis=-1)
    assert (seen <= gaps + 1e-9).all()
    assert shares[0] > 0.9
    assert sum(shares) == pytest.approx(1, abs=0.01)
