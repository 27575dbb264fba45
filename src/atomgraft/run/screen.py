"""Output of a run in the terminal: trained roles, progress, verdict."""

import contextlib
from collections.abc import Generator
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from atomgraft.page.wording import bytes_text, count_text
from atomgraft.run.page.tables import comparison_rows, score_text
from atomgraft.run.record import ReferenceRefit, RoleCoverage, RunResult
from atomgraft.run.spec import BASE
from atomgraft.study.screen import Gauge, gauged, print_notice

SMALLEST_SHIFT = 1e-3
"""eV per atom below which a shift is not worth a line."""

N_WORDS = 4
"""Columns of the main scores before the numbers."""


class TrainingScreen:
    """Shows an adaptation: what moves, references, a bar with the time left."""

    def __init__(self, screen: Console, gauge: Gauge) -> None:
        self.screen, self.gauge = screen, gauge
        self.n_steps, self.which = 0, ""

    def on_progress(self, what: str, done: int, total: int) -> None:
        """Show what is computed before the first step."""
        self.gauge.show(self.which + what, done, total)

    def on_run(self, number: int, total: int, words: str) -> None:
        """Say which of several runs begins."""
        name = "" if number == total else f" ({BASE})"
        self.screen.print(f"\nRun {number} of {total}{name}: {words}", markup=False)
        self.which = f"run {number} of {total}{name}: "
        self.gauge.show(f"{self.which}reading", 0, 0)

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
        """Say where training begins."""
        if step:
            self.screen.print(f"Continuing from step {step}.")
        self.n_steps = n_steps
        self.gauge.show(f"{self.which}training", step, n_steps)

    def on_step(self, record: dict[str, Any]) -> None:
        """Say how far training is."""
        note = f"loss {record['loss']:.3f}"
        if "validation" in record and "forces" in record["validation"]:
            note += f", validation {record['validation']['forces']:.2f} meV/Å"
        self.gauge.show(f"{self.which}training", record["step"], self.n_steps, note)

    def on_notice(self, text: str) -> None:
        """Print a notice above the bar."""
        print_notice(self.screen, text)


@contextlib.contextmanager
def training_screen(screen: Console) -> Generator[TrainingScreen]:
    """Show training, and leave the terminal as it was."""
    with gauged(screen, "reading", is_kept=True) as gauge:
        yield TrainingScreen(screen, gauge)


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
    columns, rows = main_scores(result)
    for i, heading in enumerate(columns):
        table.add_column(heading, justify="left" if i < N_WORDS else "right")
    for row in rows:
        table.add_row(*row)
    return table


def main_scores(result: RunResult) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of the scores that a verdict rests on.

    Parameters
    ----------
    result
        A run that was judged.
    """
    models = ["base", "adapted"]
    if any(score.model == "scratch" for score in result.scores):
        models.append("scratch")
    rows = [
        [row.suite, row.quantity, row.metric, row.unit]
        + [score_text(getattr(row, model)) for model in models]
        for row in comparison_rows(result)
        if row.metric in {"mae", "mae_aligned", "drift", "relative_error"}
    ]
    return ["suite", "quantity", "metric", "unit", *models], rows


def print_record(screen: Console, result: RunResult) -> None:
    """Print the verdict and the main scores for people."""
    if result.scores:
        screen.print(score_table(result))
    size = f"{bytes_text(result.graft_bytes)} of {bytes_text(result.base_bytes)}"
    screen.print(f"Graft: {size}.")
    screen.print(f"\n[bold]{escape(result.verdict.headline)}[/bold]")
    for sentence in result.verdict.sentences:
        screen.print(f"  {escape(sentence)}")
