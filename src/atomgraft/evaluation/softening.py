"""How much too soft a known base is: the one number that an adaptation must beat."""

from collections.abc import Mapping
from types import MappingProxyType

from atomgraft.models.base import AbstractPotential

GLOBAL_FACTORS: Mapping[str, float] = MappingProxyType({"7net-0": 1.029})
"""What the force constants of a base must be multiplied with so that its frequencies
fit DFT best: the median over 53 materials of the PhononDB (PBEsol), by base.
``benchmarks/phonons/leave_out.py`` makes the number."""


def known_factor(base: AbstractPotential) -> float | None:
    """Return the known factor of a base; none for a model that has not been measured.

    Parameters
    ----------
    base
        As it was loaded by name: the factor belongs to its weights.

    Examples
    --------
    >>> from atomgraft.models.pair import stillinger_weber
    >>> known_factor(stillinger_weber(["Si"])) is None
    True
    """
    return GLOBAL_FACTORS.get(base.card.name.lower())
