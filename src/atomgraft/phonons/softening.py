"""How much too soft a known base is: the one number that an adaptation must beat."""

from collections.abc import Mapping
from types import MappingProxyType

import torch

from atomgraft.models.base import AbstractPotential

_7NET_0 = "ec5e002f39e81c77ab76abe786ff8ab9e78295e831ac53788ed09047ebd804b6"

GLOBAL_FACTORS: Mapping[str, float] = MappingProxyType({_7NET_0: 1.029})
"""What the force constants of a base must be multiplied with so that its frequencies
fit DFT best: the median over 53 materials of the PhononDB (PBEsol), by the SHA-256 of
the base's weights in single precision. ``benchmarks/phonons/leave_out.py`` makes the
number."""


def known_factor(base: AbstractPotential) -> float | None:
    """Return the known factor of a base; none for a model that has not been measured.

    Parameters
    ----------
    base
        In any precision and under any name: the factor belongs to its weights.

    Examples
    --------
    >>> from atomgraft.models.pair import stillinger_weber
    >>> known_factor(stillinger_weber(["Si"])) is None
    True
    """
    published = base.clone(dtype=torch.float32, device=base.device)
    return GLOBAL_FACTORS.get(published.weights_hash())
