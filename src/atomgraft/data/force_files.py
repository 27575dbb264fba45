"""Forces from FORCE_SETS, FORCES_FC2 and FORCES_FC3, for displacements of another file.

``FORCE_SETS``, and the other two where all atoms are displaced, repeat the
displacements, which must be those of the file. Where one atom or two are displaced,
``FORCES_FC2`` and ``FORCES_FC3`` hold a force a line and nothing else.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from atomgraft.core.errors import BadInputError, foreign
from atomgraft.core.reading import read_text
from atomgraft.core.storage import is_file
from atomgraft.data.phonopy_units import FileUnits
from atomgraft.data.sources import Source
from atomgraft.data.supercell_sets import (
    SupercellSet,
    checked,
    set_from,
    unreadable,
    with_forces,
)

FORCE_FILES = ("FORCE_SETS", "FORCES_FC2", "FORCES_FC3")

COMPRESSIONS = ("", ".xz", ".gz")

SAME_MOVE = 1e-5
"""Å; displacements that differ by more are others; files have eight decimals."""

MAX_BYTES = 512 * 1024**2


def is_force_file(path: Path) -> bool:
    """Tell whether a path has the name of a file of forces and nothing else."""
    return path.name.startswith(FORCE_FILES)


def force_file_name(set_name: str, *, is_phono3py: bool) -> str:
    """Return the name under which phonopy or phono3py look for the forces of a set.

    Parameters
    ----------
    set_name
        ``dataset`` or ``phonon_dataset``.
    is_phono3py
        The displacements are in a file of phono3py.
    """
    if not is_phono3py:
        return FORCE_FILES[0]
    return FORCE_FILES[1 if set_name == "phonon_dataset" else 2]


def with_forces_beside(
    displaced: SupercellSet, units: FileUnits, source: Source, *, is_phono3py: bool
) -> SupercellSet:
    """Take forces from the file beside one that has none, as phonopy does.

    Parameters
    ----------
    displaced
        Returned as it is where it has forces, or where no such file is there.
    units
        Of the file of displacements; the other one has the same.
    source
        The file of displacements.
    is_phono3py
        It is a file of phono3py.

    Raises
    ------
    BadInputError
        The file is of another supercell or of other displacements.
    """
    name = force_file_name(displaced.name, is_phono3py=is_phono3py)
    for ending in COMPRESSIONS:
        beside = source.path.parent / f"{name}{ending}"
        if displaced.forces is None and is_file(beside):
            return with_force_file(displaced, units, source, beside)
    return displaced


def chosen_force_file(
    files: Sequence[Path], set_name: str, *, is_phono3py: bool
) -> Path | None:
    """Return which of several files holds the forces of a set; none if no one does.

    Parameters
    ----------
    files
        As the user named them, all of them files of forces.
    set_name
        ``dataset`` or ``phonon_dataset``.
    is_phono3py
        The displacements are in a file of phono3py.
    """
    name = force_file_name(set_name, is_phono3py=is_phono3py)
    named = [one for one in files if one.name.startswith(name)]
    if not named and len(files) == 1 and not is_phono3py:
        return files[0]
    return named[0] if len(named) == 1 else None


def with_force_file(
    displaced: SupercellSet, units: FileUnits, source: Source, file: Path
) -> SupercellSet:
    """Take forces from a file of forces.

    Parameters
    ----------
    displaced
        Without forces; without displacements where the file has them.
    units
        Of the file of displacements; the other one has the same.
    source
        The file of displacements.
    file
        FORCE_SETS, FORCES_FC2 or FORCES_FC3.

    Raises
    ------
    BadInputError
        It is of another supercell or of other displacements.
    """
    beside = Source(path=file, frames=slice(None))
    text = read_text(file, max_bytes=MAX_BYTES)
    if _columns(text) == 3:
        forces = _plain(text, len(displaced.ideal), beside) * units.force
        if len(forces) != len(displaced.displacements):
            raise _misfit(
                f"{file} has forces on {len(forces)} supercells, and {source.path} "
                f"displaces atoms in {len(displaced.displacements)}"
            )
        return with_forces(displaced, forces, None, beside)
    found = set_from(
        _parsed(text, len(displaced.ideal), file),
        displaced.ideal,
        displaced.matrix,
        units,
        displaced.name,
        beside,
    )
    known = displaced.displacements
    if not len(known):
        return found
    moved = found.displacements
    if moved.shape != known.shape or not np.allclose(moved, known, atol=SAME_MOVE):
        raise _misfit(f"{file} is of other displacements than {source.path}")
    assert found.forces is not None  # such a file has forces beside displacements
    return with_forces(displaced, found.forces, None, beside)


def _columns(text: str) -> int:
    """Return how many numbers stand in the first line that is no comment."""
    lines = (one.partition("#")[0].split() for one in text.splitlines())
    return len(next((one for one in lines if one), ()))


def _plain(text: str, n_atoms: int, beside: Source) -> Float[np.ndarray, "frames _ 3"]:
    """Return the forces of a file with a force a line."""
    with foreign(lambda reason: unreadable(beside, f"has no plain forces ({reason})")):
        rows = np.loadtxt(io.StringIO(text), ndmin=2)
    flat = checked(rows, (3,), "forces", beside)
    if len(flat) % n_atoms:
        raise _misfit(
            f"{beside.path} has {len(flat)} forces, which is no multiple of the "
            f"{n_atoms} atoms of the supercell"
        )
    return flat.reshape(-1, n_atoms, 3)


def _parsed(text: str, n_atoms: int, file: Path) -> Any:  # noqa: ANN401 - phonopy's
    """Let phonopy read a FORCE_SETS file of either kind."""
    from phonopy.file_IO import parse_FORCE_SETS_from_strings

    what = f"{file} does not fit a supercell of {n_atoms} atoms"
    with foreign(lambda reason: _misfit(f"{what}: {reason}")):
        return parse_FORCE_SETS_from_strings(text, natom=n_atoms)


def _misfit(what: str) -> BadInputError:
    return BadInputError(
        f"{what}.",
        "Expected the forces of exactly these displacements.",
        "Make the file again in the folder of the displacements: phonopy -f "
        "vasprun-*.xml, or phono3py --cf3 and --cf2.",
    )
