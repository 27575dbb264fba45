"""Small structures on which any adapter can be tried."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.build import bulk, fcc100
from ase.data import atomic_numbers, chemical_symbols, covalent_radii

from atomgraft.core.seeding import numpy_generator
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict_structures

FAMILIAR = ("Si", "Ge", "Na", "Cl", "Mg", "O", "Al", "Cu", "Ar", "C", "H")
"""Elements that are tried first where a potential knows many."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialStructures:
    """One structure of each kind that adapters stumble over.

    Parameters
    ----------
    crystal
        Eight atoms in a sheared cell, rattled, shorter than most cutoffs.
    slab
        Periodic in two directions, with vacuum in the third.
    molecule
        Four atoms without a cell and without symmetry.
    one_atom
        A sheared primitive cell, in which an atom sees only its own images.
    dimer
        Two atoms without a cell, at the distance of lowest energy.
    """

    crystal: Atoms
    slab: Atoms
    molecule: Atoms
    one_atom: Atoms
    dimer: Atoms

    def all(self) -> list[Atoms]:
        """Return independent copies of all structures."""
        fields = dataclasses.fields(self)
        return [getattr(self, field.name).copy() for field in fields]


def structures_for(potential: AbstractPotential, seed: int = 0) -> TrialStructures:
    """Make structures of elements that a potential knows, at its own bond length.

    Parameters
    ----------
    potential
        One or two of its elements are used, familiar ones first.
    seed
        Of the rattling.

    Examples
    --------
    >>> from atomgraft.models.pair import stillinger_weber
    >>> structures_for(stillinger_weber(["Si"])).dimer.get_chemical_formula()
    'Si2'
    """
    known = [one for one in FAMILIAR if atomic_numbers[one] in potential.elements]
    others = [chemical_symbols[one] for one in sorted(potential.elements)]
    elements = (known or others)[:2]
    return trial_structures(elements, bond_length(potential, elements), seed)


def trial_structures(
    elements: Sequence[str], distance: float, seed: int = 0
) -> TrialStructures:
    """Make structures of one or two elements.

    Parameters
    ----------
    elements
        Chemical symbols; the first and the last are used.
    distance
        Between nearest neighbours, Å.
    seed
        Of the rattling.
    """
    first, last = elements[0], elements[-1]
    generator = numpy_generator(seed, "trial structures")
    shear = np.eye(3) + np.array([[0.02, 0.03, 0], [0, -0.01, 0.02], [0.01, 0, 0.01]])

    def rattled(atoms: Atoms) -> Atoms:
        shift = generator.uniform(-0.05, 0.05, atoms.positions.shape)
        atoms.positions += shift * distance
        return atoms

    crystal = bulk(first + last, "rocksalt", a=2 * distance, cubic=True)
    crystal.set_cell(crystal.cell.array @ shear, scale_atoms=True)
    slab = fcc100(first, (2, 1, 2), a=2**0.5 * distance, vacuum=distance)
    slab.pbc = (True, True, False)
    slab.symbols[0] = last
    one_atom = bulk(first, "fcc", a=2**0.5 * distance)
    one_atom.set_cell(one_atom.cell.array @ shear, scale_atoms=True)
    corners = np.array([[0, 0, 0], [1, 0, 0], [0.2, 1, 0.1], [-0.1, -0.2, 1.1]])
    return TrialStructures(
        crystal=rattled(crystal),
        slab=rattled(slab),
        molecule=rattled(Atoms([first, last, last, first], distance * corners)),
        one_atom=one_atom,
        dimer=Atoms([first, last], [[0, 0, 0], [distance, 0, 0]]),
    )


def bond_length(potential: AbstractPotential, elements: Sequence[str]) -> float:
    """Return where a dimer has its lowest energy, Å.

    The search goes from 0.8 to 2 times the sum of the covalent radii and stays
    within nine tenths of the cutoff; in coarse steps first, then in fine ones.

    Parameters
    ----------
    potential
        Whose energies are searched.
    elements
        Chemical symbols; the first and the last make the dimer.
    """
    pair = [elements[0], elements[-1]]
    radii = sum(covalent_radii[atomic_numbers[symbol]] for symbol in pair)
    longest = min(2.0 * radii, 0.9 * potential.cutoff)
    distances = np.linspace(min(0.8 * radii, 0.5 * longest), longest, 61)

    def lowest(tried: Sequence[int]) -> int:
        dimers = [Atoms(pair, [[0, 0, 0], [distances[i], 0, 0]]) for i in tried]
        energies = [one.energy for one in predict_structures(potential, dimers)]
        return tried[int(np.argmin(energies))]

    near = lowest(range(0, 61, 5))
    return float(distances[lowest(range(max(near - 4, 0), min(near + 5, 61)))])
