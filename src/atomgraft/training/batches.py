"""The structures of a step, as a function of seed and step."""

from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.seeding import numpy_generator
from atomgraft.data.partners import Partner
from atomgraft.models.graph import Graph, Neighbours, find_neighbours, make_graph
from atomgraft.training.objective import Targets, make_targets
from atomgraft.training.responses import (
    frequency_of,
    make_response,
    needed_partners,
    with_differences,
)


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
    partners
        Of each structure that trains as a force difference; none for nobody.
    references
        Reference energy of each element by atomic number, eV: taken off the labels
        in float64, before they become tensors of any precision. None takes off
        nothing.
    """

    def __init__(
        self,
        structures: Sequence[Atoms],
        cutoff: float,
        *,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
        partners: Sequence[Partner | None] | None = None,
        references: Float[np.ndarray, " numbers"] | None = None,
    ) -> None:
        self.structures = list(structures)
        self.partners = list(partners or [None] * len(structures))
        self._labelled = with_differences(self.structures, self.partners)
        self._sizes = [len(atoms) for atoms in structures]
        self.dtype = dtype
        self.device = device
        self._references = references
        self._neighbours: list[Neighbours] = [
            find_neighbours(atoms, cutoff) for atoms in structures
        ]

    def __len__(self) -> int:
        return len(self.structures)

    def batch(self, indices: Sequence[int]) -> tuple[Graph, Targets]:
        """Return graph and labels of the chosen structures.

        Partners that are not among them stand behind them in the graph, and have
        no labels.
        """
        seen = [*indices, *needed_partners(indices, self.partners)]
        graph = make_graph(
            [self.structures[i] for i in seen],
            [self._neighbours[i] for i in seen],
            dtype=self.dtype,
            device=self.device,
        )
        chosen = [self._labelled[i] for i in indices]
        targets = make_targets(
            chosen,
            dtype=self.dtype,
            device=self.device,
            references=self._references,
        )
        sizes = [self._sizes[i] for i in seen]
        first = dict(zip(seen, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
        response = make_response(
            indices, self.partners, first, self._labelled, graph.positions
        )
        return graph, targets._replace(response=response)

    def frequencies(self, indices: Sequence[int]) -> list[float]:
        """Return the frequency of each displacement that trains as a difference, THz.

        Parameters
        ----------
        indices
            The structures to look at.
        """
        return [
            frequency_of(self._labelled[i])
            for i in indices
            if (partner := self.partners[i]) is not None and partner.kind != "reference"
        ]

    def groups(self, indices: Sequence[int], max_atoms: int) -> list[list[int]]:
        """Return indices in groups of at most `max_atoms` atoms, in order.

        Partners count, each once a group.
        """
        groups: list[list[int]] = [[]]
        seen: set[int] = set()
        n_atoms = 0
        for i in indices:
            wanted = {i, *needed_partners([i], self.partners)}
            n_more = sum(self._sizes[j] for j in wanted - seen)
            if groups[-1] and n_atoms + n_more > max_atoms:
                groups.append([])
                seen, n_atoms = set(), 0
                n_more = sum(self._sizes[j] for j in wanted)
            groups[-1].append(i)
            seen |= wanted
            n_atoms += n_more
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
