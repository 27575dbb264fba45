"""What a pretrained potential sees around an ion, and how its energy rises on a hop.

Features of an atom are the inputs of the model's readout: scalars, so that they do not
depend on the frame. Energies along a hop are those of the framework standing still, and
overestimate barriers; they rank hops all the same.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.models.base import AbstractPotential
from atomgraft.models.readout_features import energies_of, readout_features
from atomgraft.transport.features.sites import along
from atomgraft.transport.materials import Material

BULK, HOP = "invariants", "hop invariants"
"""Names of the blocks."""

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of a hop, where energies are computed; features at its ends and its middle."""

ENERGIES = ("energy halfway minus ends", "highest energy minus lowest end")
"""eV, of the framework standing still."""


class Invariants:
    """Features of materials under one model.

    Parameters
    ----------
    potential
        With a readout in which atom energies are linear.

    Raises
    ------
    BadInputError
        The model has no such readout.
    """

    def __init__(self, potential: AbstractPotential) -> None:
        self.potential = potential
        self.weights_hash = potential.weights_hash()
        self.directions = potential.readout_directions()
        if not self.directions:
            raise BadInputError(
                f"{potential.card.name} has no readout features.",
                "Expected a SevenNet or MACE model.",
                "Name another model, or leave out model.",
            )
        n = len(next(iter(self.directions.values())))
        self.columns: Mapping[str, tuple[str, ...]] = {
            BULK: tuple(
                f"{what} of {i}" for what in ("mean", "spread") for i in range(n)
            ),
            HOP: (
                *ENERGIES,
                *(f"{what} of {i}" for what in ("ends", "rise") for i in range(n)),
            ),
        }

    def of(self, material: Material, name: str) -> Float[np.ndarray, " features"]:
        """Return the features of a block; NaN where they cannot be known.

        Parameters
        ----------
        material
            Its structures are taken as they are.
        name
            Of the block.
        """
        if not set(material.amounts) <= self._known():
            return np.full(len(self.columns[name]), np.nan)
        return self._bulk(material) if name == BULK else self._hop(material)

    @property
    def ion_columns(self) -> tuple[str, ...]:
        """Names of what `of_ions` returns."""
        n = len(self.columns[BULK]) // 2
        return tuple(f"model feature {i}" for i in range(n))

    def of_ions(self, atoms: Atoms, ion: str) -> Float[np.ndarray, "ions features"]:
        """Return features of single ions; NaN where the model lacks an element.

        Parameters
        ----------
        atoms
            A structure.
        ion
            Symbol of its ions that are described.
        """
        ions = np.flatnonzero(atoms.symbols == ion).tolist()
        if not set(atoms.get_chemical_symbols()) <= self._known():
            return np.full((len(ions), len(self.ion_columns)), np.nan)
        [found] = self._features([atoms], [ions])
        return found

    def _known(self) -> set[str]:
        numbers = sorted(self.potential.elements)
        return set(Atoms(numbers).get_chemical_symbols())

    def _bulk(self, material: Material) -> Float[np.ndarray, " features"]:
        rows = []
        for atoms in material.structures:
            ions = np.flatnonzero(atoms.symbols == material.mobile).tolist()
            if ions:
                [found] = self._features([atoms], [ions])
                rows.append(np.concatenate([found.mean(axis=0), found.std(axis=0)]))
        if not rows:
            return np.full(len(self.columns[BULK]), np.nan)
        return np.mean(rows, axis=0)

    def _hop(self, material: Material) -> Float[np.ndarray, " features"]:
        way = material.hop
        if way is None or len(material.structures) != 1:
            return np.full(len(self.columns[HOP]), np.nan)
        images = []
        for point in along(way, SHARES):
            image = material.structures[0].copy()
            image.positions[way.atom] = point
            images.append(image)
        energies = energies_of(self.potential, images)
        kept = [images[0], images[2], images[4]]
        first, middle, last = (
            one[0] for one in self._features(kept, [[way.atom]] * len(kept))
        )
        ends = (first + last) / 2
        rise = [
            energies[2] - (energies[0] + energies[4]) / 2,
            energies.max() - min(energies[0], energies[4]),
        ]
        return np.concatenate([rise, ends, middle - ends])

    def _features(
        self, structures: Sequence[Atoms], only: Sequence[Sequence[int]]
    ) -> list[Float[np.ndarray, "atoms features"]]:
        return list(
            readout_features(self.potential, self.directions, structures, only=only)
        )
