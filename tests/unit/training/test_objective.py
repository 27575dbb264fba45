"""The objective: masked labels leave no trace, shapes and units as they are said."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from atomgraft.core.properties import Property
from atomgraft.data.labels import ENERGY, FORCES, STRESS
from atomgraft.evaluation.consistency import random_rotation
from atomgraft.training.loss import SCALE_FLOOR, Units, mean_loss, units_of_error
from atomgraft.training.objective import make_targets, residual, residuals_of
from atomgraft.training.plan import Objective
from tests.unit.evaluation.builders import labelled_crystals

ONE = dict.fromkeys(Property, 1.0)
"""Unit scales: errors count as they are."""

SHAPES = ("norm", "mae", "huber", "mse")


def frames(*, without=()):
    structures = labelled_crystals(3)
    for atoms in structures:
        for key in without:
            atoms.info.pop(key, None)
            atoms.arrays.pop(key, None)
    return structures


def guesses(structures, seed=0):
    """Return predictions to be differentiated."""
    rng = np.random.default_rng(seed)
    n, n_atoms = len(structures), sum(map(len, structures))
    shapes = ((n,), (n_atoms, 3), (n, 6))
    return [torch.tensor(rng.normal(size=one), requires_grad=True) for one in shapes]


def loss_of(structures, predicted, objective, scales=None):
    targets = make_targets(structures, dtype=torch.float64)
    residuals = residuals_of(*predicted, targets)
    return mean_loss(residuals, targets, objective, Units(scales or ONE))


@pytest.mark.parametrize("shape", SHAPES)
def test_masked_labels_have_no_gradient_and_no_nan(shape):
    structures = frames()
    del structures[0].info[ENERGY], structures[1].info[STRESS]
    del structures[2].arrays[FORCES]
    predicted = guesses(structures)
    loss_of(structures, predicted, Objective(shape=shape, energy=1)).backward()
    energy, forces, stress = (one.grad for one in predicted)
    assert all(bool(torch.isfinite(one).all()) for one in (energy, forces, stress))
    assert energy[0] == 0
    assert energy[1] != 0
    assert not stress[1].any()
    assert stress[0].all()
    assert not forces[4:].any()
    assert forces[:4].all()


@pytest.mark.parametrize("shape", SHAPES)
def test_an_unlabelled_structure_adds_nothing(shape):
    structures = frames()
    alone = loss_of(structures, guesses(structures), Objective(shape=shape))
    bare = [*structures, structures[0].copy()]
    del bare[-1].info[ENERGY], bare[-1].info[STRESS], bare[-1].arrays[FORCES]
    predicted = [
        torch.cat([one, torch.ones_like(one[: len(one) // 3])])
        for one in guesses(structures)
    ]
    together = loss_of(bare, predicted, Objective(shape=shape))
    assert float(together.detach()) == pytest.approx(float(alone.detach()) * 3 / 4)


@pytest.mark.parametrize("shape", SHAPES)
def test_exact_predictions_cost_nothing(shape):
    structures = frames()
    targets = make_targets(structures, dtype=torch.float64)
    exact = [
        (targets.energy * targets.n_atoms).requires_grad_(),
        targets.forces.requires_grad_(),
        targets.stress.requires_grad_(),
    ]
    loss = loss_of(structures, exact, Objective(shape=shape))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-7)
    assert all(bool(torch.isfinite(one.grad).all()) for one in exact)


def test_shapes_are_the_closed_forms():
    structures = frames(without=[ENERGY, STRESS])[:1]
    targets = make_targets(structures, dtype=torch.float64)
    error = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.5]])
    energy, forces, stress = guesses(structures)
    forces = targets.forces + torch.tensor(error)
    only = {"energy": 0.0, "stress": 0.0, "forces": 1.0}
    found = {
        shape: float(
            loss_of(
                structures, (energy, forces, stress), Objective(shape=shape, **only)
            ).detach()
        )
        for shape in SHAPES
    }
    assert found["mae"] == pytest.approx(np.abs(error).mean())
    assert found["mse"] == pytest.approx((error**2).mean() / 2)
    assert found["norm"] == pytest.approx((5 + 0.5) / 2 / 3**0.5)
    assert found["huber"] == pytest.approx((2.5 + 3.5 + 0.125) / 6)


@given(st.integers(min_value=0, max_value=1000))
def test_the_norm_does_not_depend_on_the_axes(seed):
    structures = frames(without=[ENERGY, STRESS])
    turned = [atoms.copy() for atoms in structures]
    turn = random_rotation(np.random.default_rng(seed))
    for atoms in turned:
        atoms.arrays[FORCES] = atoms.arrays[FORCES] @ turn
    energy, forces, stress = (one.detach() for one in guesses(structures, seed))
    rotated = forces @ torch.tensor(turn)
    norm, mae = Objective(shape="norm"), Objective(shape="mae")
    before = loss_of(structures, (energy, forces, stress), norm)
    after = loss_of(turned, (energy, rotated, stress), norm)
    assert float(after) == pytest.approx(float(before), rel=1e-12)
    components = loss_of(structures, (energy, forces, stress), mae)
    assert float(components) != pytest.approx(
        float(loss_of(turned, (energy, rotated, stress), mae)), rel=1e-12
    )


def test_every_structure_counts_once_whatever_its_size():
    small, large = frames(without=[ENERGY, STRESS])[:2]
    large = large.repeat((2, 2, 1))
    large.arrays[FORCES] = np.zeros((8, 3))
    small.arrays[FORCES] = np.zeros((2, 3))
    structures = [small, large]
    energy, forces, stress = guesses(structures)
    forces = torch.ones_like(forces)
    loss = loss_of(structures, (energy, forces, stress), Objective(shape="mae"))
    assert float(loss.detach()) == pytest.approx(1.0)


def test_a_scale_is_the_unit_of_its_term():
    structures = frames(without=[ENERGY, STRESS])
    predicted = guesses(structures)
    objective = Objective(shape="mae")
    once = float(loss_of(structures, predicted, objective).detach())
    halved = loss_of(structures, predicted, objective, ONE | {Property.FORCES: 2.0})
    assert float(halved.detach()) == pytest.approx(once / 2)


def test_units_are_the_size_of_labels_and_the_residual_of_energies():
    structures = frames()
    targets = make_targets(structures, dtype=torch.float64)
    predicted = guesses(structures)[0].detach()
    energies = residual(predicted / targets.n_atoms, targets.energy)
    units = units_of_error([energies], [targets])
    forces, stress = targets.forces.numpy(), targets.stress.numpy()
    errors = (predicted / targets.n_atoms - targets.energy).numpy()
    assert units[Property.FORCES] == pytest.approx(np.sqrt((forces**2).mean()))
    assert units[Property.STRESS] == pytest.approx(np.sqrt((stress**2).mean()))
    assert units[Property.ENERGY] == pytest.approx(np.sqrt((errors**2).mean()))


def test_a_constant_in_the_energies_changes_no_unit():
    structures = frames()
    targets = make_targets(structures, dtype=torch.float64)
    shifted = targets._replace(energy=targets.energy + 1000)
    predicted = guesses(structures)[0].detach() / targets.n_atoms
    plain = units_of_error([residual(predicted, targets.energy)], [targets])
    moved = units_of_error([residual(predicted + 1000, shifted.energy)], [shifted])
    assert plain == pytest.approx(moved)


def test_units_have_a_floor_and_need_no_label():
    structures = frames(without=[ENERGY])
    targets = make_targets(structures, dtype=torch.float64)
    still = targets._replace(
        forces=torch.zeros_like(targets.forces), stress=torch.zeros_like(targets.stress)
    )
    energies = residual(torch.zeros(3).double(), still.energy)
    units = units_of_error([energies], [still])
    assert units[Property.ENERGY] == 1.0
    assert units[Property.FORCES] == SCALE_FLOOR[Property.FORCES]
    assert units[Property.STRESS] == SCALE_FLOOR[Property.STRESS]


def test_only_weighted_properties_are_wanted():
    assert Objective(energy=0).wanted == {Property.FORCES, Property.STRESS}
    assert Objective(energy=0, stress=0).wanted == {Property.FORCES}


@pytest.mark.parametrize(
    "weights",
    [
        {"energy": 0.0, "forces": 0.0, "stress": 0.0},
        {"forces": -1.0},
        {"forces": float("nan")},
        {"forces": float("inf")},
        {"shape": "l1"},
        {"dipole": 1.0},
    ],
)
def test_what_is_no_objective_is_refused(weights):
    with pytest.raises(ValidationError):
        Objective(**weights)
