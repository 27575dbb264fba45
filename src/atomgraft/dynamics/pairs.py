"""Pairs within the cutoff while atoms move: lists with a skin, renewed when needed."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float
from torch import Tensor

from atomgraft.models.graph import Graph, Neighbours, find_neighbours, make_graph

SKIN = 1.0
"""Å beyond the cutoff; a crystal's atoms vibrate by less than half of it."""


class PairLists:
    """Graphs of structures whose atoms move, without a search at each step.

    Each structure has a list of pairs within the cutoff and a skin (Verlet, Phys. Rev.
    159, 98, 1967). While no atom has moved by half the skin, no pair within the cutoff
    is missing. The graph holds the pairs within the cutoff alone, always in one order,
    so that it does not depend on when a list was made.

    Parameters
    ----------
    structures
        Their cells stay as they are.
    cutoff
        Å
    skin
        Å
    dtype
        Of the graph; distances are compared in float64.
    device
        Where the graph lives.
    """

    def __init__(
        self,
        structures: Sequence[Atoms],
        cutoff: float,
        *,
        skin: float = SKIN,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        self.cutoff, self.skin = cutoff, skin
        self.n_searches = 0
        self._structures = [one.copy() for one in structures]
        self._lists: list[Neighbours | None] = [None] * len(structures)
        self._like = {"dtype": dtype, "device": device}
        double = torch.float64
        positions = np.concatenate([one.positions for one in structures])
        self._origins = torch.as_tensor(positions, dtype=double, device=device)
        sizes = [len(one) for one in structures]
        owner = np.repeat(np.arange(len(sizes)), sizes)
        self._owner = torch.as_tensor(owner, device=device)
        self._starts = np.cumsum([0, *sizes])
        self._renew(range(len(structures)))

    def graph(self, positions: Float[Tensor, "atoms 3"]) -> Graph:
        """Return the structures at new positions.

        Parameters
        ----------
        positions
            Å, float64, finite.
        """
        moved = (positions - self._origins).square().sum(1) > (self.skin / 2) ** 2
        if bool(moved.any()):
            far = self._owner[moved].unique()
            is_far = torch.isin(self._owner, far)
            self._origins = torch.where(is_far[:, None], positions, self._origins)
            self._renew(far.tolist())
        centre, neighbour = self._graph.edges
        vectors = positions[neighbour] - positions[centre] + self._translations
        near = vectors.square().sum(1) < self.cutoff**2
        return dataclasses.replace(
            self._graph,
            positions=positions.to(self._graph.positions.dtype),
            edges=self._graph.edges[:, near],
            shifts=self._graph.shifts[near],
        )

    def _renew(self, places: Sequence[int]) -> None:
        """Search the pairs of some structures anew, around their origins."""
        origins = self._origins.cpu().numpy()
        for i in places:
            one = self._structures[i]
            one.positions[:] = origins[self._starts[i] : self._starts[i + 1]]
            self._lists[i] = _ordered(find_neighbours(one, self.cutoff + self.skin))
            self.n_searches += 1
        lists = [one for one in self._lists if one is not None]
        self._graph = make_graph(self._structures, lists, **self._like)
        translations = [
            found.shifts @ atoms.cell.array
            for atoms, found in zip(self._structures, lists, strict=True)
        ]
        self._translations = torch.as_tensor(
            np.concatenate(translations),
            dtype=torch.float64,
            device=self._graph.positions.device,
        )


def _ordered(found: Neighbours) -> Neighbours:
    """Return pairs in an order that does not depend on how they were found."""
    order = np.lexsort((*found.shifts.T[::-1], found.edges[1], found.edges[0]))
    return Neighbours(edges=found.edges[:, order], shifts=found.shifts[order])
