"""Displaced supercells of a crystal with forces, matrices and Born charges.

``phonopy_params.yaml`` and phono3py's file hold all of it. ``phonopy_disp.yaml`` holds
the displacements alone; the forces then come from ``FORCE_SETS`` beside it, as phonopy
itself would take them, or from the outputs of the calculations, in order.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import fingerprint
from atomgraft.core.storage import is_file, is_folder
from atomgraft.data.force_files import (
    COMPRESSIONS,
    chosen_force_file,
    force_file_name,
    is_force_file,
    with_force_file,
    with_forces_beside,
)
from atomgraft.data.labels import energy_of, forces_of
from atomgraft.data.phonopy_files import (
    SETS,
    BornCharges,
    PhonopyCalculation,
    chosen_set,
    read_calculation,
)
from atomgraft.data.phonopy_units import ANGSTROM_EV, FileUnits
from atomgraft.data.readers import read_structures
from atomgraft.data.sources import Source, parse_source
from atomgraft.data.supercell_sets import SupercellSet, unreadable, with_forces

NAMES = ("phonopy_params.yaml", "phonopy_disp.yaml", "phonopy.yaml")
"""Files that phonopy writes, in the order in which they are looked for."""

SAME_PLACE = 1e-3
"""Å; a structure whose atoms are further off is another structure."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForceSets:
    """Displaced supercells of one crystal with their forces.

    Parameters
    ----------
    name
        Of the file, its suffixes left out.
    unit_cell, ideal
        The cell that was given to phonopy, and the supercell without displacements;
        both with the magnetic moments of the file.
    supercell_matrix, primitive_matrix
        phonopy's.
    displacements
        Å, of every atom.
    forces
        eV/Å
    energies
        eV, or none.
    is_single
        One atom is displaced in each supercell.
    born
        None if the file has no charges.
    content
        Hash of all of it.
    is_phono3py
        The file is of phono3py, which has displacements of third order.
    units
        Of the file; a BORN file beside it has the same.
    pairs
        phono3py's own mapping where pairs of atoms are displaced, in Å, with forces;
        `displacements` are those of one atom alone.
    """

    name: str
    unit_cell: Atoms
    ideal: Atoms
    supercell_matrix: Int[np.ndarray, "3 3"]
    primitive_matrix: Float[np.ndarray, "3 3"] | Literal["auto"]
    displacements: Float[np.ndarray, "frames atoms 3"]
    forces: Float[np.ndarray, "frames atoms 3"]
    energies: Float[np.ndarray, " frames"] | None
    is_single: bool
    born: BornCharges | None
    content: str
    is_phono3py: bool = False
    units: FileUnits = ANGSTROM_EV
    pairs: Any = None


def read_force_sets(
    path: Path | str, *, outputs: Sequence[Path | str] = ()
) -> ForceSets:
    """Read a phonopy calculation.

    Parameters
    ----------
    path
        A file of phonopy or phono3py, or a folder that holds one; ``file.yaml@:10``
        takes the first ten supercells, ``file.yaml#dataset`` chooses a set where
        phono3py's file has two (the one of second order if none is named).
    outputs
        Where the forces are if the file has none: ``FORCE_SETS`` (``FORCES_FC2`` and
        ``FORCES_FC3`` of phono3py), or the outputs of the calculations in the order of
        the displacements. None looks for the former beside the file.

    Raises
    ------
    BadInputError
        Something is missing, or its parts do not fit.
    """
    source = parse_source(_file_of(path))
    calculation = read_calculation(source)
    displaced = _with_forces(calculation, source, outputs)
    frames = _frames(displaced, source)
    forces, energies = displaced.forces, displaced.energies
    assert forces is not None  # refused above
    unit_cell, matrix = _cell_and_matrix(calculation, displaced, source)
    displacements = displaced.displacements[frames]
    found = ForceSets(
        name=source.path.name.partition(".")[0],
        unit_cell=unit_cell,
        ideal=displaced.ideal,
        supercell_matrix=matrix,
        primitive_matrix=calculation.primitive_matrix,
        displacements=displacements,
        forces=forces[frames],
        energies=None if energies is None else energies[frames],
        is_single=bool((np.abs(displacements).max(axis=2) > 0).sum(axis=1).max() == 1),
        born=calculation.born,
        content="",
        is_phono3py=calculation.is_phono3py,
        units=calculation.units,
        pairs=_pairs_with_forces(displaced),
    )
    return dataclasses.replace(found, content=_content(found))


