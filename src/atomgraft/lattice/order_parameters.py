"""Symmetry-distinct directions of an order parameter.

A transition that freezes in the modes of one irreducible space chooses a direction in
the space of their amplitudes. The symmetry that is left is that of the operations which
leave the direction alone: its isotropy subgroup. The directions worth a trial are those
that a subgroup fixes up to their length, as energy has an extremum along each of them
for every model: (a,0,0), (a,a,0) and (a,a,a) of a vector in a cubic crystal.

All of them are found here by intersecting the spaces that single operations fix. The
amplitudes of all arms of a star count, so that states of one and of several waves are
among them.
"""

import dataclasses

import numpy as np
from jaxtyping import Float

FIXED = 1e-3
"""Singular values of M - 1 below it belong to what M leaves alone."""

SAME = 1e-2
"""Two spaces are one where the overlap of their projectors misses by less."""

MAX_SPACES = 400
"""Distinct fixed spaces beyond which the search ends, with what was found."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Direction:
    """A direction that may freeze in.

    Parameters
    ----------
    amplitudes
        Unit vector.
    is_fixed
        Symmetry fixes it up to its length; otherwise it is one choice out of a space
        of `n_free` dimensions.
    n_free
        Dimensions of the space that its isotropy subgroup fixes.
    is_even
        Its opposite is the same by symmetry.
    n_domains
        Directions that are equal by symmetry, opposites counted.
    name
        As crystallographers write it, ``(a,a,0)``.
    """

    amplitudes: Float[np.ndarray, " fields"]
    is_fixed: bool
    n_free: int
    is_even: bool
    n_domains: int
    name: str


def directions_of(
    group: Float[np.ndarray, "operations fields fields"],
) -> tuple[Direction, ...]:
    """Return the symmetry-distinct directions, those of highest symmetry first.

    Where symmetry fixes no direction at all, as under rotations alone, single
    components and sums of equal weight of the smallest spaces stand in.

    Parameters
    ----------
    group
        Orthogonal matrices that act on the amplitudes, closed under multiplication.

    Examples
    --------
    >>> signs = [np.diag(s) for s in np.ndindex(2, 2)]
    >>> square = [np.diag([a, b]) for a in (1.0, -1.0) for b in (1.0, -1.0)]
    >>> square += [one[::-1] for one in square]
    >>> [one.name for one in directions_of(np.array(square))]
    ['(a,0)', '(a,a)']
    """
    spaces = fixed_spaces(group)
    smallest = min(_rank(one) for one in spaces)
    chosen = [one for one in spaces if _rank(one) == smallest]
    vectors = [vector for one in chosen for vector in _candidates(one)]
    axes = _axes(group, vectors)
    found: list[Direction] = []
    for vector in vectors:
        images = group @ vector
        if any(np.abs(images @ one.amplitudes).max() > 1 - SAME for one in found):
            continue
        found.append(
            Direction(
                amplitudes=vector,
                is_fixed=smallest == 1,
                n_free=smallest,
                is_even=bool((images @ vector).min() < SAME - 1),
                n_domains=_n_distinct(images),
                name=_name(group, axes, vector),
            )
        )
    return tuple(sorted(found, key=lambda one: one.n_domains))


def is_representation(group: Float[np.ndarray, "operations fields fields"]) -> bool:
    """Tell whether every matrix is orthogonal: the fields go into each other."""
    squares = group @ group.transpose(0, 2, 1)
    return bool(np.abs(squares - np.eye(group.shape[1])).max() < SAME)


def fixed_spaces(
    group: Float[np.ndarray, "operations fields fields"],
) -> list[Float[np.ndarray, "fields fields"]]:
    """Return projectors on the spaces that subgroups fix, one for each orbit.

    Parameters
    ----------
    group
        Orthogonal matrices that act on the amplitudes.
    """
    single: list[Float[np.ndarray, "fields fields"]] = []
    for matrix in group:
        space = _kernel(matrix - np.eye(len(matrix)))
        if _rank(space) and not _is_among(space, single):
            single.append(space)
    orbits: list[Float[np.ndarray, "fields fields"]] = []
    for space in single:
        if not _is_image(space, orbits, group):
            orbits.append(space)
    i = 0
    while i < len(orbits) < MAX_SPACES:
        for other in single:
            both = _intersection(orbits[i], other)
            if _rank(both) and not _is_image(both, orbits, group):
                orbits.append(both)
        i += 1
    return orbits


def _rank(projector: Float[np.ndarray, "fields fields"]) -> int:
    return round(float(np.trace(projector)))


def _kernel(
    matrix: Float[np.ndarray, "rows fields"],
) -> Float[np.ndarray, "fields fields"]:
    """Return the projector on what a matrix takes to zero."""
    _, sizes, rows = np.linalg.svd(matrix)
    kept = rows[sizes < FIXED]
    return kept.T @ kept


def _intersection(
    one: Float[np.ndarray, "fields fields"], other: Float[np.ndarray, "fields fields"]
) -> Float[np.ndarray, "fields fields"]:
    identity = np.eye(len(one))
    return _kernel(np.vstack([identity - one, identity - other]))


def _is_among(
    space: Float[np.ndarray, "fields fields"],
    spaces: list[Float[np.ndarray, "fields fields"]],
) -> bool:
    rank = _rank(space)
    return any(
        _rank(one) == rank and float((one * space).sum()) > rank - SAME
        for one in spaces
    )


def _is_image(
    space: Float[np.ndarray, "fields fields"],
    spaces: list[Float[np.ndarray, "fields fields"]],
    group: Float[np.ndarray, "operations fields fields"],
) -> bool:
    """Tell whether an operation takes a space into one that is known."""
    rank = _rank(space)
    rivals = [one for one in spaces if _rank(one) == rank]
    if not rivals:
        return False
    images = group @ space @ group.transpose(0, 2, 1)
    overlaps = np.einsum("gij,sij->gs", images, np.array(rivals))
    return bool(overlaps.max() > rank - SAME)


def _candidates(
    space: Float[np.ndarray, "fields fields"],
) -> list[Float[np.ndarray, " fields"]]:
    """Return a line's vector; of a larger space its components and their sums."""
    _, sizes, rows = np.linalg.svd(space)
    basis = rows[sizes > 0.5]
    if len(basis) == 1:
        return [basis[0]]
    sums = [basis[0] + sign * basis[1] for sign in (1, -1)]
    every = [*basis, *sums, basis.sum(axis=0)]
    return [one / np.linalg.norm(one) for one in every]


