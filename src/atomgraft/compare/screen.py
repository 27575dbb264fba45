"""Output of a comparison in the terminal: error table and advice."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from atomgraft.compare.record import Comparison
from atomgraft.compare.tables import size_rows

if TYPE_CHECKING:
    pass


def print_record(screen: Console, comparison: Comparison) -> None:
    """Print the table of the target error, and the advice."""
    if comparison.target is not None:
        screen.print(target_table(comparison))
    screen.print(f"\n[bold]{escape(comparison.advice.headline)}[/bold]")
    for sentence in comparison.advice.sentences:
        screen.print(f"  {escape(sentence)}")


def target_table(comparison: Comparison) -> Table:
    """Return contestants by sizes: the error that decides, and forgetting."""
    heads, rows = size_rows(comparison)
    table = Table(box=None, pad_edge=False)
    for i, head in enumerate(heads):
        table.add_column(escape(head), justify="right" if i else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    return table
