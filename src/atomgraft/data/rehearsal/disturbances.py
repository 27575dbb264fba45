"""Strains and rattles that keep atoms apart."""

import numpy as np
from ase import Atoms

from atomgraft.data.checks.contacts import close_pairs

N_HALVINGS = 6
"""Times that a disturbance is halved before a structure is left as it is."""


def disturbed(
    atoms: Atoms, *, strain: float, rattle: float, generator: np.random.Generator
) -> Atoms:
    """Return a strained and rattled structure, with nothing but species and places.

    Every entry of the symmetric strain is drawn evenly between ``-strain`` and
    ``strain``, every displacement from a normal distribution. Where atoms would come
    closer than they do in matter (`close_pairs`), both are halved and drawn again,
    up to `N_HALVINGS` times; then the structure is returned as it is.

    Parameters
    ----------
    atoms
        The structure; labels, constraints and other arrays are not taken over.
    strain
        Largest entry of the strain; off the diagonal half an engineering shear.
    rattle
        Standard deviation of each coordinate, Å.
    generator
        Source of both.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> atoms = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]])
    >>> len(disturbed(atoms, strain=0.06, rattle=0.05, generator=rng))
    2
    """
    for halving in range(N_HALVINGS):
        factor = 0.5**halving
        moved = _moved(atoms, factor * strain, factor * rattle, generator)
        if are_apart(moved):
            return moved
    return bare(atoms)


def are_apart(atoms: Atoms) -> bool:
    """Return whether no two atoms are closer than they come in matter.

    Parameters
    ----------
    atoms
        The structure; periodic images count.

    Examples
    --------
    >>> are_apart(Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]]))
    True
    >>> are_apart(Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.30]]))
    False
    """
    _, _, distances = close_pairs(atoms)
    return len(distances) == 0


def bare(atoms: Atoms) -> Atoms:
    """Return species, magnetic moments, places, cell and periodic directions alone."""
    found = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if atoms.has("initial_magmoms"):
        found.set_initial_magnetic_moments(atoms.get_initial_magnetic_moments())
    return found


def _moved(
    atoms: Atoms, strain: float, rattle: float, generator: np.random.Generator
) -> Atoms:
    entries = generator.uniform(-strain, strain, size=(3, 3))
    gradient = np.eye(3) + np.triu(entries) + np.triu(entries, 1).T
    moved = bare(atoms)
    moved.set_cell(atoms.cell.array @ gradient)
    moved.positions = atoms.positions @ gradient
    moved.positions += generator.normal(scale=rattle, size=moved.positions.shape)
    return moved
