"""Two classical energy laws in torch: Lennard-Jones and Stillinger-Weber."""

import abc
from typing import final

from jaxtyping import Float, Int
from torch import Tensor, nn

from atomgraft.models.graph import Graph

STILLINGER_WEBER_CONSTANTS = {
    "A": 7.049556277,
    "B": 0.6022245584,
    "p": 4.0,
    "q": 0.0,
    "gamma": 1.20,
}
"""Dimensionless; Stillinger & Weber, Phys. Rev. B 31, 5262 (1985), eq. 2.7."""

STILLINGER_WEBER_REACH = 1.80
"""The cutoff in units of σ, `a` in the same table."""

NEGLIGIBLE_GAP = 0.02
"""Nearer to the cutoff than this part of σ, exp(-σ/gap) is below e⁻⁵⁰, and its
derivatives would be zero times infinity."""


class AbstractLaw(nn.Module, abc.ABC):
    """How atoms of known species interact.

    Every parameter of a law has one row per species; matrices are symmetrised
    where they are used, so that no training step can break Newton's third law.
    """

    kind: str

    @abc.abstractmethod
    def forward(
        self, graph: Graph, species: Int[Tensor, " atoms"]
    ) -> Float[Tensor, " atoms"]:
        """Return the interaction energy of each atom, eV.

        Parameters
        ----------
        graph
            Its pairs reach at least as far as the law.
        species
            Rows of the parameters, by atom.
        """

    @property
    @abc.abstractmethod
    def reach(self) -> float:
        """The distance at which all interaction ends, Å."""


@final
class LennardJonesLaw(AbstractLaw):
    """Pairs attract at long range and repel at short range.

    φ(r) = 4ε [(σ/r)¹² - (σ/r)⁶] S(r), shared equally by the two atoms; S switches
    from 1 at the onset to 0 at the cutoff (:func:`switch`).

    Parameters
    ----------
    epsilon
        Depth of the well, eV.
    sigma
        Distance of zero energy, Å.
    onset
        Where the switching begins, Å.
    cutoff
        Where it ends, Å.
    """

    kind = "lennard_jones"

    def __init__(
        self,
        *,
        epsilon: Float[Tensor, "species species"],
        sigma: Float[Tensor, "species species"],
        onset: float,
        cutoff: float,
    ) -> None:
        super().__init__()
        self.epsilon = nn.Parameter(epsilon.clone())
        self.sigma = nn.Parameter(sigma.clone())
        self.onset = onset
        self.cutoff = cutoff

    @property
    def reach(self) -> float:
        """The cutoff, Å."""
        return self.cutoff

    def forward(
        self, graph: Graph, species: Int[Tensor, " atoms"]
    ) -> Float[Tensor, " atoms"]:
        """Return half of every pair energy that an atom takes part in, eV."""
        distance = graph.edge_vectors().norm(dim=-1)
        centre, neighbour = graph.edges
        pair = species[centre], species[neighbour]
        power = (_symmetric(self.sigma)[pair] / distance) ** 6
        well = 4 * _symmetric(self.epsilon)[pair] * (power * power - power)
        energy = well * switch(distance, onset=self.onset, cutoff=self.cutoff) / 2
        return energy.new_zeros(len(species)).index_add(0, centre, energy)


def switch(
    distance: Float[Tensor, " edges"], *, onset: float, cutoff: float
) -> Float[Tensor, " edges"]:
    """Return a factor that falls from 1 at the onset to 0 at the cutoff.

    S(r) = (c² - r²)² (c² + 2r² - 3o²) / (c² - o²)³ with onset o and cutoff c;
    S and dS/dr are continuous everywhere, so energy and force vanish at the cutoff
    (Brooks et al., J. Comput. Chem. 4, 187 (1983), eq. 11).

    Parameters
    ----------
    distance
        Å
    onset
        Å
    cutoff
        Å

    Examples
    --------
    >>> import torch
    >>> switch(torch.tensor([1.0, 2.0, 3.0]), onset=2.0, cutoff=3.0).tolist()
    [1.0, 1.0, 0.0]
    """
    o, c = onset**2, cutoff**2
    square = (distance**2).clamp(min=o, max=c)
    return (c - square) ** 2 * (c + 2 * square - 3 * o) / (c - o) ** 3


def _symmetric(
    matrix: Float[Tensor, "species species"],
) -> Float[Tensor, "species species"]:
    return (matrix + matrix.T) / 2
