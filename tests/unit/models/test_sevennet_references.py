"""Large reference energies in SevenNet's own files."""

import numpy as np
import pytest
import torch

from atomgraft.models.loading import load_potential
from atomgraft.models.prediction import predict_structures
from atomgraft.models.sevennet.potential import REFERENCE
from atomgraft.testing import structures_for
from tests.trials import NEEDS_SEVENN, loaded

pytestmark = NEEDS_SEVENN

BASE = "sevennet:tiny:Si"

COPPER = -45101.0123456789
"""eV: an all-electron energy of one atom."""

FEW = 4
"""Roundings of SevenNet in float32: reference, sum with it, sum over atoms."""


@pytest.fixture
def potential():
    potential = loaded(BASE).clone()
    potential.add_references({14: COPPER})
    return potential


def test_a_file_read_again_has_lost_nothing(potential, tmp_path):
    again = load_potential(str(potential.export(tmp_path / "mine")))
    assert torch.equal(again.reference_table(), potential.reference_table())
    assert again.weights_hash() == potential.weights_hash()
    frames = structures_for(potential).all()
    for one, other in zip(
        predict_structures(potential, frames),
        predict_structures(again, frames),
        strict=True,
    ):
        assert one.energy == other.energy
        assert np.array_equal(one.forces, other.forces)


def test_without_shifts_a_file_is_as_it_was(tmp_path):
    path = loaded(BASE).export(tmp_path / "plain")
    state = torch.load(path, weights_only=False)["model_state_dict"]
    assert state[REFERENCE].dtype == torch.float32


def test_sevennet_itself_rounds_energies_by_what_is_said_and_no_force(
    potential, tmp_path
):
    from sevenn.calculator import SevenNetCalculator

    rounding = potential.exported_rounding()
    assert rounding == pytest.approx(0.0039, abs=1e-4)
    theirs = SevenNetCalculator(str(potential.export(tmp_path / "mine")), device="cpu")
    atoms = structures_for(potential).crystal
    [ours] = predict_structures(potential, [atoms])
    theirs.calculate(atoms)
    lost = abs(theirs.results["energy"] - ours.energy) / len(atoms)
    assert 0.01 * rounding < lost < FEW * rounding
    assert theirs.results["forces"] == pytest.approx(ours.forces, abs=1e-4)


def test_a_model_with_large_references_of_its_own_is_what_sevennet_says(
    potential, tmp_path
):
    """Ours is the more precise: interactions are not rounded with the references."""
    path = potential.export(tmp_path / "mine")
    document = torch.load(path, weights_only=False)
    state = document["model_state_dict"]
    state[REFERENCE] = state[REFERENCE].float()
    torch.save(document, path)
    own = load_potential(str(path))
    assert own.added_references is None
    assert float(own.reference_table()[14]) == float(np.float32(COPPER))
    atoms = structures_for(potential).crystal
    [ours], [small] = (
        list(predict_structures(m, [atoms])) for m in (own, loaded(BASE))
    )
    assert np.array_equal(ours.forces, small.forces)
    expected = small.energy + len(atoms) * float(np.float32(COPPER))
    assert ours.energy == pytest.approx(expected, abs=1e-9)
