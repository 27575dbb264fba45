"""Force constants from a model and a few labelled supercells, combined in closed form.

A model's force constants are the mean of a Gaussian prior in the symmetry-adapted
basis; forces on labelled supercells are the data. With δ the numbers by which the
model's force constants c₀ are corrected and s a common factor,

    F_label - f = s f + X δ + Z r + e,    δ ~ N(0, τ² C),  s ~ N(0, τ² κ²),
    e ~ N(0, σ²),

where f is the model's own force response to the same displacements, anharmonic part
included, X the response of the basis and Z r forces at rest that symmetry allows, of
which nothing is assumed. It is the linear model of Gaussian processes (Rasmussen and
Williams, Gaussian Processes for Machine Learning, 2006, sec. 2.1 and 2.7). σ is the
most likely one; over τ, κ and the shape C the posterior is averaged, each by its
marginal likelihood (Hoeting, Madigan, Raftery and Volinsky, Stat. Sci. 14, 382 (1999)).
So everything that depends on force constants has a mean and a variance.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.lattice.symmetric_basis import (
    Constants,
    SymmetricBasis,
    atoms_of_primitive,
)

if TYPE_CHECKING:
    from phonopy import Phonopy

FLOOR = 1e-4
"""eV/Å; labels are not trusted further than this."""

RANK = 1e-8
"""Of the size of the design; smaller singular values count as zero."""

AT_ONCE = 20_000
"""Equations that are added together."""

MOVED = 1e-4
"""Å; an atom that is displaced less is where it was."""

RATIOS = np.logspace(-4, 10, 141)
"""τ²/σ² times the mean squared response of a function: a uniform prior of its
logarithm."""

SHARE = 1e-3
"""Of the evidence; priors and variances with less are left out of averages."""

COMMON = (0.0, 0.1, 1.0, 10.0)
"""κ²: what the common factor may change, over what all single numbers may. Where labels
leave an atom of the primitive cell in its place, or distant pairs are left out, there
is no such factor."""

UNIFORM, BLOCKS = "uniform", "blocks"
"""Shapes of the prior: all numbers alike; the force constants of a pair of atoms as
uncertain as the model's own are large."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labels:
    """Labelled supercells of one crystal, and what a model says of them.

    Parameters
    ----------
    displacements
        Å
    forces
        eV/Å; forces at rest may be in.
    responses
        The model's forces, those of the undisplaced supercell taken off, eV/Å; none
        fits labels alone.
    at_rest
        Directions of forces on the undisplaced supercell that symmetry allows,
        orthonormal; empty where labels are known to have none.
    """

    displacements: Float[np.ndarray, "frames atoms 3"]
    forces: Float[np.ndarray, "frames atoms 3"]
    responses: Float[np.ndarray, "frames atoms 3"] | None = None
    at_rest: Float[np.ndarray, "directions atoms 3"] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Posterior:
    """Force constants with their uncertainty.

    Parameters
    ----------
    basis
        What the numbers belong to.
    prior
        The model's force constants, eV/Å².
    correction
        Numbers of what is added to them in the mean, eV/Å².
    factor
        Square root of the covariance of the numbers: covariance = factor @ factor.T.
    shape
        Of the prior with the largest evidence.
    noise
        Standard deviation of a component of the forces around the fit, eV/Å.
    scale
        By what the model's force constants are multiplied in the mean, 1 + s.
    """

    basis: SymmetricBasis
    prior: Constants
    correction: Float[np.ndarray, " functions"]
    factor: Float[np.ndarray, "functions latents"]
    shape: str
    noise: float
    scale: float

    def constants(self) -> Constants:
        """Return the mean force constants, eV/Å²."""
        return self.prior + self.basis.constants_of(self.correction)


