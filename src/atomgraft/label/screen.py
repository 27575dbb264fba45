"""Output of a selection in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from atomgraft.label.page import chosen_cells, chosen_columns
from atomgraft.label.record import SelectionResult
from atomgraft.study.screen import print_notice


def print_record(screen: Console, result: SelectionResult) -> None:
    """Print the chosen structures for people.

    Parameters
    ----------
    screen
        Where to.
    result
        What was chosen.
    """
    for notice in result.notices:
        print_notice(screen, notice)
    table = Table(box=None, pad_edge=False)
    for name, is_text in chosen_columns(result):
        table.add_column(name, justify="left" if is_text else "right")
    for one in result.chosen:
        table.add_row(*(escape(cell) for cell in chosen_cells(result, one)))
    screen.print(table)
