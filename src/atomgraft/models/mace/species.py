"""Atoms sorted by element, for weights per element."""

import dataclasses
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class AtomsByElement:
    """The atoms of a graph, element by element.

    Parameters
    ----------
    present
        Index of each element that is there, ascending.
    counts
        Number of atoms of each.
    order
        The atoms, element by element.
    """

    present: Tensor
    counts: Sequence[int]
    order: Tensor

    @classmethod
    def of(cls, attributes: Tensor) -> "AtomsByElement":
        """Read one-hot vectors of the elements, shape (atoms, elements).

        Examples
        --------
        >>> atoms = AtomsByElement.of(torch.eye(4)[[2, 0, 2]])
        >>> atoms.present.tolist(), atoms.counts, atoms.order.tolist()
        ([0, 2], [1, 2], [1, 0, 2])
        """
        index = attributes.argmax(1)
        present, counts = index.unique(return_counts=True)
        order = index.argsort(stable=True)
        return cls(present=present, counts=counts.tolist(), order=order)

    def groups(self, values: Tensor) -> Iterator[Tensor]:
        """Yield the values of each element's atoms; atoms come first in the shape."""
        if len(self.counts) == 1:
            yield values
        else:
            yield from values.index_select(0, self.order).split(list(self.counts))

    def joined(self, groups: Sequence[Tensor]) -> Tensor:
        """Bring values from groups back to the order of the atoms.

        Examples
        --------
        >>> atoms = AtomsByElement.of(torch.eye(4)[[2, 0, 2]])
        >>> atoms.joined(list(atoms.groups(torch.tensor([5.0, 6.0, 7.0])))).tolist()
        [5.0, 6.0, 7.0]
        """
        if len(groups) == 1:
            return groups[0]
        return torch.cat(list(groups)).index_select(0, self.order.argsort())
