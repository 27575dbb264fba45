"""What the checks need to know of the base model, without knowing any model."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from ase import Atoms
from jaxtyping import Float


@runtime_checkable
class PredictedStructure(Protocol):
    """What a potential says of one structure; eV, eV/Å, eV/Å³."""

    @property
    def energy(self) -> float:
        """Energy, eV."""
        ...

    @property
    def forces(self) -> Float[np.ndarray, "atoms 3"]:
        """Forces, eV/Å."""
        ...

    @property
    def stress(self) -> Float[np.ndarray, "6"]:
        """Stress, eV/Å³, tensile-positive, Voigt order."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class BaseKnowledge:
    """The base model as the checks see it.

    Parameters
    ----------
    name
        How messages call it.
    elements
        Atomic numbers it can see.
    predict
        Its word on structures, in their order; asked only for structures whose
        elements it can see. None for a model that has learned nothing yet.
    """

    name: str
    elements: frozenset[int]
    predict: Callable[[Sequence[Atoms]], Iterable[PredictedStructure]] | None