def _frames(displaced: SupercellSet, source: Source) -> Int[np.ndarray, " frames"]:
    """Return the numbers of the supercells that were asked for, pairs left out."""
    if displaced.forces is None:
        raise unreadable(source, f"has no forces in its {displaced.name}")
    if not len(displaced.displacements):
        raise unreadable(source, f"has no {displaced.name} with displacements")
    frames = np.arange(displaced.n_single)[source.frames]
    if not len(frames):
        raise BadInputError(
            f"There is no supercell behind '@{source.selection}' of {source.path}.",
            f"It holds {displaced.n_single}, counted from zero.",
            "Choose one of them, or leave out the part after @.",
        )
    return frames


def is_phonopy_calculation(path: Path | str) -> bool:
    """Tell whether a path names a calculation of phonopy and not a structure."""
    file = re.sub(r"@[-\d:]*$", "", str(_file_of(path, must_exist=False)))
    name = Path(file.rpartition("#")[0] or file).name.lower()
    return any(name.endswith((f".yaml{one}", f".yml{one}")) for one in COMPRESSIONS)


def _file_of(path: Path | str, *, must_exist: bool = True) -> Path | str:
    if not is_folder(Path(path)):
        return path
    for name in NAMES:
        for ending in COMPRESSIONS:
            if is_file(file := Path(path) / f"{name}{ending}"):
                return file
    if not must_exist:
        return path
    raise BadInputError(
        f"The folder {path} holds none of {', '.join(NAMES)}.",
        "Expected a calculation of phonopy, or a structure.",
        "Name the file itself.",
    )


def _with_forces(
    calculation: PhonopyCalculation, source: Source, outputs: Sequence[Path | str]
) -> SupercellSet:
    """Return the set that was asked for, with the forces of other files if need be."""
    is_phono3py = calculation.is_phono3py
    name = source.dataset or calculation.second_order
    displaced = chosen_set(calculation, name, source)
    if not outputs:
        found = with_forces_beside(
            displaced, calculation.units, source, is_phono3py=is_phono3py
        )
        if found.forces is None and source.dataset is None:
            # phono3py writes displacements of second order that nobody computed
            return with_forces_beside(
                calculation.sets[SETS[0]],
                calculation.units,
                source,
                is_phono3py=is_phono3py,
            )
        return found
    if displaced.forces is not None:
        raise BadInputError(
            f"{source.path} holds forces, and others were given.",
            "Expected one set of forces.",
            "Leave the other files out, or give phonopy_disp.yaml, which has none.",
        )
    files = [Path(one) for one in outputs]
    if not all(map(is_force_file, files)):
        return _from_outputs(displaced, source, files)
    file = chosen_force_file(files, name, is_phono3py=is_phono3py)
    if file is None:
        needed = force_file_name(name, is_phono3py=is_phono3py)
        raise BadInputError(
            f"{', '.join(map(str, files))} came for the {name} of {source.path}.",
            f"Expected one {needed}.",
            f"Give it: --forces {needed}",
        )
    return with_force_file(displaced, calculation.units, source, file)


def _from_outputs(
    displaced: SupercellSet, source: Source, files: Sequence[Path]
) -> SupercellSet:
    """Take the forces from the outputs of the calculations, each checked."""
    frames = [read_structures([f"{file}@-1"])[0] for file in files]
    displacements = displaced.displacements
    if len(frames) != len(displacements):
        raise BadInputError(
            f"{len(frames)} outputs were given for {len(displacements)} displacements "
            f"of {source.path}.",
            "Expected one output for each displaced supercell, in their order.",
            "Name them in order, for example disp-{001..006}/vasprun.xml.",
        )
    for i, atoms in enumerate(frames):
        _refuse_other_structure(atoms, displaced.ideal, displacements[i], files[i])
    energies = [energy_of(atoms) for atoms in frames]
    return with_forces(
        displaced,
        np.array([forces_of(atoms) for atoms in frames]),
        None if None in energies else np.array(energies, dtype=float),
        source,
    )


