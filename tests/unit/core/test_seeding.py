"""Seeds: the same purpose gives the same numbers, any other gives others."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.core.seeding import derived_seed, numpy_generator, torch_generator

UNCORRELATED = 0.05
"""|correlation| of two independent series of 10,000 numbers: five standard errors."""

words = st.text("abcdefgh", min_size=1)
purposes = st.tuples(words, st.integers(0, 1000))


@given(seed=st.integers(0, 2**63), one=purposes, other=purposes)
def test_seeds_differ_exactly_where_purposes_do(seed, one, other):
    same = derived_seed(seed, *one) == derived_seed(seed, *other)
    assert same == (one == other)


@given(seed=st.integers(0, 2**63), purpose=purposes)
def test_seeds_fit_what_torch_and_numpy_take(seed, purpose):
    found = derived_seed(seed, *purpose)
    assert 0 <= found < 2**63
    assert found != derived_seed(seed + 1, *purpose)
    torch_generator(seed, *purpose)
    numpy_generator(seed, *purpose)


def numpy_numbers(*given):
    return numpy_generator(*given).standard_normal(10_000)


def torch_numbers(*given):
    return torch.randn(10_000, generator=torch_generator(*given)).numpy()


@pytest.mark.parametrize("draw", [numpy_numbers, torch_numbers])
def test_generators_repeat_themselves_and_nobody_else(draw):
    first = draw(0, "epoch", 1)
    np.testing.assert_array_equal(first, draw(0, "epoch", 1))
    for other in [(0, "epoch", 2), (1, "epoch", 1), (0, "lora", 1)]:
        assert abs(np.corrcoef(first, draw(*other))[0, 1]) < UNCORRELATED


def test_the_seed_of_a_purpose_never_changes():
    """Stored runs are resumed with it: `printf 0/epoch/1 | sha256sum`, 63 bits."""
    assert derived_seed(0, "epoch", 1) == 123735704575244949
    assert derived_seed(3, "bootstrap", "forces") == 6087116741891224334


def global_numpy_state():
    return np.random.get_state()[1]  # noqa: NPY002 - that it is not touched


def test_the_global_generators_are_left_alone():
    before = torch.get_rng_state(), global_numpy_state()
    numpy_numbers(0, "a")
    torch_numbers(0, "a")
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(global_numpy_state(), before[1])
