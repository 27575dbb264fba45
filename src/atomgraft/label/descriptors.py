"""A structure as a row of numbers, so that structures have distances.

The features of an atom are those that the model itself reads energies from: its atom
energy is affine in changes c of the readout, and the derivatives in c are the inputs of
the readout, whatever the framework calls them. A structure is the mean and the standard
deviation of the features over its atoms, element by element; what all structures share
takes no part in distances. Distances are Euclidean, in units of the root-mean-square
distance of the pool from its mean, so that 1 is a typical difference.

A model without such a readout (a pair potential) has no features of its own. Then the
surroundings of an atom are described instead: how many neighbours of each element there
are at each distance, smoothly.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float, Int
from torch import Tensor

from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import Graph, find_neighbours, make_graph
from atomgraft.models.prediction import batches_by_atoms, interaction_energies

MAX_ATOMS = 256
"""Atoms that are described together."""

N_SHELLS = 24
"""Distances at which neighbours are counted where the model has no features."""

READOUT = "features that the model's readout reads"
SHELLS = "numbers of neighbours by distance, as the model has no readout to look into"

AtomFeatures = Float[np.ndarray, "atoms features"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Description:
    """Structures as rows of one table.

    Parameters
    ----------
    rows
        One for each structure, in units of the spread of those the scale is made from.
    words
        What the numbers are.
    n_features
        Of one atom.
    is_models_own
        Whether they are what the model itself reads.
    """

    rows: Float[np.ndarray, "structures columns"]
    words: str
    n_features: int
    is_models_own: bool


def describe(
    potential: AbstractPotential,
    structures: Sequence[Atoms],
    *,
    n_scale: int | None = None,
) -> Description:
    """Describe structures by the features of a model.

    Parameters
    ----------
    potential
        Its readout is looked into, where it has one.
    structures
        Of elements that it knows.
    n_scale
        The first so many set the unit of distance; none takes all.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.models.pair import stillinger_weber
    >>> cells = [bulk("Si", a=a) for a in (5.4, 5.5, 5.6)]
    >>> found = describe(stillinger_weber(["Si"]), cells)
    >>> found.is_models_own, found.rows.shape
    (False, (3, 48))
    """
    elements = sorted({int(Z) for atoms in structures for Z in atoms.numbers})
    directions = potential.readout_directions()
    features = (
        _readout_features(potential, directions, structures)
        if directions
        else _shell_features(potential, elements, structures)
    )
    rows = np.stack(
        [
            structure_row(atoms.numbers, one, elements)
            for atoms, one in zip(structures, features, strict=True)
        ]
    )
    some = rows[:n_scale]
    rows = rows - some.mean(axis=0)
    spread = float((rows[:n_scale] ** 2).sum(axis=1).mean() ** 0.5)
    return Description(
        rows=rows / spread if spread > 0 else rows,
        words=READOUT if directions else SHELLS,
        n_features=rows.shape[1] // (2 * len(elements)),
        is_models_own=bool(directions),
    )


def structure_row(
    numbers: Int[np.ndarray, " atoms"],
    features: AtomFeatures,
    elements: Sequence[int],
) -> Float[np.ndarray, " columns"]:
    """Return mean and standard deviation over the atoms, element by element.

    Parameters
    ----------
    numbers
        Atomic numbers.
    features
        Of each atom.
    elements
        Atomic numbers in the order of the columns; one that is absent leaves zeros.

    Examples
    --------
    >>> structure_row(np.array([1, 1]), np.array([[1.0], [3.0]]), [1, 8]).tolist()
    [2.0, 1.0, 0.0, 0.0]
    """
    parts: list[np.ndarray] = []
    for Z in elements:
        own = features[numbers == Z]
        nothing = np.zeros(features.shape[1])
        parts += [own.mean(axis=0), own.std(axis=0)] if len(own) else [nothing] * 2
    return np.concatenate(parts)


def principal_plane(
    rows: Float[np.ndarray, "structures columns"],
) -> tuple[Float[np.ndarray, "structures 2"], tuple[float, float]]:
    """Return coordinates along the two directions of largest spread, for a map.

    Returns
    -------
    np.ndarray
        Coordinates; zero where there is no second direction.
    tuple[float, float]
        The share of the variance along each.

    Examples
    --------
    >>> points, shares = principal_plane(np.array([[0.0, 0.0], [2.0, 0.0]]))
    >>> shares
    (1.0, 0.0)
    """
    centred = rows - rows.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((len(rows), 2))
    n = min(2, len(sizes))
    points[:, :n] = left[:, :n] * sizes[:n]
    total = float((sizes**2).sum()) or 1.0
    shares = [float(one) for one in (*(sizes[:n] ** 2 / total), 0.0)]
    return points, (shares[0], shares[1])


def _readout_features(
    potential: AbstractPotential,
    directions: Mapping[str, Tensor],
    structures: Sequence[Atoms],
) -> Iterator[AtomFeatures]:
    """Differentiate each atom's energy in the coefficients of the readout.

    Only the readout lies between the two, so that an atom costs next to nothing.
    """
    for group in batches_by_atoms(structures, MAX_ATOMS):
        graph = _graph(potential, group)
        some = next(iter(directions.values()))
        c = some.new_zeros(len(some)).requires_grad_()
        with torch.enable_grad():
            energies = _atom_energies(potential, directions, c, graph)
        gradients = [
            torch.autograd.grad(one, c, retain_graph=True)[0] for one in energies
        ]
        sizes = [len(atoms) for atoms in group]
        for rows in torch.stack(gradients).split(sizes):
            yield rows.double().cpu().numpy()


def _atom_energies(
    potential: AbstractPotential,
    directions: Mapping[str, Tensor],
    c: Tensor,
    graph: Graph,
) -> Tensor:
    """Return atom energies as a function of c alone: no other weight is tracked."""
    weights = {
        name: value.detach() for name, value in potential.module.named_parameters()
    }
    for name, one in directions.items():
        weights[name] = weights[name] + torch.tensordot(c, one, dims=1)
    return interaction_energies(potential, graph, weights)


def _graph(potential: AbstractPotential, group: Sequence[Atoms]) -> Graph:
    return make_graph(
        group,
        [find_neighbours(atoms, potential.cutoff) for atoms in group],
        dtype=potential.dtype,
        device=potential.device,
    )


def _shell_features(
    potential: AbstractPotential, elements: Sequence[int], structures: Sequence[Atoms]
) -> Iterator[AtomFeatures]:
    """Count neighbours of each element at each distance, with Gaussian edges.

    They fade out at the cutoff by a cosine, so that no neighbour enters suddenly.
    """
    centres = np.linspace(0, potential.cutoff, N_SHELLS + 1)[1:]
    width = centres[0]
    for atoms in structures:
        found = find_neighbours(atoms, potential.cutoff)
        first, second = found.edges
        vectors = atoms.positions[second] - atoms.positions[first]
        vectors = vectors + found.shifts @ atoms.cell.array
        distances = np.linalg.norm(vectors, axis=1)
        fading = 0.5 + 0.5 * np.cos(np.pi * distances / potential.cutoff)
        shells = np.exp(-(((distances[:, None] - centres) / width) ** 2) / 2)
        counts = np.zeros((len(elements), len(atoms), N_SHELLS))
        places = np.searchsorted(elements, atoms.numbers[second])
        np.add.at(counts, (places, first), shells * fading[:, None])
        yield np.concatenate(list(counts), axis=1)
