"""What the suite of bulk properties can be told."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from atomgraft.evaluation.suite import SuiteOptions

Kind = Literal["eos", "elastic", "vacancy", "surfaces"]

KINDS: tuple[Kind, ...] = ("eos", "elastic", "vacancy", "surfaces")


def _of_a_plane(indices: str) -> str:
    """Refuse three zeros, which are no plane."""
    if not set(indices) - {"0", "-"}:
        raise ValueError("a plane has at least one index that is not zero")
    return indices


Plane = Annotated[str, Field(pattern=r"^(-?[0-9]){3}$"), AfterValidator(_of_a_plane)]

Length = Annotated[float, Field(gt=0, le=200)]
"""Å; a supercell or slab of 200 Å has more atoms than can be relaxed."""


class BulkOptions(SuiteOptions):
    """Which crystals, which properties, and what they are compared with."""

    crystal: tuple[str, ...] = ()
    """Structures, or calculations of phonopy; none: the crystal that most training
    frames are of."""
    reference: str = ""
    """A YAML file of reference values; empty: models are compared with the base."""
    properties: Annotated[tuple[Kind, ...], Field(min_length=1)] = KINDS
    """What is computed: ``eos``, ``elastic``, ``vacancy``, ``surfaces``."""
    surfaces: tuple[Plane, ...] = ()
    """Planes of the conventional cell, as ``110`` or ``1-10``; none: 100, 110 and 111
    of a cubic crystal, 001, 100 and 110 of others."""
    vacancy_length: Length = 10.0
    """Å; smallest distance between a vacancy and its image."""
    slab_thickness: Length = 12.0
    """Å"""
