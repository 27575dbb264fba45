"""The layout of ``budget.json``."""

from typing import Annotated, Any

from pydantic import Field

from atomgraft.records.documents import Provenance, Record, RecordFile

BUDGET_VERSION = 1

Interval = tuple[float, float]


class LawRecord(Record):
    """Error by labels, for one way to use them."""

    way: str
    source: str | None
    amplitude: float
    alpha: float
    """Exponent of labels of the target."""
    alpha_interval: Interval
    gamma: float | None = None
    """Exponent of labels of the source."""
    gamma_interval: Interval | None = None
    rate: float | None = None
    """Labels of the source that count as much as one."""
    is_per_label: bool = False
    """Whether the rate is for each label of the target."""
    n_settings: int
    scatter: float
    """Of settings around the law, relative."""
    left_out: float | None
    """Root mean square miss of settings that were left out, relative."""


class MixtureRecord(Record):
    """Labels that the sum buys."""

    way: str
    source: str | None
    n_target: int
    n_source: int
    cpu_hours: float
    error: float
    """Predicted."""
    interval: Interval
    """95 %, of the mean over training sets."""
    is_measured_range: bool
    """Both numbers lie within what the pilot measured."""


class Experiment(Record):
    """A further pilot experiment."""

    way: str
    source: str | None
    n_target: int
    n_source: int
    cpu_hours: float
    gain: float
    """Expected decrease of the final error by choosing again after it, relative."""


class Budget(Record):
    """How to spend a sum on labels; written by ``budget``."""

    schema_version: Annotated[int, Field(ge=1)] = BUDGET_VERSION
    name: str
    spec: dict[str, Any]
    base: str
    quantity: str
    unit: str
    costs: dict[str, float]
    """Processor time of one label by level, s."""
    laws: tuple[LawRecord, ...]
    left_out: dict[str, str]
    """Ways without a law, and why."""
    best: MixtureRecord
    mixtures: tuple[MixtureRecord, ...]
    """The best mixture of each way, the target alone among them."""
    curve: tuple[MixtureRecord, ...]
    """All mixtures of the best way, from few labels of the target to many."""
    experiment: Experiment | None
    """None where no experiment within its share of the sum is worth it."""
    headline: str
    sentences: tuple[str, ...]
    provenance: tuple[Provenance, ...]


BUDGET = RecordFile(
    file="budget.json",
    record=Budget,
    version=BUDGET_VERSION,
    upgrades={},
    title="budget",
    command="atomgraft budget",
    broken="Run 'atomgraft budget' again.",
)
