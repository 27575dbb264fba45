"""The one structure that proposals start from, from any file ASE reads."""

import warnings

import ase.io
import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.data.geometry import check_geometry
from atomgraft.data.rehearsal.disturbances import bare
from atomgraft.data.sources import parse_source

MAX_ATOMS = 2000
"""Atoms of a supercell beyond which a mistake is likelier than a wish."""


def read_crystal(file: str) -> Atoms:
    """Read one structure; its labels, if any, are not looked at.

    Parameters
    ----------
    file
        Any format of ASE (POSCAR, CIF, extxyz ...); ``file@i`` chooses a frame.

    Raises
    ------
    BadInputError
        There is no such file, ASE cannot read it, it holds several structures and
        none was chosen, or its geometry makes no sense.

    Examples
    --------
    >>> len(read_crystal("shipped:si-train@0"))
    8
    """
    source = parse_source(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            everything = ase.io.read(source.path, index=":")
    except Exception as error:
        raise BadInputError(
            f"{source.path} cannot be read: {type(error).__name__}:"
            f" {' '.join(str(error).split())[:160]}.",
            "One structure in a format of ASE is needed: POSCAR, CIF, extxyz ...",
            "Check the name and the content, or convert it: ase convert FILE POSCAR.",
        ) from error
    frames = [one for one in everything if isinstance(one, Atoms)][source.frames]
    if len(frames) != 1:
        raise BadInputError(
            f"{file} holds {len(frames)} structures.",
            "One is needed to start from.",
            "Choose it by its number, from 0: FILE@0.",
        )
    atoms = bare(frames[0])
    check_geometry(atoms, file)
    return atoms


def repeated(atoms: Atoms, repeats: tuple[int, int, int]) -> Atoms:
    """Return a supercell.

    Parameters
    ----------
    atoms
        The structure.
    repeats
        Along each cell vector.

    Raises
    ------
    BadInputError
        A number is below one, an open direction is repeated, or the supercell is
        too large.

    Examples
    --------
    >>> from ase.build import bulk
    >>> len(repeated(bulk("Si"), (2, 2, 2)))
    16
    """
    n_atoms = len(atoms) * int(np.prod(repeats))
    opens = [
        n
        for n, is_periodic in zip(repeats, atoms.pbc, strict=True)
        if n != 1 and not is_periodic
    ]
    if min(repeats) < 1 or opens or n_atoms > MAX_ATOMS:
        raise BadInputError(
            f"A supercell of {' x '.join(map(str, repeats))} was asked for: {n_atoms}"
            f" atoms, periodic in {int(atoms.pbc.sum())} directions.",
            f"Repeats of at least one along periodic directions, and {MAX_ATOMS} atoms"
            " at most, are needed.",
            "Write for example --supercell 2,2,2.",
        )
    return bare(atoms.repeat(repeats))
