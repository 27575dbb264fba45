"""Composition, density, lattice and space group."""

import numpy as np
from ase.geometry import cellpar_to_cell
from jaxtyping import Float

from atomgraft.transport.features.elements import (
    PROPERTIES,
    STATISTICS,
    anions_of,
    ionic_radius,
    properties,
    statistics,
)
from atomgraft.transport.materials import Material

COMPOSITION = (
    *STATISTICS,
    *(f"{name} of the ion" for name in PROPERTIES),
    "fraction of mobile ions",
    "fraction of anions",
    "mobile ions for each anion",
    "number of elements",
)

LATTICE = (
    "a",
    "b",
    "c",
    "alpha",
    "beta",
    "gamma",
    "volume of the cell",
    "longest over shortest axis",
    "space group",
    "crystal system",
)
"""Lengths in Å, angles in degrees, volume in Å³."""

TEMPERATURE = ("temperature", "1000 over temperature")
"""K, and 1/K."""

PACKING = (
    "atoms for each volume",
    "volume for each anion",
    "volume for each mobile ion",
    "share of the volume that ions fill",
)
"""Å³ and Å⁻³."""

SYSTEMS = (2, 15, 74, 142, 167, 194, 230)
"""The last space group of each crystal system."""


def composition(material: Material) -> Float[np.ndarray, " features"]:
    """Return what the formula says, in the order of COMPOSITION."""
    amounts = material.amounts
    total = sum(amounts.values())
    anions = sum(amounts[one] for one in anions_of(amounts))
    ions = amounts.get(material.mobile, 0.0)
    return np.concatenate(
        [
            statistics(amounts),
            np.array(properties(material.mobile)),
            np.array(
                [
                    ions / total,
                    anions / total,
                    ions / anions if anions else np.nan,
                    len(amounts),
                ]
            ),
        ]
    )


def lattice(material: Material) -> Float[np.ndarray, " features"]:
    """Return what cell and space group say, in the order of LATTICE; else NaN."""
    found = np.full(len(LATTICE), np.nan)
    if material.cell is not None:
        lengths = material.cell[:3]
        volume = abs(np.linalg.det(cellpar_to_cell(material.cell)))
        found[:8] = [*material.cell, volume, max(lengths) / min(lengths)]
    if material.space_group is not None:
        found[8] = material.space_group
        found[9] = np.searchsorted(SYSTEMS, material.space_group)
    return found


def temperature(material: Material) -> Float[np.ndarray, " features"]:
    """Return the temperature of the property and its inverse; NaN without one."""
    found = material.temperature
    return np.array([np.nan] * 2 if found is None else [found, 1000.0 / found])


def packing(material: Material) -> Float[np.ndarray, " features"]:
    """Return how densely ions are packed, in the order of PACKING; else NaN.

    The mean over the structures of the material.
    """
    rows = []
    for atoms in material.structures:
        symbols = atoms.get_chemical_symbols()
        volume = float(atoms.cell.volume)
        anions = anions_of(symbols)
        n_anions = sum(one in anions for one in symbols)
        n_ions = symbols.count(material.mobile)
        filled = sum(4 / 3 * np.pi * ionic_radius(one) ** 3 for one in symbols)
        rows.append(
            [
                len(symbols) / volume,
                volume / n_anions if n_anions else np.nan,
                volume / n_ions if n_ions else np.nan,
                filled / volume,
            ]
        )
    return np.mean(rows, axis=0) if rows else np.full(len(PACKING), np.nan)
