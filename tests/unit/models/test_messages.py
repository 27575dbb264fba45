"""Summed messages: the same numbers as e3nn's tensor product, to every order needed."""

import pytest
import torch

from atomgraft.models.irreps import message_paths
from atomgraft.models.loading import load_potential
from atomgraft.models.messages import MessagePath, SummedMessages
from atomgraft.models.sevennet.layers import Convolution
from tests.trials import HAS_SEVENN, NEEDS_SEVENN

pytestmark = NEEDS_SEVENN  # whose e3nn can be imported without its framework
o3 = pytest.importorskip("e3nn.o3") if HAS_SEVENN else None

ROUNDING = 1e-10
"""Sums of some hundred terms of order one to ten, in float64, differentiated twice."""

N_ATOMS, N_HIDDEN = 5, 3


def uvu_product(features, attributes, orders):
    """Return e3nn's product with every path from features to the given orders."""
    features, attributes = o3.Irreps(features), o3.Irreps(attributes)
    outputs, instructions = [], []
    for i, (n_channels, source) in enumerate(features):
        for j, (_, attribute) in enumerate(attributes):
            for target in source * attribute:
                if target.l in orders:
                    instructions.append((i, j, len(outputs), "uvu", True))
                    outputs.append((n_channels, target))
    outputs, order, _ = o3.Irreps(outputs).sort()
    instructions = [(i, j, order[k], *rest) for i, j, k, *rest in instructions]
    product = o3.TensorProduct(
        features,
        attributes,
        outputs,
        instructions,
        internal_weights=False,
        shared_weights=False,
    ).double()
    for name, buffer in product.named_buffers():  # e3nn keeps them rounded to float32
        if "_w3j_" in name:
            orders = map(int, name.split("_")[-3:])
            buffer.copy_(o3.wigner_3j(*orders, dtype=torch.float64))
    return product


@pytest.fixture(
    params=[
        ("4x0e", "1x0e+1x1e+1x2e", (0, 1, 2)),
        ("4x0e+3x1e+2x2e", "1x0e+1x1e+1x2e", (0, 1, 2)),
        ("4x0e+3x0o+3x1o+2x1e+2x2e", "1x0e+1x1o+1x2e", (0, 1, 2)),
        ("2x0e+2x1e+2x2e+2x3e", "1x0e+1x1e+1x2e+1x3e", (0,)),
    ],
    ids=["scalars", "up to 2", "with parity", "to scalars"],
)
def product(request):
    return uvu_product(*request.param)


def arguments(product, n_edges=11, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        values = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return values.requires_grad_()

    return (
        normal(N_ATOMS, product.irreps_in1.dim),
        normal(n_edges, product.irreps_in2.dim),
        normal(n_edges, N_HIDDEN),
        normal(N_HIDDEN, product.weight_numel),
        torch.randint(0, N_ATOMS, (2, n_edges), generator=generator),
    )


def ours(product):
    return SummedMessages(message_paths(product), product.irreps_in2.dim)


def theirs(product, features, attributes, hidden, last, edges):
    messages = product(features[edges[1]], attributes, hidden @ last)
    return messages.new_zeros(N_ATOMS, messages.shape[1]).index_add(
        0, edges[0], messages
    )


def test_messages_and_their_slopes_are_e3nn_s(product):
    given = arguments(product)
    own, other = ours(product)(*given), theirs(product, *given)
    torch.testing.assert_close(own, other, rtol=ROUNDING, atol=ROUNDING)

    def second(output):
        slopes = torch.autograd.grad(output.tanh().sum(), given[:4], create_graph=True)
        return torch.autograd.grad(sum((one**2).sum() for one in slopes), given[:4])

    for one, another in zip(second(own), second(other), strict=True):
        torch.testing.assert_close(one, another, rtol=ROUNDING, atol=ROUNDING)


def test_no_neighbour_no_message(product):
    sums = ours(product)(*arguments(product, n_edges=0))
    assert not sums.any()


def test_messages_go_from_sender_to_receiver():
    path = MessagePath(
        n_channels=1,
        source=0,
        attribute=0,
        target=0,
        weight=0,
        coefficients=torch.ones(1, 1, 1, dtype=torch.float64),
    )
    one = torch.ones(1, 1)
    sums = SummedMessages([path], n_attributes=1)(
        torch.tensor([[2.0], [3.0]]), one, one, one, torch.tensor([[0], [1]])
    )
    assert sums.tolist() == [[3.0], [0.0]]


def test_repeated_steps_are_equal_to_the_last_bit(product):
    given = arguments(product)
    module = ours(product)
    slopes = [torch.autograd.grad(module(*given).sum(), given[:4]) for _ in range(2)]
    for one, another in zip(*slopes, strict=True):
        assert torch.equal(one, another)


def test_precision_may_change_and_come_back(product):
    given = arguments(product)
    module = ours(product)
    before = module(*given)
    single = [one.float() for one in given[:4]]
    assert module.float()(*single, given[4]).dtype == torch.float32
    assert torch.equal(module.double()(*given), before)


def test_7net_uses_them_and_its_checkpoint_looks_as_it_did():
    pytest.importorskip("sevenn")
    from sevenn.util import load_checkpoint

    network = load_checkpoint("7net-0").build_model()
    module = load_potential("7net-0").module
    assert sum(isinstance(one, Convolution) for one in module.modules()) == 5
    assert list(module.state_dict()) == list(network.state_dict())