def _n_distinct(vectors: Float[np.ndarray, "images fields"]) -> int:
    kept: list[Float[np.ndarray, " fields"]] = []
    for vector in vectors:
        if not any(vector @ one > 1 - SAME for one in kept):
            kept.append(vector)
    return len(kept)


def _axes(
    group: Float[np.ndarray, "operations fields fields"],
    vectors: list[Float[np.ndarray, " fields"]],
) -> Float[np.ndarray, "fields fields"]:
    """Return axes in which directions look simple: equal ones at right angles."""
    n = group.shape[1]
    for vector in vectors:
        frame = [vector]
        for image in group @ vector:
            if np.abs(np.array(frame) @ image).max() < SAME:
                frame.append(image)
        if len(frame) == n:
            return np.array(frame)
    first, sizes, _ = np.linalg.svd(np.outer(vectors[0], vectors[0]))
    return np.sign(first[:, 0] @ vectors[0]) * first.T if sizes[0] else np.eye(n)


def _name(
    group: Float[np.ndarray, "operations fields fields"],
    axes: Float[np.ndarray, "fields fields"],
    vector: Float[np.ndarray, " fields"],
) -> str:
    """Name a direction by the simplest of its images."""
    images = group @ vector @ axes.T
    images = images / np.abs(images).max(axis=1)[:, None]
    simplest = max(images, key=lambda one: tuple(np.round(one, 2)))
    return "(" + ",".join(_letter(float(x)) for x in simplest) + ")"


def _letter(x: float) -> str:
    if abs(x) < SAME:
        return "0"
    if abs(abs(x) - 1) < SAME:
        return "a" if x > 0 else "-a"
    return f"{x:.2f}a"
