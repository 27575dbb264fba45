"""Replicas that move together, and the forces on them: what any integrator needs."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from atomgraft.data.geometry import MAX_COORDINATE
from atomgraft.dynamics.pairs import PairLists
from atomgraft.dynamics.replicas import Replica, State, places_of
from atomgraft.lattice.forces import FORCES_ALONE
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moving:
    """Moving replicas on the device of the model, as in :class:`State`."""

    positions: Float[Tensor, "atoms 3"]
    velocities: Float[Tensor, "atoms 3"]
    forces: Float[Tensor, "atoms 3"]
    energies: Float[Tensor, " replicas"]


class Batch:
    """The replicas that move in a state, in one call of the model or in several.

    Parameters
    ----------
    replicas
        All, in the order of the state.
    potential
        Evaluated in its own precision, on its own device.
    state
        Says which replicas move; lists of pairs are made for its positions.
    timestep
        fs
    max_atoms
        In one call.
    skin
        Of the lists of pairs, Å.

    Attributes
    ----------
    members
        Places of the replicas that move, among all.
    replicas
        These replicas.
    owner
        The replica of each atom, counted among those that move.
    device
        Of the potential.
    timestep
        fs
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        potential: AbstractPotential,
        state: State,
        *,
        timestep: float,
        max_atoms: int,
        skin: float,
    ) -> None:
        self.members: list[int] = np.flatnonzero(state.is_moving).tolist()
        self.replicas = [replicas[i] for i in self.members]
        self.device, self.timestep = potential.device, timestep
        places = places_of(replicas)
        self._where = np.concatenate(
            [np.arange(places[i].start, places[i].stop) for i in self.members]
        )
        self._sizes = [len(one.atoms) for one in self.replicas]
        owner = np.repeat(np.arange(len(self.members)), self._sizes)
        self.owner = torch.as_tensor(owner).to(self.device)
        self._potential = potential
        self._lists = list(self._pair_lists(state, max_atoms, skin))

    def _pair_lists(
        self, state: State, max_atoms: int, skin: float
    ) -> Iterator[tuple[slice, PairLists]]:
        """Yield groups that fit in one call: their atoms, and their pairs."""
        start, group, n_atoms = 0, [], 0
        moving = [one.atoms.copy() for one in self.replicas]
        for atoms, place in zip(moving, places_of(self.replicas), strict=True):
            atoms.positions = state.positions[self._where[place]]
            if group and n_atoms + len(atoms) > max_atoms:
                yield slice(start, start + n_atoms), self._pairs(group, skin)
                start, group, n_atoms = start + n_atoms, [], 0
            group.append(atoms)
            n_atoms += len(atoms)
        yield slice(start, start + n_atoms), self._pairs(group, skin)

    def _pairs(self, group: list, skin: float) -> PairLists:
        return PairLists(
            group,
            self._potential.cutoff,
            skin=skin,
            dtype=self._potential.dtype,
            device=self.device,
        )

    def masses(self) -> Float[np.ndarray, " atoms"]:
        """Return the mass of each atom, u."""
        return np.concatenate([one.atoms.get_masses() for one in self.replicas])

    def per_atom(
        self, values: Float[np.ndarray, " replicas"]
    ) -> Float[np.ndarray, " atoms"]:
        """Return the number of its replica for each atom."""
        return np.repeat(values, self._sizes)

    def column(self, values: Float[np.ndarray, " atoms"]) -> Float[Tensor, "atoms 1"]:
        """Return one number for each atom, on the device."""
        return torch.as_tensor(values, dtype=torch.float64)[:, None].to(self.device)

    def tensor(self, rows: Float[np.ndarray, "all 3"]) -> Float[Tensor, "atoms 3"]:
        """Return the rows of the replicas that move, on the device."""
        own = torch.as_tensor(rows[self._where], dtype=torch.float64)
        return own.to(self.device)

    def read(self, state: State) -> Moving:
        """Return the replicas that move as they are in a state of all."""
        return Moving(
            positions=self.tensor(state.positions),
            velocities=self.tensor(state.velocities),
            forces=self.tensor(state.forces),
            energies=torch.as_tensor(state.energies[self.members]).to(self.device),
        )

    def written(self, state: State, now: Moving, step: int) -> State:
        """Return the state of all replicas after those that move have moved."""
        arrays = {
            name: _with(getattr(state, name), self._where, getattr(now, name))
            for name in ("positions", "velocities", "forces")
        }
        energies = _with(state.energies, self.members, now.energies)
        return dataclasses.replace(state, step=step, energies=energies, **arrays)

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

    def evaluate_near(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate; nan for atoms that have left the world: no pairs are sought."""
        is_far = ~(positions.abs() < MAX_COORDINATE)
        if not bool(is_far.any()):
            return self.evaluate(positions)
        forces = torch.zeros_like(positions)
        forces[is_far.any(1)] = torch.nan
        return forces, positions.new_zeros(len(self.members))

    def is_sound(
        self, positions: Tensor, forces: Tensor, energies: Tensor
    ) -> Bool[np.ndarray, " replicas"]:
        """Tell which replicas have finite energies, forces and positions."""
        rows = (forces + positions).isfinite().all(1)
        bad = torch.zeros_like(energies).index_add(
            0, self.owner, (~rows).to(energies.dtype)
        )
        return ((bad == 0) & energies.isfinite()).cpu().numpy()


def _with(
    old: np.ndarray, where: Sequence[int] | np.ndarray, new: Tensor
) -> np.ndarray:
    array = old.copy()
    array[where] = new.cpu().numpy()
    return array