def combined(basis: SymmetricBasis, constants: Constants, labels: Labels) -> Posterior:
    """Combine a model's force constants with labelled supercells.

    Parameters
    ----------
    basis
        Of the crystal.
    constants
        The model's, eV/Å².
    labels
        With the model's responses.

    Raises
    ------
    BadInputError
        The labels cannot tell forces of displacements from forces at rest.
    ValueError
        The responses are missing.
    """
    if labels.responses is None:
        raise ValueError("the model's responses to the labels are missing")
    numbers = basis.numbers_of(constants)
    data = _data(basis, labels)
    members: list[_Member] = []
    is_scaled = basis.cutoff is None and _moves_every_atom(basis, labels)
    commons = COMMON if is_scaled else (0.0,)
    for shape, root in prior_shapes(basis, constants):
        for common in commons:
            kappa = _kappa(common, root, numbers)
            matrix = np.hstack([data.design @ root, kappa * data.response[:, None]])
            latent = np.hstack([root, kappa * numbers[:, None]])
            fit = _fitted(matrix, data)
            members.append(_Member(shape=shape, kappa=kappa, latent=latent, fit=fit))
    return _averaged(basis, constants, members)


def unlabelled(
    basis: SymmetricBasis, constants: Constants, *, share: float
) -> Posterior:
    """Return what is thought of a model's force constants before there are labels.

    Parameters
    ----------
    basis
        Of the crystal.
    constants
        The model's, eV/Å².
    share
        How wrong they are thought to be: root mean square of their error over that of
        the force constants themselves. All shapes of the prior are equally likely.
    """
    numbers = basis.numbers_of(constants)
    size = share * float(np.linalg.norm(numbers)) / math.sqrt(basis.size)
    names, roots = zip(*prior_shapes(basis, constants), strict=True)
    return Posterior(
        basis=basis,
        prior=constants,
        correction=np.zeros(basis.size),
        factor=np.hstack(roots) * (size / math.sqrt(len(roots))),
        shape=names[0],
        noise=0.0,
        scale=1.0,
    )


def _moves_every_atom(basis: SymmetricBasis, labels: Labels) -> bool:
    """Tell whether each atom of the primitive cell is displaced in some label.

    Elsewhere a common factor would be carried from the bonds of some atoms to those of
    others, of which the labels say nothing.
    """
    moved = (np.abs(labels.displacements).max(axis=2) > MOVED).any(axis=0)
    seen = moved[basis.images].any(axis=0)
    return bool(seen[basis.first_atoms].all())


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Member:
    """One prior, and the posterior under it."""

    shape: str
    kappa: float
    latent: Float[np.ndarray, "functions latents"]
    fit: "_Fit"


def _averaged(
    basis: SymmetricBasis,
    constants: Constants,
    members: Sequence[_Member],
) -> Posterior:
    """Return the posterior averaged over priors, each by its evidence.

    One prior alone, chosen because it explains the labels best, is too sure of itself
    where labels are few.
    """
    evidences = np.array([one.fit.evidence for one in members])
    weights = np.exp(evidences - evidences.max())
    weights /= weights.sum()
    kept = [(w, one) for w, one in zip(weights, members, strict=True) if w > SHARE]
    total = sum(w for w, _ in kept)
    means = [one.latent @ one.fit.mean for _, one in kept]
    mean = sum(w / total * m for (w, _), m in zip(kept, means, strict=True))
    parts = []
    for (w, one), own in zip(kept, means, strict=True):
        share = math.sqrt(w / total)
        parts += [share * (one.latent @ one.fit.root), share * (own - mean)[:, None]]
    factor = np.hstack(parts)
    if factor.shape[1] > 2 * basis.size:
        values, vectors = np.linalg.eigh(factor @ factor.T)
        factor = vectors * np.sqrt(np.clip(values, 0, None))
    best = members[int(evidences.argmax())]
    scales = [1 + float(one.fit.mean[-1]) * one.kappa for _, one in kept]
    return Posterior(
        basis=basis,
        prior=constants,
        correction=np.asarray(mean),
        factor=factor,
        shape=best.shape,
        noise=best.fit.noise,
        scale=sum(w / total * s for (w, _), s in zip(kept, scales, strict=True)),
    )


