"""Checks for forces and stresses that are too large or far from the base."""

from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.units import EV_PER_A3_IN_GPA
from atomgraft.data.checks.findings import Finding, is_isolated_atom, named, places
from atomgraft.data.checks.predicted import Compared
from atomgraft.data.labels import FORCES, forces_of, stress_of

OUTLIER_SCORE = 6.0
"""Robust standard scores, of the logarithm, beyond which a frame is an outlier."""

MIN_SPREAD = 0.1
"""Floor of the spread of log10 of the forces: frames within a factor of
10^(6 x 0.1) = 4 of the median are never outliers."""

SMALL_FORCE = 0.25
"""eV/Å; frames whose largest force is below it are equally calm."""

HOT_RATIO = 10.0
"""A frame is hot beyond so many times the force of the coldest fifth ..."""

HOT_FORCE = 10.0
"""... and beyond this, eV/Å; AIMD of molten silicon reaches about 12."""

MIN_FRAMES = 5
"""Fewer frames have no distribution to stand out of."""

NET_FORCE = 5e-3
"""eV/Å per atom; converged DFT without fixed atoms stays below."""

NET_FRACTION = 0.02
"""Share of the sum of |F| that a net force must have to be reported."""


def robust_scores(
    values: Float[np.ndarray, " frames"], floor: float
) -> Float[np.ndarray, " frames"]:
    """Return the distances of values from their median, in log space.

    The spread is 1.4826 times the median absolute deviation of log10, at least
    `MIN_SPREAD`.

    Parameters
    ----------
    values
        One number a frame, not negative.
    floor
        Smaller values count as this one: they do not differ in any way that matters.

    Examples
    --------
    >>> scores = robust_scores(np.array([1.0, 1.0, 1.0, 10.0]), floor=0.1)
    >>> float(scores[3].round(6))
    10.0
    """
    logs = np.log10(np.maximum(values, floor))
    median = np.median(logs)
    spread = max(1.4826 * float(np.median(np.abs(logs - median))), MIN_SPREAD)
    return (logs - median) / spread