def _refuse_other_structure(
    atoms: Atoms,
    ideal: Atoms,
    displacement: Float[np.ndarray, "atoms 3"],
    file: Path,
) -> None:
    wanted = ideal.copy()
    wanted.positions += displacement
    what = None
    if forces_of(atoms) is None:
        what = "has no forces"
    elif len(atoms) != len(ideal) or (atoms.numbers != ideal.numbers).any():
        what = f"is of {atoms.get_chemical_formula()}"
    elif not np.allclose(atoms.cell.array, ideal.cell.array, atol=SAME_PLACE):
        what = "has another cell"
    else:
        vectors = atoms.get_scaled_positions() - wanted.get_scaled_positions()
        vectors = (vectors - np.rint(vectors)) @ ideal.cell.array
        distance = float(np.linalg.norm(vectors, axis=1).max())
        if distance > SAME_PLACE:
            what = f"has an atom {distance:.3g} Å away from where it was displaced to"
    if what is not None:
        raise BadInputError(
            f"{file} {what}.",
            f"Expected the displaced supercell of {ideal.get_chemical_formula()}, "
            "with forces.",
            "Check the order of the outputs and that each calculation is finished.",
        )


def _cell_and_matrix(
    calculation: PhonopyCalculation, displaced: SupercellSet, source: Source
) -> tuple[Atoms, Int[np.ndarray, "3 3"]]:
    """Return unit cell and matrix; check that they make the supercell."""
    unit, matrix, ideal = calculation.unit_cell, displaced.matrix, displaced.ideal
    if unit is None:
        raise unreadable(source, "has no usable unit_cell")
    if matrix is None:
        raise unreadable(source, "has no usable supercell_matrix")
    expected = round(abs(float(np.linalg.det(matrix)))) * len(unit)
    cell = matrix.T @ unit.cell.array
    if expected != len(ideal) or not np.allclose(cell, ideal.cell.array, atol=1e-3):
        raise unreadable(
            source,
            f"has a supercell of {len(ideal)} atoms, and unit cell and matrix make one "
            f"of {expected}, or of another shape",
        )
    return unit, matrix


def _pairs_with_forces(displaced: SupercellSet) -> Any:  # noqa: ANN401 - phono3py's
    """Return phono3py's mapping of pairs with a force for every supercell."""
    if displaced.pairs is None or displaced.forces is None:
        return None
    forces, is_evaluated = iter(displaced.forces), iter(displaced.is_evaluated)

    def labelled(one: Mapping[str, Any]) -> dict[str, Any]:
        return {**one, "forces": next(forces), "included": bool(next(is_evaluated))}

    firsts = [labelled(one) for one in displaced.pairs["first_atoms"]]
    for one in firsts:
        one["second_atoms"] = [labelled(other) for other in one["second_atoms"]]
    return {**displaced.pairs, "first_atoms": firsts}


def _content(found: ForceSets) -> str:
    arrays = [
        found.unit_cell.numbers,
        found.unit_cell.positions,
        found.unit_cell.cell.array,
        found.supercell_matrix,
        found.displacements,
        found.forces,
    ]
    if found.unit_cell.has("initial_magmoms"):
        arrays.append(found.unit_cell.get_initial_magnetic_moments())
    if found.pairs is not None:
        arrays += [
            one["forces"]
            for first in found.pairs["first_atoms"]
            for one in first["second_atoms"]
        ]
    if found.born is not None:
        arrays += [found.born.charges, found.born.dielectric]
    return fingerprint(
        np.ascontiguousarray(one, dtype=np.float64).tobytes() for one in arrays
    )
