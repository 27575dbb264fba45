"""What a run in motion leaves for the page."""

from collections.abc import Mapping
from typing import Any

from atomgraft.records.documents import Record
from atomgraft.records.scores import ModelName

SUITE = "md"

MEAN, SHARE, DRIFT = "restricted_mean", "share", "nve_drift"
"""Metrics of the scores."""

AGAINST_BASE, AGAINST_SCRATCH = "log_rank_p_against_base", "log_rank_p_against_scratch"
"""Metrics of comparisons, by the model that another is compared with."""


class Ending(Record):
    """How one replica ended."""

    time: float
    """ps"""
    reason: str
    """Why it failed; empty where it survived."""


class Motion(Record):
    """One contestant at one temperature."""

    model: ModelName
    times: tuple[float, ...]
    """ps, where the survival curve steps, zero first."""
    survival: tuple[float, ...]
    endings: tuple[Ending, ...]
    drifts: tuple[float, ...]
    """meV/atom/ps, of runs at constant energy."""


class Condition(Record):
    """One temperature."""

    temperature: float
    """K"""
    departure: float | None
    """Mean difference of g(r) beyond which a structure is another; none: not judged."""
    is_solid: bool
    """Whether lost coordination counts."""
    motions: tuple[Motion, ...]
    """None where the reference itself failed."""


class SurvivalRecord(Record):
    """All temperatures."""

    formula: str
    n_replicas: int
    horizon: float
    """ps"""
    timestep: float
    """fs"""
    window: float
    """ps"""
    neighbour: float
    """Å"""
    intact: float
    """Å"""
    criterion: str
    """Where the limits of structures come from, in words."""
    conditions: tuple[Condition, ...]
    engine: str = "atomgraft"
    """What made the steps."""


def record_of(details: Mapping[str, Any]) -> SurvivalRecord | None:
    """Return what a proof has left of this suite, if there is anything."""
    return SurvivalRecord.model_validate(details) if details else None


def group_of(temperature: float) -> str:
    """Return the group of the scores of a temperature.

    Examples
    --------
    >>> group_of(300.0)
    'temperature:300 K'
    """
    return f"temperature:{temperature:g} K"
