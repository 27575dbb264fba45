"""Weights that moved are counted, reference energies are not."""

import pytest
import torch

from atomgraft.adaptation.base import shift_references
from atomgraft.models.loading import load_potential
from atomgraft.run.prove import moved_weights

SILICON = load_potential("pair:sw-si")


def test_a_copy_has_not_moved():
    found = moved_weights(SILICON, SILICON.clone())
    assert found.n_moved == 0
    assert found.relative_change == 0
    assert found.n_weights > 0


def test_reference_energies_are_no_weights():
    shifted = SILICON.clone()
    shift_references(shifted, {14: -3.0})
    assert moved_weights(SILICON, shifted).n_moved == 0


def test_a_moved_weight_is_counted():
    other = SILICON.clone()
    name = SILICON.parameters_of("readout")[0]
    with torch.no_grad():
        other.module.get_parameter(name).mul_(1.5)
    found = moved_weights(SILICON, other)
    assert found.n_moved == other.module.get_parameter(name).count_nonzero()
    assert 0 < found.relative_change <= 0.5 + 1e-6
    back = moved_weights(other, SILICON)
    assert back.n_moved == found.n_moved
    assert back.relative_change != pytest.approx(found.relative_change)
