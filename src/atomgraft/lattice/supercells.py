"""From a crystal to its displaced supercells: by a length, or as given."""

import math
import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from atomgraft.core.errors import BadInputError, foreign
from atomgraft.data.phonopy_files import to_ase

if TYPE_CHECKING:
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms


def to_phonopy(atoms: Atoms) -> "PhonopyAtoms":
    """Return a structure as phonopy keeps it, with ASE's masses.

    Magnetic moments, of numbers or of vectors, lower the symmetry that phonopy finds;
    where all are zero there are none.

    Parameters
    ----------
    atoms
        Periodic in all directions.

    Examples
    --------
    >>> from ase.build import bulk
    >>> len(to_phonopy(bulk("Si")))
    2
    """
    from phonopy.structure.atoms import PhonopyAtoms

    moments = atoms.get_initial_magnetic_moments()
    return PhonopyAtoms(
        numbers=atoms.numbers,
        cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(wrap=False),
        masses=atoms.get_masses(),
        magnetic_moments=moments if moments.any() else None,
    )


DISTANCE = 0.01
"""Å; the displacement of phonopy, small enough for harmonic response in float64."""

SYMPREC = 1e-5
"""Å; phonopy's default."""

LENGTH = 12.0
"""Å; more than twice the cutoff of common potentials."""

MIN_ATOMS = 2

MAX_ATOMS = 4096
"""Atoms of a supercell beyond which a mistake is likelier than a wish."""


def supercell_by_length(
    unitcell: Atoms, length: float = LENGTH
) -> Int[np.ndarray, "3 3"]:
    """Return the smallest diagonal supercell in which a sphere of `length` fits.

    Parameters
    ----------
    unitcell
        Periodic in all directions.
    length
        Smallest distance between opposite faces, Å.

    Raises
    ------
    BadInputError
        The length is no positive number.

    Examples
    --------
    >>> from ase.build import bulk
    >>> supercell_by_length(bulk("Si", cubic=True), 10.0).diagonal().tolist()
    [2, 2, 2]
    """
    if not 0 < length < math.inf:
        raise BadInputError(
            f"A supercell of {length} Å was asked for.",
            "Expected a positive number.",
            f"Give the distance between opposite faces in Å, such as {LENGTH:g}.",
        )
    heights = 1 / np.linalg.norm(unitcell.cell.reciprocal().array, axis=1)
    return np.diag([max(1, math.ceil(length / one - 1e-9)) for one in heights])


def prepare(
    unitcell: Atoms,
    *,
    supercell: Int[np.ndarray, "3 3"],
    primitive: Float[np.ndarray, "3 3"] | Literal["auto"] = "auto",
    distance: float = DISTANCE,
    symprec: float = SYMPREC,
) -> "Phonopy":
    """Return a crystal with its symmetry-distinct displacements, forces to be found.

    Parameters
    ----------
    unitcell
        Periodic in all directions.
    supercell
        Supercell vectors as rows of multiples of the cell vectors, phonopy's
        ``supercell_matrix`` transposed where it is not symmetric.
    primitive
        phonopy's ``primitive_matrix``; ``auto`` finds the primitive cell.
    distance
        Length of a displacement, Å.
    symprec
        Tolerance of the symmetry search, Å.

    Raises
    ------
    BadInputError
        The structure is not periodic, atoms coincide, or the supercell is too large.

    Examples
    --------
    >>> from ase.build import bulk
    >>> phonon = prepare(bulk("Si"), supercell=np.diag([2, 2, 2]))
    >>> [len(atoms) for atoms in displaced_supercells(phonon)]
    [16]
    """
    n_cells = round(float(np.linalg.det(supercell)))
    if n_cells < 1:
        raise BadInputError(
            f"The supercell {supercell.tolist()} spans no crystal.",
            "Expected three right-handed vectors that are not in one plane.",
            "Give another supercell: --supercell '2 2 2'.",
        )
    n_atoms = len(unitcell) * n_cells
    if n_atoms > MAX_ATOMS:
        raise _not_displaced(unitcell, n_atoms)
    phonon = crystal(unitcell, supercell.T, primitive, symprec)
    if n_atoms < MIN_ATOMS:
        raise _not_displaced(unitcell, n_atoms)
    phonon.generate_displacements(distance=distance)
    return phonon


