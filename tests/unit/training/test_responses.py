"""Training on force differences: forces at rest drop out, other frames stay."""

import numpy as np
import pytest
import torch

from atomgraft.core.properties import Property
from atomgraft.data.labels import set_labels
from atomgraft.data.partners import find_partners
from atomgraft.models.prediction import predict
from atomgraft.training.batches import TrainingSet
from atomgraft.training.loss import Units, mean_loss, units_of
from atomgraft.training.objective import (
    DIFFERENCES,
    mean_absolute_errors,
    named_residuals,
    residuals_of,
)
from atomgraft.training.plan import Objective
from atomgraft.training.responses import SOFTEST, THZ
from tests.displaced import (
    STEP,
    along,
    displaced,
    forces_at,
    potential,
    symmetric_field,
)

EXACT = 1e-10
"""eV/Å, rounding of float64 forces of about 1 eV/Å."""

NOTHING = 1e-7
"""THz; `EXACT` over a displacement of 0.01 Å."""

ONE = Units(dict.fromkeys(Property, 1.0), differences=1.0, frequencies=1.0)
"""Unit scales: errors count as they are."""


def prepared(frames, mode="auto"):
    return TrainingSet(
        frames,
        potential().cutoff,
        dtype=torch.float64,
        partners=find_partners(frames, mode),
    )


def residual_forces(data, indices):
    model = potential()
    graph, targets = data.batch(indices)
    said = predict(model, graph)
    return residuals_of(said.energy, said.forces, said.stress, targets), targets


def with_rest_forces(u, factor=1.0):
    """Return a frame whose label is the model's force and another force at rest."""
    return displaced(u, forces=factor * forces_at(u) + symmetric_field())


@pytest.mark.parametrize("frames", [[along(0)], [along(2), -along(2)]])
def test_forces_at_rest_are_no_residual(frames):
    data = prepared([with_rest_forces(u) for u in frames])
    residuals, _ = residual_forces(data, [0])
    assert residuals[Property.FORCES].value.abs().max() < EXACT
    plain, _ = residual_forces(
        prepared([with_rest_forces(u) for u in frames], "never"), [0]
    )
    assert plain[Property.FORCES].value.abs().max() > 0.1


@pytest.mark.parametrize("indices", [[0], [1], [2, 0], [1, 2, 0], [2]])
def test_residuals_are_the_odd_part_whatever_the_batch(indices):
    moves = [along(2), -along(2), along(0)]
    data = prepared([with_rest_forces(u, factor=1.5) for u in moves])
    residuals, _ = residual_forces(data, indices)
    wanted = [-0.5 * (forces_at(moves[i]) - forces_at(-moves[i])) / 2 for i in indices]
    np.testing.assert_allclose(
        residuals[Property.FORCES].value.numpy(), np.concatenate(wanted), atol=EXACT
    )
    assert len(residuals[Property.ENERGY].value) == len(indices)
    assert len(residuals[Property.STRESS].value) == len(indices)


def test_a_frame_without_partner_is_as_it_was():
    alone = [displaced(along(2), forces=2 * forces_at(along(2)))]
    bare, targets = residual_forces(prepared(alone), [0])
    plain, _ = residual_forces(prepared(alone, "never"), [0])
    assert targets.response is None
    assert torch.equal(bare[Property.FORCES].value, plain[Property.FORCES].value)
    mixed, _ = residual_forces(prepared([*alone, with_rest_forces(along(0))]), [0, 1])
    assert torch.equal(mixed[Property.FORCES].value[:16], plain[Property.FORCES].value)


def test_the_undisplaced_frame_itself_teaches_no_forces():
    frames = [with_rest_forces(along(2)), with_rest_forces(0 * along(0))]
    residuals, targets = residual_forces(prepared(frames), [0, 1])
    present = residuals[Property.FORCES].present
    assert present[:16].all()
    assert not present[16:].any()
    for responses, nothing in (("frequency", NOTHING), ("force", EXACT)):
        objective = Objective(shape="mae", responses=responses)  # a norm is never zero
        loss = mean_loss(residuals, targets, objective, ONE)
        assert float(loss) < nothing


