"""The blocks of a section of a page."""

import dataclasses
from typing import Any, ClassVar

PlotlyFigure = dict[str, Any]
"""``data`` and ``layout``; colours are names of the style sheet, as ``@adapted``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Note:
    """One paragraph."""

    kind: ClassVar[str] = "note"
    text: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Heading:
    """A heading within a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Alert:
    """Important sentences in a box."""

    kind: ClassVar[str] = "alert"
    title: str
    sentences: tuple[str, ...]
    is_grave: bool = True
    """Whether numbers below do not mean what they seem to."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Code:
    """Text that keeps its lines."""

    kind: ClassVar[str] = "code"
    text: str
    label: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """Names and values."""

    kind: ClassVar[str] = "facts"
    pairs: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folded:
    """Names and values that are shown on demand."""

    kind: ClassVar[str] = "folded"
    summary: str
    facts: Facts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A table; the first column names the row.

    Parameters
    ----------
    caption
        What it shows and what to look for.
    columns
        Heads of the columns.
    rows
        Texts of the cells.
    is_text
        Whether each column holds text (left) or numbers (right).
    apart
        Positions of rows that are set apart from those above them.
    values
        What rows are sorted by where their reader chooses a column: a number or a
        text for each cell, none for what comes last. Without any, rows stay as they
        are.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_text: tuple[bool, ...]
    apart: tuple[int, ...] = ()
    values: tuple[tuple[float | str | None, ...], ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class LegendEntry:
    """One thing in a figure that can be shown and hidden."""

    key: str
    label: str
    colour: str
    symbol: str
    """Circle, diamond, triangle or square; line, dashes or dots; in lower case."""
    is_shown: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plot:
    """One plotly figure and its description in text."""

    name: str
    title: str
    description: str
    figure: PlotlyFigure


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """One or more plots under one caption, with the numbers behind them."""

    kind: ClassVar[str] = "figure"
    name: str
    caption: str
    plots: tuple[Plot, ...]
    legend: tuple[LegendEntry, ...] = ()
    table: Table | None = None
    is_square: bool = False
    """Whether each plot takes its height from its width."""
    can_zoom: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class ElementCell:
    """One element of the periodic table."""

    symbol: str
    row: int
    column: int
    text: str
    """The value, empty where nothing was measured."""
    spoken: str
    """The value in a sentence."""
    heat: float | None
    """0 (smallest) to 1 (largest)."""
    is_trained: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class ElementMap:
    """One quantity over the periodic table."""

    quantity: str
    label: str
    cells: tuple[ElementCell, ...]
    scale: tuple[str, str, str]
    """Value at the low end, in the middle and at the high end of the colours."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeriodicTable:
    """A heat map by element, one quantity at a time."""

    kind: ClassVar[str] = "elements"
    name: str
    caption: str
    maps: tuple[ElementMap, ...]
    table: Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class Columns:
    """Blocks side by side, one below the other on a narrow screen.

    Parameters
    ----------
    sides
        Heading and blocks of each column.
    """

    kind: ClassVar[str] = "columns"
    sides: tuple[tuple[str, tuple["Block", ...]], ...]


Block = (
    Note
    | Heading
    | Alert
    | Code
    | Facts
    | Folded
    | Table
    | Figure
    | PeriodicTable
    | Columns
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """One heading of the page and its blocks."""

    name: str
    title: str
    blocks: tuple[Block, ...]


def section(name: str, title: str, *blocks: Block | None) -> Section | None:
    """Return a section of the blocks that there are; without any, none.

    Parameters
    ----------
    name
        Where links lead to.
    title
        The heading.
    blocks
        In this order.

    Examples
    --------
    >>> section("notes", "Notes", None, Note(text="One."))
    Section(name='notes', title='Notes', blocks=(Note(text='One.'),))
    >>> section("notes", "Notes", None)
    """
    kept = tuple(block for block in blocks if block is not None)
    return Section(name=name, title=title, blocks=kept) if kept else None
