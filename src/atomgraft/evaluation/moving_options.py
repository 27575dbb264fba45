"""What suites can be told that put a crystal in motion."""

from typing import Annotated, Literal

from pydantic import Field

from atomgraft.evaluation.suite import SuiteOptions

Kelvin = Annotated[float, Field(gt=0, le=20000)]
Picoseconds = Annotated[float, Field(gt=0, le=1e5)]

MOST_ATOMS = 100_000
"""Of a supercell: a larger one is a mistake."""


class MovingOptions(SuiteOptions):
    """Which crystal is put in motion, and what makes the steps."""

    structure: str = ""
    """A file of the crystal; empty: the one that most training frames are of."""
    timestep: Annotated[float, Field(gt=0, le=10)] | None = None
    """fs; none: 2, with light elements 1, with hydrogen 0.5."""
    replicas: int = Field(default=5, ge=5, le=1000)
    """Seeds at each temperature."""
    atoms: Annotated[int, Field(gt=0, le=MOST_ATOMS)] = 64
    """Of the supercell, at least."""
    supercell: tuple[Annotated[int, Field(gt=0, le=50)], ...] = ()
    """Repetitions of the structure, one number or three; wins over `atoms`."""
    engine: Literal["atomgraft", "torch-sim"] = "atomgraft"
    """What makes the steps; torch-sim is an extra, for Python 3.12 or newer."""
