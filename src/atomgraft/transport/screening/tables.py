"""The ranked list, for page, terminal and other programs."""

import csv
import io

from atomgraft.page.wording import MISSING, number_text
from atomgraft.transport.screening.record import Ranked, ScreenResult
from atomgraft.transport.screening.wording import is_near, with_unit

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

COLUMNS = ("rank", "structure", "formula", "predicted", "similar", "remarks")


def rows_of(result: ScreenResult, n: int) -> list[tuple[str, ...]]:
    """Return the first rows of the list."""
    return [
        (
            str(rank),
            one.name,
            one.formula,
            with_unit(one, result),
            "yes" if is_near(one) else "no",
            remarks(one),
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
