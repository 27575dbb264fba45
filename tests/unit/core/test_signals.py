"""A signal becomes an event, and only while somebody looks."""

import signal
import threading

import pytest

from atomgraft.core.signals import exit_code, forget_signals, stopped_by_signal


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_event(kind):
    with stopped_by_signal() as stopped:
        assert not stopped.is_set()
        signal.raise_signal(kind)
        assert stopped.is_set()
    assert exit_code(signal.SIGTERM) == 128 + kind
    forget_signals()
    assert exit_code(signal.SIGTERM) == 143


def test_who_looks_further_out_is_told_too():
    with stopped_by_signal() as outer:
        with stopped_by_signal() as inner:
            signal.raise_signal(signal.SIGTERM)
            assert inner.is_set()
        assert outer.is_set()
        with stopped_by_signal() as later:
            assert not later.is_set()
    forget_signals()


def test_afterwards_signals_are_what_they_were():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with stopped_by_signal():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_other_threads_leave_signals_alone():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def look():
        with stopped_by_signal() as stopped:
            seen.append((stopped.is_set(), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
