"""Which supercell to label next: the one that leaves the smallest error of phonons.

Forces on a supercell are linear in force constants, so what a label will leave of their
covariance is known before there is one. With z the independent standard normal numbers
behind the force constants, r forces at rest and A the covariance of both, forces
X (z, r) + e with e ~ N(0, σ²) leave

    A - A Xᵀ (σ² + X A Xᵀ)⁻¹ X A,

(Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, eq. 2.24). The
next label is the candidate that takes most from the variance of frequencies summed over
a mesh, which is the trace of that matrix with what frequencies see of z: an A-optimal
design (Chaloner and Verdinelli, Stat. Sci. 10, 273 (1995)), one label after the other.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Float

from atomgraft.core.progress import Progress
from atomgraft.lattice.harmonic import Harmonic
from atomgraft.lattice.posterior import Posterior
from atomgraft.lattice.spectra import MeshFrequencies
from atomgraft.lattice.uncertainty import deviation_of_frequency, seen_by_modes

MEAN = math.sqrt(2 / math.pi)
"""Mean size of a normal number of deviation one."""

AT_REST = 1.0
"""eV/Å; deviation of a component of the forces at rest before there are labels."""

MOST_KEPT = 50_000_000
"""Numbers of designs that are kept, 400 MB; others are made again for every label."""

USELESS = 1e-3
"""Of the error before; what a label gains less is not worth it."""

TINY = 1e-12
"""Of the largest variance of force constants; what is below plays no part."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidates:
    """Supercells that could be labelled.

    Parameters
    ----------
    displacements
        Å
    noises
        Standard deviation of a component of the forces of each around what is linear
        in displacements, eV/Å.
    at_rest
        Orthonormal forces that symmetry allows on the undisplaced supercell.
    """

    displacements: Float[np.ndarray, "frames atoms 3"]
    noises: Float[np.ndarray, " frames"]
    at_rest: Float[np.ndarray, "directions atoms 3"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One label.

    Parameters
    ----------
    index
        Of the candidate.
    error
        Expected mean absolute error of frequencies with this label and those before
        it, THz.
    """

    index: int
    error: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """Labels in the order in which they help.

    Parameters
    ----------
    before
        Expected mean absolute error of frequencies without them, THz.
    steps
        One for each label; they end where a further one is of no use.
    """

    before: float
    steps: tuple[Step, ...]


def best_supercells(
    harmonic: Harmonic,
    posterior: Posterior,
    mesh: MeshFrequencies,
    candidates: Candidates,
    *,
    count: int,
    target: float | None = None,
    progress: Progress | None = None,
) -> Design:
    """Choose supercells to label, one after the other.

    Parameters
    ----------
    harmonic
        The crystal with the force constants that are known best.
    posterior
        What is known of them before these labels.
    mesh
        Where frequencies count.
    candidates
        To choose from.
    count
        How many at most.
    target
        Expected error of frequencies that is small enough, THz; none takes `count`.
    progress
        Called with every label.
    """
    knowledge = _Knowledge(harmonic, posterior, mesh, candidates)
    before = knowledge.error
    steps: list[Step] = []
    free = set(range(len(candidates.noises)))
    while free and len(steps) < count:
        last = knowledge.error
        if target is not None and last <= target:
            break
        index = max(sorted(free), key=knowledge.gain)
        free.remove(index)
        knowledge.learn(index)
        if knowledge.error > (1 - USELESS) * last:
            break
        steps.append(Step(index=index, error=knowledge.error))
        if progress is not None:
            progress("best supercells", len(steps), count)
    return Design(before=before, steps=tuple(steps))


class _Knowledge:
    """The covariance of force constants and forces at rest as labels come."""

    def __init__(
        self,
        harmonic: Harmonic,
        posterior: Posterior,
        mesh: MeshFrequencies,
        candidates: Candidates,
    ) -> None:
        self.candidates = candidates
        self._basis = posterior.basis
        self._factor = _compressed(posterior.factor)
        known = dataclasses.replace(posterior, factor=self._factor)
        values, seen = seen_by_modes(harmonic, known, mesh.q_points)
        self._values = values.reshape(-1)
        self._seen = seen.reshape(len(self._values), -1)
        weights = np.repeat(mesh.weights, values.shape[1])
        self._weights = weights / weights.sum()
        n_rest, n_atoms = candidates.at_rest.shape[:2]
        self._fixed = AT_REST * math.sqrt(n_atoms) * _columns(candidates.at_rest)
        self._n = self._factor.shape[1]
        self._covariance = np.eye(self._n + n_rest)
        self._designs: dict[int, Float[np.ndarray, "components latents"]] = {}
        self._told()

    @property
    def error(self) -> float:
        """Expected mean absolute error of frequencies, THz."""
        return MEAN * float(self._weights @ self._deviations)

    def gain(self, index: int) -> float:
        """Return by how much a label reduces the mean variance of frequencies."""
        X = self._design(index)
        return float(np.sum(np.linalg.solve(self._spread(X, index), X @ self._use) * X))

    def learn(self, index: int) -> None:
        """Take a label for granted."""
        X = self._design(index)
        gained = X @ self._covariance
        self._covariance -= gained.T @ np.linalg.solve(self._spread(X, index), gained)
        self._told()

    def _told(self) -> None:
        """Keep what is known of frequencies, and what the gain of every label needs."""
        reach = self._covariance[:, : self._n]
        variances = np.einsum("ml,ml->m", self._seen @ reach[: self._n], self._seen)
        sigma = np.sqrt(np.clip(variances, 0, None))
        self._deviations = deviation_of_frequency(self._values, sigma)
        share = np.divide(
            self._deviations, sigma, out=np.zeros_like(sigma), where=sigma > 0
        )
        weighted = (self._seen.T * (self._weights * share**2)) @ self._seen
        self._use = reach @ weighted @ reach.T

    def _spread(
        self, X: Float[np.ndarray, "components latents"], index: int
    ) -> Float[np.ndarray, "components components"]:
        """Return the covariance of the forces of a label that is not there yet."""
        noise = self.candidates.noises[index] ** 2
        return X @ self._covariance @ X.T + noise * np.eye(len(X))

    def _design(self, index: int) -> Float[np.ndarray, "components latents"]:
        """Return forces by latents: force constants, then forces at rest."""
        if index not in self._designs:
            moved = self.candidates.displacements[index : index + 1]
            response = self._basis.responses(moved) @ self._factor
            design = np.hstack([response, self._fixed])
            if (len(self._designs) + 1) * design.size > MOST_KEPT:
                return design
            self._designs[index] = design
        return self._designs[index]


def _columns(
    directions: Float[np.ndarray, "directions atoms 3"],
) -> Float[np.ndarray, "components directions"]:
    n, n_atoms = directions.shape[:2]
    return directions.reshape(n, 3 * n_atoms).T


def _compressed(
    factor: Float[np.ndarray, "functions latents"],
) -> Float[np.ndarray, "functions fewer"]:
    """Return a square root of the same covariance with as few columns as it needs."""
    left, sizes, _ = np.linalg.svd(factor, full_matrices=False)
    kept = sizes**2 > TINY * sizes.max(initial=0.0) ** 2
    return left[:, kept] * sizes[kept]
