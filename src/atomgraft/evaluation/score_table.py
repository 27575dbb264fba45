"""Finding scores in a list, and writing their numbers."""

from collections.abc import Iterable

from atomgraft.page.wording import is_plain, number_text
from atomgraft.records.scores import ModelName, Score


class ScoreTable:
    """Scores by what they say.

    Parameters
    ----------
    scores
        At most one row for each question; the first one counts.
    """

    def __init__(self, scores: Iterable[Score]) -> None:
        self._rows: dict[tuple[str, ...], Score] = {}
        for row in scores:
            key = (row.model, row.suite, row.quantity, row.metric, row.group or "")
            self._rows.setdefault(key, row)

    def find(
        self,
        model: ModelName,
        suite: str,
        quantity: str,
        metric: str,
        group: str | None = None,
    ) -> Score | None:
        """Return the row, or none where it was not measured."""
        return self._rows.get((model, suite, quantity, metric, group or ""))

    def rows(self, model: ModelName, suite: str, metric: str) -> list[Score]:
        """Return the rows of one model, suite and metric."""
        return [
            row
            for key, row in self._rows.items()
            if (key[0], key[1], key[3]) == (model, suite, metric)
        ]


def figure(value: float) -> str:
    """Return a number with three figures, without an exponent where it is common.

    Examples
    --------
    >>> [figure(value) for value in (4213.4, 21.23, 2.8, 0.0123, -0.5, 2e-5)]
    ['4213', '21.2', '2.80', '0.0123', '-0.500', '2.00 × 10⁻⁵']
    """
    size = abs(value)
    if size == 0:
        return "0"
    if not is_plain(value):
        return number_text(value)
    decimals = max(0, 3 - _digits_before_point(size))
    return f"{value:.{decimals}f}"


def arrow(before: Score, after: Score) -> str:
    """Return two scores as one led to the other, in their unit."""
    return f"{figure(before.value)} → {figure(after.value)} {after.unit}"


def gain_text(gain: float) -> str:
    """Return a gain below ten per cent with one decimal.

    Examples
    --------
    >>> gain_text(0.0312), gain_text(2e-7)
    ('3.1 %', 'less than 0.1 %')
    """
    return f"{100 * gain:.1f} %" if gain >= 0.001 else "less than 0.1 %"


def _digits_before_point(size: float) -> int:
    """Return the position of the first figure: 2 for 21.2, 0 for 0.5, -1 for 0.02."""
    digits = 0
    while size >= 1:
        size, digits = size / 10, digits + 1
    while size < 0.1:
        size, digits = size * 10, digits - 1
    return digits
