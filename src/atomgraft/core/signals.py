"""SIGTERM and SIGINT as an event that a loop can check."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

_noted: list[int] = []
"""Signals that came while somebody looked."""


_listening: list[threading.Event] = []
"""Events of all who look, the outer ones first."""


def has_been_told() -> bool:
    """Return whether a signal told this process to stop."""
    return bool(_noted)


def exit_code(otherwise: signal.Signals) -> int:
    """Return 128 plus the signal that told this process to stop.

    Parameters
    ----------
    otherwise
        The signal, where none was noted here: another process was told.
    """
    return 128 + (_noted[-1] if _noted else otherwise)


def forget_signals() -> None:
    """Begin a command: what came before it does not concern it."""
    _noted.clear()


@contextmanager
def stopped_by_signal() -> Generator[threading.Event]:
    """Turn SIGTERM and SIGINT into an event, so that all is closed in order.

    Outside the main thread, where no signal arrives, the event is never set. Where one
    is used within another, a signal is an event for both.

    Examples
    --------
    >>> with stopped_by_signal() as stopped:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     stopped.is_set()
    True
    """
    event = threading.Event()

    def note(number: int, _frame: FrameType | None) -> None:
        _noted.append(number)
        for one in _listening:
            one.set()

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    kinds = (signal.SIGTERM, signal.SIGINT)
    _listening.append(event)
    before = {kind: signal.signal(kind, note) for kind in kinds}
    try:
        yield event
    finally:
        _listening.remove(event)
        for kind, handler in before.items():
            signal.signal(kind, handler)
