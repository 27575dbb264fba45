"""Mixtures of labels that a sum can buy, and which of them has the smallest error."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from atomgraft.fidelity.budget.laws import Law

N_MIXTURES = 60
"""Mixtures that are tried for each way to use a source."""

FAR = 10.0
"""Times the largest number of labels that was measured: nothing is predicted beyond."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Way:
    """One way to use labels, with its law and its costs.

    Parameters
    ----------
    name
        In words.
    law
        Error by labels.
    cost, source_cost
        Processor time of a label of the target with what belongs to it, and of one of
        the source, s.
    n, n_source
        Smallest and largest numbers of labels that were measured.
    """

    name: str
    law: Law
    cost: float
    source_cost: float
    n: tuple[int, int]
    n_source: tuple[int, int]

    @property
    def has_source(self) -> bool:
        """Whether the number of the source's labels can be chosen."""
        return self.n_source[1] > 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mixture:
    """Labels that are bought.

    Parameters
    ----------
    way
        How they are used.
    n, n_source
        Of the target, and of the source.
    seconds
        What they cost.
    log_error, deviation
        Logarithm of the predicted error, and the standard deviation of the law there.
    """

    way: Way
    n: int
    n_source: int
    seconds: float
    log_error: float
    deviation: float

    @property
    def error(self) -> float:
        """The predicted error."""
        return math.exp(self.log_error)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the error: of the law, and of the scatter around it."""
        law = self.way.law
        half = law.factor() * math.hypot(self.deviation, law.scatter)
        return math.exp(self.log_error - half), math.exp(self.log_error + half)

    @property
    def is_measured_range(self) -> bool:
        """Whether both numbers lie within what was measured."""
        one = self.way
        is_few = not one.has_source or self.n_source <= one.n_source[1]
        return one.n[0] <= self.n <= one.n[1] and is_few


def affordable(way: Way, seconds: float) -> list[Mixture]:
    """Return the mixtures that a sum buys, as many of the source as are left to buy.

    Parameters
    ----------
    way
        How labels are used.
    seconds
        To spend, processor time.

    Returns
    -------
    :
        None where not even the fewest labels of the target can be paid.
    """
    low = way.n[0]
    high = min(int(seconds / way.cost), int(FAR * way.n[1]))
    if high < low:
        return []
    n = np.unique(np.round(np.geomspace(low, high, N_MIXTURES)).astype(int))
    n_source = np.zeros(len(n), dtype=int)
    if way.has_source:
        left = np.maximum(seconds - n * way.cost, 0.0) / way.source_cost
        n_source = np.minimum(left, FAR * way.n_source[1]).astype(int)
        is_bought = n_source >= way.n_source[0]  # fewer were not measured
        n, n_source = n[is_bought], n_source[is_bought]
    return placed(way, n, n_source)


def placed(
    way: Way, n: "np.ndarray | Sequence[int]", n_source: "np.ndarray | Sequence[int]"
) -> list[Mixture]:
    """Return mixtures with their predicted errors.

    Parameters
    ----------
    way
        How labels are used.
    n, n_source
        Labels of the target, and of the source.
    """
    dear, cheap = np.asarray(n, dtype=float), np.asarray(n_source, dtype=float)
    logs = way.law.logs(dear, cheap)
    slopes = way.law.slopes(dear, cheap)
    variances = np.einsum("ij,jk,ik->i", slopes, way.law.covariance, slopes)
    return [
        Mixture(
            way=way,
            n=int(dear[i]),
            n_source=int(cheap[i]),
            seconds=float(dear[i] * way.cost + cheap[i] * way.source_cost),
            log_error=float(logs[i]),
            deviation=math.sqrt(max(float(variances[i]), 0.0)),
        )
        for i in range(len(dear))
    ]


def best_of(mixtures: Sequence[Mixture]) -> Mixture | None:
    """Return the mixture with the smallest predicted error, the cheapest of equals."""
    if not mixtures:
        return None
    return min(mixtures, key=lambda one: (round(one.log_error, 6), one.seconds))


def gain_of(tried: Mixture, mixtures: Sequence[Mixture], noise: float) -> float:
    """Return by how much an experiment is expected to lower the final error.

    The knowledge gradient (Frazier, Powell, Dayanik, INFORMS J. Comput. 21, 599, 2009):
    the mixture is chosen again after the experiment, and the smallest logarithm of the
    error falls on average by this much. Parameters of a law are normally distributed,
    and laws of different ways do not depend on each other.

    Parameters
    ----------
    tried
        What is measured.
    mixtures
        To choose from in the end.
    noise
        Standard deviation of what is measured, of logarithms.
    """
    law = tried.way.law
    logs = np.array([one.log_error for one in mixtures])
    shared = np.array([one.way is tried.way for one in mixtures])
    own = _slopes([one for one in mixtures if one.way is tried.way], law)
    place = _slopes([tried], law)[0]
    variance = float(place @ law.covariance @ place)
    whole = variance + noise**2
    if whole <= 0 or variance <= 0:
        return 0.0
    moves = np.zeros(len(logs))
    moves[shared] = (own @ law.covariance @ place) / math.sqrt(whole)
    smallest = (logs[:, None] + moves[:, None] * _NODES).min(axis=0)
    expected = float((smallest * _WEIGHTS).sum() / _WEIGHTS.sum())
    return max(float(logs.min()) - expected, 0.0)


def _slopes(
    mixtures: Sequence[Mixture], law: Law
) -> Float[np.ndarray, "places parameters"]:
    n = np.array([float(one.n) for one in mixtures])
    n_source = np.array([float(one.n_source) for one in mixtures])
    return law.slopes(n, n_source)