def check_forces(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find force outliers, hot frames and net forces."""
    labelled = [
        atoms
        for atoms in structures
        if forces_of(atoms) is not None and not is_isolated_atom(atoms)
    ]
    if not labelled:
        return
    largest = np.array([_largest(atoms) for atoms in labelled])
    if len(labelled) >= MIN_FRAMES:
        yield from _outliers(labelled, largest)
        yield from _hot(labelled, largest)
    yield from _net(labelled)


def _largest(atoms: Atoms) -> float:
    return float(np.linalg.norm(atoms.arrays[FORCES], axis=1).max())


def _outliers(
    structures: Sequence[Atoms], largest: Float[np.ndarray, " frames"]
) -> Iterator[Finding]:
    scores = robust_scores(largest, SMALL_FORCE)
    found = [
        structures[i] for i in np.argsort(-scores).tolist() if scores[i] > OUTLIER_SCORE
    ]
    if found:
        yield Finding(
            severity="warning",
            code="force-outlier",
            message=f"{len(found)} structures have forces up to"
            f" {largest.max():.3g} eV/Å where the median structure has"
            f" {np.median(largest):.3g} ({named(places(found))}).",
            remedy="Look for a calculation that did not converge; leave the frames "
            "out if they are not intended.",
            frames=places(found),
            number=float(largest.max()),
            unit="eV/Å",
        )


def _hot(
    structures: Sequence[Atoms], largest: Float[np.ndarray, " frames"]
) -> Iterator[Finding]:
    """Find the part of a set that dominates any squared loss on forces."""
    cold = float(np.quantile(largest, 0.2))
    limit = max(HOT_FORCE, HOT_RATIO * cold)
    hot = [structures[i] for i in np.flatnonzero(largest > limit).tolist()]
    if hot:
        yield Finding(
            severity="warning",
            code="hot-frames",
            message=f"{len(hot)} of {len(structures)} structures have forces beyond"
            f" {limit:.3g} eV/Å (up to {largest.max():.3g}), where the coldest fifth"
            f" stays below {cold:.3g} ({named(places(hot))}).",
            remedy="They would dominate the training: leave them out unless the"
            " material is used that far from equilibrium.",
            frames=places(hot),
            number=limit,
            unit="eV/Å",
        )


def _net(structures: Sequence[Atoms]) -> Iterator[Finding]:
    found: list[Atoms] = []
    worst = 0.0
    for atoms in structures:
        forces = atoms.arrays[FORCES]
        net = float(np.linalg.norm(forces.sum(axis=0)))
        total = float(np.linalg.norm(forces, axis=1).sum())
        if net > NET_FORCE * len(atoms) and net > NET_FRACTION * total:
            found.append(atoms)
            worst = max(worst, net)
    if found:
        yield Finding(
            severity="warning",
            code="net-force",
            message=f"In {len(found)} of {len(structures)} structures the forces do not"
            f" add up to zero, by up to {worst:.3g} eV/Å ({named(places(found))}).",
            remedy="Look for forces of fixed atoms that were zeroed, an external"
            " field, or loose convergence.",
            frames=places(found),
            number=worst,
            unit="eV/Å",
        )


LARGEST = 6.0
"""eV/Å³, about 1,000 GPa: beyond the pressure in the centre of a planet."""


def check_stress_sizes(structures: Sequence[Atoms]) -> Iterator[Finding]:
    """Find stresses in another unit by their size alone."""
    found = [
        (atoms, float(np.abs(stress).max()))
        for atoms in structures
        if (stress := stress_of(atoms)) is not None and np.abs(stress).max() > LARGEST
    ]
    if not found:
        return
    frames = places(atoms for atoms, _ in found)
    largest = max(size for _, size in found)
    yield Finding(
        severity="error",
        code="stress-size",
        message=f"{len(found)} structures have stresses of up to {largest:.3g} eV/Å³,"
        f" which is {EV_PER_A3_IN_GPA * largest:.3g} GPa ({named(frames)}).",
        remedy="They are in another unit: --stress-unit GPa, kbar, bar, Pa or virial;"
        " --base names the one that fits.",
        frames=frames,
        number=largest,
        unit="eV/Å³",
    )


SMALL_RESIDUAL = 0.01
"""eV/Å; structures that the base gets right to within it are equally right."""

MIN_DISTANCE = 0.3
"""Share of |label| + |base| that the difference must have; an outlier of a base
that is right to a few per cent is still right."""


def check_residuals(compared: Compared) -> Iterator[Finding]:
    """Find structures whose force residual stands out among the others."""
    pairs = [
        (atoms, label, prediction.forces)
        for atoms, prediction in zip(
            compared.structures, compared.predictions, strict=True
        )
        if (label := forces_of(atoms)) is not None
    ]
    if len(pairs) < MIN_FRAMES:
        return
    residuals = np.array([_rms(label - base) for _, label, base in pairs])
    sizes = np.array([_rms(label) + _rms(base) for _, label, base in pairs])
    scores = robust_scores(residuals, SMALL_RESIDUAL)
    is_outlier = (scores > OUTLIER_SCORE) & (residuals > MIN_DISTANCE * sizes)
    found = [pairs[i][0] for i in np.flatnonzero(is_outlier).tolist()]
    if found:
        worst = float(residuals[is_outlier].max())
        yield Finding(
            severity="warning",
            code="residual-outlier",
            message=f"In {len(found)} structures forces differ from {compared.base} by"
            f" up to {worst:.3g} eV/Å (rms), where the median structure differs by"
            f" {np.median(residuals):.3g} ({named(places(found))}).",
            remedy="Look for labels of another structure, a different order of "
            "atoms, or a calculation that did not converge.",
            frames=places(found),
            number=worst,
            unit="eV/Å",
        )


def _rms(values: Float[np.ndarray, "..."]) -> float:
    return float(np.sqrt(np.mean(values**2)))
