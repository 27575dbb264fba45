"""Predicted forces of a batch, turned into differences where frames have partners."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from torch import Tensor

from atomgraft.data.differences import Partner
from atomgraft.data.labels import forces_of, set_labels
from atomgraft.training.frequencies import frequency_weights


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
