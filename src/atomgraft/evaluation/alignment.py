"""Energies whose zero is chosen per element, so that only differences count.

Two levels of theory put the energy of an isolated atom in different places. The
offset says nothing about the material, yet it can be a thousand times larger than
everything else; what is left after the best shift per element is what matters.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.properties import Property
from atomgraft.evaluation.differences import Differences


def composition_part(
    structures: Sequence[Atoms], energies: Float[np.ndarray, " frames"]
) -> Float[np.ndarray, " frames"] | None:
    """Return the least-squares fit of energies per atom by the compositions alone.

    Parameters
    ----------
    structures
        Where the compositions come from.
    energies
        Energy per atom of each, in any unit.

    Returns
    -------
    :
        The fitted energy per atom, in the unit of `energies`; none where there are
        no more structures than independent compositions, so that any energies at
        all would be fitted exactly.

    Examples
    --------
    >>> structures = [Atoms("H2"), Atoms("H2"), Atoms("H2")]
    >>> composition_part(structures, np.array([1.0, 2.0, 3.0])).round(6).tolist()
    [2.0, 2.0, 2.0]
    """
    fractions = _fractions(structures)
    shifts, _, rank, _ = np.linalg.lstsq(fractions, energies, rcond=None)
    return None if len(structures) <= rank else fractions @ shifts


def composition_leverages(
    structures: Sequence[Atoms],
) -> Float[np.ndarray, " frames"]:
    """Return how much of each energy a fit by the compositions alone follows.

    The diagonal of its hat matrix: 1 where a structure determines a shift alone; the
    sum is the number of independent compositions.

    Parameters
    ----------
    structures
        Where the compositions come from.

    Examples
    --------
    >>> composition_leverages([Atoms("H2"), Atoms("H2"), Atoms("O2")]).round(6).tolist()
    [0.5, 0.5, 1.0]
    """
    basis, sizes, _ = np.linalg.svd(_fractions(structures), full_matrices=False)
    limit = np.finfo(float).eps * max(len(structures), len(sizes)) * sizes[0]
    return (basis[:, sizes > limit] ** 2).sum(axis=1)


def _fractions(structures: Sequence[Atoms]) -> Float[np.ndarray, "frames elements"]:
    elements = sorted({int(Z) for atoms in structures for Z in atoms.numbers})
    return np.array(
        [[np.mean(atoms.numbers == Z) for Z in elements] for atoms in structures]
    ).reshape(len(structures), len(elements))


def aligned(
    differences: Differences, structures: Sequence[Atoms]
) -> Differences | None:
    """Return energy differences after the best shift per element was taken out.

    Parameters
    ----------
    differences
        Of energies per atom.
    structures
        The whole list that ``differences.frames`` points into.

    Returns
    -------
    :
        None where there are too few structures to tell (see
        :func:`composition_part`).

    Examples
    --------
    >>> offset = Differences(
    ...     quantity=Property.ENERGY, frames=(0, 1), values=(np.ones(1), np.ones(1))
    ... )
    >>> left = aligned(offset, [Atoms("H"), Atoms("H2")])
    >>> float(np.abs(np.concatenate(left.values)).max()) < 1e-12
    True
    """
    if differences.quantity is not Property.ENERGY or not differences.frames:
        return None
    judged = [structures[frame] for frame in differences.frames]
    shift = composition_part(judged, np.concatenate(differences.values))
    if shift is None:
        return None
    pairs = zip(differences.values, shift, strict=True)
    return dataclasses.replace(
        differences,
        values=tuple(value - offset for value, offset in pairs),
        leverages=composition_leverages(judged),
    )
