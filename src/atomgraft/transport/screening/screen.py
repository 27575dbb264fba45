"""Output of a screen in the terminal."""

from rich.console import Console
from rich.table import Table

from atomgraft.study.screen import print_notice
from atomgraft.transport.screening.record import ScreenResult
from atomgraft.transport.screening.tables import columns_of, rows_of

SHOWN = 20
"""Structures in the terminal."""


def print_record(screen: Console, result: ScreenResult) -> None:
    """Print the first of the list, and what must be known.

    Parameters
    ----------
    screen
        For people.
    result
        The list.
    """
    table = Table()
    for name in columns_of(result):
        table.add_column(name)
    for row in rows_of(result, SHOWN):
        table.add_row(*row)
    screen.print(table)
    screen.print(f"\n{result.headline}", markup=False)
    for text in result.notices:
        print_notice(screen, text)
