"""The integrator: Langevin dynamics and velocity Verlet, many replicas in one call.

A step is BAOAB (Leimkuhler & Matthews, Appl. Math. Res. Express 2013, 34): half a kick,
half a drift, friction and noise, half a drift, half a kick. Positions of a harmonic
system are sampled exactly, whatever the timestep. Without friction the same step is
velocity Verlet.
"""

import abc
import dataclasses
from collections.abc import Iterator, Sequence
from typing import final

import numpy as np
import torch
from ase import units
from jaxtyping import Bool, Float
from torch import Tensor

from atomgraft.core.errors import BadInputError
from atomgraft.core.properties import Property
from atomgraft.data.geometry import MAX_COORDINATE
from atomgraft.dynamics.pairs import SKIN, PairLists
from atomgraft.dynamics.replicas import (
    ACCELERATION,
    KELVIN,
    MOVING,
    Replica,
    State,
    check_replicas,
    places_of,
)
from atomgraft.lattice.forces import require_known
from atomgraft.models.base import AbstractPotential
from atomgraft.models.memory import batch_capacity
from atomgraft.models.prediction import predict

FORCES_ALONE = frozenset({Property.FORCES})


class AbstractMover(abc.ABC):
    """Moves replicas under one potential: the seam to other engines of dynamics.

    An engine keeps to two rules. A replica's trajectory does not depend on those beside
    it, up to rounding; and the state says all, so that a run that is resumed from one
    is equal, bit by bit, to a run that was not interrupted.

    Attributes
    ----------
    replicas
        What moves.
    timestep
        fs
    """

    replicas: tuple[Replica, ...]
    timestep: float

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
        self._batch: _Batch | None = None

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
        batch = self._batch_for(state)
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
        batch = self._batch_for(state)
        now = _Moving(
            positions=batch.tensor(state.positions),
            velocities=batch.tensor(state.velocities),
            forces=batch.tensor(state.forces),
            energies=torch.as_tensor(state.energies[batch.members]).to(
                self.potential.device
            ),
        )
        step, is_sound = state.step, np.ones(len(batch.members), dtype=bool)
        while step < end:
            then = batch.stepped(now, step)
            is_sound = batch.is_sound(then.positions, then.forces, then.energies)
            if not is_sound.all():
                break
            now, step = then, step + 1
        state = batch.written(state, now, step)
        return state.with_stopped([batch.members[i] for i in np.flatnonzero(~is_sound)])

    def _batch_for(self, state: State) -> "_Batch":
        members = np.flatnonzero(state.is_moving).tolist()
        if self._batch is None or self._batch.members != members:
            self._batch = _Batch(self, members, state)
        return self._batch


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Moving:
    """Moving replicas on the device of the model, as in :class:`State`."""

    positions: Float[Tensor, "atoms 3"]
    velocities: Float[Tensor, "atoms 3"]
    forces: Float[Tensor, "atoms 3"]
    energies: Float[Tensor, " replicas"]


