"""When a run has failed: limits from a reference, and who has passed them when."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float
from matscipy.neighbours import neighbour_list
from scipy.ndimage import gaussian_filter1d

from atomgraft.core.units import EV_IN_MEV
from atomgraft.dynamics.replicas import KELVIN
from atomgraft.evaluation.survival.trials import Plan, Trial
from atomgraft.evaluation.survival.watcher import BROKEN, CLOSE, HOT
from atomgraft.evaluation.systems import BIN, System, features, pair_keys

MARGIN = 1.5
"""Times the largest departure of the reference from itself."""

BLUR = 0.4
"""Å, by which radial distributions are blurred before they are compared with frames: a
frame is no mean over time, and is of another temperature."""

FRAME_MARGIN = 4.0
"""Times the median distance from a training frame to the nearest other one."""

LEAST_FRAME_LIMIT = 0.06
"""Limit of training frames below which nothing is said of structure: heat alone may
move a crystal further from frames that are alike. Chosen on one crystal, silicon."""

FEWEST_FRAMES = 5
"""Training frames below which nothing is said of structure."""

SAME_DENSITY = 0.1
"""Relative difference of the volume per atom up to which a frame tells of a crystal."""

INTACT = 0.75
"""Share of its bonds below which a crystal is none."""

HEATING = 0.01
"""Share of the thermal energy 3 k T per ps that a timestep may add."""

REASONS = {
    BROKEN: "not finite",
    HOT: "too hot",
    CLOSE: "atoms too close",
}
STRUCTURE, COORDINATION = "other structure", "coordination lost"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What a structure is compared with at one temperature.

    Parameters
    ----------
    targets
        Radial distributions to be near to: for each window, or for all alike, one or
        several of which the nearest counts.
    departure
        How far from it a window may be; none judges no structure.
    is_solid
        Whether lost coordination counts: the crystal does not melt here.
    n_bins
        Of one radial distribution, where all are blurred before they are compared;
        zero compares them as they are.
    """

    targets: Float[np.ndarray, "#windows alternatives features"]
    departure: float | None
    is_solid: bool = True
    n_bins: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcomes:
    """How the replicas of one model ended at one temperature.

    Parameters
    ----------
    times
        Of the failure, or of the end, ps.
    has_failed
        The others survived.
    reasons
        Why each failed; empty for survivors.
    """

    times: Float[np.ndarray, " replicas"]
    has_failed: Bool[np.ndarray, " replicas"]
    reasons: tuple[str, ...]


def departures(
    structure: Float[np.ndarray, "replicas windows features"],
    targets: Float[np.ndarray, "#windows alternatives features"],
) -> Float[np.ndarray, "replicas windows"]:
    """Return the mean difference of g(r) to the nearest target, of each window."""
    found = [
        np.abs(structure - targets[:, k]).sum(axis=2) for k in range(targets.shape[1])
    ]
    return np.min(found, axis=0)


def blurred(
    rows: Float[np.ndarray, "*more features"], n_bins: int
) -> Float[np.ndarray, "*more features"]:
    """Return radial distributions in which peaks are at least as wide as `BLUR`.

    Parameters
    ----------
    rows
        One radial distribution for each kind of pair, one after the other.
    n_bins
        Of each.
    """
    apart = rows.reshape(*rows.shape[:-1], -1, n_bins)
    wide = gaussian_filter1d(apart, BLUR / BIN, axis=-1, mode="nearest")
    return wide.reshape(rows.shape)


def limits_of_run(trial: Trial) -> Limits | None:
    """Return the limits that a reference run sets; none where it failed itself.

    Each window is compared with the mean of the other replicas in the same window, so
    that no window of the reference is an alarm.
    """
    if (trial.stopped >= 0).any():
        return None
    n = len(trial.structure)
    means = trial.structure.mean(axis=0)
    others = (n * means - trial.structure) / (n - 1)
    own = [departures(trial.structure[[i]], others[i][:, None])[0] for i in range(n)]
    return Limits(
        targets=means[:, None],
        departure=MARGIN * float(np.max(own)),
        is_solid=bool((trial.intact >= INTACT).all()),
    )


