"""What is asked of trajectories: frozen, unknown keys refused."""

import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from ase.data import atomic_numbers
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import fingerprint

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Several = Annotated[tuple[str, ...], Field(min_length=1)]

Estimator = Literal["overlapping", "kinisi"]


class DiffusivitySpec(BaseModel):
    """Trajectories of one material and one question: the same numbers each time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: Several
    """XDATCAR, extxyz, ASE trajectories or LAMMPS dumps; one run each."""
    mobile: Several
    """Elements whose diffusivity is wanted; all others are the framework."""
    temperature: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """K; one for all trajectories, or one for each in their order."""
    step: tuple[Positive, ...] = ()
    """fs between frames; one for all trajectories, or one for each. Empty takes it
    from the times in the frames, where there are any."""
    skip: NotNegative = 0.0
    """ps; left out at the beginning of each trajectory, as equilibration."""
    charge: dict[str, float] = Field(default_factory=dict[str, float])
    """e; of mobile ions, where not the usual oxidation state."""
    elements: tuple[str, ...] = ()
    """Of LAMMPS dumps that number their atom types: the element of type 1, 2 ..."""
    unwrapped: bool = False
    """Positions follow atoms across the boundaries of the cell already."""
    start: Positive | None = None
    """ps; shortest window of the fit. None takes the shortest from which the MSD is
    a straight line."""
    smallest_msd: NotNegative = 1.0
    """Å²; a diffusivity is given only where diffusion adds this much to the MSD
    of the longest window."""
    melt_limit: Positive = 2.0
    """Å²; a framework that diffuses by more than this is molten."""
    keep_molten: bool = False
    """Analyse trajectories with a molten framework as well."""
    extrapolate: Positive = 300.0
    """K; temperature to which the Arrhenius line is extended."""
    estimator: Estimator = "overlapping"
    """Covariance of the MSD: of overlapping windows, or kinisi's."""
    n_samples: Annotated[int, Field(ge=200, le=100_000)] = 4000
    """Samples of each posterior."""
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("mobile", "elements")
    @classmethod
    def _refuse_unknown_elements(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        _check_elements(names)
        return names

    @field_validator("charge")
    @classmethod
    def _refuse_unknown_ions(cls, charge: dict[str, float]) -> dict[str, float]:
        _check_elements(charge)
        return charge

    @model_validator(mode="after")
    def _refuse_other_counts(self) -> "DiffusivitySpec":
        if len(set(self.files)) < len(self.files):
            raise ValueError("a trajectory is given twice")
        for name, given in (("temperature", self.temperature), ("step", self.step)):
            if len(given) not in {0, 1, len(self.files)}:
                raise ValueError(
                    f"{len(given)} values of {name} for {len(self.files)} trajectories;"
                    " expected one for all, or one for each"
                )
        if strangers := set(self.charge) - set(self.mobile):
            raise ValueError(f"charge of {sorted(strangers)}, which are not mobile")
        return self

    def temperature_of(self, i: int) -> float:
        """Return the temperature of a trajectory, K."""
        return self.temperature[i % len(self.temperature)]

    def step_of(self, i: int) -> float | None:
        """Return the time between frames of a trajectory, fs; none where not given."""
        return self.step[i % len(self.step)] if self.step else None

    def identity(self, *parts: str) -> str:
        """Return a hash of everything that changes numbers.

        Parameters
        ----------
        parts
            Hashes of the files behind it.
        """
        document = self.model_dump(mode="json", exclude={"files"})
        text = json.dumps(document, sort_keys=True)
        return fingerprint(one.encode() for one in (text, *parts))


def _check_elements(names: Iterable[str]) -> None:
    unknown = [one for one in names if atomic_numbers.get(one, 0) == 0]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not a chemical element")


def require_temperature(given: dict[str, Any]) -> dict[str, Any]:
    """Return settings as they are, where they name a temperature.

    Parameters
    ----------
    given
        Settings of a spec.

    Raises
    ------
    BadInputError
        They name none.
    """
    if not given.get("temperature"):
        raise BadInputError(
            "No temperature was given.",
            "The conductivity and the Arrhenius line need the temperature of each "
            "trajectory.",
            "Give it in K: --temperature 600, or for several trajectories, in their "
            "order, --temperature 600,800",
        )
    return given
