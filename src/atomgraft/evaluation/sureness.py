"""How sure a mean is, as fields of a score: an interval and over what, or why none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from atomgraft.evaluation.trajectories import Relatives
from atomgraft.metrics.intervals import FEWEST, Sureness, mean_interval

SINGULAR = {
    "structures": "structure",
    "trajectories": "trajectory",
    "groups": "group",
    "crystals": "crystal",
}


def sureness_fields(
    sums: Float[np.ndarray, " frames"],
    counts: Float[np.ndarray, " frames"],
    frames: Sequence[int],
    relatives: Relatives | None,
    *,
    is_signed: bool = False,
    is_squared: bool = False,
    leverages: Float[np.ndarray, " frames"] | None = None,
) -> dict[str, Any]:
    """Return ``interval``, ``n_independent``, ``independent`` and ``no_interval``.

    Parameters
    ----------
    sums
        As for :func:`atomgraft.metrics.intervals.mean_interval`.
    counts
        As there.
    frames
        Which structures these are, in the list that `relatives` is about.
    relatives
        Which structures belong together; none: these are crystals, each by itself.
    is_signed
        As there.
    is_squared
        As there.
    leverages
        As there.

    Examples
    --------
    >>> found = sureness_fields(np.ones(3), np.ones(3), range(3), None)
    >>> found["no_interval"]
    '3 crystals; an interval needs 5 that are independent'
    """
    clusters = None if relatives is None else relatives.of(frames)
    unit = "crystals" if relatives is None else relatives.unit
    found = mean_interval(
        sums,
        counts,
        clusters,
        is_signed=is_signed,
        is_squared=is_squared,
        leverages=leverages,
    )
    n_clusters = len(frames) if clusters is None else len(clusters)
    return {
        "interval": found.interval,
        "n_independent": found.n_independent,
        "independent": unit,
        "no_interval": _why(found, len(frames), n_clusters, unit),
    }


def _why(found: Sureness, n_frames: int, n_clusters: int, unit: str) -> str | None:
    """Say why there is no interval, and what to do."""
    one = SINGULAR[unit]
    said = f"{n_clusters} {one if n_clusters == 1 else unit}"
    if found.obstacle == "few" and found.n_fitted:
        return (
            f"{said}, and shifts of elements that were taken out use up "
            f"{found.n_fitted:.2g}; an interval needs {FEWEST} that are independent"
        )
    if found.obstacle == "few" and n_frames > n_clusters:
        return (
            f"the {n_frames} frames come from {said}; an interval needs {FEWEST} that "
            "are independent: add frames from other runs"
        )
    if found.obstacle == "few":
        return f"{said}; an interval needs {FEWEST} that are independent"
    if found.obstacle == "uneven":
        return (
            f"one of the {said} is much larger than the others; an interval needs "
            f"{FEWEST} of similar size: add some from other runs"
        )
    return None
