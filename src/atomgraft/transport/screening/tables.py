"""The ranked list, for page, terminal and other programs."""

import csv
import io

from atomgraft.page.wording import MISSING, number_text
from atomgraft.transport.screening.record import Ranked, ScreenResult
from atomgraft.transport.screening.wording import (
    interval_text,
    is_near,
    predicted_text,
    property_of,
)

TABLE = (
    "rank",
    "structure",
    "formula",
    "predicted",
    "half_width_68",
    "half_width_95",
    "novelty",
    "unseen_elements",
    "partial_occupancies",
)
"""Columns of screen.csv."""


def columns_of(result: ScreenResult) -> tuple[str, ...]:
    """Return the heads of the list on pages and in the terminal."""
    _, unit = property_of(result)
    predicted = f"predicted, {unit}" if unit else "predicted"
    interval = "68 % interval"
    return ("rank", "structure", "formula", predicted, interval, "novelty", "remarks")


def rows_of(result: ScreenResult, n: int) -> list[tuple[str, ...]]:
    """Return the first rows of the list.

    There is no interval where the predictor knows nothing similar.
    """
    return [
        (
            str(rank),
            one.name,
            one.formula,
            predicted_text(one.predicted, result),
            interval_text(one, result) if is_near(one) else MISSING,
            f"{one.novelty:.2f}",
            remarks(one),
        )
        for rank, one in enumerate(result.ranked[:n], start=1)
    ]


def values_of(result: ScreenResult, n: int) -> list[tuple[float | str | None, ...]]:
    """Return what the first rows are sorted by, in the order of `columns_of`."""
    low, _ = result.half_widths
    return [
        (
            rank,
            one.name,
            one.formula,
            one.predicted,
            one.predicted - low if is_near(one) else None,
            one.novelty,
            None if (said := remarks(one)) == MISSING else said,
        )
        for rank, one in enumerate(result.ranked[:n], start=1)
    ]


def remarks(one: Ranked) -> str:
    """Return what is special about a structure."""
    found = []
    if one.unseen:
        found.append(f"not learned from: {', '.join(one.unseen)}")
    if one.novelty > 1:
        found.append(f"{number_text(one.novelty, digits=2)} times as far as usual")
    if one.is_disordered:
        found.append("partial occupancies")
    return "; ".join(found) or MISSING


def table_text(result: ScreenResult) -> str:
    """Return the whole list as comma-separated values."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    low, high = result.half_widths
    writer.writerow(TABLE)
    for rank, one in enumerate(result.ranked, start=1):
        values = (one.predicted, low, high, one.novelty)
        mixed = "yes" if one.is_disordered else "no"
        numbers = [f"{value:.6g}" for value in values]
        row = [rank, one.name, one.formula, *numbers, " ".join(one.unseen), mixed]
        writer.writerow(row)
    return text.getvalue()
