"""Pseudo-labels: scaled responses of the base for supercells without labels.

Few labels of a crystal leave most of its atoms free: an atom that no labelled supercell
displaces may lose its place at no cost to the objective. The base's own response to
every displacement that nobody has computed holds it there. It is multiplied by the one
number that brings the base's responses closest to the labelled ones: a number like
that of the scalar baselines, found from the labels alone.
"""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.data.labels import forces_of, set_labels
from atomgraft.data.partners import (
    CALCULATION,
    DISPLACEMENT,
    SYMMETRY_TOLERANCE,
    find_partners,
)

PSEUDO = "pseudo-labels"
"""The calculation that such forces come from."""


def pseudo_labelled(
    frames: Sequence[Atoms],
    responses: Float[np.ndarray, "frames atoms 3"],
    labelled: Sequence[int],
) -> list[Atoms]:
    """Return the frames without labels, each with the scaled response of the base.

    Every one trains as a difference: where no symmetry leads to the opposite
    displacement, that frame stands there as well.

    Parameters
    ----------
    frames
        All displaced supercells of a crystal, with their labels; one atom is displaced
        in each.
    responses
        The base's forces on all of them, those of the undisplaced one taken off, eV/Å.
    labelled
        Whose labels may be used.

    Raises
    ------
    ValueError
        There is not one response for each frame.
    """
    if len(responses) != len(frames):
        raise ValueError(f"{len(responses)} responses for {len(frames)} frames")
    factor = response_factor([frames[i] for i in labelled], responses[list(labelled)])
    factor = 1.0 if factor is None else factor
    rest = [i for i in range(len(frames)) if i not in set(labelled)]
    found = [_displaced(frames[i], factor * responses[i], 1) for i in rest]
    partners = find_partners(found, "auto")
    alone = [i for i, one in zip(rest, partners, strict=True) if one is None]
    return found + [_displaced(frames[i], factor * responses[i], -1) for i in alone]


def completed(
    frames: Sequence[Atoms],
    responses: Float[np.ndarray, "frames atoms 3"],
    labelled: Sequence[int],
) -> tuple[Float[np.ndarray, "frames atoms 3"], float] | None:
    """Return the labels of some frames, and the scaled responses of a model elsewhere.

    Parameters
    ----------
    frames
        Displaced supercells of a crystal, with their labels.
    responses
        The model's forces on all of them, those of the undisplaced one taken off, eV/Å.
    labelled
        Whose labels are used.

    Returns
    -------
    :
        Forces, eV/Å, and the number; none where no label makes a difference that it
        could be fitted to.
    """
    factor = response_factor([frames[i] for i in labelled], responses[list(labelled)])
    if factor is None:
        return None
    found = factor * responses
    for i in labelled:
        found[i] = forces_of(frames[i])
    return found, factor


def response_factor(
    frames: Sequence[Atoms], responses: Float[np.ndarray, "frames atoms 3"]
) -> float | None:
    """Return the number that brings a model's responses closest to labelled ones.

    Parameters
    ----------
    frames
        Labelled displaced supercells.
    responses
        The model's, eV/Å.

    Returns
    -------
    :
        Of least squares over the frames that have a difference; none where none has,
        and where the two point against each other.
    """
    above, below = 0.0, 0.0
    for i, partner in enumerate(find_partners(frames, "auto")):
        if partner is None or partner.kind == "reference":
            continue
        own, other = forces_of(frames[i]), forces_of(frames[partner.index])
        assert own is not None  # frames without forces have no partner
        assert other is not None
        known = partner.difference(own, other)
        model = partner.difference(responses[i], responses[partner.index])
        above += float((known * model).sum())
        below += float((model**2).sum())
    return above / below if above > 0 else None


def _displaced(
    frame: Atoms, response: Float[np.ndarray, "atoms 3"], sign: int
) -> Atoms:
    """Return a frame, or the one at the opposite displacement, with a response."""
    displacement = frame.arrays[DISPLACEMENT]
    found = Atoms(
        frame.numbers,
        frame.positions + (sign - 1) * displacement,
        cell=frame.cell,
        pbc=frame.pbc,
        info={CALCULATION: PSEUDO},
    )
    if frame.has("initial_magmoms"):  # they tell atoms apart, for partners
        found.set_initial_magnetic_moments(frame.get_initial_magnetic_moments())
    if SYMMETRY_TOLERANCE in frame.info:
        found.info[SYMMETRY_TOLERANCE] = frame.info[SYMMETRY_TOLERANCE]
    found.arrays[DISPLACEMENT] = sign * displacement
    set_labels(found, forces=sign * response)
    return found
