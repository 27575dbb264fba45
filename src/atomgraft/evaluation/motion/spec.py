"""What the suite of motion can be told."""

from typing import Annotated

from pydantic import Field, model_validator

from atomgraft.evaluation.moving_options import Kelvin, MovingOptions, Picoseconds


class MotionOptions(MovingOptions):
    """What is put in motion, how long, and what it is compared with."""

    reference: str = ""
    """What models are compared with: a model (a name, a file, or ``base``), or a
    trajectory such as ``aimd.extxyz``; empty: the base."""
    reference_temperature: Kelvin | None = None
    """K, of all frames of a trajectory; wins over ``temperature`` in them."""
    reference_interval: Annotated[float, Field(gt=0, le=1e4)] | None = None
    """Between two frames of a trajectory, fs; must agree with ``time`` in them."""
    types: tuple[str, ...] = ()
    """Elements of atom types 1, 2 ... of a LAMMPS dump that does not name them."""
    temperatures: Annotated[tuple[Kelvin, ...], Field(min_length=1)] = (300.0,)
    """K"""
    melt: Kelvin | None = None
    """K, at which the crystal is melted first, in further runs; none: no melt."""
    melt_time: Picoseconds = 3.0
    """Length of melting, ps."""
    settle: Picoseconds = 1.0
    """Length of the run before anything is measured, ps."""
    time: Picoseconds = 4.0
    """Length of the run in which it is measured, ps."""
    window: Picoseconds = 2.0
    """Of the velocity autocorrelation, ps: sets the resolution of frequencies."""
    r_max: Annotated[float, Field(gt=0.5, le=50)] | None = None
    """Å, where g(r) ends, no more than half of the cell's height; none: 6 Å or that."""

    @model_validator(mode="after")
    def _refuse_what_does_not_fit(self) -> "MotionOptions":
        if self.time < self.window:
            raise ValueError(
                f"a run of {self.time:g} ps has no whole window of {self.window:g} ps:"
                " vibrations could not be measured"
            )
        if self.melt is None and "melt_time" in self.model_fields_set:
            raise ValueError(
                "melt_time is given, and melt is not: nothing would be melted; give "
                "the temperature, --set motion.melt=K"
            )
        if self.melt is not None and self.melt <= max(self.temperatures):
            raise ValueError(
                f"the crystal is to melt at {self.melt:g} K, which is not above the"
                f" highest temperature, {max(self.temperatures):g} K"
            )
        return self
