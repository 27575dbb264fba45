"""What people see while they wait, and the tables they read after."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Generator
from typing import Any, Literal

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
from rich.table import Table

from atomgraft.core.errors import BadInputError
from atomgraft.report.tables import comparison_rows, score_text
from atomgraft.report.wording import bytes_text, count_text
from atomgraft.results.schema import ReferenceRefit, RoleCoverage, RunResult

LOG_WIDTH = 120
"""Characters a line where the output is no terminal."""

SMALLEST_SHIFT = 1e-3
"""eV per atom below which a shift is not worth a line."""


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


class TrainingScreen:
    """Shows an adaptation: what moves, references, a bar with the time left."""

    def __init__(self, screen: Console) -> None:
        self.screen = screen
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=screen,
        )
        self.task: Any = None

    def on_setup(
        self, movements: tuple[RoleCoverage, ...], refit: ReferenceRefit
    ) -> None:
        """Print what moves and how the reference energies were shifted."""
        self.screen.print(coverage_table(movements))
        self.screen.print(f"Reference energies: {refit.note}.")
        large = {k: v for k, v in refit.shifts.items() if abs(v) > SMALLEST_SHIFT}
        if large:
            shifts = ", ".join(f"{k} {v:+.3f}" for k, v in large.items())
            self.screen.print(f"  shifts in eV/atom: {shifts}")

    def on_start(self, step: int, n_steps: int) -> None:
        """Start the bar."""
        if step:
            self.screen.print(f"Going on from step {step}.")
        self.task = self.progress.add_task(
            "training", total=n_steps, completed=step, note=""
        )
        if self.screen.is_terminal:
            self.progress.start()

    def on_step(self, record: dict[str, Any]) -> None:
        """Move the bar."""
        note = f"loss {record['loss']:.3f}"
        if "validation" in record and "forces" in record["validation"]:
            note += f", validation {record['validation']['forces']:.2f} meV/Å"
        self.progress.update(self.task, completed=record["step"], note=note)

    def on_notice(self, text: str) -> None:
        """Print a notice above the bar."""
        print_notice(self.screen, text)

    def close(self) -> None:
        """Stop the bar."""
        self.progress.stop()


@contextlib.contextmanager
def training_screen(screen: Console) -> Generator[TrainingScreen]:
    """Show training, and leave the terminal as it was."""
    shown = TrainingScreen(screen)
    try:
        yield shown
    finally:
        shown.close()


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


def coverage_table(movements: tuple[RoleCoverage, ...]) -> Table:
    """Return what moves, role by role."""
    table = Table(title="What moves", title_justify="left", box=None, pad_edge=False)
    table.add_column("role")
    for heading in ("tensors", "weights", "trained numbers"):
        table.add_column(heading, justify="right")
    for one in movements:
        table.add_row(
            one.role,
            f"{one.n_tensors_moving}/{one.n_tensors}",
            f"{count_text(one.n_weights_moving)}/{count_text(one.n_weights)}",
            count_text(one.n_trainable),
        )
    weights = sum(one.n_weights for one in movements)
    trained = sum(one.n_trainable for one in movements)
    share = f"{count_text(trained)} ({trained / weights:.1%} of {count_text(weights)})"
    table.add_row("all", "", "", share)
    return table


def score_table(result: RunResult) -> Table:
    """Return held-out errors and forgetting of all models, side by side."""
    table = Table(box=None, pad_edge=False)
    for heading in ("suite", "quantity", "metric", "unit"):
        table.add_column(heading)
    models = ["base", "adapted"]
    if any(score.model == "scratch" for score in result.scores):
        models.append("scratch")
    for model in models:
        table.add_column(model, justify="right")
    for row in comparison_rows(result):
        if row.metric in {"mae", "mae_aligned", "drift"}:
            cells = [score_text(getattr(row, model)) for model in models]
            table.add_row(row.suite, row.quantity, row.metric, row.unit, *cells)
    return table


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


def print_result(screen: Console, result: RunResult) -> None:
    """Print the verdict and the main scores for people."""
    if result.scores:
        screen.print(score_table(result))
    size = f"{bytes_text(result.graft_bytes)} of {bytes_text(result.base_bytes)}"
    screen.print(f"Graft: {size}.")
    screen.print(f"\n[bold]{escape(result.verdict.headline)}[/bold]")
    for sentence in result.verdict.sentences:
        screen.print(f"  {escape(sentence)}")


def print_json(document: str) -> None:
    """Print a JSON document on standard output."""
    if os.environ.get("RANK", "0") == "0":  # one document of several processes
        sys.stdout.write(document + "\n")
