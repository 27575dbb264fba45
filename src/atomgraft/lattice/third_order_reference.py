"""What DFT says of third-order force constants, and a model on the same supercells.

phono3py's file holds supercells with all atoms displaced at random, and their forces;
often a second, larger set for the second order. A model is asked for the forces on
exactly these supercells, and the same least squares make force constants of both.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.data.force_sets import ForceSets, read_force_sets
from atomgraft.data.sources import parse_source
from atomgraft.lattice.cells import to_phonopy
from atomgraft.lattice.forces import Progress, forces_of_supercells
from atomgraft.lattice.reference import refuse_other_order
from atomgraft.lattice.supercells import SYMPREC
from atomgraft.lattice.third_order import (
    Anharmonic,
    require_phono3py,
    with_least_squares,
)
from atomgraft.models.base import AbstractPotential

if TYPE_CHECKING:
    from phono3py import Phono3py


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThirdOrderReference:
    """A crystal, its displaced supercells and what DFT makes of them.

    Parameters
    ----------
    third
        Displaced supercells of third order with DFT's forces.
    second
        Those of second order, where there is a set of its own.
    phonons
        The crystal with displacements, and with Born charges where there are any.
    anharmonic
        DFT's force constants.
    """

    third: ForceSets
    second: ForceSets | None
    phonons: "Phono3py"
    anharmonic: Anharmonic


def read_third_order(
    path: Path | str, *, symprec: float = SYMPREC
) -> ThirdOrderReference:
    """Read a calculation of phono3py and find its force constants.

    Parameters
    ----------
    path
        A file of phono3py with random displacements and forces in it
        (``phono3py_params.yaml``, ``.xz``); ``file.yaml@:50`` takes the first fifty of
        third order.
    symprec
        Tolerance of the symmetry search, Å.

    Raises
    ------
    MissingExtraError
        phono3py is not installed.
    BadInputError
        The file has no such displacements, or its parts do not fit.
    """
    require_phono3py()
    source = parse_source(path)
    third = read_force_sets(f"{source.path}#dataset")
    if third.is_single:
        raise BadInputError(
            f"{path} displaces one atom at a time.",
            "Third-order force constants need supercells with all atoms displaced.",
            "Give phono3py's file with random displacements (phono3py --rd).",
        )
    own = read_force_sets(source.path)  # that of second order, where there are two
    second = None if own.content == third.content else own
    third = dataclasses.replace(
        third,
        displacements=third.displacements[source.frames],
        forces=third.forces[source.frames],
        energies=None,  # of no use here
    )
    phonons = _crystal(third, second, symprec)
    return ThirdOrderReference(
        third=third,
        second=second,
        phonons=phonons,
        anharmonic=with_least_squares(
            phonons, third.forces, None if second is None else second.forces
        ),
    )


def _crystal(third: ForceSets, second: ForceSets | None, symprec: float) -> "Phono3py":
    """Return phono3py's object with the displacements of both orders."""
    from phono3py import Phono3py
    from phonopy.structure.cells import get_primitive_matrix_with_auto

    cell = to_phonopy(third.unit_cell)
    phonons = Phono3py(
        cell,
        supercell_matrix=third.supercell_matrix,
        primitive_matrix=get_primitive_matrix_with_auto(
            cell, third.primitive_matrix, symprec
        ),
        phonon_supercell_matrix=None if second is None else second.supercell_matrix,
        symprec=symprec,
    )
    refuse_other_order(phonons.supercell, third)
    phonons.displacements = third.displacements
    if second is not None:
        refuse_other_order(phonons.phonon_supercell, second)
        phonons.phonon_displacements = second.displacements
    born = (second or third).born
    if born is not None:
        phonons.nac_params = {
            "born": born.charges,
            "dielectric": born.dielectric,
            "factor": born.factor,
        }
    return phonons


def anharmonic_on_reference(
    potential: AbstractPotential,
    reference: ThirdOrderReference,
    *,
    max_atoms: int | None = None,
    progress: Progress | None = None,
) -> Anharmonic:
    """Return a potential's force constants from the reference's own supercells.

    The forces on the undisplaced supercells are taken off: DFT has relaxed this
    geometry, the potential has not.

    Parameters
    ----------
    potential
        In float64.
    reference
        Gives the supercells, the Born charges and the solver.
    max_atoms
        Largest number of atoms in one call of the model; none measures.
    progress
        Called after every call.

    Raises
    ------
    BadInputError
        The potential does not know an element.
    """

    def shifted(sets: ForceSets) -> tuple[Float[np.ndarray, "frames atoms 3"], float]:
        found = forces_of_supercells(
            potential,
            [sets.ideal, *_displaced(sets)],
            max_atoms=max_atoms,
            progress=progress,
        )
        residual = float(np.linalg.norm(found[0], axis=1).max())
        return found[1:] - found[0], residual

    forces, residual = shifted(reference.third)
    second = reference.second
    return with_least_squares(
        reference.phonons,
        forces,
        None if second is None else shifted(second)[0],
        residual=residual,
    )


def _displaced(sets: ForceSets) -> list[Atoms]:
    structures: list[Atoms] = []
    for displacement in sets.displacements:
        atoms = sets.ideal.copy()
        atoms.positions += displacement
        structures.append(atoms)
    return structures
