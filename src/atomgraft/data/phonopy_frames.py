"""Displaced supercells with forces as labelled frames, from phonopy's files."""

from collections.abc import Iterator

import numpy as np
from ase import Atoms

from atomgraft.data.differences import DISPLACEMENT, SYMMETRY_TOLERANCE
from atomgraft.data.force_files import with_forces_beside
from atomgraft.data.label_keys import ENERGY_KEYS, FORCES_KEYS
from atomgraft.data.phonopy_files import SETS, chosen_set, read_calculation
from atomgraft.data.sources import Source
from atomgraft.data.supercell_sets import unreadable

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
    calculation = read_calculation(source)
    displaced = with_forces_beside(
        chosen_set(calculation, source.dataset or SETS[0], source),
        calculation.units,
        source,
        is_phono3py=calculation.is_phono3py,
    )
    if displaced.forces is None:
        raise unreadable(source, f"has no forces in its {displaced.name}")
    for i in np.flatnonzero(displaced.is_evaluated)[source.frames]:
        displacement = displaced.displacements[i]
        atoms = displaced.ideal.copy()
        atoms.positions += displacement
        atoms.arrays[DISPLACEMENT] = displacement.copy()
        atoms.arrays[FORCES_KEYS[0]] = displaced.forces[i]
        if displaced.energies is not None:
            atoms.info[ENERGY_KEYS[0]] = float(displaced.energies[i])
        atoms.info["config_type"] = "phonopy"
        if calculation.symmetry_tolerance is not None:
            atoms.info[SYMMETRY_TOLERANCE] = calculation.symmetry_tolerance
        atoms.info[DISPLACEMENT_RMS] = float(np.sqrt(np.mean(displacement**2)))
        yield int(i), atoms
