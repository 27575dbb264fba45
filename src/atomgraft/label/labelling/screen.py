"""Output of a labelling in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from atomgraft.label.labelling.page import headline, sentences, short_table
from atomgraft.label.labelling.record import LabelResult

MOST = 12
"""Jobs that a terminal shows."""


def print_record(screen: Console, result: LabelResult) -> None:
    """Print what was computed, for people.

    Parameters
    ----------
    screen
        Where to.
    result
        The index.
    """
    screen.print(f"\n[bold]{escape(headline(result))}[/bold]")
    for sentence in sentences(result):
        screen.print(f"  {escape(sentence)}")
    table = short_table(result, most=MOST)
    if table is not None:
        shown = Table(box=None, pad_edge=False)
        for column, is_text in zip(table.columns, table.is_text, strict=True):
            shown.add_column(escape(column), justify="left" if is_text else "right")
        for row in table.rows:
            shown.add_row(*map(escape, row))
        screen.print()
        screen.print(shown)
