"""Which structures a step sees: a function of seed and step, so it can be resumed."""

from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms

from atomgraft.core.seeding import numpy_generator
from atomgraft.models.graph import Graph, Neighbours, find_neighbours, make_graph
from atomgraft.training.objective import Targets, make_targets


class TrainingSet:
    """Labelled structures with their neighbour lists, built once.

    Parameters
    ----------
    structures
        Labelled structures.
    cutoff
        Å
    dtype
        Of the tensors.
    device
        Where the tensors go.
    """

    def __init__(
        self,
        structures: Sequence[Atoms],
        cutoff: float,
        *,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        self.structures = list(structures)
        self.dtype = dtype
        self.device = device
        self._neighbours: list[Neighbours] = [
            find_neighbours(atoms, cutoff) for atoms in structures
        ]

    def __len__(self) -> int:
        return len(self.structures)

    def batch(self, indices: Sequence[int]) -> tuple[Graph, Targets]:
        """Return graph and labels of the chosen structures."""
        chosen = [self.structures[i] for i in indices]
        graph = make_graph(
            chosen,
            [self._neighbours[i] for i in indices],
            dtype=self.dtype,
            device=self.device,
        )
        return graph, make_targets(chosen, dtype=self.dtype, device=self.device)

    def groups(self, indices: Sequence[int], max_atoms: int) -> list[list[int]]:
        """Return indices in groups of at most `max_atoms` atoms, in order."""
        groups: list[list[int]] = [[]]
        room = max_atoms
        for i in indices:
            n_atoms = len(self.structures[i])
            if groups[-1] and n_atoms > room:
                groups.append([])
                room = max_atoms
            groups[-1].append(i)
            room -= n_atoms
        return [group for group in groups if group]


def indices_of_step(
    step: int, batch_size: int, n_structures: int, seed: int
) -> list[int]:
    """Return the structures of a step: every one once an epoch, in random order.

    Parameters
    ----------
    step
        Counted from zero.
    batch_size
        Structures a step, over all devices.
    n_structures
        Size of the training set.
    seed
        Seed of the run.

    Examples
    --------
    >>> first = [indices_of_step(step, 2, 4, 0) for step in range(2)]
    >>> sorted(first[0] + first[1])
    [0, 1, 2, 3]
    """
    return indices_of_place(step * batch_size, batch_size, n_structures, seed)


def indices_of_place(
    place: int, count: int, n_structures: int, seed: int, *purpose: str
) -> list[int]:
    """Return structures `place` to ``place + count`` of the endless random order.

    Parameters
    ----------
    place
        How many structures came before.
    count
        How many are wanted.
    n_structures
        Size of the set; each comes once in as many places.
    seed
        Seed of the run.
    purpose
        Sets one order apart from another.
    """
    chosen: list[int] = []
    while len(chosen) < count:
        epoch, offset = divmod(place, n_structures)
        generator = numpy_generator(seed, "order", *purpose, epoch)
        order = generator.permutation(n_structures)
        taken = order[offset : offset + count - len(chosen)]
        chosen += np.asarray(taken).tolist()
        place += len(taken)
    return chosen
