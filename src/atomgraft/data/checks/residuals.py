"""Structures whose forces the base model contradicts far more than the others'."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from atomgraft.data.checks.comparison import Compared
from atomgraft.data.checks.findings import Finding, named, places
from atomgraft.data.checks.large_forces import (
    MIN_FRAMES,
    OUTLIER_SCORE,
    robust_scores,
)
from atomgraft.data.labels import forces_of

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
            remedy="Look for labels of another structure, atoms in another order or a"
            " calculation that did not converge.",
            frames=places(found),
            number=worst,
            unit="eV/Å",
        )


def _rms(values: Float[np.ndarray, "..."]) -> float:
    return float(np.sqrt(np.mean(values**2)))
