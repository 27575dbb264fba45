"""What moves: whole weights and low-rank deltas, counted and on one scale."""

import math

import pytest
import torch
from torch import nn

from atomgraft.adaptation.axes import Axes, LowRankDeltas, WholeWeights
from atomgraft.adaptation.movement import (
    BlockDelta,
    LowRankMovement,
    WholeMovement,
    coverage,
    make_movement,
)
from atomgraft.core.errors import BadInputError
from atomgraft.core.seeding import torch_generator
from atomgraft.models.base import REFERENCE_ENERGIES, SCALE, Block
from tests.trials import NEEDS_SEVENN, adapted_by, in_precision, loaded, tensors_of

TINY = "sevennet:tiny:Si"

N_SAMPLES = 4000

VARIANCE_OFF = 0.15
"""Of 4,000 samples and some hundred random weights: three standard deviations."""


def movement(name, spec, seed=0):
    generator = torch_generator(seed, "movement")
    return make_movement(in_precision(name, torch.float64), spec, generator)


def fill(movement, seed=1):
    """Give every trained tensor random values, as after training."""
    generator = torch_generator(seed, "fill")
    with torch.no_grad():
        for one in movement.named_trainables().values():
            one.add_(torch.randn(one.shape, generator=generator, dtype=one.dtype))
    return movement


def test_whole_weights_are_the_parameters_themselves():
    found = movement("pair:sw-si", WholeWeights())
    assert isinstance(found, WholeMovement)
    weights = found.weights()
    assert weights.keys() == found.named_trainables().keys()
    source = in_precision("pair:sw-si", torch.float64).module
    for name, value in weights.items():
        assert torch.equal(value, source.get_parameter(name))
        assert value is not source.get_parameter(name)
        assert found.trainable_count(name) == value.numel()
    assert found.trainable_count("reference_energies") == 0


def test_no_roles_means_all_but_references_and_scales():
    potential = loaded("pair:sw-si")
    names = set(movement("pair:sw-si", WholeWeights()).weights())
    fixed = potential.roles[REFERENCE_ENERGIES]
    assert names == {key for key, _ in potential.module.named_parameters()} - set(fixed)


def test_references_move_where_they_are_asked_for():
    found = movement("pair:sw-si", WholeWeights(roles=("reference_energies",)))
    assert set(found.weights()) == {"reference_energies"}


def test_a_role_named_twice_moves_once():
    once = movement("pair:sw-si", WholeWeights(roles=("interaction",)))
    twice = movement("pair:sw-si", WholeWeights(roles=("interaction", "interaction.0")))
    assert [*twice.parameters()] == [*twice.named_trainables().values()]
    assert once.weights().keys() == twice.weights().keys()


def test_an_unknown_role_is_named_with_those_that_exist():
    with pytest.raises(BadInputError, match="readout") as caught:
        movement("pair:sw-si", WholeWeights(roles=("radial_bases",)))
    assert "'radial_bases'" in caught.value.came


def test_low_rank_deltas_need_a_matrix():
    with pytest.raises(BadInputError, match="holds a matrix"):
        movement("pair:sw-si", LowRankDeltas(roles=("reference_energies",)))


def test_a_delta_is_zero_at_the_start_and_of_its_rank_later():
    block = Block(offset=0, rows=12, columns=10, scale=1.0)
    like = torch.zeros(1, dtype=torch.float64)
    delta = BlockDelta(block, 3, 2.0, like, torch_generator(0, "a"))
    assert not delta().any()
    with torch.no_grad():
        delta.B.add_(torch.randn(3, 10, dtype=torch.float64))
    matrix = delta().view(12, 10)
    assert torch.linalg.matrix_rank(matrix) == 3
    assert torch.allclose(matrix, 2.0 * delta.A @ delta.B)


@pytest.mark.parametrize(("rows", "columns"), [(1, 7), (7, 1), (2, 2), (8, 8)])
def test_a_small_block_moves_whole(rows, columns):
    block = Block(offset=0, rows=rows, columns=columns, scale=1.0)
    like = torch.zeros(1)
    delta = BlockDelta(block, 4, 1.0, like, torch_generator(0, "a"))
    assert not delta.is_thin
    assert sum(one.numel() for one in delta.parameters()) == block.size
    assert not delta().any()


def test_alpha_is_the_scale_of_the_delta():
    block = {}
    for alpha in (None, 8.0):
        found = movement("pair:sw-sige", LowRankDeltas(rank=1, alpha=alpha))
        with torch.no_grad():
            for one in found.named_trainables().values():
                one.fill_(1.0)
        source = in_precision("pair:sw-sige", torch.float64).module
        block[alpha] = {
            name: value - source.get_parameter(name)
            for name, value in found.weights().items()
        }
    for name, value in block[None].items():
        assert torch.allclose(block[8.0][name], 8.0 * value)


@NEEDS_SEVENN
def test_the_same_seed_draws_the_same_factors():
    spec = LowRankDeltas(rank=1)
    first, again, other = (movement(TINY, spec, seed) for seed in (0, 0, 1))
    factors = [
        torch.cat([one.flatten() for one in each.named_trainables().values()])
        for each in (first, again, other)
    ]
    assert torch.equal(factors[0], factors[1])
    assert not torch.equal(factors[0], factors[2])


