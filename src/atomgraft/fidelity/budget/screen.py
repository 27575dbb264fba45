"""Output of a budget in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from atomgraft.fidelity.budget.record import Budget
from atomgraft.fidelity.budget.tables import mixture_table


def print_record(screen: Console, budget: Budget) -> None:
    """Print the mixtures and the advice."""
    shown = mixture_table(budget)
    table = Table(box=None, pad_edge=False)
    for head, is_text in zip(shown.columns, shown.is_text, strict=True):
        table.add_column(escape(head), justify="left" if is_text else "right")
    for row in shown.rows:
        table.add_row(*map(escape, row))
    screen.print(table)
    for way, reason in budget.left_out.items():
        screen.print(f"Left out: {escape(way)}: {escape(reason)}")
    screen.print(f"\n[bold]{escape(budget.headline)}[/bold]")
    for sentence in budget.sentences:
        screen.print(f"  {escape(sentence)}")
