"""Third-order force constants of DFT, and of a model on the same supercells.

phono3py's file holds supercells with one atom and two atoms displaced, or with all
atoms displaced at random, and their forces; often a second, larger set for the second
order. A model is asked for the forces on exactly these supercells, and the same solver
makes force constants of both.
"""

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Count
from atomgraft.data.force_files import is_force_file
from atomgraft.data.force_sets import ForceSets, read_force_sets
from atomgraft.data.sources import Source, parse_source
from atomgraft.lattice.charges import put_known_charges
from atomgraft.lattice.forces import forces_of_supercells
from atomgraft.lattice.reference import dataset_of, refuse_other_order
from atomgraft.lattice.supercells import SYMPREC, require_crystal, to_phonopy
from atomgraft.lattice.third_order import (
    Anharmonic,
    is_evaluated,
    phono3py_of,
    require_phono3py,
    third_order_supercells,
    with_finite_differences,
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
    path: Path | str,
    *,
    outputs: Sequence[Path | str] = (),
    born: Path | None = None,
    symprec: float = SYMPREC,
) -> ThirdOrderReference:
    """Read a calculation of phono3py and find its force constants.

    Parameters
    ----------
    path
        A file of phono3py with forces in it (``phono3py_params.yaml``, ``.xz``), or
        ``phono3py_disp.yaml`` with FORCES_FC3 beside it; ``file.yaml@:50`` takes the
        first fifty random displacements of third order.
    outputs
        FORCES_FC3 and FORCES_FC2, where they are not beside the file.
    born
        phonopy's BORN file, where the charges are not in the file itself.
    symprec
        Tolerance of the symmetry search, Å.

    Raises
    ------
    MissingExtraError
        phono3py is not installed.
    BadInputError
        The file has no displacements of third order, or its parts do not fit.
    """
    require_phono3py()
    source = parse_source(path)
    third, second = _sets(source, [one for one in outputs if is_force_file(Path(one))])
    phonons = _crystal(third, second, symprec)
    put_known_charges(phonons, second or third, born)
    return ThirdOrderReference(
        third=third,
        second=second,
        phonons=phonons,
        anharmonic=_solved(
            phonons, _forces_of(third), None if second is None else second.forces
        ),
    )


def _sets(
    source: Source, outputs: Sequence[Path | str]
) -> tuple[ForceSets, ForceSets | None]:
    """Return the displaced supercells of third order, and those of second order."""
    third = read_force_sets(f"{source.path}#dataset", outputs=outputs)
    if third.pairs is None and third.is_single:
        raise BadInputError(
            f"{source.path} displaces one atom at a time.",
            "Third-order force constants need supercells with two atoms displaced, or "
            "all of them.",
            "Give phono3py's file (phono3py -d, or phono3py --rd).",
        )
    if third.pairs is not None and source.selection:
        raise BadInputError(
            f"A part of {source.path} was requested (@{source.selection}).",
            "Pairs of displaced atoms determine force constants together.",
            "Leave out the part after @.",
        )
    own = read_force_sets(source.path, outputs=outputs)  # second order, if there is one
    second = None if own.content == third.content else own
    if third.pairs is not None:
        return third, second
    return dataclasses.replace(
        third,
        displacements=third.displacements[source.frames],
        forces=third.forces[source.frames],
        energies=None,  # of no use here
    ), second


def _crystal(third: ForceSets, second: ForceSets | None, symprec: float) -> "Phono3py":
    """Return phono3py's object with the displacements of both orders."""
    from phonopy.structure.cells import get_primitive_matrix_with_auto

    require_crystal(third.unit_cell)
    cell = to_phonopy(third.unit_cell)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # notices say it
        primitive = get_primitive_matrix_with_auto(
            cell, third.primitive_matrix, symprec
        )
    phonons = phono3py_of(
        cell,
        supercell_matrix=third.supercell_matrix,
        primitive_matrix=primitive,
        phonon_supercell_matrix=None if second is None else second.supercell_matrix,
        symprec=symprec,
    )
    refuse_other_order(phonons.supercell, third)
    if third.pairs is None:
        phonons.displacements = third.displacements
    else:
        phonons.dataset = third.pairs
    if second is not None:
        refuse_other_order(phonons.phonon_supercell, second)
        phonons.phonon_dataset = dataset_of(second)
    return phonons


def _forces_of(third: ForceSets) -> Float[np.ndarray, "frames atoms 3"]:
    """Return the forces on all supercells of third order, pairs last, eV/Å."""
    if third.pairs is None:
        return third.forces
    firsts = third.pairs["first_atoms"]
    seconds = [one for first in firsts for one in first["second_atoms"]]
    return np.array([one["forces"] for one in (*firsts, *seconds)])


def _solved(
    phonons: "Phono3py",
    forces: Float[np.ndarray, "frames atoms 3"],
    second_forces: Float[np.ndarray, "others more 3"] | None,
    *,
    residual: float | None = None,
) -> Anharmonic:
    """Return force constants by the solver that the displacements ask for."""
    is_of_pairs = "first_atoms" in (phonons.dataset or {})
    solve = with_finite_differences if is_of_pairs else with_least_squares
    return solve(phonons, forces, second_forces, residual=residual)


def anharmonic_on_reference(
    potential: AbstractPotential,
    reference: ThirdOrderReference,
    *,
    max_atoms: int | None = None,
    progress: Count | None = None,
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

    def shifted(
        ideal: Atoms, displaced: Sequence[Atoms]
    ) -> tuple[Float[np.ndarray, "frames atoms 3"], float]:
        found = forces_of_supercells(
            potential, [ideal, *displaced], max_atoms=max_atoms, progress=progress
        )
        residual = float(np.linalg.norm(found[0], axis=1).max())
        return found[1:] - found[0], residual

    phonons, second = reference.phonons, reference.second
    found, residual = shifted(reference.third.ideal, third_order_supercells(phonons))
    forces = np.zeros(phonons.displacements.shape)
    forces[is_evaluated(phonons)] = found
    return _solved(
        phonons,
        forces,
        None if second is None else shifted(second.ideal, _displaced(second))[0],
        residual=residual,
    )


def _displaced(sets: ForceSets) -> list[Atoms]:
    structures: list[Atoms] = []
    for displacement in sets.displacements:
        atoms = sets.ideal.copy()
        atoms.positions += displacement
        structures.append(atoms)
    return structures
