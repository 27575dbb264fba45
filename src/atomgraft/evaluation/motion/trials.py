"""One model in motion: melted if asked, settled, and measured."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.progress import Count
from atomgraft.core.seeding import derived_seed
from atomgraft.data.labels import structures_fingerprint
from atomgraft.dynamics.mover import BatchedMover
from atomgraft.dynamics.recording import Recording
from atomgraft.dynamics.replicas import (
    FRICTION,
    Replica,
    State,
    frame,
    heated,
    places_of,
)
from atomgraft.dynamics.runs import Schedule, run
from atomgraft.dynamics.torch_sim import engine_named
from atomgraft.evaluation.motion.record import SUITE
from atomgraft.evaluation.motion.sampler import Guard, Sampler
from atomgraft.evaluation.motion.setup import (
    WEAK_FRICTION,
    Condition,
    Plan,
    guard_steps,
)
from atomgraft.evaluation.survival.criteria import REASONS
from atomgraft.evaluation.survival.watcher import (
    BROKEN,
    CLOSEST,
    FINE,
    highest_temperature,
)
from atomgraft.evaluation.systems import intact_share
from atomgraft.models.base import AbstractPotential

CLOSEST_IN_MELT = 0.5
"""Of the neighbour distance of the crystal: in a hot liquid atoms come closer."""

SAVES = 20
"""States on disk in each part of a run, about."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """What was seen of one model, or of a trajectory, in one condition.

    Parameters
    ----------
    seeds
        Place among the plan's replicas of each run that came to its end: runs of two
        models with the same one share their noise.
    frames
        Configurations of each of these runs, not wrapped into the cell.
    interval
        Between two configurations, fs; none where it is not known.
    spectra
        Power spectra of each of these runs by element; none where there are no
        velocities.
    temperatures
        Mean kinetic temperature of each of these runs, K; empty likewise.
    intact
        Share of the crystal's bonds that are intact, mean over configurations; empty
        for a trajectory whose atoms cannot be told to be those of the crystal.
    still_near
        Share of the neighbours in the first frame of a trajectory that are neighbours
        in its last block; none where its atoms cannot be followed.
    failures
        Why the other runs failed.
    highest
        Frequency that the velocities can tell, THz; higher ones would be folded.
    has_gaps
        Frames of a trajectory do not follow each other: others are between them in its
        file, so that the time between two is not the same, or atoms move by half a cell
        between two.
    is_read
        It is a trajectory of a file.
    """

    seeds: tuple[int, ...]
    frames: tuple[tuple[Atoms, ...], ...]
    interval: float | None
    spectra: Float[np.ndarray, "runs kinds frequencies"] | None
    temperatures: Float[np.ndarray, " known"]
    intact: Float[np.ndarray, " watched"]
    still_near: float | None = None
    failures: tuple[str, ...] = ()
    highest: float = np.inf
    has_gaps: bool = False
    is_read: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Slot:
    """One replica between two parts of its run; without atoms it has failed."""

    condition: Condition
    seed: int
    atoms: Atoms | None
    reason: str = ""

    @property
    def closest(self) -> float:
        return CLOSEST_IN_MELT if self.condition.is_melt else CLOSEST

    def hottest(self, n_atoms: int) -> float:
        """Return the kinetic temperature of a failure; a melt releases its heat."""
        if self.condition.is_melt:
            return np.inf
        return highest_temperature(self.condition.temperature, n_atoms)


def run_trial(
    potential: AbstractPotential,
    plan: Plan,
    *,
    seed: int,
    folder: Path | None = None,
    progress: Count | None = None,
) -> list[Trial]:
    """Put a crystal and its melt in motion under one model.

    Parameters
    ----------
    potential
        On its device, in its precision.
    plan
        The same for all contestants.
    seed
        Of all replicas.
    folder
        Of trajectories and of the states from which a killed run goes on; none keeps
        nothing.
    progress
        Called with steps done and steps in all.

    Returns
    -------
    :
        One for each condition of the plan.
    """
    whole = _Run(
        potential=potential, plan=plan, seed=seed, folder=folder, progress=progress
    )
    slots = whole.settled(whole.molten())
    return whole.measured(slots)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Run:
    potential: AbstractPotential
    plan: Plan
    seed: int
    folder: Path | None
    progress: Count | None

    def _own_seed(self, *purpose: str | int) -> int:
        return derived_seed(self.seed, SUITE, *purpose)

    def molten(self) -> list[_Slot]:
        """Return the crystal, melted once for each seed; nothing where it is not."""
        T = self.plan.melt
        if T is None:
            return []
        hot = Condition(temperature=T, is_melt=True)
        slots: list[_Slot] = []
        for i in range(self.plan.n_replicas):
            own = self._own_seed("melt", i)
            atoms = heated(Atoms(self.plan.system.atoms), 2 * T, own)
            slots.append(_Slot(condition=hot, seed=own, atoms=atoms))
        return self._held("melt", slots, self.plan.n_melt, before=0)

    def settled(self, molten: Sequence[_Slot]) -> list[_Slot]:
        """Return all replicas after they have come to their temperature."""
        slots = [
            self._start(condition, i, molten)
            for condition in self.plan.conditions
            for i in range(self.plan.n_replicas)
        ]
        before = self.plan.n_melt
        return self._held("settle", slots, self.plan.n_settle, before=before)

    def _start(self, condition: Condition, i: int, molten: Sequence[_Slot]) -> _Slot:
        kind = "melt" if condition.is_melt else "crystal"
        own = self._own_seed("settle", kind, f"{condition.temperature:g}", i)
        if not condition.is_melt:
            # half of the heat goes into the bonds
            crystal = Atoms(self.plan.system.atoms)
            atoms = heated(crystal, 2 * condition.temperature, own)
            return _Slot(condition=condition, seed=own, atoms=atoms)
        found = molten[i]
        if found.atoms is None:
            reason = f"{found.reason} while it melted"
            return _Slot(condition=condition, seed=own, atoms=None, reason=reason)
        atoms = heated(found.atoms, condition.temperature, own)
        return _Slot(condition=condition, seed=own, atoms=atoms)

    def _held(
        self, name: str, slots: list[_Slot], n_steps: int, *, before: int
    ) -> list[_Slot]:
        """Return replicas after some steps at their temperature."""
        every = guard_steps(self.plan.timestep)
        replicas = _replicas(slots, FRICTION)
        closest = self._closest(slots)
        guard = Guard(self.plan.system, closest)
        state = self._run(name, replicas, guard, (n_steps, every, every), before)
        if state is None:
            return slots
        return _after(slots, replicas, state, guard.reasons)

    def measured(self, slots: list[_Slot]) -> list[Trial]:
        """Return what is seen of each condition in the last part of the run."""
        plan = self.plan
        replicas = _replicas(
            [
                dataclasses.replace(one, seed=derived_seed(one.seed, "measured"))
                for one in slots
            ],
            WEAK_FRICTION,
        )
        n_atoms = len(plan.system.atoms)
        hottest = [one.hottest(n_atoms) for one in slots if one.atoms is not None]
        closest = self._closest(slots)
        sampler = Sampler(plan, replicas, closest=closest, hottest=hottest)
        steps = (plan.n_steps, plan.look_every, plan.look_every * plan.sample_every)
        before = plan.n_melt + plan.n_settle
        state = self._run("measure", replicas, sampler, steps, before)
        alive = [k for k, one in enumerate(slots) if one.atoms is not None]
        if state is not None:
            slots = _after(slots, replicas, state, sampler.reasons)
        return [
            _trial(plan, condition, slots, alive, sampler)
            for condition in plan.conditions
        ]

    def _closest(self, slots: Sequence[_Slot]) -> list[float]:
        neighbour = self.plan.system.neighbour
        return [one.closest * neighbour for one in slots if one.atoms is not None]

    def _run(
        self,
        name: str,
        replicas: list[Replica],
        observer: Guard | Sampler,
        steps: tuple[int, int, int],
        before: int,
    ) -> State | None:
        """Run one part: steps in all, between looks, and between frames."""
        if not replicas:
            return None
        n_steps, look, shown = steps
        save = shown * max(1, round(n_steps / shown / SAVES))
        schedule = Schedule(
            n_steps=n_steps,
            look_every=look,
            frame_every=save if name != "measure" else shown,
            save_every=save,
        )
        return run(
            BatchedMover(
                replicas,
                self.potential,
                timestep=self.plan.timestep,
                engine=engine_named(self.plan.engine),
            ),
            schedule,
            observer=observer,
            recording=self._recording(name),
            progress=self._telling(before),
        )

    def _recording(self, name: str) -> Recording | None:
        if self.folder is None:
            return None
        # the recording adds the engine
        pins: dict[str, Any] = {
            "model": self.potential.weights_hash(),
            "crystal": structures_fingerprint([self.plan.system.atoms]),
            "seed": self.seed,
            "plan": {
                field.name: getattr(self.plan, field.name)
                for field in dataclasses.fields(self.plan)
                if field.name not in {"system", "conditions", "engine"}
            },
            "conditions": [dataclasses.astuple(one) for one in self.plan.conditions],
        }
        return Recording(self.folder / name, pins)

    def _telling(self, before: int) -> Count | None:
        tell = self.progress
        if tell is None:
            return None
        total = self.plan.n_melt + self.plan.n_settle + self.plan.n_steps
        heard: Callable[[int, int], None] = tell
        return lambda done, _total: heard(before + done, total)


def _replicas(slots: Sequence[_Slot], friction: float) -> list[Replica]:
    return [
        Replica(
            atoms=one.atoms,
            seed=one.seed,
            temperature=one.condition.temperature,
            friction=friction,
        )
        for one in slots
        if one.atoms is not None
    ]


def _after(
    slots: Sequence[_Slot],
    replicas: Sequence[Replica],
    state: State,
    reasons: np.ndarray,
) -> list[_Slot]:
    """Return replicas where they are now, and why some have failed."""
    places = places_of(replicas)
    found: list[_Slot] = []
    k = 0
    for one in slots:
        if one.atoms is None:
            found.append(one)
            continue
        if state.stopped[k] >= 0:
            why = BROKEN if reasons[k] == FINE else int(reasons[k])
            found.append(dataclasses.replace(one, atoms=None, reason=REASONS[why]))
        else:
            now = frame(replicas[k], places[k], state)
            found.append(dataclasses.replace(one, atoms=now))
        k += 1
    return found


def _trial(
    plan: Plan,
    condition: Condition,
    slots: Sequence[_Slot],
    alive: Sequence[int],
    sampler: Sampler,
) -> Trial:
    """Return what was seen of the replicas of one condition that came to the end."""
    own = [k for k, one in enumerate(slots) if one.condition == condition]
    sound = [alive.index(k) for k in own if slots[k].atoms is not None]
    n_looks = plan.n_steps // plan.look_every
    paths = sampler.positions[:, sound]
    intact = [
        np.mean([intact_share(plan.system, one) for one in paths[:, i]])
        for i in range(len(sound))
    ]
    return Trial(
        seeds=tuple(i for i, k in enumerate(own) if slots[k].atoms is not None),
        frames=tuple(
            tuple(_moved(plan.system.atoms, one) for one in paths[:, i])
            for i in range(len(sound))
        ),
        interval=plan.sample_interval,
        spectra=sampler.spectra[sound],
        temperatures=sampler.heat[sound] / n_looks,
        intact=np.array(intact, dtype=float),
        failures=tuple(slots[k].reason for k in own if slots[k].atoms is None),
    )


def _moved(atoms: Atoms, positions: Float[np.ndarray, "atoms 3"]) -> Atoms:
    moved = Atoms(atoms)
    moved.positions = positions
    return moved