def _not_displaced(unitcell: Atoms, n_atoms: int) -> BadInputError:
    return BadInputError(
        f"The supercell of {unitcell.get_chemical_formula()} has {n_atoms} atoms.",
        f"Between {MIN_ATOMS} and {MAX_ATOMS} can be displaced: an atom alone moves"
        " with all of its images.",
        "Give another supercell (--supercell 2 2 2), or another --length.",
    )


def crystal(
    unitcell: Atoms,
    supercell_matrix: Int[np.ndarray, "3 3"],
    primitive_matrix: Float[np.ndarray, "3 3"] | Literal["auto"],
    symprec: float = SYMPREC,
) -> "Phonopy":
    """Return phonopy's object of a crystal, without displacements.

    Parameters
    ----------
    unitcell
        Periodic in all directions.
    supercell_matrix, primitive_matrix
        phonopy's.
    symprec
        Tolerance of the symmetry search, Å.

    Raises
    ------
    BadInputError
        The structure is not periodic, atoms coincide, or the matrices do not fit it.
    """
    from phonopy import Phonopy

    require_crystal(unitcell)

    def refusal(reason: str) -> BadInputError:
        rows = (
            primitive_matrix
            if isinstance(primitive_matrix, str)
            else np.round(primitive_matrix, 4).tolist()
        )
        return BadInputError(
            f"phonopy cannot build {unitcell.get_chemical_formula()} with supercell "
            f"{np.asarray(supercell_matrix).tolist()} and primitive matrix {rows}: "
            f"{reason}.",
            "Expected a primitive cell that repeats to the unit cell, and atoms "
            "whose symmetry can be found.",
            "Correct primitive_matrix ('auto' finds it), or check the structure.",
        )

    with foreign(refusal), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is for notices to say
        return Phonopy(
            to_phonopy(unitcell),
            supercell_matrix=supercell_matrix,
            primitive_matrix=primitive_matrix,
            symprec=symprec,
        )


def require_crystal(atoms: Atoms) -> None:
    """Check that a structure is periodic, with every atom at a place of its own.

    Raises
    ------
    BadInputError
        It is not.
    """
    if not atoms.pbc.all() or atoms.cell.rank < 3:
        n_vectors = min(int(atoms.pbc.sum()), atoms.cell.rank)
        raise BadInputError(
            f"{atoms.get_chemical_formula()} is periodic in {n_vectors} directions.",
            "Phonons need a crystal, periodic in three directions.",
            "Give the structure a cell; for a slab or a molecule, one with vacuum.",
        )
    distances = atoms.get_all_distances(mic=True)
    np.fill_diagonal(distances, np.inf)
    if len(atoms) > 1 and distances.min() < SYMPREC:
        i, j = (int(one) for one in np.argwhere(distances == distances.min())[0])
        raise BadInputError(
            f"Atoms {i} and {j} of {atoms.get_chemical_formula()} are at the same "
            "position.",
            "Expected atoms at distinct positions.",
            "Remove one of them.",
        )


def ideal_supercell(phonon: "Phonopy") -> Atoms:
    """Return the supercell without displacements."""
    return to_ase(phonon.supercell)


def displaced_supercells(phonon: "Phonopy") -> list[Atoms]:
    """Return the displaced supercells, in the order of the data set of displacements.

    Parameters
    ----------
    phonon
        With displacements of either kind: of one atom each, or of all atoms.
    """
    ideal = ideal_supercell(phonon)
    structures: list[Atoms] = []
    for displacement in all_displacements(phonon):
        atoms = ideal.copy()
        atoms.positions += displacement
        structures.append(atoms)
    return structures


def all_displacements(phonon: "Phonopy") -> Float[np.ndarray, "frames atoms 3"]:
    """Return the displacement of every atom in every supercell, Å.

    Raises
    ------
    BadInputError
        There are no displacements.
    """
    dataset = phonon.dataset
    if dataset is None:
        raise BadInputError(
            "The crystal has no displacements.",
            "Expected displaced supercells.",
            "Give a file that phonopy wrote with displacements.",
        )
    from phonopy.structure.dataset import get_displacements_and_forces

    displacements, _ = get_displacements_and_forces(dataset)
    return np.array(displacements, dtype=float)
