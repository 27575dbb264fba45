"""How far models differ about the forces on a structure."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict_structures


def forces_on(
    potential: AbstractPotential, structures: Sequence[Atoms]
) -> list[Float[np.ndarray, "_ 3"]]:
    """Return the forces of a model on structures of any size, eV/Å.

    Raises
    ------
    BadInputError
        A force is not finite.
    """
    forces = [one.forces for one in predict_structures(potential, structures)]
    broken = [i for i, one in enumerate(forces) if not np.isfinite(one).all()]
    if broken:
        raise BadInputError(
            f"{potential.card.name} predicts no finite forces for structure"
            f" {broken[0]} of {len(forces)}.",
            "A model that makes sense of every structure is needed.",
            "Leave the structure out, move atoms less, or take another model.",
        )
    return forces


def largest_forces(
    forces: Sequence[Float[np.ndarray, "_ 3"]],
) -> Float[np.ndarray, " structures"]:
    """Return the largest force on an atom of each structure, eV/Å.

    Examples
    --------
    >>> largest_forces([np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 1.0]])]).tolist()
    [5.0]
    """
    return np.array([np.linalg.norm(one, axis=1).max() for one in forces])


def disagreement_of(
    forces: Sequence[Sequence[Float[np.ndarray, "_ 3"]]],
) -> Float[np.ndarray, " structures"]:
    """Return how far models differ about the forces on each structure, eV/Å.

    The standard deviation over the models of the force on an atom (the root of its
    mean squared distance from the mean force), root-mean-square over the atoms.

    Parameters
    ----------
    forces
        Of each model on each structure; two models at least.

    Examples
    --------
    >>> one, other = np.zeros((1, 3)), np.array([[2.0, 0.0, 0.0]])
    >>> disagreement_of([[one], [other]]).tolist()
    [1.0]
    """
    found: list[float] = []
    for by_model in zip(*forces, strict=True):
        stacked = np.stack(by_model)
        variances = ((stacked - stacked.mean(axis=0)) ** 2).sum(axis=-1)
        found.append(float(variances.mean() ** 0.5))
    return np.array(found)
