"""Nested subsets: the smaller training sets are contained in the larger."""

import numpy as np

from atomgraft.core.errors import BadInputError

N_SIZES = 4
"""Sizes chosen where the user names none."""

SMALLEST = 2
"""Structures below which nothing is chosen without being asked."""


def geometric_sizes(n_pool: int) -> tuple[int, ...]:
    """Return sizes that double up to the whole pool, at most `N_SIZES` of them.

    Equal steps in the logarithm are what a power law is read from.

    Parameters
    ----------
    n_pool
        Structures there are.

    Examples
    --------
    >>> geometric_sizes(100), geometric_sizes(5)
    ((12, 25, 50, 100), (2, 5))
    """
    halved = {n_pool // 2**i for i in range(N_SIZES)}
    return tuple(sorted(one for one in halved if one >= SMALLEST)) or (n_pool,)


def nested_order(n_pool: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Return the pool in random order; its first *n* are the subset of size *n*.

    Parameters
    ----------
    n_pool
        Structures there are.
    rng
        Decides the order.

    Examples
    --------
    >>> order = nested_order(6, np.random.default_rng(0))
    >>> sorted(order)
    [0, 1, 2, 3, 4, 5]
    """
    return tuple(int(i) for i in rng.permutation(n_pool))


def require_sizes(sizes: tuple[int, ...], n_pool: int) -> None:
    """Check that every size can be drawn from the pool.

    Raises
    ------
    BadInputError
        One is larger than the pool.
    """
    if max(sizes) > n_pool:
        raise BadInputError(
            f"A training set of {max(sizes)} structures was asked for, and the pool "
            f"holds {n_pool}.",
            "A size is at most the number of structures in the training files, frames "
            "of isolated atoms left out.",
            "Leave the size out, or give more files with --train.",
        )
