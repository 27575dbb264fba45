"""Forces of many supercells in few calls of the model."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import AtomgraftError, BadInputError
from atomgraft.core.progress import Count
from atomgraft.core.properties import Property
from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import find_neighbours, make_graph
from atomgraft.models.memory import batch_capacity
from atomgraft.models.prediction import batches_by_atoms, predict

FORCES_ALONE = frozenset({Property.FORCES})


def forces_of_supercells(
    potential: AbstractPotential,
    supercells: Sequence[Atoms],
    *,
    max_atoms: int | None = None,
    progress: Count | None = None,
) -> Float[np.ndarray, "frames atoms 3"]:
    """Return the forces on supercells of one crystal, many in one call of the model.

    Parameters
    ----------
    potential
        Evaluated in its own precision, on its own device.
    supercells
        One and the same number of atoms each.
    max_atoms
        Largest number of atoms in one call; none takes what the free memory holds.
    progress
        Called before the first call of the model and after every one, with supercells
        done and supercells in all.

    Returns
    -------
    :
        eV/Å, float64.

    Raises
    ------
    BadInputError
        The model does not know an element.
    AtomgraftError
        The model predicts forces that are not finite.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.models.pair import stillinger_weber
    >>> forces = forces_of_supercells(stillinger_weber(["Si"]), [bulk("Si")] * 3)
    >>> forces.shape
    (3, 2, 3)
    """
    require_known(potential, supercells)
    room = max_atoms or batch_capacity(potential, supercells[0])
    found: list[Float[np.ndarray, "frames atoms 3"]] = []
    n_done = 0
    if progress is not None:
        progress(0, len(supercells))
    for group in batches_by_atoms(supercells, room):
        graph = make_graph(
            group,
            [find_neighbours(atoms, potential.cutoff) for atoms in group],
            dtype=potential.dtype,
            device=potential.device,
        )
        forces = predict(potential, graph, FORCES_ALONE).forces
        assert forces is not None
        array = forces.detach().double().cpu().numpy()
        found.append(array.reshape(len(group), -1, 3))
        n_done += len(group)
        if progress is not None:
            progress(n_done, len(supercells))
    forces_found = np.concatenate(found)
    _require_finite(potential, forces_found)
    return forces_found


def require_known(potential: AbstractPotential, structures: Sequence[Atoms]) -> None:
    """Check that a potential knows every element of some structures.

    Raises
    ------
    BadInputError
        It does not.
    """
    from ase.data import chemical_symbols

    present = {int(Z) for atoms in structures for Z in atoms.numbers}
    unknown = sorted(present - potential.elements)
    if unknown:
        raise BadInputError(
            f"The crystal contains {', '.join(chemical_symbols[Z] for Z in unknown)}.",
            f"{potential.card.name} does not support "
            f"{'it' if len(unknown) == 1 else 'them'}.",
            "Use a model that does.",
        )


def _require_finite(
    potential: AbstractPotential, forces: Float[np.ndarray, "frames atoms 3"]
) -> None:
    if not np.isfinite(forces).all():
        frame = int(np.argwhere(~np.isfinite(forces))[0][0])
        raise AtomgraftError(
            f"{potential.card.name} predicts forces that are not finite in supercell "
            f"{frame}.",
            "Expected finite forces.",
            "Train it again with a lower learning rate, and check the structure.",
        )
