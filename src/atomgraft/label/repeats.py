"""The supercell that proposals are made from."""

import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.data.rehearsal.disturbances import bare

MAX_ATOMS = 2000
"""Atoms of a supercell beyond which a mistake is likelier than a wish."""


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
            "Write for example --supercell '2 2 2'.",
        )
    return bare(atoms.repeat(repeats))
