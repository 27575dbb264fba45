"""What the suite of survival can be told."""

from typing import Annotated

from pydantic import Field, model_validator

from atomgraft.evaluation.moving_options import Kelvin, MovingOptions, Picoseconds


class SurvivalOptions(MovingOptions):
    """What is put in motion, and how long."""

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
    window: Picoseconds = 0.5
    """Over which radial distributions and bonds are averaged, ps."""
    drift_time: float = Field(default=1.0, ge=0, le=1e5)
    """Length of the runs at constant energy, ps; zero for none."""
    melting: Kelvin | None = None
    """K; from there on melting is no failure: lost coordination does not count, nor
    does another structure where limits are those of a crystal. None: a reference that
    melts tells."""

    @model_validator(mode="after")
    def _refuse_short_runs(self) -> "SurvivalOptions":
        if self.time < self.window:
            raise ValueError(
                f"a run of {self.time:g} ps has no whole window of {self.window:g} ps:"
                " structure and bonds could not be judged"
            )
        return self
