"""Output of a distillation in the terminal."""

from rich.console import Console
from rich.table import Table

from atomgraft.study.screen import print_notice
from atomgraft.transport.distil.record import DistilResult
from atomgraft.transport.distil.tables import columns_of, rows_of


def print_record(screen: Console, result: DistilResult) -> None:
    """Print the table of methods, the verdict and what must be known.

    Parameters
    ----------
    screen
        For people.
    result
        Of `distil`.
    """
    table = Table()
    for name in columns_of(result):
        table.add_column(name)
    for row in rows_of(result):
        table.add_row(*row)
    screen.print(table)
    screen.print(f"\n{result.headline}", markup=False)
    for text in result.notices:
        print_notice(screen, text)
