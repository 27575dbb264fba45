"""Behind the seam: MACE's numbers before and after, heads, references, matrices."""

import copy

import numpy as np
import pytest
import torch
from ase import Atoms

from atomgraft.adaptation.axes import LowRankDeltas
from atomgraft.adaptation.movement import coverage, make_movement
from atomgraft.core.errors import BadInputError
from atomgraft.core.seeding import torch_generator
from atomgraft.models.base import READOUT, REFERENCE_ENERGIES, PotentialCard
from atomgraft.models.mace.files import load_mace, with_mace
from atomgraft.models.mace.potential import REFERENCE, MacePotential
from atomgraft.models.prediction import predict, predict_structures
from atomgraft.testing import structures_for
from atomgraft.testing.measuring import graph_of
from tests.mace_models import NUMBERS, VARIANTS, network, potential

pytestmark = pytest.mark.mace

SAME = {torch.float64: 1e-12, torch.float32: 1e-5}
"""The same sums in another order, relative to the largest number."""


def structures(adapter):
    """Return crystals and a molecule.

    No slab: MACE divides the stress of one by the volume of a cell that it makes up.
    """
    trial = structures_for(adapter)
    return [trial.crystal, trial.molecule, trial.one_atom, trial.dimer]


def assert_same_as_mace(adapter, model, dtype):
    """Compare energies, forces and stresses with those of a plain MACECalculator."""
    with with_mace():
        from mace.calculators import MACECalculator

        theirs = MACECalculator(
            models=copy.deepcopy(model),
            device="cpu",
            default_dtype=str(dtype).removeprefix("torch."),
            head=adapter.card.head,
        )
    frames = structures(adapter)
    largest = 0.0
    for atoms, ours in zip(frames, predict_structures(adapter, frames), strict=True):
        with with_mace():
            theirs.calculate(atoms)
        known = theirs.results
        stress = known["stress"] if atoms.cell.volume else np.zeros(6)
        for one, other in (
            (ours.energy, known["energy"]),
            (ours.forces, known["forces"]),
            (ours.stress, stress),
        ):
            scale = max(1.0, float(np.abs(other).max()))
            assert np.abs(one - other).max() <= SAME[dtype] * scale
        largest = max(largest, float(np.abs(known["forces"]).max()))
    assert largest > 1e-4  # something was compared


@pytest.mark.parametrize("dtype", SAME, ids=str)
@pytest.mark.parametrize("variant", VARIANTS)
def test_numbers_are_those_of_mace(variant, dtype):
    assert_same_as_mace(potential(variant, dtype), network(variant, dtype), dtype)


def test_a_precision_that_was_not_its_own():
    """As MACECalculator does with default_dtype."""
    double = potential("repulsion", torch.float32).clone(dtype=torch.float64)
    assert_same_as_mace(double, network("repulsion", torch.float32), torch.float64)


@pytest.mark.parametrize("dtype", SAME, ids=str)
@pytest.mark.parametrize("variant", ["repulsion", "two heads", "nonlinear"])
def test_what_comes_out_is_a_plain_model(variant, dtype, tmp_path):
    """Every weight is changed; the file holds them, all elements and all heads."""
    adapter = potential(variant).clone(dtype=dtype)
    with torch.no_grad():
        for parameter in adapter.module.parameters():
            parameter.mul_(1.05).add_(0.01)
    path = adapter.export(tmp_path / "mine")
    assert path.name == "mine.model"
    head = adapter.card.head
    read = load_mace(str(path), head=head, trust=True)
    assert read.weights_hash() == adapter.weights_hash()
    assert read.dtype == dtype
    assert read.elements == set(NUMBERS)
    assert read.heads == tuple(VARIANTS[variant].get("heads", ()))
    with with_mace():
        plain = torch.load(path, weights_only=False)
    assert type(plain) is type(network(variant))
    buffers = dict(plain.named_buffers())
    assert REFERENCE.removeprefix("network.") in buffers  # where MACE looks for it
    assert_same_as_mace(adapter, plain, dtype)


