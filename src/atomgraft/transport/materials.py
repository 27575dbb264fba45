"""A material of which a transport property is known, or is to be predicted."""

import dataclasses
import json
from collections.abc import Mapping

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.provenance import fingerprint


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hop:
    """The way of one ion from site to site, in a framework that stands still.

    Parameters
    ----------
    atom
        Its place among the atoms.
    path
        Positions along the way, the first where the atom is, Å; crosses no boundary
        of the cell.
    """

    atom: int
    path: Float[np.ndarray, "images 3"]

    def length(self) -> float:
        """Return the distance between the ends, Å."""
        return float(np.linalg.norm(self.path[-1] - self.path[0]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Material:
    """What is known of a material.

    Parameters
    ----------
    name
        In tables.
    amounts
        Of each element, in any unit.
    mobile
        Symbol of the ion that moves.
    cell
        Lengths in Å and angles in degrees; none where it is not known.
    space_group
        Number; none where it is not known.
    structures
        Ordered structures that stand for the material, all as good as each other; none
        where only its composition is known.
    hop
        Where the property belongs to one hop in the only structure.
    temperature
        Of the property, K; none where there is none.
    motion
        What is known of the motion of each mobile ion of the only structure, where it
        was simulated, in their order; or of the material, in one row.
    """

    name: str
    amounts: Mapping[str, float]
    mobile: str
    cell: tuple[float, float, float, float, float, float] | None = None
    space_group: int | None = None
    structures: tuple[Atoms, ...] = ()
    hop: Hop | None = None
    temperature: float | None = None
    motion: Float[np.ndarray, "ions features"] | None = None

    def fingerprint(self) -> str:
        """Return a hash of what is known of it, name apart."""
        parts: list[object] = [sorted(self.amounts.items()), self.mobile]
        parts += [self.temperature, self.space_group]
        parts.append(
            None if self.cell is None else [round(one, 4) for one in self.cell]
        )
        if self.hop is not None:
            parts += [self.hop.atom, self.hop.path.round(4).tolist()]
        for atoms in self.structures:
            parts += [atoms.numbers.tolist(), atoms.positions.round(4).tolist()]
        return fingerprint(json.dumps(one).encode() for one in parts)
