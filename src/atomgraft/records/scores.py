"""Scores: one row per number, and the verdict."""

from collections.abc import Iterable
from typing import Any, Literal

from atomgraft.records.documents import Record

ModelName = Literal["base", "adapted", "scratch"]

Degree = Literal["little", "moderate", "severe"]
"""Of forgetting."""


class Score(Record):
    """One number: model, quantity, metric and unit."""

    model: ModelName
    suite: str
    """``labels``, ``forgetting`` or ``consistency``."""
    quantity: str
    """``energy``, ``forces``, ``stress`` ..."""
    metric: str
    """``mae``, ``rmse``, ``drift`` ..."""
    value: float
    unit: str
    interval: tuple[float, float] | None = None
    """95 %, in `unit`; none where it cannot be known."""
    n_independent: int | None = None
    """How many independent things there are, of which `interval` knows the spread."""
    independent: str | None = None
    """What they are: ``structures``, ``trajectories``, ``groups`` of related
    structures, ``crystals``."""
    no_interval: str | None = None
    """Why there is no interval, in words."""
    n: int
    """Number of structures behind the value."""
    group: str | None = None
    """A subset (``config_type:hot``, ``element:Si``); none is the whole."""


class Parity(Record):
    """Points of one parity plot, thinned for the page; report units."""

    model: ModelName
    quantity: str
    unit: str
    reference: tuple[float, ...]
    predicted: tuple[float, ...]
    n_total: int


class MovedWeights(Record):
    """How far the weights of the adapted model are from those of its base.

    Reference energies do not count: they are refitted in closed form.
    """

    n_weights: int
    n_moved: int
    relative_change: float
    """Norm of the change over the norm of the weights."""


class Verdict(Record):
    """What a person should take away."""

    took: bool | None
    """True: better on every held-out quantity; none: nothing held out yet."""
    is_partial: bool = False
    """Not taken as a whole, but better on some quantities."""
    is_unclear: bool = False
    """Not taken, and nothing is worse: the held-out structures cannot tell."""
    forgetting: Degree | None = None
    """None where it was not measured, or against no scale."""
    headline: str
    sentences: tuple[str, ...]


FEWEST = 5

OLD = "by percentile bootstrap of an older version, which is too narrow"
"""Where the old interval is kept: it was measured, and cannot be measured again."""


def with_sureness(scores: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return scores that say what their percentile intervals were over.

    Related structures counted as independent then. Intervals of fewer than five
    structures are dropped, because they covered the truth far too rarely.

    Parameters
    ----------
    scores
        Of a document.

    Examples
    --------
    >>> [found] = with_sureness([{"interval": [1.0, 2.0], "n": 3}])
    >>> found["interval"], found["no_interval"]
    (None, '3 structures; an interval needs 5 independent ones')
    """
    return [_explained(score) for score in scores]


def _explained(score: dict[str, Any]) -> dict[str, Any]:
    if score.get("interval") is None:
        return score
    n = score["n"]
    if n < FEWEST:
        said = f"{n} structure{'s' * (n > 1)}"
        why = f"{said}; an interval needs {FEWEST} independent ones"
        return score | {"interval": None, "n_independent": n, "no_interval": why}
    return score | {"n_independent": n, "independent": f"structures, {OLD}"}