def labels_alone(basis: SymmetricBasis, labels: Labels) -> tuple[Constants, int]:
    """Fit force constants to labels by least squares, of least norm.

    Parameters
    ----------
    basis
        Of the crystal.
    labels
        Responses of a model play no part.

    Returns
    -------
    constants
        eV/Å²
    n_free
        How many numbers the labels leave undetermined; these are zero.

    Raises
    ------
    BadInputError
        The labels cannot tell forces of displacements from forces at rest.
    """
    data = _data(basis, dataclasses.replace(labels, responses=None))
    U, sizes, Vt = np.linalg.svd(data.design, full_matrices=False)
    seen = sizes > RANK * data.scale
    numbers = Vt[seen].T @ ((U[:, seen].T @ data.target) / sizes[seen])
    return basis.constants_of(numbers), basis.size - int(seen.sum())


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Data:
    """The linear model with forces at rest projected out, as few rows as it has rank.

    Parameters
    ----------
    design, response, target
        Rows of an orthogonal change of the equations, which keeps all their products.
    n
        Equations less forces at rest.
    scale
        Size of the design before forces at rest were projected out.
    """

    design: Float[np.ndarray, "rows functions"]
    response: Float[np.ndarray, " rows"]
    target: Float[np.ndarray, " rows"]
    n: int
    scale: float


