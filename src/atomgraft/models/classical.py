"""Lennard-Jones and Stillinger-Weber energies in torch."""

import abc
import dataclasses
from typing import ClassVar, Literal, final

import torch
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

    kind: ClassVar[Literal["lennard_jones", "stillinger_weber"]]

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


@final
class StillingerWeberLaw(AbstractLaw):
    """Pairs attract, and triplets favour the tetrahedral angle.

    E = Σ_{i<j} φ₂(r_ij) + Σ_i Σ_{j<k} φ₃(r_ij, r_ik, θ_jik), with

    φ₂ = A ε [B (σ/r)^p - (σ/r)^q] exp(σ / (r - c)),
    φ₃ = λ ε exp(γσ / (r_ij - c) + γσ / (r_ik - c)) (cos θ + 1/3)²

    (Stillinger & Weber, Phys. Rev. B 31, 5262 (1985), eqs. 2.2-2.6); all
    derivatives vanish at the cutoff c. It is 1.8 σ at the start and stays there
    when σ is trained, so that neighbour lists remain complete.

    Pairs of unlike species mix as ε = √|ε₁ε₂|, λ = √|λ₁λ₂| and σ = (σ₁+σ₂)/2;
    a triplet takes λε = √(λ_ij ε_ij λ_ik ε_ik) (Laradji, Landau & Dünweg,
    Phys. Rev. B 51, 4894 (1995)). φ₂ is shared equally by its two atoms, φ₃
    belongs to its central atom.

    Parameters
    ----------
    epsilon
        Energy scale of each species, eV.
    sigma
        Length scale of each species, Å.
    angular
        Strength λ of the three-body term of each species.
    """

    kind = "stillinger_weber"
    cutoffs: Tensor
    A: Tensor
    B: Tensor
    p: Tensor
    q: Tensor
    gamma: Tensor

    def __init__(
        self,
        *,
        epsilon: Float[Tensor, " species"],
        sigma: Float[Tensor, " species"],
        angular: Float[Tensor, " species"],
    ) -> None:
        super().__init__()
        self.epsilon = nn.Parameter(epsilon.clone())
        self.sigma = nn.Parameter(sigma.clone())
        self.angular = nn.Parameter(angular.clone())
        self.register_buffer("cutoffs", STILLINGER_WEBER_REACH * arithmetic_mean(sigma))
        for name, value in STILLINGER_WEBER_CONSTANTS.items():
            self.register_buffer(name, sigma.new_tensor(value))

    @property
    def reach(self) -> float:
        """The longest cutoff of any two species, Å."""
        return float(self.cutoffs.max())

    def forward(
        self, graph: Graph, species: Int[Tensor, " atoms"]
    ) -> Float[Tensor, " atoms"]:
        """Return half of an atom's pair energies and all triplets it centres, eV."""
        bonds = self._bonds(graph, species)
        atom_energies = bonds.vector.new_zeros(len(species))
        atom_energies = atom_energies.index_add(0, bonds.centre, self._two_body(bonds))
        left, right = paired_edges(bonds.centre, len(species))
        triplets = self._three_body(bonds, left, right)
        return atom_energies.index_add(0, bonds.centre[left], triplets)

    def _bonds(self, graph: Graph, species: Int[Tensor, " atoms"]) -> "_Bonds":
        """Keep the pairs on which the law is not zero, with their parameters."""
        vector = graph.edge_vectors()
        centre, neighbour = graph.edges
        pair = species[centre], species[neighbour]
        sigma = arithmetic_mean(self.sigma)[pair]
        gap = self.cutoffs[pair] - vector.norm(dim=-1)
        inside = ~(gap <= NEGLIGIBLE_GAP * sigma)  # nan stays, and is seen in forces
        epsilon = geometric_mean(self.epsilon)[pair]
        return _Bonds(
            centre=centre[inside],
            vector=vector[inside],
            decay=sigma[inside] / gap[inside],  # a gap of zero has no derivative
            sigma=sigma[inside],
            epsilon=epsilon[inside],
            stiffness=(epsilon * geometric_mean(self.angular)[pair])[inside],
        )

    def _two_body(self, bonds: "_Bonds") -> Float[Tensor, " bonds"]:
        ratio = bonds.sigma / bonds.vector.norm(dim=-1)
        well = self.A * (self.B * ratio**self.p - ratio**self.q)
        return bonds.epsilon * well * torch.exp(-bonds.decay) / 2

    def _three_body(
        self,
        bonds: "_Bonds",
        left: Int[Tensor, " triplets"],
        right: Int[Tensor, " triplets"],
    ) -> Float[Tensor, " triplets"]:
        direction = nn.functional.normalize(bonds.vector, dim=-1)
        cosine = (direction[left] * direction[right]).sum(dim=-1)
        reach = torch.exp(-self.gamma * (bonds.decay[left] + bonds.decay[right]))
        stiffness = torch.sqrt(bonds.stiffness[left] * bonds.stiffness[right])
        return stiffness * reach * (cosine + 1 / 3) ** 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Bonds:
    """Pairs within the cutoff of a Stillinger-Weber law.

    Parameters
    ----------
    centre
        The atom each bond starts from.
    vector
        From the centre to its neighbour, Å.
    decay
        σ / (c - r), which grows without bound towards the cutoff.
    sigma
        Å
    epsilon
        eV
    stiffness
        λε of the two species, eV.
    """

    centre: Int[Tensor, " bonds"]
    vector: Float[Tensor, "bonds 3"]
    decay: Float[Tensor, " bonds"]
    sigma: Float[Tensor, " bonds"]
    epsilon: Float[Tensor, " bonds"]
    stiffness: Float[Tensor, " bonds"]


def paired_edges(
    centre: Int[Tensor, " edges"], n_atoms: int
) -> tuple[Int[Tensor, " triplets"], Int[Tensor, " triplets"]]:
    """Return every two edges that start from the same atom, each two once.

    Parameters
    ----------
    centre
        The atom each edge starts from, in any order.
    n_atoms
        Number of atoms.

    Examples
    --------
    >>> left, right = paired_edges(torch.tensor([0, 1, 0, 1, 1]), 2)
    >>> list(zip(left.tolist(), right.tolist()))
    [(0, 2), (1, 3), (1, 4), (3, 4)]
    """
    order = torch.argsort(centre, stable=True)
    degree = torch.bincount(centre, minlength=n_atoms)
    first = torch.cumsum(degree, 0) - degree
    partners = degree[centre[order]]
    left = torch.repeat_interleave(torch.arange(len(order)).to(order), partners)
    start = torch.cumsum(partners, 0) - partners
    place = torch.arange(len(left)).to(left) - start[left]
    right = first[centre[order][left]] + place
    once = left < right
    return order[left[once]], order[right[once]]


def arithmetic_mean(
    values: Float[Tensor, " species"],
) -> Float[Tensor, "species species"]:
    """Return (x₁+x₂)/2 of every two species."""
    return (values[:, None] + values[None, :]) / 2


def geometric_mean(
    values: Float[Tensor, " species"],
) -> Float[Tensor, "species species"]:
    """Return √|x₁x₂| of every two species.

    Only magnitudes count, so that no training step can make it undefined.
    """
    return torch.sqrt((values[:, None] * values[None, :]).abs())
