"""Reference phonons of a crystal from DFT forces."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atomgraft.core.errors import BadInputError
from atomgraft.data.force_set_frames import force_sets_of_frames
from atomgraft.data.force_sets import (
    ForceSets,
    is_phonopy_calculation,
    read_force_sets,
)
from atomgraft.data.readers import read_structures
from atomgraft.data.sources import parse_source
from atomgraft.lattice.charges import put_known_charges
from atomgraft.lattice.harmonic import Harmonic, with_forces
from atomgraft.lattice.supercells import SYMPREC, crystal

if TYPE_CHECKING:
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhononReference:
    """A crystal, its displaced supercells and what DFT makes of them.

    Parameters
    ----------
    sets
        What was read.
    phonon
        The crystal with displacements, and with Born charges where there are any;
        models are asked for the forces on exactly these supercells.
    harmonic
        DFT's force constants.
    """

    sets: ForceSets
    phonon: "Phonopy"
    harmonic: Harmonic


def read_reference(
    path: Path | str,
    *,
    outputs: Sequence[Path | str] = (),
    born: Path | None = None,
    symprec: float = SYMPREC,
) -> PhononReference:
    """Read a calculation of phonopy and find its force constants.

    Parameters
    ----------
    path
        A file of phonopy or phono3py, or a folder that holds one; or frames of one
        supercell, the first of them undisplaced.
    outputs
        Where the forces are if the file has none; see
        :func:`atomgraft.data.force_sets.read_force_sets`.
    born
        phonopy's BORN file, where the charges are not in the file itself.
    symprec
        Tolerance of the symmetry search, Å.

    Raises
    ------
    BadInputError
        Something is missing, or its parts do not fit.
    """
    if is_phonopy_calculation(path):
        sets = read_force_sets(path, outputs=outputs)
    else:
        source = parse_source(path)
        sets = force_sets_of_frames(read_structures([path]), source.path.stem)
    return reference_of(sets, born=born, symprec=symprec)


def reference_of(
    sets: ForceSets, *, born: Path | None = None, symprec: float = SYMPREC
) -> PhononReference:
    """Find the force constants of displaced supercells with forces.

    Parameters
    ----------
    sets
        Displaced supercells of one crystal.
    born
        phonopy's BORN file, where the charges are not in `sets`.
    symprec
        Tolerance of the symmetry search, Å.

    Raises
    ------
    BadInputError
        The supercell is not the one phonopy builds, or charges do not fit.
    """
    phonon = crystal(
        sets.unit_cell, sets.supercell_matrix, sets.primitive_matrix, symprec
    )
    refuse_other_order(phonon.supercell, sets)
    phonon.dataset = dataset_of(sets)
    put_known_charges(phonon, sets, born)
    return PhononReference(
        sets=sets, phonon=phonon, harmonic=with_forces(phonon, sets.forces)
    )


def refuse_other_order(supercell: "PhonopyAtoms", sets: ForceSets) -> None:
    """Check that phonopy builds the supercell of the file, atom by atom.

    Parameters
    ----------
    supercell
        phonopy's, or phono3py's.
    sets
        What was read from the file.

    Raises
    ------
    BadInputError
        Its atoms are others, or elsewhere.
    """
    same = len(supercell) == len(sets.ideal) and bool(
        (np.asarray(supercell.numbers) == sets.ideal.numbers).all()
    )
    if same:
        apart = np.asarray(
            supercell.scaled_positions
        ) - sets.ideal.get_scaled_positions(wrap=False)
        same = bool((np.abs(apart - np.rint(apart)) < 1e-4).all())
    if not same:
        raise BadInputError(
            f"The supercell of {sets.name} is not the one that unit cell and matrix "
            "make, atom by atom.",
            "Forces belong to atoms by their order.",
            "Save the calculation again with phonopy 2 or newer.",
        )


def dataset_of(sets: ForceSets) -> Any:  # noqa: ANN401 - a mapping of phonopy's own
    """Return displacements and forces as phonopy keeps them.

    Parameters
    ----------
    sets
        Of one displaced atom, or of all atoms.
    """
    if not sets.is_single:
        return {"displacements": sets.displacements, "forces": sets.forces}
    atoms = np.abs(sets.displacements).max(axis=2).argmax(axis=1)
    return {
        "natom": len(sets.ideal),
        "first_atoms": [
            {
                "number": int(atom),
                "displacement": sets.displacements[i, atom],
                "forces": sets.forces[i],
            }
            for i, atom in enumerate(atoms)
        ],
    }
