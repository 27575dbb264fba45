"""Force constants as files that phonopy reads."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from phonopy import Phonopy


def params_text(phonon: "Phonopy") -> str:
    """Return a ``phonopy_params.yaml`` with force constants and no forces.

    Parameters
    ----------
    phonon
        With force constants.
    """
    kept = {"force_sets": False, "displacements": False, "force_constants": True}
    return str(phonon.to_phonopy_yaml(settings=kept))


def constants_hdf5(phonon: "Phonopy") -> bytes:
    """Return the content of a ``force_constants.hdf5``, eV/Å².

    Parameters
    ----------
    phonon
        With force constants.
    """
    from phonopy.file_IO import write_force_constants_to_hdf5

    content = io.BytesIO()
    write_force_constants_to_hdf5(
        np.asarray(phonon.force_constants),
        filename=content,  # pyright: ignore[reportArgumentType] - h5py takes a file
        p2s_map=np.asarray(phonon.primitive.p2s_map),
        physical_unit="eV/angstrom^2",
    )
    return content.getvalue()


def read_params(path: Path, *, symprec: float) -> "Phonopy":
    """Return the object of phonopy, with force constants, from what was written here.

    Parameters
    ----------
    path
        A file of `params_text`.
    symprec
        Tolerance of the symmetry search, Å.
    """
    import phonopy
    from phonopy.interface.phonopy_yaml import PhonopyYaml

    found = phonopy.load(
        str(path), produce_fc=False, is_nac=False, symprec=symprec, log_level=0
    )
    content = PhonopyYaml().read(str(path))
    if content.nac_params is not None:  # is_nac looks for a BORN file as well
        found.nac_params = content.nac_params
    return found
