"""What the suite of survival can be told."""

from pydantic import Field, PositiveFloat, PositiveInt

from atomgraft.evaluation.suite import SuiteOptions

BASE_ITSELF = "base"
"""As the reference: the source model."""


class SurvivalOptions(SuiteOptions):
    """What is put in motion, and how long."""

    structure: str = ""
    """A file of the crystal; empty: the one that most training frames are of."""
    reference: str = ""
    """The model whose own run sets the limits: a name, a file, or ``base``; empty: the
    training frames do."""
    temperatures: tuple[PositiveFloat, ...] = (300.0, 600.0, 900.0)
    """K"""
    time: PositiveFloat = 10.0
    """Length of a run, ps."""
    timestep: PositiveFloat | None = None
    """fs; none: 2, with light elements 1, with hydrogen 0.5."""
    replicas: int = Field(default=5, ge=5)
    """Seeds at each temperature."""
    atoms: PositiveInt = 64
    """Of the supercell, at least."""
    supercell: tuple[PositiveInt, ...] = ()
    """Repetitions of the structure, one number or three; wins over `atoms`."""
    window: PositiveFloat = 0.5
    """Over which radial distributions and bonds are averaged, ps."""
    drift_time: float = Field(default=1.0, ge=0)
    """Length of the runs at constant energy, ps; zero for none."""
    melting: PositiveFloat | None = None
    """K; from there on lost coordination does not count. None: a reference tells."""
