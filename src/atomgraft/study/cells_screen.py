"""What people see of a campaign: a bar over its cells, and the table at its end."""

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from atomgraft.study.screen import print_notice

if TYPE_CHECKING:
    from atomgraft.study.cells import Outcome


class CampaignScreen:
    """Shows cells done, failed and to come, with the time left."""

    def __init__(self, screen: Console) -> None:
        self.screen = screen
        self.n_failed = 0
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=screen,
        )
        self.task = self.progress.add_task("cells", total=None, note="")

    def on_campaign(self, n_done: int, n_cells: int, n_workers: int | None) -> None:
        """Start the bar."""
        if n_done:
            self.screen.print(f"{n_done} of {n_cells} cells are done already.")
        where = "on the cluster" if n_workers is None else f"{n_workers} at once"
        self.screen.print(f"Running {n_cells - n_done} cells, {where}.")
        self.progress.update(self.task, total=n_cells, completed=n_done)
        if self.screen.is_terminal:
            self.progress.start()

    def on_cell(self, name: str, outcome: "Outcome") -> None:
        """Move the bar; in a log, print a line."""
        if outcome.status != "done":
            self.n_failed += 1
            self.on_notice(f"{name} {outcome.status}: {outcome.reason}")
        elif not self.screen.is_terminal:
            self.screen.print(f"{name} done", markup=False)
        note = f"{self.n_failed} without a result" if self.n_failed else ""
        self.progress.update(self.task, advance=1, note=note)

    def on_notice(self, text: str) -> None:
        """Print a notice above the bar."""
        print_notice(self.screen, text)


@contextlib.contextmanager
def campaign_screen(screen: Console) -> Generator[CampaignScreen]:
    """Show a campaign, and leave the terminal as it was."""
    shown = CampaignScreen(screen)
    try:
        yield shown
    finally:
        shown.progress.stop()
