"""Observers of training: a progress bar, a test, or none."""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Observer(Protocol):
    """Listens to a run."""

    def on_start(self, step: int, n_steps: int) -> None:
        """Take note that training begins, or goes on, at `step`."""

    def on_step(self, record: dict[str, Any]) -> None:
        """Take note of a step; `record` is the line of ``metrics.jsonl``."""

    def on_notice(self, text: str) -> None:
        """Receive a notice for the user."""


class Silence:
    """An observer that does nothing."""

    def on_start(self, step: int, n_steps: int) -> None:
        """Do nothing."""

    def on_step(self, record: dict[str, Any]) -> None:
        """Do nothing."""

    def on_notice(self, text: str) -> None:
        """Do nothing."""
