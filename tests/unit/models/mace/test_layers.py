"""Our layers give MACE's numbers, and their slopes, from the same weights."""

import copy
import itertools

import pytest
import torch

from atomgraft.models.mace.contraction import ElementContraction
from atomgraft.models.mace.files import with_mace
from atomgraft.models.mace.layers import (
    Convolution,
    ElementLinear,
    RadialWeights,
    use_own_layers,
)
from tests.mace_models import VARIANTS, network

pytestmark = pytest.mark.mace

ROUNDING = 1e-11
"""Sums of some thousand terms of order one, in float64, differentiated twice."""

N_ATOMS, N_EDGES, N_ELEMENTS = 7, 19, 5

GENERATOR = torch.Generator().manual_seed(0)


def normal(*shape):
    values = torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)
    return values.requires_grad_()


def elements(*index):
    return torch.eye(N_ELEMENTS, dtype=torch.float64)[list(index)]


MIXED = elements(1, 4, 1, 1, 3, 4, 1)


def close(one, other):
    scale = float(other.detach().abs().max()) + 1.0
    torch.testing.assert_close(one, other, rtol=0, atol=ROUNDING * scale)


def assert_same(ours, theirs, given):
    """Compare outputs, slopes in inputs and weights, and slopes of slopes."""
    found = [ours(*given), theirs(*given)]
    close(*found)
    names = [name for name, _ in theirs.named_parameters()]
    slopes = []
    for output, module in zip(found, (ours, theirs), strict=True):
        inputs = [one for one in given if one.requires_grad]
        inputs += [module.get_parameter(name) for name in names]
        first = torch.autograd.grad(output.tanh().sum(), inputs, create_graph=True)
        total = sum((one**2).sum() for one in first)
        slopes.append([*first, *torch.autograd.grad(total, inputs)])
    for one, other in zip(*slopes, strict=True):
        close(one, other)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("3x0e+2x1o", "4x0e+3x1o+2x2e"),  # nothing leads to 2e
        ("3x0e", "4x0e"),
        ("3x0e+2x1o", "2x0e"),
        ("2x0e+3x0e+2x1o", "2x0e+2x1o"),  # two paths to one output
    ],
)
def test_a_linear_layer_for_each_element(source, target):
    with with_mace():
        from e3nn.o3 import FullyConnectedTensorProduct, Irreps

        theirs = FullyConnectedTensorProduct(source, f"{N_ELEMENTS}x0e", target)
    theirs = theirs.double()
    assert ElementLinear.fits(theirs)
    given = (normal(N_ATOMS, Irreps(source).dim), MIXED)
    assert_same(ElementLinear(theirs), theirs, given)


def test_other_products_stay():
    with with_mace():
        from e3nn.o3 import FullyConnectedTensorProduct, Linear

        product = FullyConnectedTensorProduct("2x0e+2x1o", "1x0e+1x1o", "2x0e")
        linear = Linear("2x0e", "2x0e")
    assert not ElementLinear.fits(product)
    assert not ElementLinear.fits(linear)


CONTRACTIONS = list(itertools.product([1, 2, 3], ["4x0e", "4x0e+4x1o", "4x1o+4x2e"]))


def contraction(correlation, target, n_elements=N_ELEMENTS):
    with with_mace(), torch.random.fork_rng(devices=[]):
        from e3nn.o3 import Irreps
        from mace.modules import SymmetricContraction

        torch.random.default_generator.manual_seed(1)
        return SymmetricContraction(
            irreps_in=Irreps("4x0e+4x1o+4x2e"),
            irreps_out=Irreps(target),
            correlation=correlation,
            num_elements=n_elements,
        ).double()


@pytest.mark.parametrize(("correlation", "target"), CONTRACTIONS)
def test_a_contraction(correlation, target):
    theirs = contraction(correlation, target)
    assert ElementContraction.fits(theirs)
    assert_same(ElementContraction(theirs), theirs, (normal(N_ATOMS, 4, 9), MIXED))


def test_four_factors_are_left_to_mace():
    assert not ElementContraction.fits(contraction(4, "4x0e"))


def test_weights_of_absent_elements_do_not_matter():
    """And those of present ones do: the negative control."""
    ours = ElementContraction(contraction(2, "4x0e"))
    features = normal(N_ATOMS, 4, 9)
    before = ours(features, MIXED)
    weights = ours.get_parameter("contractions.0.weights_max")
    with torch.no_grad():
        weights[[0, 2]] += 1.0
        assert torch.equal(ours(features, MIXED), before)
        weights[3] += 1.0
    changed = (ours(features, MIXED) - before).abs().amax(1) > 0
    assert changed.tolist() == [False] * 4 + [True] + [False] * 2


def test_precision_may_change_and_come_back():
    ours = ElementContraction(contraction(3, "4x0e+4x1o"))
    features = normal(N_ATOMS, 4, 9)
    before = ours(features, MIXED)
    assert ours.float()(features.float(), MIXED.float()).dtype == torch.float32
    weights = contraction(3, "4x0e+4x1o").state_dict()
    ours.double().load_state_dict(weights, strict=False)
    assert torch.equal(ours(features, MIXED), before)


@pytest.mark.parametrize("variant", ["two heads", "nonlinear"])
def test_messages_with_their_radial_weights(variant):
    """Both kinds of radial networks, on edges of every kind."""
    for theirs in network(variant).interactions:
        product, radial = copy.deepcopy((theirs.conv_tp, theirs.conv_tp_weights))
        convolution = Convolution(product)
        ours = RadialWeights(copy.deepcopy(radial), convolution.messages.order)
        n_inputs = next(radial.parameters()).shape[int(variant == "nonlinear")]
        edges = torch.randint(0, N_ATOMS, (2, N_EDGES), generator=GENERATOR)
        features = normal(N_ATOMS, product.irreps_in1.dim)
        attributes = normal(N_EDGES, product.irreps_in2.dim)
        values = normal(N_EDGES, n_inputs)
        given = (features, attributes, values)

        def sums(features, attributes, values, edges=edges, parts=(product, radial)):
            product, radial = parts
            messages = product(features[edges[0]], attributes, radial(values))
            empty = messages.new_zeros(N_ATOMS, messages.shape[1])
            return empty.index_add(0, edges[1], messages)

        found = convolution(features, attributes, ours(values), edges)
        close(found, sums(*given))
        for one, other in zip(
            torch.autograd.grad(found.tanh().sum(), given),
            torch.autograd.grad(sums(*given).tanh().sum(), given),
            strict=True,
        ):
            close(one, other)


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_keep_their_names(variant):
    theirs = network(variant)
    ours = copy.deepcopy(theirs)
    use_own_layers(ours)
    assert [(name, one.shape) for name, one in ours.named_parameters()] == [
        (name, one.shape) for name, one in theirs.named_parameters()
    ]
    kinds = {type(one).__name__ for one in ours.modules()}
    assert {"Convolution", "RadialWeights"} <= kinds
    assert ("ElementLinear" in kinds) == (variant != "nonlinear")
    assert ("ElementContraction" in kinds) == (variant != "four factors")
