"""The integrator: Langevin dynamics and velocity Verlet, many replicas in one call."""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import final

import numpy as np
import torch
from ase import units
from torch import Tensor

from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import fingerprint
from atomgraft.data.labels import structures_fingerprint
from atomgraft.dynamics.batch import Batch, Moving
from atomgraft.dynamics.pairs import SKIN
from atomgraft.dynamics.replicas import (
    ACCELERATION,
    KELVIN,
    MOVING,
    Replica,
    State,
    check_replicas,
)
from atomgraft.lattice.forces import require_known
from atomgraft.models.base import AbstractPotential
from atomgraft.models.memory import batch_capacity

OWN = "atomgraft"
"""The name of our own engine."""

Stepper = Callable[[Moving, int], Moving]
"""From replicas and the number of a step to the replicas after it."""


class AbstractMover(abc.ABC):
    """Moves replicas under one potential: the seam to other engines of dynamics.

    An engine keeps to two rules. A replica's trajectory does not depend on those beside
    it, up to rounding; and the state says all, so that a run that is resumed from one
    is equal, bit by bit, to a run that was not interrupted. An engine that breaks one
    of them says so: torch-sim draws its noise for all replicas at once.

    Attributes
    ----------
    replicas
        What moves.
    timestep
        fs
    engine
        Its name: a run that was begun by one engine is not resumed by another.
    """

    replicas: tuple[Replica, ...]
    timestep: float
    engine: str

    def identity(self) -> str:
        """Return a hash of everything that changes the run."""
        parts = [str(self.timestep).encode()]
        for one in self.replicas:
            settings = (one.seed, one.temperature, one.damping)
            parts += [structures_fingerprint([one.atoms]).encode()]
            parts += [one.atoms.get_momenta().tobytes(), str(settings).encode()]
        return fingerprint(parts)

    @abc.abstractmethod
    def start(self) -> State:
        """Return the state at step zero.

        A replica whose energy or forces are not finite has stopped there.
        """

    @abc.abstractmethod
    def advance(self, state: State, n_steps: int) -> State:
        """Return the state some steps later.

        A replica whose energy, forces or positions would not be finite stops before
        the step that makes them so.

        Parameters
        ----------
        state
            Not changed; replicas that have stopped stay where they are.
        n_steps
            How many.
        """


