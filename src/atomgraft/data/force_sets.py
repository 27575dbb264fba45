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
from atomgraft.core.units import BOHR_IN_ANGSTROM, HARTREE_IN_EV
from atomgraft.data.force_sets_file import (
    FORCE_SETS,
    displacements_of,
    entries_of,
    has_forces,
    with_force_sets,
    with_forces_beside,
)
from atomgraft.data.labels import energy_of, forces_of
from atomgraft.data.phonopy_files import (
    SUPERCELLS,
    check_units,
    displaced_in,
    read_document,
    structure_in,
    unreadable,
)
from atomgraft.data.readers import read_structures
from atomgraft.data.sources import Source, parse_source

NAMES = ("phonopy_params.yaml", "phonopy_disp.yaml", "phonopy.yaml")
"""Files that phonopy writes, in the order in which they are looked for."""

COMPRESSIONS = ("", ".xz", ".gz")

COULOMB = HARTREE_IN_EV * BOHR_IN_ANGSTROM
"""e²/4πε₀ in eV Å, which phonopy's files may leave out."""

SAME_PLACE = 1e-3
"""Å; a structure whose atoms are further off is another structure."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BornCharges:
    """What long-range electrostatics need.

    Parameters
    ----------
    charges
        Of the atoms of the primitive cell, e.
    dielectric
        High-frequency constant.
    factor
        phonopy's conversion of units.
    """

    charges: Float[np.ndarray, "atoms 3 3"]
    dielectric: Float[np.ndarray, "3 3"]
    factor: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForceSets:
    """Displaced supercells of one crystal with their forces.

    Parameters
    ----------
    name
        Of the file, its suffixes left out.
    unit_cell, ideal
        The cell that was given to phonopy, and the supercell without displacements.
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
        Where the forces are if the file has none: one ``FORCE_SETS``, or the outputs of
        the calculations in the order of the displacements. None looks for
        ``FORCE_SETS`` beside the file.

    Raises
    ------
    BadInputError
        Something is missing, or its parts do not fit.
    """
    source = parse_source(_file_of(path))
    document = read_document(source)
    check_units(document, source)
    name = source.dataset or _set_of(document)
    ideal = structure_in(document, SUPERCELLS.get(name, "supercell"), source)
    document = _with_forces(document, name, ideal, source, outputs)
    displaced = displaced_in(document, name, len(ideal), source)
    displacements, forces, energies = (
        None if one is None else one[source.frames] for one in displaced
    )
    assert displacements is not None
    assert forces is not None
    if not len(displacements):
        raise BadInputError(
            f"There is no supercell behind '@{source.selection}' of {source.path}.",
            f"It holds {len(displaced[0])}, counted from zero.",
            "Choose among them, or leave the part behind @ out.",
        )
    _refuse_other_supercell(document, name, ideal, source)
    matrix = "primitive_matrix"
    found = ForceSets(
        name=source.path.name.partition(".")[0],
        unit_cell=structure_in(document, "unit_cell", source),
        ideal=ideal,
        supercell_matrix=np.rint(
            _matrix(document, _key("supercell_matrix", name, document), source)
        ).astype(int),
        primitive_matrix=_matrix(document, matrix, source)
        if document.get(matrix)
        else "auto",
        displacements=displacements,
        forces=forces,
        energies=energies,
        is_single=bool((np.abs(displacements).max(axis=2) > 0).sum(axis=1).max() == 1),
        born=_born(document, source),
        content="",
        is_phono3py="phono3py" in document,
    )
    return dataclasses.replace(found, content=_content(found))


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
        "A calculation of phonopy, or a structure, is needed.",
        "Name the file itself.",
    )


def _set_of(document: Mapping[str, Any]) -> str:
    """Return the set of second order: phono3py's own one if it is there."""
    return "phonon_dataset" if "phonon_dataset" in document else "dataset"


def _key(base: str, name: str, document: Mapping[str, Any]) -> str:
    """Return the name of what belongs to a set of displacements."""
    key = f"phonon_{base}"
    return key if name == "phonon_dataset" and key in document else base


