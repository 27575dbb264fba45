"""Is a copy of a model the same model, with weights of its own?"""

import copy
import io

import pytest
import torch

from atomgraft.models.copies import GENERATED, independent_copy
from atomgraft.models.prediction import predict_structures
from atomgraft.testing import structures_for
from tests.trials import NEEDS_SEVENN, loaded, same_bits

MODELS = [
    "pair:sw-si",
    pytest.param("sevennet:tiny:Si", marks=NEEDS_SEVENN),
    pytest.param("mace:tiny:Si", marks=pytest.mark.mace),
]


def forces(potential):
    [found] = predict_structures(potential, [structures_for(potential).crystal])
    return torch.as_tensor(found.forces)


def addresses(module):
    tensors = [*module.parameters(), *module.buffers()]
    return {one.data_ptr() for one in tensors if one.numel()}


@pytest.mark.parametrize("name", MODELS)
def test_a_copy_says_the_same_and_shares_no_tensor(name):
    one = loaded(name)
    other = one.clone()
    assert same_bits(one.module.state_dict(), other.module.state_dict())
    assert addresses(one.module).isdisjoint(addresses(other.module))
    assert torch.equal(forces(one), forces(other))


@pytest.mark.parametrize("name", MODELS)
def test_what_becomes_of_a_copy_leaves_the_first_alone(name):
    one = loaded(name)
    before = forces(one)
    precise = one.clone(dtype=torch.float64)
    rough = precise.clone(dtype=torch.float32)
    with torch.no_grad():
        for weights in rough.module.parameters():
            weights.mul_(1.1)
    assert torch.equal(forces(one), before)
    assert not torch.equal(forces(rough), before)
    torch.testing.assert_close(forces(precise).float(), before.float())


@pytest.mark.parametrize("name", MODELS)
def test_copies_are_copied_and_pickled(name):
    once = independent_copy(loaded(name).module)
    file = io.BytesIO()
    torch.save(copy.deepcopy(independent_copy(once)), file)
    file.seek(0)
    read = torch.load(file, weights_only=False)
    assert same_bits(once.state_dict(), read.state_dict())


def test_a_part_that_two_hold_stays_one():
    graph = torch.fx.symbolic_trace(torch.nn.Linear(2, 2))
    holder = torch.nn.ModuleDict({"inner": graph})
    setattr(holder, GENERATED, ["inner"])
    whole = torch.nn.ModuleList([torch.nn.Sequential(graph), holder])
    other = independent_copy(whole)
    assert other[0][0] is other[1]["inner"]
    assert other[0][0] is not graph


@NEEDS_SEVENN
def test_generated_code_is_shared():
    module = loaded("sevennet:tiny:Si").module
    other = independent_copy(module)
    graphs = [
        (one.graph, twin.graph)
        for one, twin in zip(module.modules(), other.modules(), strict=True)
        if isinstance(one, torch.fx.GraphModule)
    ]
    assert graphs
    assert all(one is twin for one, twin in graphs)
