"""Output of a diffusivity in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from atomgraft.study.screen import print_notice
from atomgraft.transport.diffusivity.record import DiffusivityResult
from atomgraft.transport.diffusivity.wording import interval_text, terminal_rows


def print_record(screen: Console, result: DiffusivityResult) -> None:
    """Print the table, the Arrhenius lines and what must be known.

    Parameters
    ----------
    screen
        For people.
    result
        What was measured.
    """
    table = Table(title=None)
    for name in ("Ion", "T, K", "D*, cm²/s", "MSD exponent", "σ (N-E), S/cm"):
        table.add_column(name)
    for row in terminal_rows(result):
        table.add_row(*map(escape, row))
    screen.print(table)
    for one in result.arrhenius:
        how = "extrapolated, " if one.is_extrapolation else ""
        screen.print(
            f"{one.element}: E = {interval_text(one.energy)} eV; {how}"
            f"D*({one.extrapolated_to:g} K) = {interval_text(one.diffusivity)} cm²/s",
            markup=False,
        )
    screen.print(f"\n[bold]{escape(result.headline)}[/bold]")
    for text in result.notices:
        print_notice(screen, text)