class _Batch:
    """The replicas that move, with what a step needs of them."""

    def __init__(self, mover: BatchedMover, members: list[int], state: State) -> None:
        self.members, self._potential = members, mover.potential
        self._timestep = mover.timestep
        self._replicas = [mover.replicas[i] for i in members]
        places = places_of(mover.replicas)
        self._where = np.concatenate(
            [np.arange(places[i].start, places[i].stop) for i in members]
        )
        sizes = [len(one.atoms) for one in self._replicas]
        self._owner = torch.as_tensor(np.repeat(np.arange(len(members)), sizes)).to(
            mover.potential.device
        )
        masses = np.concatenate([one.atoms.get_masses() for one in self._replicas])
        self._inverse_masses = self._column(ACCELERATION / masses)
        friction = np.repeat([_friction(one) for one in self._replicas], sizes)
        heat = np.repeat(
            [KELVIN * (one.temperature or 0) for one in self._replicas], sizes
        )
        kept = np.exp(-friction * mover.timestep)
        self._kept = self._column(kept)
        self._noise = self._column(
            np.sqrt((1 - kept**2) * heat * ACCELERATION / masses)
        )
        self._lists = list(self._pair_lists(mover, state))

    def _pair_lists(
        self, mover: BatchedMover, state: State
    ) -> Iterator[tuple[slice, PairLists]]:
        """Yield groups that fit in one call: their atoms, and their pairs."""
        start, group, n_atoms = 0, [], 0
        moving = [one.atoms.copy() for one in self._replicas]
        for atoms, place in zip(moving, places_of(self._replicas), strict=True):
            atoms.positions = state.positions[self._where[place]]
            if group and n_atoms + len(atoms) > mover.max_atoms:
                yield slice(start, start + n_atoms), self._pairs(mover, group)
                start, group, n_atoms = start + n_atoms, [], 0
            group.append(atoms)
            n_atoms += len(atoms)
        yield slice(start, start + n_atoms), self._pairs(mover, group)

    def _pairs(self, mover: BatchedMover, group: list) -> PairLists:
        potential = mover.potential
        return PairLists(
            group,
            potential.cutoff,
            skin=mover.skin,
            dtype=potential.dtype,
            device=potential.device,
        )

    def _column(self, values: Float[np.ndarray, " atoms"]) -> Float[Tensor, "atoms 1"]:
        double = torch.as_tensor(values, dtype=torch.float64)
        return double[:, None].to(self._potential.device)

    def tensor(self, rows: Float[np.ndarray, "all 3"]) -> Float[Tensor, "atoms 3"]:
        """Return the rows of the replicas that move, on the device."""
        own = torch.as_tensor(rows[self._where], dtype=torch.float64)
        return own.to(self._potential.device)

    def evaluate(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return forces and energies, float64."""
        forces, energies = [], []
        for place, pairs in self._lists:
            found = predict(
                self._potential, pairs.graph(positions[place]), FORCES_ALONE
            )
            assert found.forces is not None
            forces.append(found.forces.detach().double())
            energies.append(found.energy.detach())
        return torch.cat(forces), torch.cat(energies)

    def stepped(self, now: _Moving, step: int) -> _Moving:
        """Return the replicas one step later; forces are nan where positions are."""
        half = self._timestep / 2
        velocities = now.velocities + half * self._inverse_masses * now.forces
        positions = now.positions + half * velocities
        if any(_friction(one) for one in self._replicas):
            velocities = self._kept * velocities + self._noise * self._draw(step)
        positions = positions + half * velocities
        forces, energies = self._evaluated(positions, now)
        velocities = velocities + half * self._inverse_masses * forces
        return _Moving(
            positions=positions,
            velocities=velocities,
            forces=forces,
            energies=energies,
        )

    def _evaluated(self, positions: Tensor, now: _Moving) -> tuple[Tensor, Tensor]:
        """Evaluate; no pairs are sought for atoms that have left the world."""
        is_far = ~(positions.abs() < MAX_COORDINATE)
        if bool(is_far.any()):
            nothing = torch.full_like(now.forces, torch.nan)
            forces = torch.where(is_far.any(1)[:, None], nothing, now.forces)
            return forces, now.energies
        return self.evaluate(positions)

    def _draw(self, step: int) -> Tensor:
        found = [
            one.noise(step) if _friction(one) else np.zeros((len(one.atoms), 3))
            for one in self._replicas
        ]
        return torch.as_tensor(np.concatenate(found)).to(self._potential.device)

    def is_sound(
        self, positions: Tensor, forces: Tensor, energies: Tensor
    ) -> Bool[np.ndarray, " replicas"]:
        """Tell which replicas have finite energies, forces and positions."""
        rows = (forces + positions).isfinite().all(1)
        bad = torch.zeros_like(energies).index_add(
            0, self._owner, (~rows).to(energies.dtype)
        )
        return ((bad == 0) & energies.isfinite()).cpu().numpy()

    def written(self, state: State, now: _Moving, step: int) -> State:
        """Return the state of all replicas after those that move have moved."""
        arrays = {
            name: _with(getattr(state, name), self._where, getattr(now, name))
            for name in ("positions", "velocities", "forces")
        }
        energies = _with(state.energies, self.members, now.energies)
        return dataclasses.replace(state, step=step, energies=energies, **arrays)


def _with(
    old: np.ndarray, where: Sequence[int] | np.ndarray, new: Tensor
) -> np.ndarray:
    array = old.copy()
    array[where] = new.cpu().numpy()
    return array


def _friction(replica: Replica) -> float:
    return 0.0 if replica.temperature is None else replica.friction
