"""Morse potentials of fcc metals behind atomgraft's seam."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch
from ase.data import atomic_numbers
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from atomgraft.core.errors import BadInputError
from atomgraft.models.base import (
    READOUT,
    REFERENCE_ENERGIES,
    AbstractPotential,
    Block,
    PotentialCard,
    interaction,
)
from atomgraft.models.graph import Graph

ONSET, CUTOFF = 1.9, 2.7
"""Where the pair energy is switched off, in units of the best distance."""


@dataclasses.dataclass(frozen=True)
class Well:
    """One metal: depth in eV, steepness in 1/Å, best distance in Å."""

    depth: float
    steepness: float
    distance: float


METALS = {
    "Al": Well(0.2703, 1.1646, 3.253),
    "Ni": Well(0.4205, 1.4199, 2.780),
    "Cu": Well(0.3429, 1.3588, 2.866),
    "Ag": Well(0.3323, 1.3690, 3.115),
}
"""Girifalco and Weizer, Phys. Rev. 114, 687 (1959), table I."""


class MorseModule(nn.Module):
    """Half the energies of an atom's pairs, plus a reference energy.

    Parameters
    ----------
    well
        Where the parameters start.
    """

    def __init__(self, well: Well) -> None:
        super().__init__()
        self.onset, self.cutoff = ONSET * well.distance, CUTOFF * well.distance
        self.depth = _parameter([[well.depth]])
        self.steepness = _parameter([[well.steepness]])
        self.distance = _parameter([well.distance])
        self.references = _parameter([0.0])

    def forward(self, graph: Graph) -> Tensor:
        """Return the energy of each atom, eV, shape (atoms,)."""
        r = graph.edge_vectors().norm(dim=-1)
        decay = torch.exp(-self.steepness[0, 0] * (r - self.distance))
        t = ((r - self.onset) / (self.cutoff - self.onset)).clamp(0, 1)
        switch = 1 - t**3 * (10 - 15 * t + 6 * t**2)
        pairs = self.depth[0, 0] * (decay**2 - 2 * decay) * switch
        atoms = self.references.expand(len(graph.numbers))
        return atoms.index_add(0, graph.edges[0], pairs / 2)


def _parameter(values: list[float] | list[list[float]]) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float64))


class MorsePotential(AbstractPotential):
    """The Morse potential of one metal.

    Parameters
    ----------
    symbol
        One of `METALS`.
    """

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.card = PotentialCard(
            name=f"morse:{symbol}", framework="morse", licence="MIT"
        )
        self.module = MorseModule(METALS[symbol])
        self.cutoff = self.module.cutoff
        self.elements = frozenset({atomic_numbers[symbol]})
        self.roles = {
            READOUT: ("depth",),
            interaction(0): ("steepness", "distance"),
            REFERENCE_ENERGIES: ("references",),
        }

    def blocks(self, parameter: str) -> tuple[Block, ...]:
        """Return the matrices: depth and steepness, one by one."""
        if parameter in {"depth", "steepness"}:
            return (Block(offset=0, rows=1, columns=1, scale=1.0),)
        return ()

    def reference_places(self) -> tuple[str, Mapping[int, int]]:
        """Return where the reference energy of the metal stands."""
        return "references", {atomic_numbers[self.symbol]: 0}

    def export(self, path: Path) -> Path:
        """Write a file that ends in .morse; return it."""
        path = path.with_name(path.name.removesuffix(".morse") + ".morse")
        state = {name: one.cpu() for name, one in self.module.state_dict().items()}
        save_file(state, path, metadata={"symbol": self.symbol})
        return path


def load(name: str, *, head: str | None, trust: bool) -> MorsePotential:
    """Load a potential: the entry point of this plug-in.

    Parameters
    ----------
    name
        ``morse:Cu``, or a file that ends in .morse.
    head
        Must be none.
    trust
        Not needed: the files hold no code.

    Raises
    ------
    BadInputError
        There is no such metal or file.
    """
    if head is not None:
        raise BadInputError(
            f"{name} has no heads, and {head!r} was asked for.",
            "A head goes with a model that has several.",
            "Leave --head out.",
        )
    symbol = name.removeprefix("morse:")
    if name.startswith("morse:") and symbol in METALS:
        return MorsePotential(symbol)
    if name.endswith(".morse"):
        return _load_file(name)
    raise BadInputError(
        f"There is no Morse potential {name!r}.",
        f"Known: {', '.join(f'morse:{one}' for one in METALS)}; or a .morse file.",
        "Choose one of them.",
    )


def _load_file(name: str) -> MorsePotential:
    try:
        with safe_open(name, framework="pt") as stream:
            potential = MorsePotential(stream.metadata()["symbol"])
            state = {one: stream.get_tensor(one) for one in stream.keys()}  # noqa: SIM118 - not a mapping
        potential.module.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, TypeError, RuntimeError) as error:
        raise BadInputError(
            f"{name} cannot be read: {' '.join(str(error).split())}.",
            "A file that this plug-in has written is needed.",
            "Check the path.",
        ) from error
    return potential
