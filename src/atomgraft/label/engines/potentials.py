"""Any potential of ours as an engine: a published name, a file, or a finished run."""

import dataclasses
import functools
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, final

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from pydantic import BaseModel, ConfigDict

from atomgraft import __version__
from atomgraft.core.errors import BadInputError
from atomgraft.core.kernels import Kernels
from atomgraft.core.seeding import derived_seed
from atomgraft.dynamics.mover import BatchedMover
from atomgraft.dynamics.recording import Recording, trajectory_name
from atomgraft.dynamics.replicas import (
    FRICTION,
    MOVING,
    Replica,
    State,
    frame,
    heated,
    temperatures,
)
from atomgraft.dynamics.runs import AbstractObserver, Schedule, run
from atomgraft.dynamics.trajectories import read_trajectory
from atomgraft.label.engines.base import (
    TRAJECTORY,
    AbstractEngine,
    CellTreatment,
    EngineFailureError,
    Labelled,
    Motion,
    Moved,
    Request,
    Tell,
    blown_up,
    checked_settings,
    took_too_long,
)
from atomgraft.lattice.relaxation import relax
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict_structures
from atomgraft.run.inputs import load_base
from atomgraft.training.devices import DeviceName, resolve_device

TREATMENTS: Final[frozenset[CellTreatment]] = frozenset({"fixed", "relax"})

GENTLE = 0.001
"""1/fs; friction while a run is recorded: ions that hop are damped within 1 ps, which
is longer than they need for a hop."""

RELAXED = 0.01
"""eV/Å; forces of a relaxed structure, which only has to be near its minimum."""

SAVES = 20
"""States that a run writes, from which it is resumed."""


class ModelSettings(BaseModel):
    """Settings of the engine ``model``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: str | None = None
    """Modality of a multi-fidelity model."""
    kernels: Kernels = "ours"
    """``upstream`` computes with the framework's own modules."""
    dtype: Literal["float32", "float64"] | None = None
    """None is the model's own precision."""
    device: DeviceName = "cpu"
    max_atoms: int | None = None
    """Atoms in one call of the model; none measures what fits."""


def model_engine(request: Request) -> AbstractEngine:
    """Return the engine ``model:NAME``.

    Parameters
    ----------
    request
        With the name, and the keys of :class:`ModelSettings`.

    Raises
    ------
    BadInputError
        There is no such model, or a setting cannot be used.
    MissingExtraError
        Its framework is not installed.
    """
    if not request.argument:
        raise BadInputError(
            "The engine 'model' was given without a model.",
            "Expected a name, a file or a run folder behind the colon.",
            "For example: --engine model:7net-0",
        )
    settings = checked_settings(ModelSettings, "model", request.settings)
    trust = json.dumps(dict(request.trust), sort_keys=True)
    return _loaded(request.argument, settings.model_dump_json(), trust)


@functools.lru_cache(maxsize=1)
def _loaded(name: str, settings: str, trust: str) -> "ModelEngine":
    """Load a model once for all jobs of a process."""
    chosen = ModelSettings.model_validate_json(settings)
    base = load_base(
        name, head=chosen.head, trust=json.loads(trust), kernels=chosen.kernels
    )
    return ModelEngine(name, base, chosen)


