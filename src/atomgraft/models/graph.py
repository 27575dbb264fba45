"""Structures as tensors: atoms, cells and the pairs within a cutoff."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float, Int
from matscipy.neighbours import neighbour_list
from torch import Tensor

from atomgraft.data.geometry import check_neighbours, closed_cell


@dataclasses.dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The directed pairs of one structure; built once, kept for the whole run.

    Parameters
    ----------
    edges
        Centre and neighbour of each pair.
    shifts
        Lattice translations (in cell vectors) that bring the neighbour home.
    """

    edges: Int[np.ndarray, "2 edges"]
    shifts: Int[np.ndarray, "edges 3"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Graph:
    """One or several structures, ready for a model.

    Parameters
    ----------
    numbers
        Atomic numbers.
    positions
        Å
    cells
        Cell vectors as rows, Å; zero rows where a structure is not periodic.
    edges
        Centre and neighbour of each pair, indices into the whole batch.
    shifts
        Lattice translations of each pair, in cell vectors.
    owner
        The structure each atom belongs to.
    volumes
        Å³; infinite where there is no cell, so that the stress is zero.
    """

    numbers: Int[Tensor, " atoms"]
    positions: Float[Tensor, "atoms 3"]
    cells: Float[Tensor, "structures 3 3"]
    edges: Int[Tensor, "2 edges"]
    shifts: Float[Tensor, "edges 3"]
    owner: Int[Tensor, " atoms"]
    volumes: Float[Tensor, " structures"]

    @property
    def n_structures(self) -> int:
        """Number of structures."""
        return self.cells.shape[0]

    @property
    def n_atoms(self) -> Int[Tensor, " structures"]:
        """Number of atoms of each structure."""
        return torch.bincount(self.owner, minlength=self.n_structures)

    def edge_vectors(self) -> Float[Tensor, "edges 3"]:
        """Return the vectors from centre to neighbour, Å."""
        centre, neighbour = self.edges
        cells = self.cells[self.owner[centre]]
        periodic = torch.einsum("ei,eij->ej", self.shifts, cells)
        return self.positions[neighbour] - self.positions[centre] + periodic

    def to(self, device: torch.device | str) -> "Graph":
        """Return the graph on another device."""
        moved = {
            field.name: getattr(self, field.name).to(device, non_blocking=True)
            for field in dataclasses.fields(self)
        }
        return dataclasses.replace(self, **moved)


def find_neighbours(atoms: Atoms, cutoff: float) -> Neighbours:
    """Find every directed pair closer than `cutoff`, across periodic images.

    Parameters
    ----------
    atoms
        Any mixture of periodic and open directions.
    cutoff
        Å

    Raises
    ------
    BadInputError
        There would be more pairs than fit in memory.

    Examples
    --------
    >>> pair = Atoms("H2", positions=[[0, 0, 0], [0, 0, 1]])
    >>> find_neighbours(pair, 1.5).edges.tolist()
    [[0, 1], [1, 0]]
    """
    if len(atoms) == 0:
        return Neighbours(
            edges=np.zeros((2, 0), dtype=np.int64),
            shifts=np.zeros((0, 3), dtype=np.int64),
        )
    check_neighbours(atoms, cutoff)
    centre, neighbour, shifts = neighbour_list(
        "ijS",
        positions=atoms.positions,
        cell=closed_cell(atoms, cutoff),
        pbc=atoms.pbc,
        cutoff=cutoff,
    )
    return Neighbours(
        edges=np.stack([centre, neighbour]).astype(np.int64),
        shifts=np.asarray(shifts, dtype=np.int64).reshape(-1, 3),
    )


def make_graph(
    structures: Sequence[Atoms],
    neighbours: Sequence[Neighbours],
    *,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
) -> Graph:
    """Join structures and their pairs into one graph.

    Parameters
    ----------
    structures
        At least one structure.
    neighbours
        Their pairs, in the same order.
    dtype
        Of positions, cells and shifts.
    device
        Where the tensors live.
    """
    n_atoms = np.array([len(atoms) for atoms in structures])
    first = np.concatenate([[0], np.cumsum(n_atoms)[:-1]])
    edges = [one.edges + start for one, start in zip(neighbours, first, strict=True)]
    volumes = [atoms.cell.volume or np.inf for atoms in structures]

    def real(array: np.ndarray) -> Tensor:
        return torch.as_tensor(array, dtype=dtype, device=device)

    def whole(array: np.ndarray) -> Tensor:
        return torch.as_tensor(array, dtype=torch.int64, device=device)

    return Graph(
        numbers=whole(np.concatenate([atoms.numbers for atoms in structures])),
        positions=real(np.concatenate([atoms.positions for atoms in structures])),
        cells=real(np.stack([atoms.cell.array for atoms in structures])),
        edges=whole(np.concatenate(edges, axis=1)),
        shifts=real(np.concatenate([one.shifts for one in neighbours])),
        owner=whole(np.repeat(np.arange(len(structures)), n_atoms)),
        volumes=real(np.array(volumes)),
    )