def test_the_source_is_not_changed():
    before = copy.deepcopy(dict(network("residual").named_parameters()))
    adapter = potential("residual")
    with torch.no_grad():
        for parameter in adapter.module.parameters():
            parameter.add_(1.0)
    for name, one in network("residual").named_parameters():
        assert torch.equal(one, before[name])


def test_an_atom_alone_without_a_readout_has_its_reference_energy():
    adapter = potential("residual").clone(dtype=torch.float64)
    [spoken] = predict_structures(adapter, [Atoms("Si")])
    with torch.no_grad():
        for name in adapter.roles[READOUT]:
            adapter.module.get_parameter(name).zero_()
    [silent] = predict_structures(adapter, [Atoms("Si")])
    model = network("residual")
    energy = model.atomic_energies_fn.atomic_energies[1] + model.scale_shift.shift
    assert silent.energy == pytest.approx(float(energy), abs=1e-12)
    assert abs(spoken.energy - silent.energy) > 1e-6
    assert not silent.forces.any()


# Heads


@pytest.mark.parametrize("head", [None, "CCSD"])
def test_one_of_several_heads_must_be_named(head, tmp_path):
    path = potential("two heads").export(tmp_path / "two")
    with pytest.raises(BadInputError, match="It has PBE, r2SCAN") as caught:
        load_mace(str(path), head=head, trust=True)
    assert "--head" in caught.value.remedy


def test_a_model_with_one_head_needs_no_name(tmp_path):
    path = potential("residual").export(tmp_path / "one")
    assert load_mace(str(path), trust=True).heads == ()
    assert load_mace(str(path), head="Default", trust=True).head == 0
    with pytest.raises(BadInputError, match="it was 'PBE'"):
        load_mace(str(path), head="PBE", trust=True)


def test_heads_differ_and_one_leads_to_the_other(tmp_path):
    second = potential("two heads")
    path = second.export(tmp_path / "two")
    first = load_mace(str(path), head="PBE", trust=True)
    frames = structures(second)
    other = second.for_head("PBE")
    assert other.card.head == "PBE"
    assert second.card.head == "r2SCAN"
    for a, b, c in zip(
        *(predict_structures(one, frames) for one in (first, other, second)),
        strict=True,
    ):
        assert a.energy == pytest.approx(b.energy, abs=1e-12)
        assert abs(b.energy - c.energy) > 1e-3
    with pytest.raises(BadInputError, match="It has PBE, r2SCAN"):
        second.for_head("CCSD")


def test_references_shift_for_one_head():
    adapter = potential("two heads")
    [(name, values)] = adapter.with_shifted_references({14: 0.5}).items()
    before = adapter.module.get_parameter(name)
    change = torch.zeros(2, len(NUMBERS), dtype=torch.float64)
    change[adapter.head, NUMBERS.index(14)] = 0.5
    torch.testing.assert_close(values - before, change)
    assert name in adapter.roles[REFERENCE_ENERGIES]


# Matrices


@pytest.mark.parametrize("variant", VARIANTS)
def test_low_rank_deltas_reach_every_matrix(variant):
    """Those of skip_tp and of the symmetric contractions too."""
    adapter = potential(variant)
    movement = make_movement(
        adapter, LowRankDeltas(rank=2), torch_generator(0, "movement")
    )
    trainables = movement.named_trainables()
    moved = set(movement.weights())
    names = [name for name, _ in adapter.module.named_parameters()]
    for part in ("skip_tp", "contractions", "linear_up", "conv_tp_weights", "readouts"):
        matrices = [name for name in names if part in name and adapter.blocks(name)]
        assert matrices, part
        assert set(matrices) <= moved
        for name in matrices:
            assert any(one.startswith(f"{name}.") for one in trainables)
    share = {
        one.role: one.n_weights_moving / one.n_weights
        for one in coverage(adapter, movement)
    }
    moving = [value for role, value in share.items() if role.startswith("interaction")]
    assert min(moving) > 0.8


def test_fresh_weights_have_the_spread_of_mace_s_own():
    adapter = potential("residual")
    adapter.draw_weights(torch_generator(3, "fresh"))
    for name, other in network("residual").named_parameters():
        drawn = adapter.module.get_parameter(f"network.{name}").detach()
        if other.numel() > 60:
            assert 0.7 < float(drawn.std() / other.detach().std()) < 1.4, name


