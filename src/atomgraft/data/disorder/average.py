"""An average structure: sites of a crystal with the occupancies of their elements.

Diffraction sees the average over all cells. A site may be shared by several elements,
be empty in some cells, or be split into positions too close to be taken at once.
`cif_files` reads such a structure, `ordering` gives ordered examples of it.
"""

import dataclasses
import enum
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from jaxtyping import Float

FULL = 0.995
"""Sums of occupancies from here to 2 - FULL mean that a site is always taken; tables
give three digits."""

CLOSEST = 0.6
"""Of the sum of the covalent radii of Cordero et al., Dalton Trans. 2008, 2832. Of two
positions closer than this, one at most is taken. The shortest bonds of oxides (uranyl,
vanadyl) have 0.67 to 0.72; two Li are 1.54 Å apart."""

CLOSEST_ANIONS = 0.9
"""The same for two atoms of one element that forms anions: O is 1.19 Å apart, between
O2 (1.21 Å) and the split positions of groups that turn."""

ANIONS = frozenset({"F", "Cl", "Br", "I", "O", "S", "Se", "Te"})

CLOSEST_HYDROGENS = 1.2
"""Å; two H of one molecule or ion are at least 1.5 Å apart."""

CLOSEST_FULL = 0.5
"""Å; atoms that are always there may be as close as X-rays see O and H."""

SAME_POSITION = 0.05
"""Å; rows of a file that are closer share one site."""


class Doubt(enum.StrEnum):
    """What is wrong or missing in a file, or had to be assumed."""

    OVERFULL = "occupancies above 1"
    FORMULA = "composition differs from the stated formula"
    HYDROGEN = "hydrogen of the stated formula has no position"
    ISOTOPE = "deuterium or tritium read as hydrogen"
    VACANCY = "rows of vacancies, or of occupancy 0, left out"
    NO_POSITION = "rows without a position left out"
    DUPLICATE = "one element listed twice at one position"
    MULTIPLICITY = "multiplicity of a position differs from the stated one"
    SYMMETRY_BY_NAME = "symmetry operations missing, taken from the space group"
    NO_SYMMETRY = "neither symmetry operations nor space group, P1 assumed"


class Finding(NamedTuple):
    """A doubt about a file, with what was found.

    Parameters
    ----------
    doubt
        Its kind, to count by.
    detail
        Which rows, which numbers.
    """

    doubt: Doubt
    detail: str


class Occupant(NamedTuple):
    """An element on a site.

    Parameters
    ----------
    symbol
        Of the element.
    occupancy
        Share of the cells in which it is there, above 0.
    charge
        Oxidation state that the file gives, e; none if it gives none.
    """

    symbol: str
    occupancy: float
    charge: float | None = None


@dataclasses.dataclass(frozen=True)
class Site:
    """A position of the cell and what occupies it.

    Parameters
    ----------
    position
        Fractions of the cell vectors, from 0 to 1.
    occupants
        At least one; their occupancies add up to 1 at most.
    orbit
        Number of the set of sites that symmetry makes of one row of the file.
    """

    position: tuple[float, float, float]
    occupants: tuple[Occupant, ...]
    orbit: int

    @property
    def filled(self) -> float:
        """Share of the cells in which anything is there."""
        return sum(one.occupancy for one in self.occupants)

    @property
    def is_ordered(self) -> bool:
        """Whether one element is always there."""
        return len(self.occupants) == 1 and self.filled >= FULL


@dataclasses.dataclass(frozen=True)
class AverageStructure:
    """A crystal as diffraction sees it.

    Parameters
    ----------
    name
        File, and block or frame, for messages.
    cell
        Cell vectors as rows, Å.
    sites
        All of the cell, symmetry applied.
    findings
        What is wrong with the file, or had to be assumed.

    Examples
    --------
    >>> from ase.build import bulk
    >>> salt = average_of(bulk("NaCl", "rocksalt", a=5.64), "NaCl")
    >>> salt.is_ordered, salt.composition
    (True, {'Na': 1.0, 'Cl': 1.0})
    """

    name: str
    cell: Float[np.ndarray, "3 3"]
    sites: tuple[Site, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def is_ordered(self) -> bool:
        """Whether each site always holds one element."""
        return all(site.is_ordered for site in self.sites)

    @property
    def composition(self) -> dict[str, float]:
        """Atoms of each element in the cell, as the occupancies say."""
        return composition_of(self.sites)

    @property
    def positions(self) -> Float[np.ndarray, "sites 3"]:
        """Positions as fractions of the cell vectors."""
        return np.array([site.position for site in self.sites]).reshape(-1, 3)

    def doubts(self) -> set[Doubt]:
        """Return the kinds of its findings."""
        return {one.doubt for one in self.findings}

    def atoms(self) -> Atoms:
        """Return one atom for each site, the most frequent; exact where ordered."""
        symbols = [
            max(site.occupants, key=lambda one: one.occupancy).symbol
            for site in self.sites
        ]
        return Atoms(symbols, scaled_positions=self.positions, cell=self.cell, pbc=True)


def composition_of(sites: Iterable[Site]) -> dict[str, float]:
    """Return the atoms of each element on some sites.

    Parameters
    ----------
    sites
        Of one cell.

    Examples
    --------
    >>> composition_of([Site((0.0, 0.0, 0.0), (Occupant("Li", 0.5),), 0)])
    {'Li': 0.5}
    """
    found: dict[str, float] = {}
    for site in sites:
        for one in site.occupants:
            found[one.symbol] = found.get(one.symbol, 0.0) + one.occupancy
    return found


def average_of(atoms: Atoms, name: str) -> AverageStructure:
    """Return an ordered structure as one whose sites are all full.

    Parameters
    ----------
    atoms
        With a cell; its positions are taken into it.
    name
        For messages.

    Examples
    --------
    >>> average_of(Atoms("H", cell=[3, 3, 3], pbc=True), "one atom").composition
    {'H': 1.0}
    """
    fractions = atoms.get_scaled_positions(wrap=True)
    sites = tuple(
        Site((float(x), float(y), float(z)), (Occupant(symbol, 1.0),), i)
        for i, (symbol, (x, y, z)) in enumerate(
            zip(atoms.get_chemical_symbols(), fractions, strict=True)
        )
    )
    return AverageStructure(name=name, cell=atoms.cell.array.copy(), sites=sites)


def closest_distance(one: str, other: str) -> float:
    """Return the distance below which two elements are not there at once, Å.

    Parameters
    ----------
    one, other
        Symbols.

    Examples
    --------
    >>> round(closest_distance("Li", "Li"), 2)
    1.54
    """
    if one == other == "H":
        return CLOSEST_HYDROGENS
    radii = covalent_radii[atomic_numbers[one]] + covalent_radii[atomic_numbers[other]]
    share = CLOSEST_ANIONS if one == other and one in ANIONS else CLOSEST
    return share * float(radii)
