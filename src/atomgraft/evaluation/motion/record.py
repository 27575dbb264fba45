"""What the suite of motion leaves for the page."""

from collections.abc import Mapping
from typing import Any, Literal

from atomgraft.evaluation.survival.record import group_of
from atomgraft.records.documents import Record
from atomgraft.records.scores import ModelName

SUITE = "motion"

ERROR, CHANGE = "error", "change"
"""Metrics of the scores: distance from the reference, or from the base."""

NOISE, CHANCE = "noise", "p_same"
"""Metrics of the scores: what chance makes of it, and how probable that is."""

DIFFERENT = 0.05
"""Chance below which two models are called different."""

VALUE = "mean"
"""Metric of a property that is one number."""

RADIAL, ANGULAR = "radial_distribution", "angular_distribution"
VIBRATIONAL, COORDINATION = "vibrational_density", "coordination"
PEAK, DIFFUSION = "first_peak", "diffusion"
"""Quantities."""

QUANTITIES = (RADIAL, ANGULAR, VIBRATIONAL, COORDINATION, PEAK, DIFFUSION)

NAMES = {
    RADIAL: "g(r)",
    ANGULAR: "angles",
    VIBRATIONAL: "vibrations",
    COORDINATION: "coordination",
    PEAK: "first peak",
    DIFFUSION: "diffusion",
}
"""Of quantities, in sentences and tables."""

UNITS = {COORDINATION: "1", PEAK: "Å", DIFFUSION: "cm²/s"}
"""Of properties that are one number."""

Effect = Literal["better", "worse", "unclear", "too few runs"]


class Curve(Record):
    """A distribution of one model, mean over its runs."""

    model: ModelName | Literal["reference"]
    quantity: str
    part: str = ""
    """Pair of elements, or element; empty: all."""
    values: tuple[float | None, ...]
    """None where it is not known: beyond the longest lag of a trajectory."""


class Number(Record):
    """A property that is one number, of one model."""

    model: ModelName | Literal["reference"]
    quantity: str
    n_runs: int
    value: float
    interval: tuple[float, float] | None = None


class Comparison(Record):
    """How far one model is from what it is compared with, %."""

    model: ModelName
    quantity: str
    part: str = ""
    n_runs: int
    value: float
    interval: tuple[float, float] | None
    noise: float
    p: float | None
    """None where there are too few runs."""
    effect: Effect | None = None
    """Beside the base; none for the base, and where there is no reference."""

    @property
    def word(self) -> str:
        """What the page says of it."""
        if self.p is None:
            return "too few runs"
        return "different" if self.p < DIFFERENT else "not distinguishable"


class Failure(Record):
    """Runs of one model that did not end, or did not end as they should."""

    model: ModelName | Literal["reference"]
    said: str


class MotionCondition(Record):
    """One temperature, of the crystal or of its melt."""

    temperature: float
    """K"""
    is_melt: bool
    cutoff: float | None
    """Å, where the first shell ends: the first minimum of g(r) of the reference, or of
    the base where there is none."""
    is_cutoff_of_crystal: bool = False
    """That g(r) has no minimum: halfway between two shells of the crystal, instead."""
    curves: tuple[Curve, ...] = ()
    numbers: tuple[Number, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def group(self) -> str:
        """Of its scores: ``temperature:300 K`` or ``melt:300 K``."""
        return group_name(self.temperature, is_melt=self.is_melt)


class MotionRecord(Record):
    """All conditions."""

    formula: str
    reference: str
    """What models are compared with, in words."""
    has_reference: bool
    """Else they are compared with the base."""
    distances: tuple[float, ...]
    """Å, middles of the bins of g(r)."""
    angles: tuple[float, ...]
    """Degrees, likewise."""
    frequencies: tuple[float, ...]
    """THz"""
    lags: tuple[float, ...]
    """ps, of mean square displacements."""
    conditions: tuple[MotionCondition, ...]
    settings: dict[str, str]


def record_of(details: Mapping[str, Any]) -> MotionRecord | None:
    """Return what a proof has left of this suite, if there is anything."""
    return MotionRecord.model_validate(details) if details else None


def group_name(temperature: float, *, is_melt: bool) -> str:
    """Return the group of the scores of a condition.

    Examples
    --------
    >>> group_name(300.0, is_melt=True), group_name(300.0, is_melt=False)
    ('melt:300 K', 'temperature:300 K')
    """
    return f"melt:{temperature:g} K" if is_melt else group_of(temperature)
