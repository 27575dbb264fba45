"""What people see while they wait: a bar, or lines in a log; and notices."""

import contextlib
import importlib.util
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Generator
from typing import TYPE_CHECKING, Literal, NamedTuple

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
from atomgraft.core.progress import Progress as Told
from atomgraft.page.wording import duration_text

if TYPE_CHECKING:
    from atomgraft.study.cells import Outcome

LOG_WIDTH = 120
"""Characters a line where the output is no terminal."""

FIRST_LINE = 10.0
"""Seconds until a log gets its first line on how far a command is."""

LONGEST_GAP = 300.0
"""Seconds between two such lines, at most; each gap doubles the time before it."""


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
    """Tell whether a bar can move there: in a terminal, or a notebook with widgets."""
    if screen.is_jupyter:
        return importlib.util.find_spec("ipywidgets") is not None
    return screen.is_terminal


@contextlib.contextmanager
def calm() -> Generator[None]:
    """Keep the chatter of other libraries off the screen."""
    for name in ("lightning_fabric", "lightning.fabric", "lightning", "torch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def line_times() -> Generator[float]:
    """Yield when a log gets its lines, in seconds since the beginning."""
    due = FIRST_LINE
    while True:
        yield due
        due += min(due, LONGEST_GAP)


class _Point(NamedTuple):
    """How far something was at a moment."""

    what: str
    done: int
    total: int
    note: str
    moment: float


class Gauge:
    """How far a command is: a bar where one can move, lines where there is a log.

    A log gets lines at the times of :func:`line_times`, whether or not anything has
    moved on, and a last one where there were others.

    Parameters
    ----------
    screen
        Where to.
    what
        Is done until something else is told.
    is_kept
        A bar stays on the screen at the end.
    """

    def __init__(self, screen: Console, what: str, *, is_kept: bool = False) -> None:
        self.screen = screen
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=screen,
            transient=not is_kept,
        )
        self.task = self.progress.add_task(what, total=None, note="")
        self.begin = time.monotonic()
        self.first = self.now = _Point(what, 0, 0, "", self.begin)
        self.n_lines = 0
        self.is_over = threading.Event()
        self.writer = threading.Thread(target=self._write_lines, daemon=True)

    def start(self) -> None:
        """Show the bar, or begin to count the time until the first line."""
        if is_live(self.screen):
            self.progress.start()
        elif not self.screen.quiet:
            self.writer.start()

    def show(self, what: str, done: int, total: int, note: str = "") -> None:
        """Say how far it is.

        Parameters
        ----------
        what
            Is being done.
        done, total
            Steps; a total of 0 is not known.
        note
            What else there is to say.
        """
        now = _Point(what, done, total, note, time.monotonic())
        if total != self.now.total or done < self.now.done:  # another count begins
            self.first = now
        self.now = now
        self.progress.update(
            self.task,
            description=what,
            completed=done,
            total=total or None,
            note=note,
        )

    def close(self, *, has_failed: bool = False) -> None:
        """Stop; a log that has lines gets a last one, unless an error says enough."""
        if is_live(self.screen):  # else it would print an empty line
            self.progress.stop()
        self.is_over.set()
        if self.writer.is_alive():
            self.writer.join()
        if self.n_lines and not has_failed:
            self._print(f"Ended after {self._elapsed()}.")

    def line(self) -> str:
        """Return what is done, how far it is, the time so far and the time left."""
        now, first, moment = self.now, self.first, time.monotonic()
        parts = [now.what]
        if now.total:
            percent = 100 * now.done // now.total
            parts[0] += f": {now.done} of {now.total} ({percent} %)"
        elif now.done:  # of a stream, whose end nobody knows
            parts[0] += f": {now.done}"
        parts.append(f"{self._elapsed()} so far")
        if first.done < now.done < now.total:
            each = (now.moment - first.moment) / (now.done - first.done)
            left = (now.total - now.done) * each - (moment - now.moment)
            parts.append(f"about {_whole_seconds(max(1.0, left))} left")
        return ", ".join([*parts, now.note] if now.note else parts)

    def _elapsed(self) -> str:
        return _whole_seconds(time.monotonic() - self.begin)

    def _write_lines(self) -> None:
        for due in line_times():
            if self.is_over.wait(self.begin + due - time.monotonic()):
                return
            self._print(self.line())
            self.n_lines += 1

    def _print(self, text: str) -> None:
        self.screen.print(text, markup=False, soft_wrap=True)


def _whole_seconds(seconds: float) -> str:
    """Return a duration that is no more exact than one reads it."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else duration_text(whole)


@contextlib.contextmanager
def gauged(screen: Console, what: str, *, is_kept: bool = False) -> Generator[Gauge]:
    """Show how far a command is, and leave the terminal as it was.

    Parameters
    ----------
    screen, what, is_kept
        As for :class:`Gauge`.
    """
    gauge = Gauge(screen, what, is_kept=is_kept)
    gauge.start()
    try:
        yield gauge
    except BaseException:
        gauge.close(has_failed=True)
        raise
    gauge.close()


@contextlib.contextmanager
def stage_screen(screen: Console, what: str = "reading") -> Generator[Told]:
    """Show the stages of a command that tells only of them.

    Parameters
    ----------
    screen
        Where to.
    what
        Is done before the first stage.
    """
    with gauged(screen, what) as gauge:
        yield gauge.show


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

    def __init__(self, screen: Console, gauge: Gauge) -> None:
        self.screen, self.gauge = screen, gauge
        self.n_failed = self.n_ended = self.n_cells = 0

    def on_campaign(self, n_done: int, n_cells: int, n_workers: int | None) -> None:
        """Say how many cells there are."""
        if n_done:
            self.screen.print(f"{n_done} of {n_cells} cells are already finished.")
        where = "on the cluster" if n_workers is None else f"{n_workers} at a time"
        self.screen.print(f"Running {n_cells - n_done} cells, {where}.")
        self.n_ended, self.n_cells = n_done, n_cells
        self._show()

    def on_cell(self, name: str, outcome: "Outcome") -> None:
        """Count a cell; say why it has no result, if it has none."""
        if outcome.status != "done":
            self.n_failed += 1
            self.on_notice(f"{name} {outcome.status}: {outcome.reason}")
        self.n_ended += 1
        self._show()

    def on_notice(self, text: str) -> None:
        """Print a notice above the bar."""
        print_notice(self.screen, text)

    def _show(self) -> None:
        note = f"{self.n_failed} without a result" if self.n_failed else ""
        self.gauge.show("cells", self.n_ended, self.n_cells, note)


@contextlib.contextmanager
def campaign_screen(screen: Console) -> Generator[CampaignScreen]:
    """Show a campaign, and leave the terminal as it was."""
    with gauged(screen, "starting", is_kept=True) as gauge:
        yield CampaignScreen(screen, gauge)
