"""One model in motion: all temperatures and seeds in one run."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from atomgraft.core.progress import Count
from atomgraft.core.seeding import derived_seed
from atomgraft.data.labels import structures_fingerprint
from atomgraft.dynamics.mover import OWN, BatchedMover
from atomgraft.dynamics.recording import Recording
from atomgraft.dynamics.replicas import Replica, heated
from atomgraft.dynamics.runs import Schedule, run
from atomgraft.dynamics.torch_sim import engine_named
from atomgraft.evaluation.moving import FS_PER_PS
from atomgraft.evaluation.survival.watcher import BROKEN, DONE, FINE, Watcher
from atomgraft.evaluation.systems import System, features
from atomgraft.models.base import AbstractPotential

MEV = 1000.0

SETTLING = 0.2
"""Share of a run at constant energy that passes before its drift is fitted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What every contestant does.

    Parameters
    ----------
    system
        The crystal.
    temperatures
        K
    n_replicas
        Seeds at each temperature, with a thermostat; as many keep their energy.
    timestep
        fs
    window
        Steps of one window.
    n_windows
        Of the run.
    n_drift
        Steps of the runs at constant energy; none is zero.
    look_every
        Steps between two looks.
    engine
        What makes the steps.
    """

    system: System
    temperatures: tuple[float, ...]
    n_replicas: int
    timestep: float
    window: int
    n_windows: int
    n_drift: int
    look_every: int
    engine: str = OWN

    @property
    def n_steps(self) -> int:
        """Steps of the run."""
        return self.window * self.n_windows

    @property
    def horizon(self) -> float:
        """Length of the run, ps."""
        return self.n_steps * self.timestep / FS_PER_PS

    def times(self, steps: Int[np.ndarray, " some"]) -> Float[np.ndarray, " some"]:
        """Return the time of some steps, ps."""
        return steps * self.timestep / FS_PER_PS

    def steps_of_runs(self) -> list[int]:
        """Return how many steps each replica makes, if it does not fail."""
        kinds = (self.n_steps, self.n_drift) if self.n_drift else (self.n_steps,)
        return list(kinds) * len(self.temperatures) * self.n_replicas

    def replicas(self, seed: int) -> list[Replica]:
        """Return all replicas: by temperature, those with a thermostat first."""
        return [
            self._replica(seed, T, i, keeps_energy=keeps_energy)
            for T in self.temperatures
            for keeps_energy in ((False, True) if self.n_drift else (False,))
            for i in range(self.n_replicas)
        ]

    def _replica(self, seed: int, T: float, i: int, *, keeps_energy: bool) -> Replica:
        kind = "energy" if keeps_energy else "temperature"
        own = derived_seed(seed, "md", kind, f"{T:g}", i)
        atoms = Atoms(self.system.atoms)
        # without a thermostat, half of the heat goes into the bonds
        start = heated(atoms, 2 * T if keeps_energy else T, own)
        return Replica(atoms=start, seed=own, temperature=None if keeps_energy else T)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """What one model did at one temperature.

    Parameters
    ----------
    stopped
        The step after which each replica failed at once, or -1.
    reasons
        Why, as in :mod:`atomgraft.evaluation.survival.watcher`.
    structure
        Radial distributions of each window; nan where a replica did not finish it.
    intact
        Share of bonds that are intact in each window; nan likewise.
    drifts
        Change of the total energy of each replica that kept it, meV/atom/ps; nan where
        it failed.
    """

    stopped: Int[np.ndarray, " replicas"]
    reasons: Int[np.ndarray, " replicas"]
    structure: Float[np.ndarray, "replicas windows features"]
    intact: Float[np.ndarray, "replicas windows"]
    drifts: Float[np.ndarray, " energies"]


def run_trial(
    potential: AbstractPotential,
    plan: Plan,
    *,
    seed: int,
    folder: Path | None = None,
    progress: Count | None = None,
) -> list[Trial]:
    """Put a crystal in motion under one model; return a trial for each temperature.

    Parameters
    ----------
    potential
        On its device, in its precision.
    plan
        The same for all contestants.
    seed
        Of all replicas.
    folder
        Of trajectories and of the state from which a killed run goes on; none keeps
        nothing.
    progress
        Called with steps done and steps in all.
    """
    replicas = plan.replicas(seed)
    engine = engine_named(plan.engine)
    mover = BatchedMover(replicas, potential, timestep=plan.timestep, engine=engine)
    watcher = Watcher(
        plan.system,
        replicas,
        window=plan.window,
        n_windows=plan.n_windows,
        n_drift=plan.n_drift,
    )
    frames = plan.look_every * 10
    schedule = Schedule(
        n_steps=plan.n_steps,
        look_every=plan.look_every,
        frame_every=frames,
        save_every=frames,
    )
    pins = {
        "model": potential.weights_hash(),
        "crystal": structures_fingerprint([plan.system.atoms]),
        "seed": seed,
        "plan": [
            getattr(plan, field.name)
            for field in dataclasses.fields(plan)
            if field.name not in {"system", "engine"}  # the recording adds the engine
        ],
    }
    state = run(
        mover,
        schedule,
        observer=watcher,
        recording=None if folder is None else Recording(folder, pins),
        progress=progress,
    )
    n_groups = 2 if plan.n_drift else 1
    groups = np.arange(len(replicas)).reshape(-1, n_groups, plan.n_replicas)
    return [_trial(plan, watcher, state.stopped, group) for group in groups]


def _trial(
    plan: Plan,
    watcher: Watcher,
    stopped: Int[np.ndarray, " replicas"],
    group: Int[np.ndarray, "kinds members"],
) -> Trial:
    judged = group[0]
    reasons = watcher.reasons[judged]
    # the mover stops what is not finite, at step zero before the watcher looks
    is_broken = (stopped[judged] >= 0) & (reasons == FINE)
    n_full = plan.window // plan.look_every
    is_full = watcher.n_looks[judged] == n_full
    counts = watcher.counts[judged] / n_full
    counts[~is_full] = np.nan
    intact = np.where(is_full, watcher.intact[judged] / n_full, np.nan)
    followed: Sequence[int] = group[1].tolist() if len(group) > 1 else ()
    drifts = [
        _drift(plan, watcher.energies[:, i]) if watcher.reasons[i] == DONE else np.nan
        for i in followed
    ]
    return Trial(
        stopped=stopped[judged],
        reasons=np.where(is_broken, BROKEN, reasons),
        structure=features(plan.system, counts),
        intact=intact,
        drifts=np.array(drifts),
    )


def _drift(plan: Plan, energies: Float[np.ndarray, " looks"]) -> float:
    """Return the slope of a total energy after it has settled, meV/atom/ps."""
    times = plan.times(plan.look_every * (1 + np.arange(len(energies))))
    end = plan.times(np.array([plan.n_drift]))[0]
    used = (times >= SETTLING * end) & np.isfinite(energies)
    slope = np.polyfit(times[used], energies[used], 1)[0]
    return float(slope) * MEV / len(plan.system.atoms)
