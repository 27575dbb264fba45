"""Output of a campaign in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from atomgraft.page.blocks import Table as PageTable
from atomgraft.phonons.campaign.record import PhononCampaign
from atomgraft.phonons.campaign.tables import (
    bill_table,
    short_summary_table,
    worst_table,
)
from atomgraft.phonons.campaign.wording import headline, sentences
from atomgraft.study.screen import print_notice


def print_record(screen: Console, campaign: PhononCampaign) -> None:
    """Print verdict, summary, worst cases and bill for people.

    Parameters
    ----------
    screen
        Where to.
    campaign
        What was found.
    """
    screen.print(f"\n[bold]{escape(headline(campaign))}[/bold]")
    for sentence in sentences(campaign):
        screen.print(f"  {escape(sentence)}")
    for table in (
        short_summary_table(campaign),
        worst_table(campaign, most=5),
        bill_table(campaign),
    ):
        if table is not None:
            screen.print()
            screen.print(_table(table))
    for notice in campaign.notices:
        print_notice(screen, notice)


def _table(table: PageTable) -> Table:
    shown = Table(box=None, pad_edge=False)
    for column, is_text in zip(table.columns, table.is_text, strict=True):
        shown.add_column(escape(column), justify="left" if is_text else "right")
    for row in table.rows:
        shown.add_row(*map(escape, row))
    return shown
