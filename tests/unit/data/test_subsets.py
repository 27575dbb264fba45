"""Sizes that double, and training sets that contain each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.core.errors import BadInputError
from atomgraft.data.splits import (
    N_SIZES,
    geometric_sizes,
    nested_order,
    require_sizes,
    share_to_choose,
)


@given(st.integers(1, 5000))
def test_sizes_end_with_the_pool(n_pool):
    sizes = geometric_sizes(n_pool)
    assert sizes[-1] == n_pool
    assert 1 <= len(sizes) <= N_SIZES
    assert list(sizes) == sorted(set(sizes))


@given(st.integers(16, 5000))
def test_sizes_double(n_pool):
    sizes = geometric_sizes(n_pool)
    assert len(sizes) == N_SIZES
    ratios = np.array(sizes[1:]) / np.array(sizes[:-1])
    assert (ratios >= 2).all()
    assert (ratios <= 2.5).all()


def test_an_order_is_a_function_of_its_seed():
    first, again, other = (
        nested_order(50, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert first == again != other
    assert sorted(first) == list(range(50))


@given(st.integers(1, 500))
def test_what_is_kept_aside_leaves_most(n_pool):
    n_aside = round(n_pool * share_to_choose(n_pool))
    assert n_aside <= n_pool / 2
    assert n_aside == 0 or n_aside >= 5
    assert (n_aside == 0) == (n_pool < 10)


def test_what_is_kept_aside_is_named():
    with pytest.raises(BadInputError, match="2 more are used for validation"):
        require_sizes((9,), 8, n_aside=2)


def test_too_large_a_size_is_refused():
    require_sizes((4, 8), 8)
    with pytest.raises(BadInputError, match=r"has 9 structures, and the pool has 8"):
        require_sizes((4, 9), 8)
