"""What people see while they wait, and the tables they read after."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Generator
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from atomgraft.core.errors import BadInputError

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

    if screen.is_terminal:
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
