"""Displaced supercells with forces as labelled frames, from phonopy's files."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.data.differences import DISPLACEMENT, SYMMETRY_TOLERANCE
from atomgraft.data.force_sets_file import with_forces_beside
from atomgraft.data.label_keys import ENERGY_KEYS, FORCES_KEYS
from atomgraft.data.phonopy_files import (
    SUPERCELLS,
    check_units,
    displaced_in,
    read_document,
    structure_in,
)
from atomgraft.data.sources import Source

DISPLACEMENT_RMS = "displacement_rms"
"""Root mean square over all Cartesian components of the displacement, Å."""


def read_phonopy(source: Source) -> Iterator[tuple[int, Atoms]]:
    """Yield number and content of the displaced supercells that have forces.

    Each gets ``config_type`` ``phonopy``, its displacement as an array, and in
    ``info`` the size of it and the tolerance of the symmetry search.

    Parameters
    ----------
    source
        ``dataset`` names the set; none is ``dataset``.

    Raises
    ------
    BadInputError
        The file is no phonopy file, has no forces, or its parts do not fit.
    """
    document = read_document(source)
    check_units(document, source)
    name = source.dataset or "dataset"
    if name not in SUPERCELLS:
        raise BadInputError(
            f"{source.path} was asked for its {name!r}.",
            f"A phonopy file can have {' and '.join(SUPERCELLS)}.",
            f"Write {source.path}#phonon_dataset, or leave the part behind # out.",
        )
    ideal = structure_in(document, SUPERCELLS[name], source)
    document = with_forces_beside(document, name, ideal, source)
    displacements, forces, energies = displaced_in(document, name, len(ideal), source)
    tolerance = _symmetry_tolerance(document)
    for i in range(len(displacements))[source.frames]:
        atoms = ideal.copy()
        atoms.positions += displacements[i]
        atoms.arrays[DISPLACEMENT] = displacements[i].copy()
        atoms.arrays[FORCES_KEYS[0]] = forces[i]
        if energies is not None:
            atoms.info[ENERGY_KEYS[0]] = float(energies[i])
        atoms.info["config_type"] = "phonopy"
        if tolerance is not None:
            atoms.info[SYMMETRY_TOLERANCE] = tolerance
        atoms.info[DISPLACEMENT_RMS] = float(np.sqrt(np.mean(displacements[i] ** 2)))
        yield i, atoms


def _symmetry_tolerance(document: Mapping[str, Any]) -> float | None:
    """Return the tolerance, Å, with which displacements were left out as equivalent."""
    program = document.get("phonopy") or document.get("phono3py") or {}
    stated = program.get("symmetry_tolerance") if isinstance(program, dict) else None
    return stated if isinstance(stated, float) and 0 < stated < 1 else None
