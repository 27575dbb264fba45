"""Output of phonons in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from atomgraft.page import blocks
from atomgraft.page.wording import counted
from atomgraft.phonons.record import PhononResult
from atomgraft.phonons.tables import spectra_table, terminal_table
from atomgraft.phonons.wording import doubts, headline
from atomgraft.study.screen import print_notice


def print_record(screen: Console, result: PhononResult) -> None:
    """Print spectra, errors, notices and the headline for people.

    Parameters
    ----------
    screen
        Where to.
    result
        What was found.
    """
    settings = result.settings
    caption = (
        f"{result.formula}, {settings.space_group}: "
        f"{counted(settings.n_displacements, 'supercell')} of "
        f"{settings.n_atoms_supercell} atoms, geometry {settings.geometry}"
    )
    screen.print(_shown(spectra_table(result, caption)))
    if result.errors:
        screen.print(_shown(terminal_table(result)))
    for notice in (*doubts(result), *result.notices):
        print_notice(screen, notice)
    screen.print(f"\n[bold]{escape(headline(result))}[/bold]")


def _shown(found: blocks.Table) -> Table:
    table = Table(
        title=escape(found.caption), title_justify="left", box=None, pad_edge=False
    )
    for name, is_text in zip(found.columns, found.is_text, strict=True):
        table.add_column(name, justify="left" if is_text else "right")
    for position, row in enumerate(found.rows):
        style = "dim" if position in found.apart else None
        table.add_row(*map(escape, row), style=style)
    return table