def _data(basis: SymmetricBasis, labels: Labels) -> _Data:
    """Return the linear model, frames added a few at a time.

    Raises
    ------
    BadInputError
        The labels cannot tell forces of displacements from forces at rest.
    """
    n_frames, N = labels.forces.shape[:2]
    at_rest = np.zeros((0, N, 3)) if labels.at_rest is None else labels.at_rest
    n_rest = len(at_rest)
    fixed = at_rest.reshape(n_rest, 3 * N).T
    rows = np.zeros((0, n_rest + basis.size + 2))
    scale, at_once = 0.0, max(1, AT_ONCE // (3 * N))
    for start in range(0, n_frames, at_once):
        part = slice(start, start + at_once)
        design = basis.responses(labels.displacements[part])
        forces = labels.forces[part].reshape(-1, 1)
        known = labels.responses
        response = np.zeros_like(forces)
        if known is not None:
            response = known[part].reshape(-1, 1)
        Z = np.tile(fixed, (len(labels.forces[part]), 1))
        added = np.hstack([Z, design, response, forces - response])
        rows = np.asarray(np.linalg.qr(np.vstack([rows, added]), mode="r"))
        scale = math.hypot(scale, float(np.linalg.norm(design)))
    left = rows[n_rest:, n_rest:]
    design = left[:, : basis.size]
    if np.linalg.norm(design) <= RANK * scale:
        raise _says_nothing(n_frames)
    return _Data(
        design=design,
        response=left[:, -2],
        target=left[:, -1],
        n=n_frames * 3 * N - n_rest,
        scale=scale,
    )


def _says_nothing(n_frames: int) -> BadInputError:
    return BadInputError(
        f"{n_frames} labelled supercell{'s' * (n_frames != 1)} cannot tell forces of "
        "displacements from forces on the undisplaced crystal.",
        "Expected several displacements, or a larger supercell than the unit cell.",
        "Label further supercells, or the undisplaced one.",
    )


def _kappa(
    common: float,
    root: Float[np.ndarray, "functions latents"],
    prior: Float[np.ndarray, " functions"],
) -> float:
    """Return κ: the factor may change as much as the numbers, times √common."""
    size = float(np.linalg.norm(prior))
    return math.sqrt(common) * float(np.linalg.norm(root)) / size if size else 0.0


def prior_shapes(
    basis: SymmetricBasis, constants: Constants
) -> Iterator[tuple[str, Float[np.ndarray, "functions latents"]]]:
    """Yield square roots of the prior covariance of the numbers, of one mean size.

    Pairs of different atoms are independent but for symmetry; what an atom does to
    itself follows from the sum rule.

    Parameters
    ----------
    basis
        Of the crystal.
    constants
        The model's, eV/Å².
    """
    sizes = _sizes(basis, constants)
    largest = float(sizes.max())
    precisions = {UNIFORM: np.ones_like(sizes)}
    if largest > 0:
        precisions[BLOCKS] = 1 / np.maximum(sizes / largest, SMALLEST)
    for name, one in precisions.items():
        precision = basis.precision(one)
        values, vectors = np.linalg.eigh(precision)
        root = vectors / np.sqrt(np.maximum(values, values.max() * 1e-12))
        yield name, root * math.sqrt(basis.size) / float(np.linalg.norm(root))


SMALLEST = 1e-6
"""Of the largest mean squared force constant of a pair; distant pairs are as uncertain
as one of this size."""


def _sizes(
    basis: SymmetricBasis, constants: Constants
) -> Float[np.ndarray, "first atoms"]:
    """Return the mean squared force constant of each pair, (eV/Å²)²; 0 for an atom."""
    found = np.zeros((len(basis.first_atoms), basis.n_atoms))
    for row, (i, t) in enumerate(basis.rows):
        found[i] = (constants[row][basis.images[t]] ** 2).mean(axis=(1, 2))
    found[np.arange(len(found)), basis.first_atoms] = 0.0
    return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Fit:
    """The posterior of latents of one variance, averaged over that variance."""

    mean: Float[np.ndarray, " latents"]
    root: Float[np.ndarray, "latents columns"]
    noise: float
    evidence: float


def _fitted(matrix: Float[np.ndarray, "rows latents"], data: _Data) -> _Fit:
    """Return the posterior of latents.

    It is averaged over τ²/σ² on a logarithmic grid; σ² is the most likely at each.
    """
    U, sizes, Vt = np.linalg.svd(matrix, full_matrices=False)
    sizes = np.where(sizes > RANK * sizes.max(), sizes, 0.0)
    seen = np.where(sizes > 0, U.T @ data.target, 0.0)
    rest = max(0.0, float(data.target @ data.target - seen @ seen))
    n = data.n
    ratios = RATIOS * matrix.shape[1] / (float((sizes**2).sum()) or 1.0)
    grown = 1 + ratios[:, None] * sizes**2
    totals = (seen**2 / grown).sum(axis=1) + rest
    noises = np.maximum(totals / n, FLOOR**2)
    told = n * np.log(noises) + totals / noises + np.log(grown).sum(axis=1)
    evidences = -0.5 * told
    weights = np.exp(evidences - evidences.max())
    evidence = float(evidences.max() + np.log(weights.mean()))
    weights /= weights.sum()
    means = ratios[:, None] * sizes / grown * seen  # along the rows of Vt
    mean = weights @ means
    spreads = ratios * noises
    # τ² outside the labels' reach, τ² / grown within, and what the means differ by
    outside = float(weights @ spreads)
    inside = weights @ (spreads[:, None] / grown)
    apart = np.sqrt(weights)[:, None] * (means - mean)
    apart = apart[weights > SHARE]
    within = Vt.T * (np.sqrt(inside) - math.sqrt(outside))
    root = math.sqrt(outside) * np.eye(matrix.shape[1]) + within @ Vt
    return _Fit(
        mean=Vt.T @ mean,
        root=np.hstack([root, (apart @ Vt).T]),
        noise=math.sqrt(float(weights @ noises)),
        evidence=evidence,
    )


def at_rest_directions(phonon: "Phonopy") -> Float[np.ndarray, "directions atoms 3"]:
    """Return orthonormal forces that symmetry allows on the undisplaced supercell.

    Parameters
    ----------
    phonon
        The crystal; forces have the symmetry of its primitive cell.
    """
    primitive, symmetry = phonon.primitive, phonon.primitive_symmetry
    cell = np.asarray(primitive.cell).T
    inverse = np.linalg.inv(cell)
    N = len(primitive)
    total = np.zeros((N, 3, N, 3))
    turns = symmetry.symmetry_operations["rotations"]
    for turn, to in zip(turns, symmetry.atomic_permutations, strict=True):
        total[to, :, np.arange(N), :] += cell @ turn @ inverse
    projector = total.reshape(3 * N, 3 * N) / len(turns)
    values, vectors = np.linalg.eigh((projector + projector.T) / 2)
    allowed = vectors[:, values > 0.5].T.reshape(-1, N, 3)
    found = allowed[:, atoms_of_primitive(phonon)]
    return found * math.sqrt(N / len(phonon.supercell))
