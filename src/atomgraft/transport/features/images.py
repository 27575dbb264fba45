"""Atoms of a crystal in the cells around one."""

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int


def images_of(
    atoms: Atoms, reach: float
) -> tuple[Float[np.ndarray, "images 3"], Int[np.ndarray, " images"]]:
    """Return atoms in the cell, and in others as far from it as the reach.

    Parameters
    ----------
    atoms
        Of a crystal: periodic in all directions.
    reach
        Å

    Returns
    -------
    :
        Positions, Å, and which atom each is an image of.

    Examples
    --------
    >>> positions, which = images_of(Atoms("H", cell=[4, 4, 4], pbc=True), 1.0)
    >>> len(positions)  # at the corners of the cell
    8
    """
    heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    margins = reach / heights
    own = atoms.get_scaled_positions(wrap=True)
    turns = np.stack(
        np.meshgrid(
            *(np.arange(-n, n + 1) for n in np.ceil(margins).astype(np.int64)),
            indexing="ij",
        ),
        axis=-1,
    ).reshape(-1, 3)
    places = (own[None] + turns[:, None]).reshape(-1, 3)
    is_near = ((places > -margins) & (places < 1 + margins)).all(axis=1)
    which = np.tile(np.arange(len(atoms)), len(turns))
    return places[is_near] @ atoms.cell.array, which[is_near]