@NEEDS_SEVENN
def test_every_delta_moves_its_own_block_only():
    potential = in_precision(TINY, torch.float64)
    found = movement(TINY, LowRankDeltas(rank=1))
    assert isinstance(found, LowRankMovement)
    before = found.weights()
    for i, name in enumerate(found.names):
        for j, block in enumerate(potential.blocks(name)):
            delta = found.deltas[i][j]
            with torch.no_grad():
                delta.B.fill_(1.0)
            moved = (found.weights()[name] - before[name]).flatten()
            inside = slice(block.offset, block.offset + block.size)
            assert moved[inside].all()
            moved[inside] = 0
            assert not moved.any()
            with torch.no_grad():
                delta.B.zero_()


@pytest.fixture(scope="module")
def rows():
    adapted = adapted_by("lora", loaded("7net-0"))
    return {one.role: one for one in coverage(adapted.potential, adapted.movement)}


class TestCoverageOf7net0:
    """LoRA is real: no layer is skipped in silence, and the numbers are known."""

    pytestmark = NEEDS_SEVENN

    def test_every_linear_and_radial_layer_moves(self):
        from e3nn.o3 import FullyConnectedTensorProduct, Linear

        potential = loaded("7net-0")
        moving = set(adapted_by("lora", potential).movement.weights())
        linear = {
            f"{name}.weight"
            for name, module in potential.module.named_modules()
            if isinstance(module, Linear | FullyConnectedTensorProduct)
            and module.weight_numel
        }
        radial = {
            name
            for name, _ in potential.module.named_parameters()
            if ".weight_nn." in name
        }
        assert linear
        assert radial
        assert moving == linear | radial
        assert len(moving) == 33

    def test_the_counts(self, rows):
        assert sum(one.n_trainable for one in rows.values()) == 57_668
        assert sum(one.n_weights for one in rows.values()) == 842_623
        assert rows[REFERENCE_ENERGIES].n_tensors_moving == 0
        assert rows[SCALE].n_trainable == 0
        for i in range(5):
            row = rows[f"interaction.{i}"]
            assert row.n_tensors_moving == row.n_tensors == 6
            assert row.n_weights_moving == row.n_weights > row.n_trainable > 0

    def test_declared_is_actual(self, rows):
        adapted = adapted_by("lora", loaded("7net-0"))
        actual = sum(one.numel() for one in adapted.movement.parameters())
        assert actual == sum(one.n_trainable for one in rows.values())
        assert actual == sum(one.numel() for one in tensors_of(adapted).values())

    def test_whole_weights_of_the_same_roles(self):
        potential = loaded("7net-0")
        rows = coverage(potential, adapted_by("full", potential).movement)
        for row in rows:
            is_fixed = row.role in {REFERENCE_ENERGIES, SCALE}
            assert row.n_weights_moving == (0 if is_fixed else row.n_weights)
            assert row.n_trainable == row.n_weights_moving


class TestOneScale:
    """The first factor keeps unit variance through every kind of layer."""

    def factor(self, rows, scale, rank=4):
        block = Block(offset=0, rows=rows, columns=64, scale=scale)
        like = torch.zeros(1, dtype=torch.float64)
        delta = BlockDelta(block, rank, 1.0, like, torch_generator(0, "A"))
        assert delta.is_thin
        return delta.factor * delta.A.detach()

    def variance(self, layer, n_inputs):
        generator = torch_generator(0, "inputs")
        inputs = torch.randn(N_SAMPLES, n_inputs, generator=generator)
        return float(layer(inputs.double()).detach().var())

    def test_of_a_plain_dense_layer(self):
        weight = self.factor(128, scale=1 / math.sqrt(128))
        assert self.variance(lambda x: x @ weight, 128) == pytest.approx(
            1, abs=2 * VARIANCE_OFF
        )

    @NEEDS_SEVENN
    def test_of_an_equivariant_linear_layer(self):
        from e3nn.o3 import Linear

        layer = Linear("128x0e + 128x1o", "4x0e + 4x1o").double()
        a = torch.cat([self.factor(128, scale=1.0).flatten()] * 2)
        with torch.no_grad():
            layer.weight.copy_(a)
        assert self.variance(layer, 128 * 4) == pytest.approx(1, abs=2 * VARIANCE_OFF)

    @NEEDS_SEVENN
    def test_of_a_radial_layer(self):
        from e3nn.nn import FullyConnectedNet

        layer = FullyConnectedNet([128, 4]).double()
        with torch.no_grad():
            layer.layer0.weight.copy_(self.factor(128, scale=1.0))
        assert self.variance(layer, 128) == pytest.approx(1, abs=2 * VARIANCE_OFF)

    @NEEDS_SEVENN
    def test_the_layers_of_7net_0_are_of_these_kinds(self):
        """Each block's scale is the weight at which its layer keeps unit variance."""
        potential = in_precision("7net-0", torch.float64)
        module = potential.module
        for name in ("3_self_interaction_1.linear", "3_convolution.weight_nn.layer1"):
            layer = module.get_submodule(name)
            weight = layer.get_parameter("weight")
            blocks = potential.blocks(f"{name}.weight")
            assert {block.scale for block in blocks} == {1.0}
            assert sum(block.size for block in blocks) == weight.numel()


@NEEDS_SEVENN
@pytest.mark.parametrize("spec", [WholeWeights(), LowRankDeltas(rank=2)])
def test_merged_weights_are_the_moved_ones(spec):
    adapted = adapted_by(Axes(moves=spec), in_precision(TINY, torch.float64))
    fill(adapted.movement)
    merged = adapted.merged()
    for name, value in adapted.movement.weights().items():
        assert torch.equal(merged.module.get_parameter(name), value)
    assert all(isinstance(one, nn.Parameter) for one in merged.module.parameters())
