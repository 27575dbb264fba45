"""Force differences of predictions in a batch."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float
from torch import Tensor

from atomgraft.data.labels import forces_of, set_labels
from atomgraft.data.partners import DISPLACEMENT, Partner


class Response(NamedTuple):
    """A linear map from the forces of a batch to what is compared with labels.

    Parameters
    ----------
    other
        The atom of the batch whose force is subtracted, shape (atoms,).
    rotation
        Turns that force, shape (atoms, 3, 3); zero where nothing is subtracted.
    share
        Factor on the difference, shape (atoms, 1).
    is_difference
        Whether an atom belongs to a frame that trains as a difference, (atoms,).
    to_frequency
        What an error in the force of an atom makes of the frequency of its frame's
        displacement, THz per eV/Å, shape (atoms, 1); zero where there is none.
    """

    other: Tensor
    rotation: Tensor
    share: Tensor
    is_difference: Tensor
    to_frequency: Tensor

    def of(self, forces: Tensor) -> Tensor:
        """Return the differences; frames behind the compared ones fall away.

        Parameters
        ----------
        forces
            eV/Å, of all frames of the batch, partners last, shape (all atoms, 3).
        """
        turned = torch.einsum("aij,aj->ai", self.rotation, forces[self.other])
        return self.share * (forces[: len(self.other)] - turned)


def needed_partners(
    indices: Sequence[int], partners: Sequence[Partner | None]
) -> list[int]:
    """Return the frames that must be evaluated beside the chosen ones.

    Parameters
    ----------
    indices
        The chosen frames.
    partners
        Of all frames.

    Examples
    --------
    >>> needed_partners([0, 1], [None, None])
    []
    """
    found = [partners[i] for i in indices]
    wanted = dict.fromkeys(one.index for one in found if one is not None)
    return [j for j in wanted if j not in set(indices)]


def make_response(
    indices: Sequence[int],
    partners: Sequence[Partner | None],
    first: Mapping[int, int],
    labelled: Sequence[Atoms],
    like: Tensor,
) -> Response | None:
    """Return the map for the chosen frames; none where all train as they are.

    Parameters
    ----------
    indices
        The chosen frames, in the order of the batch.
    partners
        Of all frames.
    first
        Place of the first atom in the batch, by frame, partners included.
    labelled
        All frames, with differences for labels where they have a partner.
    like
        Gives type and device.
    """
    if all(partners[i] is None for i in indices):
        return None
    total = sum(len(labelled[i]) for i in indices)
    other, rotation = np.arange(total), np.zeros((total, 3, 3))
    share, is_difference = np.ones((total, 1)), np.zeros(total, dtype=bool)
    to_frequency = np.zeros((total, 1))
    start = 0
    for i in indices:
        rows = slice(start, start + len(labelled[i]))
        start = rows.stop
        partner = partners[i]
        if partner is None:
            continue
        other[rows] = first[partner.index] + partner.permutation
        rotation[rows] = partner.rotation
        share[rows] = partner.share
        is_difference[rows] = True
        if partner.kind != "reference":
            to_frequency[rows] = frequency_weights(labelled[i])
    return Response(
        other=torch.as_tensor(other, device=like.device),
        rotation=torch.as_tensor(rotation).to(like),
        share=torch.as_tensor(share).to(like),
        is_difference=torch.as_tensor(is_difference, device=like.device),
        to_frequency=torch.as_tensor(to_frequency).to(like),
    )


def with_differences(
    structures: Sequence[Atoms], partners: Sequence[Partner | None]
) -> list[Atoms]:
    """Return frames whose labels are force differences where they have a partner.

    The reference cell of others has no difference, and so no forces.

    Parameters
    ----------
    structures
        Labelled frames; not changed.
    partners
        Of each.
    """
    return [
        atoms if partner is None else _with_difference(atoms, partner, structures)
        for atoms, partner in zip(structures, partners, strict=True)
    ]


def _with_difference(
    atoms: Atoms, partner: Partner, structures: Sequence[Atoms]
) -> Atoms:
    changed = atoms.copy()
    own, other = forces_of(atoms), forces_of(structures[partner.index])
    assert own is not None  # frames without forces have no partner
    assert other is not None
    forces = partner.difference(own, other)
    if partner.kind == "reference":
        forces = np.full_like(forces, np.nan)
    set_labels(changed, forces=forces)
    return changed


THZ = 15.633302
"""Of one (eV/(Å² u))^(1/2), over 2π."""


SOFTEST = 0.5
"""THz; a softer or unstable displacement counts as if it had this frequency."""


def frequency_of(atoms: Atoms) -> float:
    """Return the frequency of a frame's displacement, THz, `SOFTEST` at least.

    Parameters
    ----------
    atoms
        With an array `DISPLACEMENT`, and differences for its force labels.

    Examples
    --------
    >>> from atomgraft.data.labels import set_labels
    >>> atoms = Atoms("C")
    >>> atoms.arrays[DISPLACEMENT] = np.array([[0.01, 0, 0]])
    >>> set_labels(atoms, forces=np.array([[-0.2, 0, 0]]))
    >>> round(frequency_of(atoms), 2)  # (20 eV/Å² / 12.011 u)^(1/2)
    20.17
    """
    work, inertia = _work_and_inertia(atoms)
    return max(SOFTEST, THZ * max(0.0, work / inertia) ** 0.5)


def frequency_weights(atoms: Atoms) -> Float[np.ndarray, "atoms 1"]:
    """Return what an error in the force of each atom makes of the frequency.

    Parameters
    ----------
    atoms
        With an array `DISPLACEMENT`, and differences for its force labels.

    Returns
    -------
    :
        THz per eV/Å; a frame's error is the length of forces times weights.
    """
    _, inertia = _work_and_inertia(atoms)
    root = inertia**0.5 * frequency_of(atoms) / THZ  # (-u·F)^(1/2), floored
    return THZ / (2 * root * np.sqrt(atoms.get_masses()[:, None]))


def _work_and_inertia(atoms: Atoms) -> tuple[float, float]:
    """Return -u·F, eV, and u·M u, Å² u."""
    u, forces = atoms.arrays[DISPLACEMENT], forces_of(atoms)
    assert forces is not None  # a difference has them
    inertia = float(np.sum(atoms.get_masses()[:, None] * u**2))
    return float(-np.sum(u * forces)), inertia