@pytest.mark.parametrize("variant", VARIANTS)
def test_energies_are_affine_along_the_directions_of_the_readout(variant):
    adapter = potential(variant)
    graph = graph_of(adapter, structures(adapter))
    directions = adapter.readout_directions()
    [n_directions] = {len(one) for one in directions.values()}
    generator = torch_generator(0, "steps")
    steps = torch.randn(n_directions, generator=generator, dtype=torch.float64)
    change = {
        name: torch.tensordot(steps, one, dims=1) for name, one in directions.items()
    }

    def energies(factor):
        weights = {
            name: adapter.module.get_parameter(name) + factor * one
            for name, one in change.items()
        }
        return predict(adapter, graph, frozenset(), weights=weights).energy

    zero, one, two = energies(0.0), energies(1.0), energies(2.0)
    torch.testing.assert_close(two - one, one - zero, rtol=1e-9, atol=1e-9)
    assert (one - zero).abs().min() > 1e-6
    for i in range(n_directions):
        weights = {
            name: adapter.module.get_parameter(name) + rows[i]
            for name, rows in directions.items()
        }
        found = predict(adapter, graph, frozenset(), weights=weights).energy
        assert (found - zero).abs().max() > 1e-9, "a direction that does nothing"


def test_a_parameter_without_a_role_is_reported(monkeypatch):
    odd = copy.deepcopy(network("residual"))
    odd.register_parameter("surprise", torch.nn.Parameter(torch.zeros(3)))
    monkeypatch.setattr("tests.mace_models.network", lambda *_: odd)
    with pytest.raises(BadInputError, match="'surprise'"):
        potential("residual")


# Reference energies


def with_gold(dtype=torch.float32):
    adapter = potential("two heads").clone(dtype=dtype)
    adapter.add_references({14: -535000.987654321})
    return adapter


def test_large_references_are_added_for_one_head():
    before, after = potential("two heads").clone(dtype=torch.float32), with_gold()
    assert torch.equal(
        before.for_head("PBE").reference_table(),
        after.for_head("PBE").reference_table(),
    )
    change = after.reference_table() - before.reference_table()
    assert float(change[14]) == pytest.approx(-535000.987654321, abs=1e-9)
    assert int(change.count_nonzero()) == 1


def test_a_file_with_large_references_is_in_float64_and_exact_in_mace(tmp_path):
    adapter = with_gold()
    assert adapter.exported_rounding() < 1e-9
    path = adapter.export(tmp_path / "gold")
    with with_mace():
        plain = torch.load(path, weights_only=False)
    assert {one.dtype for one in plain.parameters()} == {torch.float64}
    assert_same_as_mace(adapter.clone(dtype=torch.float64), plain, torch.float64)
    again = load_mace(str(path), head=adapter.card.head, trust=True)
    assert torch.equal(again.reference_table(), adapter.reference_table())
    assert again.weights_hash() == adapter.as_exported().weights_hash()
    assert again.weights_hash() != adapter.weights_hash()


def test_a_file_with_small_references_keeps_its_precision(tmp_path):
    adapter = potential("two heads").clone(dtype=torch.float32)
    adapter.add_references({14: 0.123456789})
    assert 0 < adapter.exported_rounding() < 1e-5
    path = adapter.export(tmp_path / "small")
    again = load_mace(str(path), head=adapter.card.head, trust=True)
    assert again.dtype == torch.float32
    assert again.weights_hash() == adapter.as_exported().weights_hash()


def test_energies_that_a_file_alone_holds_in_float64_are_kept():
    plain = copy.deepcopy(network("residual")).float()
    exact = plain.atomic_energies_fn.atomic_energies.double() - 535000.987654321
    plain.atomic_energies_fn.atomic_energies = exact
    adapter = MacePotential(
        plain, PotentialCard(name="x", framework="mace", licence="")
    )
    assert adapter.dtype == torch.float32
    found = adapter.exact_references()
    assert torch.equal(found, exact)
