"""Potentials that break one law each, so that a probe has something to find."""

import torch
from ase import Atoms
from torch import nn

from atomgraft.models.base import (
    READOUT,
    REFERENCE_ENERGIES,
    AbstractPotential,
    Block,
    PotentialCard,
)


class Springs(nn.Module):
    """Smooth pair energies that vanish at the cutoff, with one law broken if asked.

    ``frozen`` hides half of the energy from the derivatives; ``directed`` adds an
    energy that depends on the direction of a pair in space; ``poisoned`` is NaN.
    """

    def __init__(self, cutoff, broken):
        super().__init__()
        self.cutoff = cutoff
        self.broken = broken
        self.strength = nn.Parameter(torch.tensor([0.05], dtype=torch.float64))
        self.references = nn.Parameter(torch.zeros(119, dtype=torch.float64))

    def forward(self, graph):
        vectors = graph.edge_vectors()
        centre = graph.edges[0]
        pair = self.strength * (self.cutoff - vectors.norm(dim=1)) ** 3
        if self.broken == "frozen":
            pair = pair + pair.detach()
        if self.broken == "directed":
            pair = pair * (1 + vectors[:, 0] ** 2)
        if self.broken == "poisoned":
            pair = pair * torch.nan
        return self.references[graph.numbers].index_add(0, centre, pair)


class Toy(AbstractPotential):
    def __init__(self, *, broken="", elements=range(1, 119), cutoff=4.0):
        self.card = PotentialCard(name="toy", framework="toy", licence="MIT")
        self.cutoff = cutoff
        self.elements = frozenset(elements)
        self.module = Springs(cutoff, broken)
        self.roles = {READOUT: ("strength",), REFERENCE_ENERGIES: ("references",)}

    def blocks(self, parameter) -> tuple[Block, ...]:
        return ()

    def reference_places(self):
        return "references", {number: number for number in self.elements}

    def export(self, path):
        raise NotImplementedError

    def stronger(self, factor):
        other = self.clone()
        with torch.no_grad():
            other.module.strength.mul_(factor)
        return other


def skewed(atoms: Atoms) -> Atoms:
    """Without any symmetry, so that nothing vanishes by it."""
    atoms = atoms.copy()
    strain = [[1.02, 0.01, -0.01], [0.0, 0.99, 0.02], [0.01, 0.0, 1.0]]
    atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    atoms.rattle(0.05, seed=1)
    return atoms