def limits_of_frames(frames: Sequence[Atoms], system: System) -> Limits:
    """Return the limits that training frames of the same crystal set.

    Parameters
    ----------
    frames
        Any; those of another composition or density are left out. Too few, or frames
        too alike, set no limit of the structure.
    system
        The crystal.
    """
    nothing = Limits(targets=np.zeros((1, 1, 1)), departure=None)
    told = [one for one in frames if _is_alike(one, system.atoms)]
    if len(told) < FEWEST_FRAMES:
        return nothing
    rows = np.array([_distribution(one, system) for one in told])
    rows = blurred(rows, system.n_bins)
    apart = np.array([np.abs(rows - one).sum(axis=1) for one in rows])
    np.fill_diagonal(apart, np.inf)
    limit = FRAME_MARGIN * float(np.median(apart.min(axis=1)))
    if limit < LEAST_FRAME_LIMIT:
        return nothing
    return Limits(targets=rows[None], departure=limit, n_bins=system.n_bins)


def _is_alike(one: Atoms, crystal: Atoms) -> bool:
    if not one.pbc.all() or one.cell.rank < 3:
        return False
    formulas = [atoms.symbols.formula.reduce()[0] for atoms in (one, crystal)]
    volumes = [atoms.cell.volume / len(atoms) for atoms in (one, crystal)]
    is_dense = abs(volumes[0] / volumes[1] - 1) < SAME_DENSITY
    return formulas[0] == formulas[1] and bool(is_dense)


def _distribution(one: Atoms, system: System) -> Float[np.ndarray, " features"]:
    """Return the radial distributions of a frame of any size."""
    i, j, distances = neighbour_list("ijd", one, system.n_bins * BIN)
    keys = pair_keys(one.numbers[i], one.numbers[j])
    bins = np.minimum((distances / BIN).astype(np.int64), system.n_bins - 1)
    places = np.searchsorted(system.keys, keys) * system.n_bins + bins
    counts = np.bincount(places, minlength=system.n_features)
    per_pair = len(system.atoms) / len(one) / 2  # each pair was found from both sides
    return features(system, counts * per_pair)


def outcomes(trial: Trial, limits: Limits, plan: Plan) -> Outcomes:
    """Return when and why each replica failed: the first of all criteria counts.

    What is seen of windows is known at their ends.
    """
    found = [_outcome(trial, limits, plan, i) for i in range(len(trial.stopped))]
    steps = np.array([step for step, _ in found])
    reasons = tuple(reason for _, reason in found)
    return Outcomes(
        times=plan.times(steps),
        has_failed=np.array([bool(one) for one in reasons]),
        reasons=reasons,
    )


def _outcome(trial: Trial, limits: Limits, plan: Plan, i: int) -> tuple[int, str]:
    events: list[tuple[int, str]] = []
    if trial.stopped[i] >= 0:
        events.append((int(trial.stopped[i]), REASONS[int(trial.reasons[i])]))
    if limits.departure is not None:
        seen = trial.structure[[i]]
        if limits.n_bins:
            seen = blurred(seen, limits.n_bins)
        apart = departures(seen, limits.targets)[0]
        events += _first(apart > limits.departure, plan, STRUCTURE)
    if limits.is_solid:
        events += _first(trial.intact[i] < INTACT, plan, COORDINATION)
    return min(events, default=(plan.n_steps, ""), key=lambda one: one[0])


def _first(
    is_past: Bool[np.ndarray, " windows"], plan: Plan, reason: str
) -> list[tuple[int, str]]:
    """Return the end of the first window that is past a limit; nan is past none."""
    return [((int(w) + 1) * plan.window, reason) for w in np.flatnonzero(is_past)[:1]]


def heats_up(trial: Trial, temperature: float) -> bool:
    """Tell whether the timestep adds more energy than it may."""
    sound = trial.drifts[np.isfinite(trial.drifts)]
    allowed = HEATING * 3 * KELVIN * temperature * EV_IN_MEV
    failed = bool(np.isnan(trial.drifts).any())
    return failed or bool(len(sound) and sound.mean() > allowed)
