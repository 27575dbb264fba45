"""What the suite of survival can be told."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from atomgraft.evaluation.suite import SuiteOptions

Kelvin = Annotated[float, Field(gt=0, le=20000)]
Picoseconds = Annotated[float, Field(gt=0, le=1e5)]

MOST_ATOMS = 100_000
"""Of a supercell: a larger one is a mistake."""


class SurvivalOptions(SuiteOptions):
    """What is put in motion, and how long."""

    structure: str = ""
    """A file of the crystal; empty: the one that most training frames are of."""
    reference: str = ""
    """The model whose own run sets the limits: a name, a file, or ``base``; empty: the
    training frames do."""
    temperatures: Annotated[tuple[Kelvin, ...], Field(min_length=1)] = (
        300.0,
        600.0,
        900.0,
    )
    """K"""
    time: Picoseconds = 10.0
    """Length of a run, ps."""
    timestep: Annotated[float, Field(gt=0, le=10)] | None = None
    """fs; none: 2, with light elements 1, with hydrogen 0.5."""
    replicas: int = Field(default=5, ge=5, le=1000)
    """Seeds at each temperature."""
    atoms: Annotated[int, Field(gt=0, le=MOST_ATOMS)] = 64
    """Of the supercell, at least."""
    supercell: tuple[Annotated[int, Field(gt=0, le=50)], ...] = ()
    """Repetitions of the structure, one number or three; wins over `atoms`."""
    window: Picoseconds = 0.5
    """Over which radial distributions and bonds are averaged, ps."""
    drift_time: float = Field(default=1.0, ge=0, le=1e5)
    """Length of the runs at constant energy, ps; zero for none."""
    melting: Kelvin | None = None
    """K; from there on lost coordination does not count. None: a reference tells."""
    engine: Literal["atomgraft", "torch-sim"] = "atomgraft"
    """What makes the steps; torch-sim is an extra, for Python 3.12 or newer."""

    @model_validator(mode="after")
    def _refuse_short_runs(self) -> "SurvivalOptions":
        if self.time < self.window:
            raise ValueError(
                f"a run of {self.time:g} ps has no whole window of {self.window:g} ps:"
                " structure and bonds could not be judged"
            )
        return self
