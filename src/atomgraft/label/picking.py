"""Selection of structures by distance of descriptors and disagreement of models.

Farthest-point sampling takes the structure that is farthest from everything taken
before (Gonzalez, Theor. Comput. Sci. 38, 293 (1985)): the radius within which the
chosen cover all others is at most twice the smallest possible.

The features of an atom are those that the model itself reads energies from: its atom
energy is affine in changes c of the readout, and the derivatives in c are the inputs of
the readout, whatever the framework calls them. A structure is the mean and the standard
deviation of the features over its atoms, element by element; what all structures share
takes no part in distances. Distances are Euclidean, in units of the root-mean-square
distance of the pool from its mean, so that 1 is a typical difference.

A model without such a readout (a pair potential) has no features of its own. Then the
surroundings of an atom are described instead: how many neighbours of each element there
are at each distance, smoothly.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, get_args

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Progress, told
from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import find_neighbours
from atomgraft.models.prediction import predict_structures
from atomgraft.models.readout_features import AtomFeatures, readout_features

Rule = Literal["distance", "disagreement", "both", "random", "phonons"]

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
    order: Sequence[int] = (),
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
        disagreement; ``both``: the largest product of the two; ``random``: evenly;
        ``phonons``: as in `order`.
    known
        Features of structures that have labels already: chosen ones keep away.
    disagreement
        Of models on each structure, in any unit; needed by two of the rules.
    order
        Places in the pool, best first; used by ``phonons`` alone.
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
    ranks = generator.permutation(len(features))
    if rule == "phonons":
        ranks = _ranks(order, len(features))
    score = _score(rule, disagreement, ranks)
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


def _ranks(order: Sequence[int], n: int) -> Int[np.ndarray, " pool"]:
    """Return the place of each structure in an order; those not in it come last."""
    ranks = np.full(n, len(order))
    ranks[list(order)] = np.arange(len(order))
    return ranks


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
    ranks: Int[np.ndarray, " pool"],
) -> Callable[[Float[np.ndarray, " pool"]], np.ndarray]:
    """Return how much a structure is wanted, as a function of its distance."""
    if rule == "distance":
        return lambda distances: distances
    if rule in {"random", "phonons"}:
        return lambda _distances: -ranks.astype(float)
    if disagreement is None:
        raise BadInputError(
            f"The rule {rule!r} was requested, but there is one model.",
            "Disagreement needs at least two models.",
            "Add models with --committee, or use --by distance.",
        )
    if rule == "disagreement":
        return lambda _distances: disagreement
    return lambda distances: disagreement * distances


def _require_enough(count: int, there: int) -> None:
    if not 1 <= count <= there:
        raise BadInputError(
            f"{count} structures were to be chosen from {there}.",
            "Expected at least one, and at most as many as there are.",
            "Lower --count, or propose more with --proposals.",
        )


def forces_on(
    potential: AbstractPotential,
    structures: Sequence[Atoms],
    progress: Progress | None = None,
) -> list[Float[np.ndarray, "_ 3"]]:
    """Return the forces of a model on structures of any size, eV/Å.

    Parameters
    ----------
    potential
        The model.
    structures
        Of elements that it knows.
    progress
        Is told how many structures have their forces.

    Raises
    ------
    BadInputError
        A force is not finite.
    """
    what = f"{potential.card.name}: forces on proposals"
    found = predict_structures(potential, structures)
    forces = [one.forces for one in told(found, what, len(structures), progress)]
    broken = [i for i, one in enumerate(forces) if not np.isfinite(one).all()]
    if broken:
        raise BadInputError(
            f"{potential.card.name} predicts no finite forces for structure"
            f" {broken[0]} of {len(forces)}.",
            "Expected finite forces for every structure.",
            "Leave the structure out, use smaller displacements, or use another model.",
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


N_SHELLS = 24
"""Distances at which neighbours are counted where the model has no features."""

READOUT = "the input features of the model's readout"
SHELLS = "numbers of neighbours by distance, because the model has no readout features"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Description:
    """Structures as rows of one table.

    Parameters
    ----------
    rows
        One for each structure, in units of the spread of those the scale is made from.
    words
        What the numbers are.
    n_features
        Of one atom.
    is_models_own
        Whether they are what the model itself reads.
    """

    rows: Float[np.ndarray, "structures columns"]
    words: str
    n_features: int
    is_models_own: bool


def describe(
    potential: AbstractPotential,
    structures: Sequence[Atoms],
    *,
    n_scale: int | None = None,
) -> Description:
    """Describe structures by the features of a model.

    Parameters
    ----------
    potential
        Its readout is looked into, where it has one.
    structures
        Of elements that it knows.
    n_scale
        The first so many set the unit of distance; none takes all.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.models.pair import stillinger_weber
    >>> cells = [bulk("Si", a=a) for a in (5.4, 5.5, 5.6)]
    >>> found = describe(stillinger_weber(["Si"]), cells)
    >>> found.is_models_own, found.rows.shape
    (False, (3, 48))
    """
    elements = sorted({int(Z) for atoms in structures for Z in atoms.numbers})
    directions = potential.readout_directions()
    features = (
        readout_features(potential, directions, structures)
        if directions
        else _shell_features(potential, elements, structures)
    )
    rows = np.stack(
        [
            structure_row(atoms.numbers, one, elements)
            for atoms, one in zip(structures, features, strict=True)
        ]
    )
    some = rows[:n_scale]
    rows = rows - some.mean(axis=0)
    spread = float((rows[:n_scale] ** 2).sum(axis=1).mean() ** 0.5)
    return Description(
        rows=rows / spread if spread > 0 else rows,
        words=READOUT if directions else SHELLS,
        n_features=rows.shape[1] // (2 * len(elements)),
        is_models_own=bool(directions),
    )


def structure_row(
    numbers: Int[np.ndarray, " atoms"],
    features: AtomFeatures,
    elements: Sequence[int],
) -> Float[np.ndarray, " columns"]:
    """Return mean and standard deviation over the atoms, element by element.

    Parameters
    ----------
    numbers
        Atomic numbers.
    features
        Of each atom.
    elements
        Atomic numbers in the order of the columns; one that is absent leaves zeros.

    Examples
    --------
    >>> structure_row(np.array([1, 1]), np.array([[1.0], [3.0]]), [1, 8]).tolist()
    [2.0, 1.0, 0.0, 0.0]
    """
    parts: list[np.ndarray] = []
    for Z in elements:
        own = features[numbers == Z]
        nothing = np.zeros(features.shape[1])
        parts += [own.mean(axis=0), own.std(axis=0)] if len(own) else [nothing] * 2
    return np.concatenate(parts)


def principal_plane(
    rows: Float[np.ndarray, "structures columns"],
) -> tuple[Float[np.ndarray, "structures 2"], tuple[float, float]]:
    """Return coordinates along the two directions of largest spread, for a map.

    Returns
    -------
    np.ndarray
        Coordinates; zero where there is no second direction.
    tuple[float, float]
        The share of the variance along each.

    Examples
    --------
    >>> points, shares = principal_plane(np.array([[0.0, 0.0], [2.0, 0.0]]))
    >>> shares
    (1.0, 0.0)
    """
    centred = rows - rows.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((len(rows), 2))
    n = min(2, len(sizes))
    points[:, :n] = left[:, :n] * sizes[:n]
    total = float((sizes**2).sum()) or 1.0
    shares = [float(one) for one in (*(sizes[:n] ** 2 / total), 0.0)]
    return points, (shares[0], shares[1])


def _shell_features(
    potential: AbstractPotential, elements: Sequence[int], structures: Sequence[Atoms]
) -> Iterator[AtomFeatures]:
    """Count neighbours of each element at each distance, with Gaussian edges.

    They fade out at the cutoff by a cosine, so that no neighbour enters suddenly.
    """
    centres = np.linspace(0, potential.cutoff, N_SHELLS + 1)[1:]
    width = centres[0]
    for atoms in structures:
        found = find_neighbours(atoms, potential.cutoff)
        first, second = found.edges
        vectors = atoms.positions[second] - atoms.positions[first]
        vectors = vectors + found.shifts @ atoms.cell.array
        distances = np.linalg.norm(vectors, axis=1)
        fading = 0.5 + 0.5 * np.cos(np.pi * distances / potential.cutoff)
        shells = np.exp(-(((distances[:, None] - centres) / width) ** 2) / 2)
        counts = np.zeros((len(elements), len(atoms), N_SHELLS))
        places = np.searchsorted(elements, atoms.numbers[second])
        np.add.at(counts, (places, first), shells * fading[:, None])
        yield np.concatenate(list(counts), axis=1)