def test_energies_train_as_they_are():
    frames = [with_rest_forces(u) for u in (along(2), -along(2))]
    for i, atoms in enumerate(frames):
        set_labels(atoms, energy=float(i))
    residuals, _ = residual_forces(prepared(frames), [1])
    energy = residuals[Property.ENERGY]
    assert energy.present.all()
    [known] = residual_forces(prepared(frames, "never"), [1])[:1]
    assert torch.allclose(energy.value, known[Property.ENERGY].value)


def test_partners_count_as_atoms_of_a_group():
    data = prepared([with_rest_forces(u) for u in (along(2), -along(2), along(0))])
    assert data.groups([0, 1, 2], 16) == [[0], [1], [2]]
    assert data.groups([0, 1, 2], 47) == [[0, 1], [2]]  # of one pair, each once
    assert data.groups([0, 1, 2], 48) == [[0, 1, 2]]


def test_differences_have_their_own_unit():
    frames = [with_rest_forces(along(0)), with_rest_forces(along(2))]
    data = prepared(frames)
    residuals, targets = residual_forces(data, [0, 1])
    units = units_of([residuals[Property.ENERGY]], [targets], data.frequencies([0, 1]))
    label = forces_at(along(0)) - forces_at(-along(0))
    size = float(np.sqrt(np.mean((label / 2) ** 2)))
    assert units.differences == pytest.approx(size)
    assert units.properties[Property.FORCES] > 10 * size
    assert units.frequencies == data.frequencies([0])[0]
    plain = units_of([residuals[Property.ENERGY]], [targets], [])
    assert plain.frequencies is None


def test_a_force_objective_counts_differences_in_their_unit():
    frames = [with_rest_forces(along(0), factor=1.5), with_rest_forces(along(2))]
    data = prepared(frames)
    residuals, targets = residual_forces(data, [0, 1])
    objective = Objective(shape="mae", energy=0, stress=0, responses="force")
    loss, halved = (
        float(mean_loss(residuals, targets, objective, ONE._replace(differences=unit)))
        for unit in (1.0, 2.0)
    )
    difference, plain = (
        float(residuals[Property.FORCES].value[rows].abs().mean())
        for rows in (slice(0, 16), slice(16, 32))
    )
    assert loss == pytest.approx((difference + plain) / 2)
    assert halved == pytest.approx((difference / 2 + plain) / 2)


def test_an_objective_of_frequencies_is_one_number_a_frame():
    # forces half as large again: frequencies are off by a quarter, to first order
    frames = [with_rest_forces(along(0), factor=1.5), with_rest_forces(along(2))]
    data = prepared(frames)
    residuals, targets = residual_forces(data, [0, 1])
    objective = Objective(energy=0, stress=0, responses="frequency")
    loss, halved = (
        float(mean_loss(residuals, targets, objective, ONE._replace(frequencies=unit)))
        for unit in (1.0, 2.0)
    )
    assert data.frequencies([0, 1]) == [SOFTEST]  # along x the chains are unstable
    response = (forces_at(along(0)) - forces_at(-along(0))) / 2
    root = STEP * SOFTEST / THZ  # u^(1/2) Å times the frequency
    mass = frames[0].get_masses()[0]
    frame = THZ * np.linalg.norm(0.5 * response) / (2 * root * mass)
    length = float(residuals[Property.FORCES].value[16:].norm(dim=-1).mean()) / 3**0.5
    assert loss == pytest.approx((frame + length) / 2)
    assert halved == pytest.approx((frame / 2 + length) / 2)


def test_validation_tells_differences_from_forces():
    data = prepared([with_rest_forces(along(0)), with_rest_forces(along(2))])
    errors = mean_absolute_errors([named_residuals(*residual_forces(data, [0, 1]))])
    assert errors[DIFFERENCES].mean < EXACT
    assert errors["forces"].mean == pytest.approx(0.1)  # 0.3 eV/Å along z alone
    assert errors["forces"].share == errors[DIFFERENCES].share == 0.5
