"""What files of older versions say of their intervals, in today's words."""

from collections.abc import Iterable
from typing import Any

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
    (None, '3 structures; an interval needs 5 that are independent')
    """
    return [_explained(score) for score in scores]


def _explained(score: dict[str, Any]) -> dict[str, Any]:
    if score.get("interval") is None:
        return score
    n = score["n"]
    if n < FEWEST:
        said = f"{n} structure{'s' * (n > 1)}"
        why = f"{said}; an interval needs {FEWEST} that are independent"
        return score | {"interval": None, "n_independent": n, "no_interval": why}
    return score | {"n_independent": n, "independent": f"structures, {OLD}"}
