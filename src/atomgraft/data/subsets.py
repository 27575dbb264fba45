"""Nested subsets: the smaller training sets are contained in the larger."""

import numpy as np

from atomgraft.core.errors import BadInputError

N_SIZES = 4
"""Sizes chosen where the user names none."""

SMALLEST = 2
"""Structures below which nothing is chosen without being asked."""

CHOOSING_SHARE = 0.2
"""Of a pool, kept aside to choose between models. A mean error over a fifth scatters by
about twice what one over four fifths does, and a comparison asks for factors."""

MIN_CHOOSING = 5
"""Structures below which a mean error chooses by luck."""


def share_to_choose(n_pool: int) -> float:
    """Return the share of a pool that is kept aside to choose between models.

    Parameters
    ----------
    n_pool
        Structures there are.

    Returns
    -------
    :
        Zero for a pool of which less than half would be left to train on.

    Examples
    --------
    >>> [round(n * share_to_choose(n)) for n in (8, 10, 25, 100)]
    [0, 5, 5, 20]
    """
    if n_pool < 2 * MIN_CHOOSING:
        return 0.0
    return max(CHOOSING_SHARE, MIN_CHOOSING / n_pool)


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


def require_sizes(sizes: tuple[int, ...], n_pool: int, *, n_aside: int = 0) -> None:
    """Check that every size can be drawn from the pool.

    Parameters
    ----------
    sizes
        Numbers of structures.
    n_pool
        Structures there are to draw from.
    n_aside
        Structures of the same files that are kept aside for validation.

    Raises
    ------
    BadInputError
        One is larger than the pool.
    """
    if max(sizes) > n_pool:
        aside = (
            f"; {n_aside} more are kept aside for validation, unless --validation "
            "names others"
            if n_aside
            else ""
        )
        raise BadInputError(
            f"A training set of {max(sizes)} structures was asked for, and the pool "
            f"holds {n_pool}.",
            "A size is at most the number of structures in the training files, frames "
            "of isolated atoms left out.",
            f"Leave the size out, or give more files with --train{aside}.",
        )