class Baoab:
    """Our own steps: half a kick, half a drift, friction and noise, and back.

    BAOAB (Leimkuhler & Matthews, Appl. Math. Res. Express 2013, 34) samples the
    positions of a harmonic system exactly, whatever the timestep. Without friction it
    is velocity Verlet.

    Parameters
    ----------
    batch
        What moves.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        masses = batch.masses()
        self._inverse_masses = batch.column(ACCELERATION / masses)
        friction = batch.per_atom(np.array([one.damping for one in batch.replicas]))
        heat = batch.per_atom(
            np.array([KELVIN * (one.temperature or 0) for one in batch.replicas])
        )
        kept = np.exp(-friction * batch.timestep)
        self._kept = batch.column(kept)
        self._noise = batch.column(
            np.sqrt((1 - kept**2) * heat * ACCELERATION / masses)
        )

    def __call__(self, now: Moving, step: int) -> Moving:
        """Return the replicas one step later."""
        half = self._batch.timestep / 2
        velocities = now.velocities + half * self._inverse_masses * now.forces
        positions = now.positions + half * velocities
        if any(one.damping for one in self._batch.replicas):
            velocities = self._kept * velocities + self._noise * self._draw(step)
        positions = positions + half * velocities
        forces, energies = self._batch.evaluate_near(positions)
        velocities = velocities + half * self._inverse_masses * forces
        return Moving(
            positions=positions,
            velocities=velocities,
            forces=forces,
            energies=energies,
        )

    def _draw(self, step: int) -> Tensor:
        found = [
            one.noise(step) if one.damping else np.zeros((len(one.atoms), 3))
            for one in self._batch.replicas
        ]
        return torch.as_tensor(np.concatenate(found)).to(self._batch.device)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Engine:
    """What makes the steps of a batch.

    Parameters
    ----------
    name
        By which runs tell one engine from another.
    prepare
        From a batch to the function of its steps, whose result depends on its
        arguments alone. Forces and energies are those of ``Batch.evaluate_near``.
    """

    name: str
    prepare: Callable[[Batch], Stepper]


OWN_ENGINE = Engine(name=OWN, prepare=Baoab)


@final
class BatchedMover(AbstractMover):
    """All replicas in one call of the model, or as few as memory allows.

    Parameters
    ----------
    replicas
        Of any sizes, temperatures and seeds.
    potential
        Evaluated in its own precision, on its own device; positions and velocities
        are float64 always.
    timestep
        fs
    max_atoms
        In one call; none takes what the free memory holds.
    skin
        Of the lists of pairs, Å.
    engine
        Makes the steps; ours unless given.

    Raises
    ------
    BadInputError
        The potential does not know an element, or the timestep, a temperature or a
        friction is no number that makes sense.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.dynamics.replicas import heated, temperatures
    >>> from atomgraft.models.pair import stillinger_weber
    >>> crystal = bulk("Si", cubic=True)
    >>> replicas = [
    ...     Replica(atoms=heated(crystal, 2 * T, seed), seed=seed, temperature=T)
    ...     for T in (300.0, 600.0)
    ...     for seed in range(2)
    ... ]
    >>> mover = BatchedMover(replicas, stillinger_weber(["Si"]), timestep=1.0)
    >>> state = mover.advance(mover.start(), n_steps=20)
    >>> state.step, temperatures(replicas, state).shape
    (20, (4,))
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        potential: AbstractPotential,
        *,
        timestep: float,
        max_atoms: int | None = None,
        skin: float = SKIN,
        engine: Engine = OWN_ENGINE,
    ) -> None:
        check_replicas(replicas)
        if not (np.isfinite(timestep) and timestep > 0):
            raise BadInputError(
                f"The timestep is {timestep} fs.",
                "Expected a positive number.",
                "Use 2 fs, or 0.5 fs with hydrogen.",
            )
        require_known(potential, [one.atoms for one in replicas])
        self.replicas, self.timestep = tuple(replicas), timestep
        self.potential, self.skin = potential, skin
        largest = max((one.atoms for one in replicas), key=len)
        self.max_atoms = max_atoms or batch_capacity(potential, largest)
        self.engine, self._prepare = engine.name, engine.prepare
        self._prepared: tuple[Batch, Stepper] | None = None

    def identity(self) -> str:
        """Return a hash of everything that changes the run."""
        model = self.potential.weights_hash()
        return fingerprint([super().identity().encode(), model.encode()])

    def start(self) -> State:
        """Return the state at step zero."""
        atoms = [one.atoms for one in self.replicas]
        state = State(
            step=0,
            positions=np.concatenate([one.positions for one in atoms]),
            velocities=np.concatenate([one.get_velocities() for one in atoms])
            * units.fs,
            forces=np.zeros((sum(map(len, atoms)), 3)),
            energies=np.zeros(len(atoms)),
            stopped=np.full(len(atoms), MOVING),
        )
        batch, _ = self._batch_for(state)
        forces, energies = batch.evaluate(batch.tensor(state.positions))
        is_sound = batch.is_sound(batch.tensor(state.positions), forces, energies)
        state = dataclasses.replace(
            state, forces=forces.cpu().numpy(), energies=energies.cpu().numpy()
        )
        return state.with_stopped(np.flatnonzero(~is_sound).tolist())

    def advance(self, state: State, n_steps: int) -> State:
        """Return the state some steps later."""
        end = state.step + n_steps
        while state.step < end and state.is_moving.any():
            state = self._until_one_stops(state, end)
        return dataclasses.replace(state, step=end)

    def _until_one_stops(self, state: State, end: int) -> State:
        """Move on to the end, or to the step before a replica is not finite."""
        batch, stepped = self._batch_for(state)
        now = batch.read(state)
        step, is_sound = state.step, np.ones(len(batch.members), dtype=bool)
        while step < end:
            then = stepped(now, step)
            is_sound = batch.is_sound(then.positions, then.forces, then.energies)
            if not is_sound.all():
                break
            now, step = then, step + 1
        state = batch.written(state, now, step)
        return state.with_stopped([batch.members[i] for i in np.flatnonzero(~is_sound)])

    def _batch_for(self, state: State) -> tuple[Batch, Stepper]:
        """Return the replicas that move, and what moves them."""
        members = np.flatnonzero(state.is_moving).tolist()
        if self._prepared is None or self._prepared[0].members != members:
            batch = Batch(
                self.replicas,
                self.potential,
                state,
                timestep=self.timestep,
                max_atoms=self.max_atoms,
                skin=self.skin,
            )
            self._prepared = batch, self._prepare(batch)
        return self._prepared
