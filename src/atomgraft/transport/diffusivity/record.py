"""The layout of ``diffusivity.json``.

Diffusivities are in cm²/s, conductivities in S/cm, times in ps, lengths in Å. Where
ions do not diffuse there is an upper limit and no number.
"""

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from atomgraft.records.documents import Provenance, Record, RecordFile

DIFFUSIVITY_VERSION = 1

Matrix = tuple[
    tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]
]


Finite = Annotated[float, Field(allow_inf_nan=False)]


class Interval(Record):
    """A posterior: its median, and the shortest description of its width."""

    median: Finite
    low68: Finite
    high68: Finite
    low95: Finite
    high95: Finite


class Bound(Record):
    """A number with its posterior, or an upper limit."""

    value: Interval | None
    limit: Finite | None
    """With a probability of 95 %; only where there is no value."""
    reason: str = ""
    """Why there is no value."""

    @model_validator(mode="after")
    def _refuse_both(self) -> "Bound":
        if self.value is not None and self.limit is not None:
            raise ValueError("a value and a limit exclude each other")
        return self


class Curve(Record):
    """The MSD over the length of windows."""

    times: tuple[Finite, ...]
    """ps"""
    msd: tuple[Finite, ...]
    """Å²"""
    errors: tuple[Finite, ...]
    """Standard errors of the windows that are used, Å²; the last ones of `msd`."""
    slope: Finite | None = None
    """Of the line, Å²/ps; none where there is no straight part."""
    intercept: Finite | None = None
    """Å²"""


class FrameworkMotion(Record):
    """How far one immobile element moved against the framework."""

    element: str
    msd: float
    """Å²; at the longest window."""
    diffuses: bool
    shift: float | None = None
    """Å²; mean square displacement between the mean positions in the first and in the
    last fifth of the trajectory. None in files from before it was measured."""

    def has_moved(self, limit: float) -> bool:
        """Tell whether it ends elsewhere than it began, and does not diffuse.

        Parameters
        ----------
        limit
            Å²
        """
        return not self.diffuses and self.shift is not None and self.shift > limit


class TrajectoryRecord(Record):
    """One file."""

    file: str
    fingerprint: str
    temperature: float
    n_frames: int
    """Used, after the part that is skipped."""
    step: float
    """fs between frames."""
    length: float
    """ps"""
    drift: float
    """Å; of the reference, which was subtracted."""
    volume_change: float
    """Largest change against the mean, per cent."""
    framework: tuple[FrameworkMotion, ...]
    is_molten: bool
    is_used: bool
    diffusivity: dict[str, Bound]
    """Of each mobile element in this run alone, cm²/s."""
    notes: tuple[str, ...] = ()


class IonRecord(Record):
    """One mobile element at one temperature, all its runs together."""

    element: str
    n_ions: int
    charge: float
    """e"""
    diffusivity: Bound
    """Self-diffusion (tracer) coefficient, cm²/s."""
    axes: tuple[Bound, Bound, Bound]
    """Along x, y and z."""
    tensor: Matrix | None
    """cm²/s; none where there is no number."""
    exponent: float
    """Of the MSD over time at long windows."""
    exponent_error: float
    start: float | None
    """ps; shortest window of the line."""
    end: float
    """ps; longest window."""
    curve: Curve
    quantiles: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...]
    """Of the posterior, cm²/s, at `PROBABILITIES`; empty where there is no number."""
    scatter_p: float | None
    """Probability of runs that differ as much by chance."""
    notes: tuple[str, ...] = ()

    @field_validator("quantiles")
    @classmethod
    def _refuse_some(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if len(quantiles) not in {0, len(PROBABILITIES)}:
            raise ValueError(f"{len(quantiles)} of {len(PROBABILITIES)} quantiles")
        return quantiles


class ConductionRecord(Record):
    """Conductivity at one temperature."""

    nernst_einstein: Bound
    """S/cm; of ions that move independently of each other."""
    diffusivity: Bound
    """Of the charge (collective), cm²/s."""
    collective: Bound
    """S/cm; from the collective motion of the mobile ions."""
    haven: Bound
    """Nernst-Einstein over collective conductivity."""


class TemperatureRecord(Record):
    """All runs at one temperature."""

    temperature: float
    n_runs: int
    length: float
    """ps; of all runs together."""
    volume: float
    """Å³"""
    thickness: float
    """Å; smallest distance between opposite faces of the cell."""
    ions: tuple[IonRecord, ...]
    conduction: ConductionRecord


class ArrheniusRecord(Record):
    """The line through the diffusivities of one element."""

    element: str
    temperatures: tuple[float, ...]
    """K; of the points on the line, those without a number left out."""
    energy: Interval
    """Activation energy, eV."""
    log10_prefactor: Interval
    """Of D0 in cm²/s."""
    p_line: float | None
    """Probability of points as far from a line; none for two."""
    widening: float
    """Of the intervals, for the scatter of points."""
    extrapolated_to: float
    """K"""
    diffusivity: Interval
    """There, cm²/s."""
    conductivity: Interval
    """There, Nernst-Einstein, S/cm."""
    is_extrapolation: bool
    """The temperature lies outside those of the points."""
    band: tuple[tuple[float, float, float, float], ...]
    """Temperature (K), median and 95 % interval of the line (cm²/s)."""


class Settings(Record):
    """What decides the numbers."""

    mobile: tuple[str, ...]
    skip: float
    start: float | None
    unwrapped: bool
    smallest_msd: float
    melt_limit: float
    keep_molten: bool
    estimator: str
    n_samples: int
    seed: int


class DiffusivityResult(Record):
    """Diffusion in one material, from its trajectories."""

    schema_version: Annotated[int, Field(ge=1)] = DIFFUSIVITY_VERSION
    name: str
    formula: str
    finished: bool
    identity: str
    """Hash of trajectories and settings."""
    reference: str
    """Against what displacements are measured."""
    settings: Settings
    trajectories: tuple[TrajectoryRecord, ...] = ()
    temperatures: tuple[TemperatureRecord, ...] = ()
    arrhenius: tuple[ArrheniusRecord, ...] = ()
    headline: str = ""
    notices: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = ()

    def ions(self) -> list[tuple[TemperatureRecord, IonRecord]]:
        """Return each mobile element at each temperature."""
        return [(one, ion) for one in self.temperatures for ion in one.ions]


PROBABILITIES = tuple(
    round(one, 4)
    for one in (
        *(0.0005, 0.0025, 0.01),
        *(0.025 * i for i in range(1, 40)),
        *(0.99, 0.9975, 0.9995),
    )
)
"""At which quantiles of posteriors are kept."""

DIFFUSIVITY = RecordFile(
    file="diffusivity.json",
    record=DiffusivityResult,
    version=DIFFUSIVITY_VERSION,
    upgrades={},
    title="result",
    command="atomgraft diffusivity",
    broken="Remove it and run 'atomgraft diffusivity' again.",
)
