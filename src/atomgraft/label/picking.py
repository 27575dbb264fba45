"""Which of many structures: far from each other, and where models disagree.

Farthest-point sampling takes the structure that is farthest from everything taken
before (Gonzalez, Theor. Comput. Sci. 38, 293 (1985)): the radius within which the
chosen cover all others is at most twice the smallest possible.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict_structures

Rule = Literal["distance", "disagreement", "both", "random"]

RULES: tuple[str, ...] = get_args(Rule)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pick:
    """One chosen structure.

    Parameters
    ----------
    index
        Its place in the pool.
    distance
        To the nearest of those chosen before, and of those known before any choice; to
        the mean of the pool for the very first.
    """

    index: int
    distance: float


def pick(
    features: Float[np.ndarray, "pool features"],
    count: int,
    *,
    rule: Rule = "distance",
    known: Float[np.ndarray, "known features"] | None = None,
    disagreement: Float[np.ndarray, " pool"] | None = None,
    generator: np.random.Generator,
) -> list[Pick]:
    """Choose structures from a pool, one after the other.

    Parameters
    ----------
    features
        Of each structure of the pool.
    count
        How many.
    rule
        ``distance``: the farthest from all chosen before; ``disagreement``: the largest
        disagreement; ``both``: the largest product of the two; ``random``: evenly.
    known
        Features of structures that have labels already: chosen ones keep away.
    disagreement
        Of models on each structure, in any unit; needed by two of the rules.
    generator
        Used by ``random`` alone.

    Raises
    ------
    BadInputError
        More are wanted than there are, or the disagreement is missing.

    Examples
    --------
    >>> line = np.array([[0.0], [1.0], [2.0], [10.0]])
    >>> rng = np.random.default_rng(0)
    >>> [one.index for one in pick(line, 3, generator=rng)]
    [3, 0, 2]
    """
    _require_enough(count, len(features))
    score = _score(rule, disagreement, generator.permutation(len(features)))
    distances = _first_distances(features, known)
    is_free = np.ones(len(features), dtype=bool)
    picks: list[Pick] = []
    for _ in range(count):
        scores = np.where(is_free, score(distances), -np.inf)
        index = int(scores.argmax())
        picks.append(Pick(index=index, distance=float(distances[index])))
        is_free[index] = False
        reached = np.linalg.norm(features - features[index], axis=1)
        is_start = len(picks) == 1 and (known is None or not len(known))
        distances = reached if is_start else np.minimum(distances, reached)
    return picks


def _first_distances(
    features: Float[np.ndarray, "pool features"],
    known: Float[np.ndarray, "known features"] | None,
) -> Float[np.ndarray, " pool"]:
    if known is None or not len(known):
        return np.linalg.norm(features - features.mean(axis=0), axis=1)
    nearest = np.full(len(features), np.inf)
    for one in known:
        nearest = np.minimum(nearest, np.linalg.norm(features - one, axis=1))
    return nearest


def _score(
    rule: Rule,
    disagreement: Float[np.ndarray, " pool"] | None,
    order: np.ndarray,
) -> Callable[[Float[np.ndarray, " pool"]], np.ndarray]:
    """Return how much a structure is wanted, as a function of its distance."""
    if rule == "distance":
        return lambda distances: distances
    if rule == "random":
        return lambda _distances: -order.astype(float)
    if disagreement is None:
        raise BadInputError(
            f"The rule {rule!r} was asked for, and there is one model.",
            "Disagreement needs two models or more.",
            "Give others with --committee, or choose by distance.",
        )
    if rule == "disagreement":
        return lambda _distances: disagreement
    return lambda distances: disagreement * distances


def _require_enough(count: int, there: int) -> None:
    if not 1 <= count <= there:
        raise BadInputError(
            f"{count} structures were to be chosen from {there}.",
            "At least one, and no more than there are, can be chosen.",
            "Ask for fewer with --count, or propose more with --proposals.",
        )


def forces_on(
    potential: AbstractPotential, structures: Sequence[Atoms]
) -> list[Float[np.ndarray, "_ 3"]]:
    """Return the forces of a model on structures of any size, eV/Å.

    Raises
    ------
    BadInputError
        A force is not finite.
    """
    forces = [one.forces for one in predict_structures(potential, structures)]
    broken = [i for i, one in enumerate(forces) if not np.isfinite(one).all()]
    if broken:
        raise BadInputError(
            f"{potential.card.name} predicts no finite forces for structure"
            f" {broken[0]} of {len(forces)}.",
            "A model that makes sense of every structure is needed.",
            "Leave the structure out, move atoms less, or take another model.",
        )
    return forces


def largest_forces(
    forces: Sequence[Float[np.ndarray, "_ 3"]],
) -> Float[np.ndarray, " structures"]:
    """Return the largest force on an atom of each structure, eV/Å.

    Examples
    --------
    >>> largest_forces([np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 1.0]])]).tolist()
    [5.0]
    """
    return np.array([np.linalg.norm(one, axis=1).max() for one in forces])


def disagreement_of(
    forces: Sequence[Sequence[Float[np.ndarray, "_ 3"]]],
) -> Float[np.ndarray, " structures"]:
    """Return how far models differ about the forces on each structure, eV/Å.

    The standard deviation over the models of the force on an atom (the root of its
    mean squared distance from the mean force), root-mean-square over the atoms.

    Parameters
    ----------
    forces
        Of each model on each structure; two models at least.

    Examples
    --------
    >>> one, other = np.zeros((1, 3)), np.array([[2.0, 0.0, 0.0]])
    >>> disagreement_of([[one], [other]]).tolist()
    [1.0]
    """
    found: list[float] = []
    for by_model in zip(*forces, strict=True):
        stacked = np.stack(by_model)
        variances = ((stacked - stacked.mean(axis=0)) ** 2).sum(axis=-1)
        found.append(float(variances.mean() ** 0.5))
    return np.array(found)