@final
class ModelEngine(AbstractEngine):
    """Structures under a potential of ours.

    Parameters
    ----------
    name
        Of the model.
    base
        As it was loaded.
    chosen
        Settings.
    """

    treatments = TREATMENTS

    def __init__(
        self, name: str, base: AbstractPotential, chosen: ModelSettings
    ) -> None:
        device = resolve_device(chosen.device)
        dtype = getattr(torch, chosen.dtype) if chosen.dtype else None
        self.name = f"model:{name}"
        self.version = f"atomgraft {__version__}"
        self.settings = chosen.model_dump(
            mode="json", exclude={"max_atoms", "device"}
        ) | {"weights": base.weights_hash(), "device": device.type}
        self.max_atoms = chosen.max_atoms
        self.potential = base.clone(dtype=dtype, device=device)

    def refusal(self, atoms: Atoms) -> str | None:
        """Return why a structure cannot be computed, in words; none if it can."""
        strange = sorted(
            chemical_symbols[Z]
            for Z in set(atoms.numbers.tolist()) - set(self.potential.elements)
        )
        return f"{self.name} does not know {', '.join(strange)}" if strange else None

    def label(self, atoms: Atoms, wall_time: float | None = None) -> Labelled:
        """Return energy, forces and stress of a structure."""
        [found] = predict_structures(self.potential, [atoms])
        if not (np.isfinite(found.forces).all() and np.isfinite(found.energy)):
            raise EngineFailureError(
                f"The labels of {atoms.get_chemical_formula()} are not finite.",
                "Expected finite energies and forces.",
                "Check the structure: atoms may be too close.",
            )
        has_stress = bool(atoms.pbc.all())
        return Labelled(
            energy=found.energy,
            forces=found.forces,
            stress=found.stress if has_stress else None,
        )

    def move(self, atoms: Atoms, motion: Motion, folder: Path, tell: Tell) -> Moved:
        """Run molecular dynamics; a killed run goes on to the same bits."""
        notes: list[str] = []
        clock = _Clock(motion, atoms.get_chemical_formula(empirical=True))
        unit = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        if motion.cell == "relax":
            tell("relax", 0, 0)
            unit = self._relaxed(unit, notes)
        supercell = unit.repeat(motion.repeats)
        hot = Replica(
            atoms=heated(supercell, 2 * motion.temperature, motion.seed),
            seed=derived_seed(motion.seed, "settle"),
            temperature=motion.temperature,
            friction=FRICTION,
        )
        run_of = _Runs(self, motion, folder, tell, clock)
        settled = run_of.to_end(hot, "settle", motion.n_settle)
        replica = Replica(
            atoms=frame(hot, slice(None), settled),
            seed=motion.seed,
            temperature=motion.temperature if motion.has_thermostat else None,
            friction=GENTLE,
        )
        heat = _Thermometer(replica)
        run_of.to_end(replica, TRAJECTORY, motion.n_steps, heat)
        file = f"{TRAJECTORY}/{trajectory_name(0)}"
        frames = read_trajectory(folder / file)
        return Moved(
            file=file,
            atoms=supercell,
            positions=np.array([one.positions for one in frames]),
            temperature=heat.mean,
            notes=tuple(notes),
        )

    def _relaxed(self, unit: Atoms, notes: list[str]) -> Atoms:
        found = relax(unit, self.potential.clone(dtype=torch.float64), fmax=RELAXED)
        if not found.is_converged:
            notes.append(
                f"The cell was not relaxed to {RELAXED:g} eV/Å; forces were up to "
                f"{found.largest_force:.2g} eV/Å when atoms began to move."
            )
        return found.atoms


class _Clock:
    """Ends a run that takes longer than it may."""

    def __init__(self, motion: Motion, what: str) -> None:
        self.started, self.wall_time, self.what = (
            time.monotonic(),
            motion.wall_time,
            what,
        )

    def look(self) -> None:
        """Raise where the wall time is over."""
        wall_time = self.wall_time
        if wall_time is not None and time.monotonic() - self.started > wall_time:
            raise took_too_long(self.what, wall_time)


@final
class _Thermometer(AbstractObserver):
    """Takes the mean kinetic temperature of one replica, K."""

    def __init__(self, replica: Replica) -> None:
        self._replica, self._sums = replica, np.zeros(2)

    @property
    def mean(self) -> float:
        return float(self._sums[0] / max(1.0, self._sums[1]))

    def look(self, state: State) -> tuple[int, ...]:
        self._sums += np.array([temperatures([self._replica], state)[0], 1.0])
        return ()

    def arrays(self) -> Mapping[str, np.ndarray]:
        return {"temperature": self._sums}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._sums = np.array(arrays["temperature"])


@dataclasses.dataclass(frozen=True)
class _Runs:
    """Runs one stage of a job after the other, each with a recording of its own."""

    engine: ModelEngine
    motion: Motion
    folder: Path
    tell: Tell
    clock: _Clock

    def to_end(
        self,
        replica: Replica,
        stage: str,
        n_steps: int,
        observer: AbstractObserver | None = None,
    ) -> State:
        """Run a stage from where it is to its end."""
        mover = BatchedMover(
            [replica],
            self.engine.potential,
            timestep=self.motion.timestep,
            max_atoms=self.engine.max_atoms,
        )
        state = run(
            mover,
            self._schedule(n_steps, is_recorded=stage == TRAJECTORY),
            observer=observer,
            recording=Recording(self.folder / stage, self._pins(stage)),
            progress=lambda done, total: self._progress(stage, done, total),
        )
        if state.stopped[0] != MOVING:
            formula = replica.atoms.get_chemical_formula(empirical=True)
            step = int(state.stopped[0])
            raise blown_up(formula, f"numbers are not finite after step {step}")
        return state

    def _progress(self, stage: str, done: int, total: int) -> None:
        self.tell(stage, done, total)
        self.clock.look()

    def _schedule(self, n_steps: int, *, is_recorded: bool) -> Schedule:
        every = self.motion.frame_every
        n_frames = max(1, n_steps // every)
        return Schedule(
            n_steps=n_steps,
            look_every=every,
            frame_every=every if is_recorded else every * n_frames,
            save_every=every * max(1, n_frames // SAVES),
        )

    def _pins(self, stage: str) -> dict[str, Any]:
        asked: dict[str, Any] = dataclasses.asdict(self.motion)
        del asked["wall_time"]
        asked["repeats"] = list(self.motion.repeats)
        return {"engine_of_labels": self.engine.identity, "stage": stage, **asked}