def _with_forces(
    document: dict[str, Any],
    name: str,
    ideal: Atoms,
    source: Source,
    outputs: Sequence[Path | str],
) -> dict[str, Any]:
    """Put forces into the document where it has none."""
    if not outputs:
        return with_forces_beside(document, name, ideal, source)
    if has_forces(document, name):
        raise BadInputError(
            f"{source.path} holds forces, and others were given.",
            "One set of forces is needed.",
            "Leave the other files out, or give phonopy_disp.yaml, which has none.",
        )
    files = [Path(one) for one in outputs]
    if [one.name.startswith(FORCE_SETS) for one in files] == [True]:
        return with_force_sets(document, name, ideal, source, files[0])
    entries = entries_of(document, name)
    return document | {name: _from_outputs(entries, ideal, source, files)}


def _from_outputs(
    entries: Any,  # noqa: ANN401 - as it stands in YAML
    ideal: Atoms,
    source: Source,
    files: Sequence[Path],
) -> Any:  # noqa: ANN401
    """Take the forces from the outputs of the calculations, each checked."""
    frames = [read_structures([f"{file}@-1"])[0] for file in files]
    displacements = displacements_of(entries, ideal, source)
    if len(frames) != len(displacements):
        raise BadInputError(
            f"{len(frames)} outputs were given for {len(displacements)} displacements "
            f"of {source.path}.",
            "One output for each displaced supercell is needed, in their order.",
            "Name them in order, for example disp-{001..006}/vasprun.xml.",
        )
    for i, atoms in enumerate(frames):
        _refuse_other_structure(atoms, ideal, displacements[i], files[i])
    return {
        "displacements": displacements,
        "forces": [forces_of(atoms) for atoms in frames],
        "supercell_energies": None
        if any(energy_of(atoms) is None for atoms in frames)
        else [energy_of(atoms) for atoms in frames],
    }


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
            f"The displaced supercell of {ideal.get_chemical_formula()}, with forces, "
            "is needed.",
            "Check the order of the outputs and that each calculation is finished.",
        )


def _refuse_other_supercell(
    document: Mapping[str, Any], name: str, ideal: Atoms, source: Source
) -> None:
    """Check that the supercell is the one that unit cell and matrix give."""
    unit = structure_in(document, "unit_cell", source)
    matrix = _matrix(document, _key("supercell_matrix", name, document), source)
    expected = round(abs(float(np.linalg.det(matrix)))) * len(unit)
    cell = matrix.T @ unit.cell.array
    if expected != len(ideal) or not np.allclose(cell, ideal.cell.array, atol=1e-3):
        raise unreadable(
            source,
            f"has a supercell of {len(ideal)} atoms, and unit cell and matrix make one "
            f"of {expected}, or of another shape",
        )


def _matrix(
    document: Mapping[str, Any], key: str, source: Source
) -> Float[np.ndarray, "3 3"]:
    try:
        matrix = np.asarray(document[key], dtype=float)
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable(source, f"has no usable {key}") from error
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise unreadable(source, f"has a {key} of shape {matrix.shape}")
    return matrix


def _born(document: Mapping[str, Any], source: Source) -> BornCharges | None:
    charges = document.get("nac")
    if charges is None:
        return None
    try:
        found = BornCharges(
            charges=np.asarray(charges["born_effective_charge"], dtype=float),
            dielectric=np.asarray(charges["dielectric_constant"], dtype=float),
            factor=float(charges.get("unit_conversion_factor", COULOMB)),
        )
        n_atoms = len(document[_primitive_key(document)]["points"])
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable(
            source, f"has Born charges that are no numbers ({error})"
        ) from error
    if found.charges.shape != (n_atoms, 3, 3) or found.dielectric.shape != (3, 3):
        raise unreadable(
            source,
            f"has Born charges for {len(found.charges)} atoms and a primitive cell of "
            f"{n_atoms}",
        )
    return found


def _primitive_key(document: Mapping[str, Any]) -> str:
    return "primitive_cell" if "primitive_cell" in document else "unit_cell"


def _content(found: ForceSets) -> str:
    arrays = [
        found.unit_cell.numbers,
        found.unit_cell.positions,
        found.unit_cell.cell.array,
        found.supercell_matrix,
        found.displacements,
        found.forces,
    ]
    if found.born is not None:
        arrays += [found.born.charges, found.born.dielectric]
    return fingerprint(
        np.ascontiguousarray(one, dtype=np.float64).tobytes() for one in arrays
    )
