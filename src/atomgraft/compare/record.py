"""The layout of ``compare.json``."""

from typing import Annotated, Any, Literal

from pydantic import Field

from atomgraft.records.documents import Provenance, Record, RecordFile
from atomgraft.records.scores import FEWEST, Score, with_sureness
from atomgraft.run.record import BaseCard, DataCard

COMPARISON_VERSION = 3

Interval = tuple[float, float]

StopRule = Literal["worthwhile", "stop", "unclear"]
"""Whether the next batch of labels is worth it."""

Outcome = Literal["take", "keep", "unclear"]
"""Of a comparison: take the choice, keep the base, or nothing can be said."""

IntervalOver = Literal["seeds", "structures"]
"""What an interval is over: structures where there is a single seed."""


class Contestant(Record):
    """One way to adapt: a recipe at a learning rate, from a base."""

    name: str
    """Short, unique; used everywhere else."""
    base: str
    recipe: str
    learning_rate: float
    factor: float
    """Times the recipe's own learning rate."""
    element_map: str | None = None
    """Elements that started from others, such as ``Si:Ge``."""
    is_fresh: bool = False
    """Whether it starts from fresh weights."""

    @property
    def start(self) -> str:
        """The base, with its element map if there is one."""
        return (
            self.base if self.element_map is None else f"{self.base} {self.element_map}"
        )

    @property
    def is_fitted(self) -> bool:
        """Whether its base depends on the labels: scales of its map are fitted."""
        return "@fit" in (self.element_map or "")


class ComparedCell(Record):
    """One run of the table."""

    name: str
    """Its folder under ``cells``."""
    contestant: str
    n_labels: int
    seed: int
    status: Literal["done", "failed", "open"]
    """``open``: not run yet, or its worker was lost too often; run again."""
    reason: str | None = None
    """Why it failed or is open, in words."""
    scores: tuple[Score, ...] = ()
    """Overall errors, and drift overall, near and far; ``adapted`` and ``base``. Errors
    on the structures that choose have the suite ``validation``."""
    n_trainable: int | None = None
    n_steps: int | None = None
    seconds: float | None = None
    """Of training."""
    data_fingerprint: str | None = None
    versions: dict[str, str] = Field(default_factory=dict[str, str])
    device: str = ""


class Summary(Record):
    """One quantity of one contestant at one number of labels, over the seeds."""

    contestant: str
    n_labels: int
    suite: str
    quantity: str
    metric: str
    group: str | None = None
    value: float
    """Geometric mean over the seeds; plain mean where one of them is zero."""
    unit: str
    interval: Interval | None = None
    """95 %; none for two to four seeds, whose spread is hardly known."""
    interval_over: IntervalOver | None = None
    range: Interval | None = None
    """Smallest and largest of the seeds, where there are several."""
    n_seeds: int


class Curve(Record):
    """The power law of one contestant: error against labels."""

    contestant: str
    is_identified: bool
    """Whether anything may be predicted from it."""
    reason: str
    """What was fitted, or why nothing can be predicted."""
    amplitude: float | None = None
    exponent: float | None = None
    exponent_interval: Interval | None = None
    floor: float = 0.0
    n_now: int
    """Largest number of labels that was measured."""
    n_next: int
    error_now: float | None = None
    """Of the law, in the target's unit."""
    error_next: float | None = None
    error_next_interval: Interval | None = None
    last_worthwhile: float | None = None
    """Labels up to which the next batch still gains the share that was asked for."""
    labels_for_target: float | None = None
    labels_for_target_interval: Interval | None = None


class Crossing(Record):
    """Labels at which fresh weights are as good as a start from another element."""

    contestant: str
    """From an element map."""
    rival: str
    """From fresh weights."""
    n_labels: float | None
    """Median over the seeds, between sizes on the line through their logarithms; none
    where half of the seeds did not get there."""
    range: Interval | None
    """Smallest and largest of the seeds that got there."""
    n_caught: int
    """Seeds in which fresh weights got there."""
    n_seeds: int
    largest: int
    """Labels up to which both were measured."""


class FrontPoint(Record):
    """One contestant on the map of target error against forgetting."""

    contestant: str
    """``base`` is the base itself, which has forgotten nothing unless a map changed
    it."""
    error: float
    error_interval: Interval | None = None
    drift: float
    drift_interval: Interval | None = None
    is_on_front: bool


class Advice(Record):
    """What a person should do."""

    choice: str | None
    """Name of a contestant, by its error on the validation structures; none where
    nothing can be recommended."""
    outcome: Outcome | None = None
    """None in files of version 1."""
    headline: str
    sentences: tuple[str, ...]
    more_labels: StopRule
    """What the stop rule says."""


class Target(Record):
    """The error by which contestants are compared."""

    quantity: str
    metric: str
    unit: str
    drift_group: str | None
    """Crystals on which forgetting is measured: ``far``, or none for all."""
    drift_unit: str


class Baseline(Record):
    """Errors of a base without adaptation."""

    base: str
    """With its element map; see `Contestant.start`."""
    n_labels: int | None = None
    """To which the scales of its map were fitted; none where it needs no labels."""
    scores: tuple[Score, ...]
    """Of several fits, one a seed, means as in `Summary`."""


class Comparison(Record):
    """The result of a comparison; written by ``compare``."""

    schema_version: Annotated[int, Field(ge=1)] = COMPARISON_VERSION
    name: str
    finished: bool
    """Every cell is done, or failed for a reason that will not go away."""
    spec: dict[str, Any]
    bases: tuple[BaseCard, ...]
    data: tuple[DataCard, ...]
    """The pool under the role ``train``, validation and test."""
    sizes: tuple[int, ...]
    contestants: tuple[Contestant, ...]
    cells: tuple[ComparedCell, ...]
    target: Target | None
    """None until a cell is done."""
    baselines: tuple[Baseline, ...]
    summaries: tuple[Summary, ...]
    curves: tuple[Curve, ...]
    front: tuple[FrontPoint, ...]
    crossings: tuple[Crossing, ...] = ()
    """Up to how many labels element maps are worth it."""
    advice: Advice
    provenance: tuple[Provenance, ...]
    """One entry for each call."""


def _with_outcome(known: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has errors that choose, and the outcome of the advice."""
    return known | {"schema_version": 2}


def _with_sureness(known: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has no interval over fewer than five seeds, and says so of scores."""

    def explained(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            one | {"scores": with_sureness(one.get("scores", []))} for one in records
        ]

    def is_over_few(row: dict[str, Any]) -> bool:
        return row.get("interval_over") == "seeds" and row["n_seeds"] < FEWEST

    none = {"interval": None, "interval_over": None}
    summaries = [
        row | none if is_over_few(row) else row for row in known.get("summaries", [])
    ]
    return known | {
        "schema_version": 3,
        "cells": explained(known.get("cells", [])),
        "baselines": explained(known.get("baselines", [])),
        "summaries": summaries,
    }


COMPARISON = RecordFile(
    file="compare.json",
    record=Comparison,
    version=COMPARISON_VERSION,
    upgrades={1: _with_outcome, 2: _with_sureness},
    title="comparison",
    command="atomgraft compare",
    broken="Run 'atomgraft compare' on its folder again; finished cells are kept.",
)
