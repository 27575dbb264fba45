"""Output of a study in the terminal: errors and answers."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from atomgraft.fidelity.record import Fidelity
from atomgraft.fidelity.tables import screen_rows


def print_record(screen: Console, study: Fidelity) -> None:
    """Print the table of errors, the answers and the headline."""
    heads, rows = screen_rows(study)
    if rows:
        table = Table(box=None, pad_edge=False)
        for i, head in enumerate(heads):
            table.add_column(escape(head), justify="right" if i else "left")
        for row in rows:
            table.add_row(*map(escape, row))
        screen.print(table)
    for claim in study.claims:
        screen.print(f"\n{escape(claim.question)} [bold]{claim.answer}[/bold]")
        screen.print(f"  {escape(claim.sentence)}")
    screen.print(f"\n[bold]{escape(study.headline)}[/bold]")
    for sentence in study.sentences:
        screen.print(f"  {escape(sentence)}")
