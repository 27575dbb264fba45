"""Up to how many labels a start from another element is worth it."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from atomgraft.compare.record import ComparedCell, Contestant, Crossing, Target
from atomgraft.compare.seed_summaries import errors_by_seed


def crossings_of(
    cells: Sequence[ComparedCell], contestants: Sequence[Contestant], target: Target
) -> tuple[Crossing, ...]:
    """Return where fresh weights catch up with each contestant from an element map.

    Seeds are compared with themselves: both trained on the same structures.

    Parameters
    ----------
    cells
        The table.
    contestants
        Who takes part.
    target
        The error that decides.
    """
    found: list[Crossing] = []
    for one in contestants:
        for rival in contestants:
            is_pair = one.element_map and not one.is_fresh and rival.is_fresh
            if not is_pair or one.base != rival.base:
                continue
            crossing = _crossing(
                one.name,
                rival.name,
                errors_by_seed(cells, target, one.name),
                errors_by_seed(cells, target, rival.name),
            )
            found += [] if crossing is None else [crossing]
    return tuple(found)


def _crossing(
    name: str,
    rival: str,
    mine: Mapping[int, Mapping[int, float]],
    theirs: Mapping[int, Mapping[int, float]],
) -> Crossing | None:
    points: list[float] = []
    largest = 0
    for seed in sorted(mine.keys() & theirs.keys()):
        both = mine[seed].keys() & theirs[seed].keys()
        sizes = sorted(n for n in both if mine[seed][n] > 0 and theirs[seed][n] > 0)
        if sizes:
            largest = max(largest, sizes[-1])
            points.append(
                catches_up(
                    sizes,
                    [mine[seed][n] for n in sizes],
                    [theirs[seed][n] for n in sizes],
                )
            )
    if not points:
        return None
    caught = [one for one in points if math.isfinite(one)]
    middle = float(np.median(points))
    return Crossing(
        contestant=name,
        rival=rival,
        n_labels=middle if math.isfinite(middle) else None,
        range=(min(caught), max(caught)) if caught else None,
        n_caught=len(caught),
        n_seeds=len(points),
        largest=largest,
    )


def catches_up(
    sizes: Sequence[int], ahead: Sequence[float], behind: Sequence[float]
) -> float:
    """Return the number of labels from which one error is no larger than another.

    Between two sizes the logarithms of both errors are lines in the logarithm of the
    number of labels.

    Parameters
    ----------
    sizes
        Ascending.
    ahead, behind
        Errors at these sizes, above zero.

    Returns
    -------
    float
        The first size where it is so from the start; infinite where it is not so at
        the last size.

    Examples
    --------
    >>> round(catches_up([1, 100], [2.0, 2.0], [4.0, 1.0]), 6)
    10.0
    >>> catches_up([1, 100], [2.0, 2.0], [4.0, 3.0])
    inf
    """
    gaps = np.log(behind) - np.log(ahead)
    later = np.flatnonzero(gaps > 0)
    if not len(later):
        return float(sizes[0])
    last = int(later[-1])
    if last == len(sizes) - 1:
        return math.inf
    share = gaps[last] / (gaps[last] - gaps[last + 1])
    low, high = math.log(sizes[last]), math.log(sizes[last + 1])
    return math.exp(low + float(share) * (high - low))
