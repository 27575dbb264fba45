"""What the suite of bulk properties can be told."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from atomgraft.evaluation.suite import SuiteOptions

Kind = Literal["eos", "elastic", "vacancy", "surfaces"]

KINDS: tuple[Kind, ...] = ("eos", "elastic", "vacancy", "surfaces")

Plane = Annotated[str, Field(pattern=r"^(-?[0-9]){3}$")]


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
    vacancy_length: PositiveFloat = 10.0
    """Å; smallest distance between a vacancy and its image."""
    slab_thickness: PositiveFloat = 12.0
    """Å"""
