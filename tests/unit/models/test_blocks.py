"""Blocks say what a layer does: rows are its inputs, columns its outputs."""

import math

import pytest
import torch
from torch import nn

from atomgraft.core.seeding import torch_generator
from atomgraft.models.loading import load_potential
from tests.mace_models import potential as mace_model
from tests.trials import NEEDS_SEVENN, in_precision

MODELS = {
    "sevennet": lambda: in_precision("sevennet:tiny:Si", torch.float64),
    "7net-mf-0": lambda: load_potential("7net-mf-0", head="PBE").clone(
        dtype=torch.float64
    ),
    "mace": mace_model,
    "mace, nonlinear": lambda: mace_model("nonlinear"),
}
NAMES = [
    pytest.param(name, marks=pytest.mark.mace if "mace" in name else NEEDS_SEVENN)
    for name in MODELS
]

SINGLE = 1e-5
"""e3nn keeps normalisations of radial layers in single precision."""


def random(*shape):
    return torch.randn(*shape, generator=torch_generator(0, "x"), dtype=torch.float64)


def layers_of(potential):
    """Yield every layer with blocks, as the framework made it, with its weight."""
    plain = getattr(potential, "plain", potential.module)
    for name, _ in potential.module.named_parameters():
        own = name.removeprefix("network.")
        blocks = potential.blocks(name)
        if blocks and ".contractions." not in own:
            layer = plain.get_submodule(own.rpartition(".")[0])
            yield layer, layer.get_parameter("weight").detach(), blocks


def dense(layer, weight, blocks):
    """Work out a dense layer of torch, or a radial one of e3nn, from its block."""
    [block] = blocks
    inputs = random(3, block.rows)
    outputs = torch.einsum("bi,io->bo", inputs, block.matrix(weight))
    if isinstance(layer, nn.Linear):
        bias = 0 if layer.bias is None else layer.bias
        return layer(inputs), outputs + bias
    outputs = outputs / math.sqrt(layer.h_in * layer.var_in / layer.var_out)
    if layer.act is not None:
        outputs = layer.act(outputs * math.sqrt(1 / layer.var_out))
        outputs = outputs * math.sqrt(layer.var_out)
    return layer(inputs), outputs


def equivariant(layer, weight, blocks):
    """Work out a linear layer of e3nn path by path."""
    inputs = random(3, layer.irreps_in.dim)
    outputs = torch.zeros(3, layer.irreps_out.dim, dtype=torch.float64)
    paths = [one for one in layer.instructions if one.i_in >= 0]
    for path, block in zip(paths, blocks, strict=True):
        n_in, irrep = layer.irreps_in[path.i_in]
        part = inputs[:, layer.irreps_in.slices()[path.i_in]]
        part = part.reshape(3, n_in, irrep.dim)
        mixed = torch.einsum("bum,uw->bwm", part, block.matrix(weight))
        place = layer.irreps_out.slices()[path.i_out]
        outputs[:, place] += path.path_weight * mixed.flatten(1)
    if layer.bias_numel:  # of scalars alone
        outputs += layer(torch.zeros_like(inputs))
    return layer(inputs), outputs


def product(layer, weight, blocks):
    """Work out the product of features with a one-hot vector of the element."""
    inputs = random(3, layer.irreps_in1.dim)
    n_elements = layer.irreps_in2.dim
    element = torch.eye(n_elements, dtype=torch.float64)[[0, n_elements - 1, 0]]
    outputs = torch.zeros(3, layer.irreps_out.dim, dtype=torch.float64)
    for path, block in zip(layer.instructions, blocks, strict=True):
        n_in, irrep = layer.irreps_in1[path.i_in1]
        part = inputs[:, layer.irreps_in1.slices()[path.i_in1]]
        part = part.reshape(3, n_in, irrep.dim)
        matrix = block.matrix(weight).view(n_in, n_elements, -1)
        mixed = torch.einsum("bum,bv,uvw->bwm", part, element, matrix)
        place = layer.irreps_out.slices()[path.i_out]
        factor = path.path_weight / math.sqrt(irrep.dim)
        outputs[:, place] += factor * mixed.flatten(1)
    return layer(inputs, element), outputs


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_inputs_and_columns_outputs(name):
    found = 0
    for layer, weight, blocks in layers_of(MODELS[name]()):
        if hasattr(layer, "irreps_in2"):
            expected, ours = product(layer, weight, blocks)
        elif hasattr(layer, "irreps_in"):
            expected, ours = equivariant(layer, weight, blocks)
        else:
            expected, ours = dense(layer, weight, blocks)
        assert torch.allclose(expected, ours, rtol=SINGLE, atol=SINGLE)
        assert expected.abs().max() > 10 * SINGLE
        found += 1
    assert found > 10


@pytest.mark.mace
def test_a_dense_layer_of_torch_is_stored_the_other_way_round():
    """The radial layers of MACE-MH are such; A then stands at their inputs."""
    potential = mace_model("nonlinear")
    turned = {
        type(layer)
        for layer, _, blocks in layers_of(potential)
        if any(block.is_transposed for block in blocks)
    }
    assert turned == {nn.Linear}
