"""What people see while they wait: bars, stages, notices."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from atomgraft.core.errors import BadInputError

if TYPE_CHECKING:
    from atomgraft.study.cells import Outcome

LOG_WIDTH = 120
"""Characters a line where the output is no terminal."""


def console(*, quiet: bool = False) -> Console:
    """Return the screen for people: standard error, so that --json stays clean.

    Parameters
    ----------
    quiet
        Print nothing.
    """
    is_first = os.environ.get("RANK", "0") == "0"  # one voice of several processes
    shown = Console(stderr=True, quiet=quiet or not is_first, highlight=False)
    if not shown.is_terminal:  # a log file has no edge to wrap at
        shown.width = LOG_WIDTH
    return shown


def is_live(screen: Console) -> bool:
    """Tell whether a bar can move there: in a terminal or a notebook."""
    return screen.is_terminal or screen.is_jupyter


@contextlib.contextmanager
def calm() -> Generator[None]:
    """Keep the chatter of other libraries off the screen."""
    for name in ("lightning_fabric", "lightning.fabric", "lightning", "torch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def stage_screen(screen: Console) -> Generator[Callable[[str, int, int], None]]:
    """Show the stages of a proof."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=screen,
        transient=True,
    )
    task = progress.add_task("proving", total=None)

    def show(what: str, done: int, total: int) -> None:
        progress.update(task, description=what, completed=done, total=total)

    if is_live(screen):
        progress.start()
    try:
        yield show
    finally:
        progress.stop()


def print_notice(screen: Console, text: str) -> None:
    """Print a notice; square brackets in file names are no markup."""
    screen.print(f"[yellow]Note:[/yellow] {escape(text)}")


def device_name(text: str) -> Literal["auto", "cpu", "cuda"]:
    """Return the device a user named.

    Raises
    ------
    BadInputError
        There is no such device.
    """
    for known in ("auto", "cpu", "cuda"):
        if text == known:
            return known
    raise BadInputError(
        f"There is no device {text!r}.",
        "Known: auto, cpu, cuda.",
        "Choose one of them.",
    )


def print_json(document: str) -> None:
    """Print a JSON document on standard output."""
    if os.environ.get("RANK", "0") == "0":  # one document of several processes
        sys.stdout.write(document + "\n")


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
