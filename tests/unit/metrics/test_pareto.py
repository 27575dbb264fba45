"""Who is on the front, against asking every pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.compare.judge import pareto_front

NUMBERS = st.integers(0, 6).map(float)
"""Few different values, so that ties are common."""


def brute_force(points):
    """Ask every pair, by the definition."""
    return [
        not any(
            all(other <= mine) and any(other < mine)
            for j, other in enumerate(points)
            if j != i
        )
        for i, mine in enumerate(points)
    ]


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=30))
def test_it_is_what_every_pair_says(rows):
    points = np.array(rows, dtype=float).reshape(-1, 2)
    assert pareto_front(points).tolist() == brute_force(points)


def test_random_points_too():
    points = np.random.default_rng(0).normal(size=(300, 2))
    found = pareto_front(points)
    assert found.tolist() == brute_force(points)
    assert 1 < found.sum() < 50


def test_the_order_of_points_does_not_matter():
    rng = np.random.default_rng(1)
    points = rng.integers(0, 5, size=(40, 2)).astype(float)
    order = rng.permutation(len(points))
    assert (pareto_front(points)[order] == pareto_front(points[order])).all()


def test_equal_points_stay_together():
    points = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 2.0]])
    assert pareto_front(points).tolist() == [True, True, False]


def test_what_is_not_a_number_is_nowhere():
    points = np.array([[np.nan, 0.0], [1.0, 1.0], [0.5, np.nan]])
    assert pareto_front(points).tolist() == [False, True, False]


@pytest.mark.parametrize("n", [0, 1])
def test_alone_is_ahead(n):
    assert pareto_front(np.ones((n, 2))).tolist() == [True] * n
