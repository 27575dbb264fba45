"""Forces from a FORCE_SETS file, for displacements that stand in another file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_file
from atomgraft.data.phonopy_files import displaced_in
from atomgraft.data.sources import Source

FORCE_SETS = "FORCE_SETS"

SAME_MOVE = 1e-5
"""Å; displacements that differ by more are others; files have eight decimals."""


def entries_of(document: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - YAML
    """Return the displacements of a set as they stand in the file, or none.

    Parameters
    ----------
    document
        Content of a phonopy file.
    name
        ``dataset`` or ``phonon_dataset``.
    """
    entries = document.get("displacements") if name not in document else None
    return document.get(name) if entries is None else entries


def has_forces(document: Mapping[str, Any], name: str) -> bool:
    """Tell whether a set of displacements has forces.

    Parameters
    ----------
    document
        Content of a phonopy file.
    name
        ``dataset`` or ``phonon_dataset``.
    """
    entries = entries_of(document, name)
    return "forces" in (
        entries[0] if isinstance(entries, list) and entries else entries or {}
    )


def with_forces_beside(
    document: dict[str, Any], name: str, ideal: Atoms, source: Source
) -> dict[str, Any]:
    """Take forces from the FORCE_SETS beside a file that has none, as phonopy does.

    Parameters
    ----------
    document
        Content of a phonopy file; returned as it is where it has forces, or where no
        such file is there.
    name
        ``dataset`` or ``phonon_dataset``.
    ideal
        The supercell without displacements.
    source
        Where the document came from.

    Raises
    ------
    BadInputError
        FORCE_SETS is of another supercell or of other displacements.
    """
    beside = source.path.parent / FORCE_SETS
    if has_forces(document, name) or not is_file(beside):
        return document
    return with_force_sets(document, name, ideal, source, beside)


def with_force_sets(
    document: dict[str, Any], name: str, ideal: Atoms, source: Source, file: Path
) -> dict[str, Any]:
    """Take forces from a FORCE_SETS file.

    Parameters
    ----------
    document
        Content of a phonopy file without forces.
    name
        ``dataset`` or ``phonon_dataset``.
    ideal
        The supercell without displacements.
    source
        Where the document came from.
    file
        The FORCE_SETS.

    Raises
    ------
    BadInputError
        FORCE_SETS is of another supercell or of other displacements.
    """
    parsed = _parsed(file, len(ideal))
    entries = entries_of(document, name)
    if entries:
        _refuse_other_displacements(parsed, entries, ideal, source, file)
    return document | {name: parsed}


def _refuse_other_displacements(
    parsed: Any,  # noqa: ANN401 - as it stands in YAML
    entries: Any,  # noqa: ANN401
    ideal: Atoms,
    source: Source,
    file: Path,
) -> None:
    """Check that FORCE_SETS is of the displacements that the other file holds."""
    known = displacements_of(entries, ideal, source)
    found, _, _ = displaced_in({"dataset": parsed}, "dataset", len(ideal), source)
    if found.shape != known.shape or not np.allclose(found, known, atol=SAME_MOVE):
        raise BadInputError(
            f"{file} is of other displacements than {source.path}.",
            "The FORCE_SETS of exactly these displacements is needed.",
            "Make it again: phonopy -f vasprun-*.xml, in the folder of the"
            " displacements.",
        )


def displacements_of(
    entries: Any,  # noqa: ANN401 - as it stands in YAML
    ideal: Atoms,
    source: Source,
) -> Float[np.ndarray, "frames atoms 3"]:
    """Return the displacements of a set that has no forces yet, Å.

    Parameters
    ----------
    entries
        As they stand in the file.
    ideal
        The supercell without displacements.
    source
        Where they came from.

    Raises
    ------
    BadInputError
        They are no displacements of this supercell.
    """
    given = {"dataset": entries}
    if isinstance(entries, list):
        given = {"dataset": [{**one, "forces": ideal.positions} for one in entries]}
    elif isinstance(entries, dict):
        same = [ideal.positions] * len(entries.get("displacements", ()))
        given = {"dataset": {**entries, "forces": same}}
    return displaced_in(given, "dataset", len(ideal), source)[0]


def _parsed(path: Path, n_atoms: int) -> Any:  # noqa: ANN401 - as YAML would hold it
    """Read a FORCE_SETS file of either kind."""
    from phonopy.file_IO import parse_FORCE_SETS

    try:
        dataset: Any = parse_FORCE_SETS(path, natom=n_atoms)
    except (OSError, ValueError, RuntimeError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadInputError(
            f"{path} does not fit a supercell of {n_atoms} atoms: {reason}.",
            "The FORCE_SETS of exactly these displacements is needed.",
            "Make it again: phonopy -f vasprun-*.xml, in the folder of the"
            " displacements.",
        ) from error
    if "first_atoms" not in dataset:
        return dict(dataset)
    return [
        {
            "atom": int(one["number"]) + 1,
            "displacement": one["displacement"],
            "forces": one["forces"],
        }
        for one in dataset["first_atoms"]
    ]
