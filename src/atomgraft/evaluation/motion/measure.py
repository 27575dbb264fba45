"""From configurations and spectra to distributions, one row for each run."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float
from matscipy.neighbours import neighbour_list

from atomgraft.evaluation.motion.record import (
    ANGULAR,
    COORDINATION,
    DIFFUSION,
    PEAK,
    RADIAL,
    VIBRATIONAL,
)
from atomgraft.evaluation.motion.setup import ANGLE_BIN, BIN, Plan
from atomgraft.evaluation.motion.trials import Trial
from atomgraft.evaluation.systems import pair_keys
from atomgraft.metrics.differences import (
    Distance,
    overlap_error,
    radial_error,
    relative_error,
)
from atomgraft.metrics.distributions import (
    bond_angles,
    density,
    diffusion_coefficient,
    first_minimum,
    first_peak,
    radial_distribution,
    square_displacements,
)
from atomgraft.metrics.spectra import as_density

Rows = Float[np.ndarray, "_ bins"]

Key = tuple[str, str]
"""Quantity, and pair of elements or element; empty: all."""

DISTANCES: Mapping[str, Distance] = {
    RADIAL: radial_error,
    ANGULAR: overlap_error,
    VIBRATIONAL: overlap_error,
    COORDINATION: relative_error,
    PEAK: relative_error,
    DIFFUSION: relative_error,
}
"""How far two rows are apart, by quantity."""

ANGLE_EDGES = np.arange(0.0, 180.0 + ANGLE_BIN / 2, ANGLE_BIN)
"""Degrees"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """What one model gives in one condition.

    Parameters
    ----------
    seeds
        Place among the plan's replicas of each run.
    rows
        Distributions, and numbers as rows of one bin.
    displacements
        Mean square displacements, Å²; none where times are not known.
    lag
        Between two of them, fs: that of a trajectory is not the plan's.
    """

    seeds: tuple[int, ...]
    rows: Mapping[Key, Rows]
    displacements: Float[np.ndarray, "runs lags"] | None
    lag: float | None


def radial_rows(trial: Trial, plan: Plan) -> dict[str, Rows]:
    """Return g(r) of each run: all pairs under an empty name, and pairs of elements.

    Parameters
    ----------
    trial
        With at least one run.
    plan
        Where g(r) ends.
    """
    found = [_radial(run, plan) for run in trial.frames]
    return {name: np.array([one[name] for one in found]) for name in found[0]}


def _radial(run: Sequence[Atoms], plan: Plan) -> dict[str, np.ndarray]:
    edges = plan.edges
    numbers = run[0].numbers
    kinds = np.unique(numbers)
    pairs = [(a, b) for k, a in enumerate(kinds) for b in kinds[k:]]
    keys = np.array([int(pair_keys(*np.array([[a], [b]]))[0]) for a, b in pairs])
    order = np.argsort(keys)
    n_bins = len(edges) - 1
    counts = np.zeros((len(keys), n_bins))
    for one in run:
        i, j, apart = neighbour_list("ijd", one, float(edges[-1]))
        bins = np.minimum((apart / BIN).astype(np.int64), n_bins - 1)
        places = order[np.searchsorted(keys[order], pair_keys(numbers[i], numbers[j]))]
        counts += np.bincount(places * n_bins + bins, minlength=counts.size).reshape(
            counts.shape
        )
    counts /= 2 * len(run)  # each pair was found from both sides
    volume = float(np.mean([one.cell.volume for one in run]))
    n = len(numbers)
    found = {"": radial_distribution(counts.sum(axis=0), edges, n**2 / 2, volume)}
    if len(kinds) > 1:
        for (a, b), row in zip(pairs, counts, strict=True):
            n_a, n_b = int((numbers == a).sum()), int((numbers == b).sum())
            n_pairs = n_a**2 / 2 if a == b else float(n_a * n_b)
            found[_pair_name(int(a), int(b))] = radial_distribution(
                row, edges, n_pairs, volume
            )
    return found


def _pair_name(a: int, b: int) -> str:
    symbols = Atoms([a, b]).get_chemical_symbols()
    return "-".join(sorted(symbols))


def shell_end(rows: Rows) -> float | None:
    """Return where the first shell of the mean g(r) ends, Å."""
    return first_minimum(rows.mean(axis=0), BIN)


def measured(
    trial: Trial,
    radial: Mapping[str, Rows],
    cutoff: float,
    plan: Plan,
    *,
    is_melt: bool,
) -> Measured:
    """Return all distributions and numbers of one model in one condition.

    Parameters
    ----------
    trial
        With at least one run.
    radial
        Its radial distributions.
    cutoff
        Where the first shell ends for all models, Å.
    plan
        What was done.
    is_melt
        Then diffusion is measured.
    """
    rows: dict[Key, Rows] = {(RADIAL, part): one for part, one in radial.items()}
    angles, coordination = zip(
        *(_shell(run, cutoff) for run in trial.frames), strict=True
    )
    if np.sum(angles) > 0:
        rows[ANGULAR, ""] = density(np.array(angles), ANGLE_BIN)
    rows[COORDINATION, ""] = np.array(coordination)[:, None]
    rows |= _peaks(radial[""])
    rows |= _vibrations(trial, plan)
    displacements = _displacements(trial)
    if is_melt and displacements is not None and trial.interval is not None:
        found = [diffusion_coefficient(one, trial.interval) for one in displacements]
        rows[DIFFUSION, ""] = np.array(found)[:, None]
    return Measured(
        seeds=trial.seeds, rows=rows, displacements=displacements, lag=trial.interval
    )


def _shell(run: Sequence[Atoms], cutoff: float) -> tuple[np.ndarray, float]:
    """Return counts of angles between neighbours, and their mean number."""
    counts = np.zeros(len(ANGLE_EDGES) - 1)
    n_neighbours = 0
    for one in run:
        centres, vectors = neighbour_list("iD", one, cutoff)
        n_neighbours += len(centres)
        counts += np.histogram(bond_angles(centres, vectors), ANGLE_EDGES)[0]
    return counts, n_neighbours / (len(run) * len(run[0]))


def _peaks(rows: Rows) -> Iterator[tuple[Key, Rows]]:
    """Yield the position of the first peak, where every run has one."""
    found = [first_peak(row, BIN) for row in rows]
    known = [one for one in found if one is not None]
    if len(known) == len(found):
        yield (PEAK, ""), np.array(known)[:, None]


def _vibrations(trial: Trial, plan: Plan) -> Iterator[tuple[Key, Rows]]:
    if trial.spectra is None:
        return
    states = as_density(trial.spectra, float(plan.frequencies[1]))
    yield (VIBRATIONAL, ""), states.sum(axis=1)
    if len(plan.elements) > 1:
        for k, element in enumerate(plan.elements):
            yield (VIBRATIONAL, element), states[:, k]


def _displacements(trial: Trial) -> Float[np.ndarray, "runs lags"] | None:
    if trial.interval is None:
        return None
    masses = trial.frames[0][0].get_masses()
    return np.array(
        [
            square_displacements(np.array([one.positions for one in run]), masses)
            for run in trial.frames
        ]
    )
