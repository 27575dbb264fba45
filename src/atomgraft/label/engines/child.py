"""A process that computes one structure after the other with a foreign program.

Started by ``outside.py``. Questions come as lines of JSON through standard input, and
answers go back through what was standard output; whatever the program prints goes into
a log. The process ends when its input is closed, in the middle of a computation too.
"""

import contextlib
import dataclasses
import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from ase import Atoms

from atomgraft.core.errors import AtomgraftError, StorageError, reason_of
from atomgraft.core.storage import remove_folder
from atomgraft.label.engines.base import EngineFailureError, Labelled

Document = dict[str, Any]

Compute = Callable[[Atoms], Labelled]
"""Labels one structure; raises EngineFailureError, or what the program raises."""

ComputeMaker = Callable[[Mapping[str, Any]], Compute]
"""Makes that function from settings, with the program imported."""

READY: Document = {"ready": True}


def labelled_of(answer: Document) -> Labelled:
    """Return the labels of an answer.

    Parameters
    ----------
    answer
        Of this process.

    Raises
    ------
    EngineFailureError
        It is a failure.
    """
    if "failure" in answer:
        raise EngineFailureError(*answer["failure"])
    arrays = {
        key: None if answer[key] is None else np.array(answer[key], dtype=float)
        for key in ("forces", "stress")
    }
    return Labelled(
        energy=answer["energy"],
        seconds=answer["seconds"],
        cpu_seconds=answer["cpu_seconds"],
        **arrays,
    )


def answered(compute: Compute, question: Document) -> Document:
    """Compute one structure, and return its labels or its failure.

    Parameters
    ----------
    compute
        Of the program.
    question
        Of `document_of`.

    Examples
    --------
    >>> from atomgraft.label.engines.base import document_of
    >>> def nothing(atoms):
    ...     raise ValueError("no convergence")
    >>> answered(nothing, document_of(Atoms("H")))["failure"][0]
    'H has no labels: ValueError: no convergence.'
    """
    atoms = Atoms(**question)
    started, used = time.perf_counter(), time.process_time()
    try:
        found = compute(atoms)
    except AtomgraftError as error:
        return {"failure": [error.came, error.needed, error.remedy]}
    except Exception as error:  # noqa: BLE001 - a program may raise anything; the others go on
        return {"failure": _failure(atoms, error)}
    document = dataclasses.asdict(found) | {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - used,
    }
    return {
        key: one.tolist() if isinstance(one, np.ndarray) else one
        for key, one in document.items()
    }


def _failure(atoms: Atoms, error: Exception) -> list[str]:
    what = atoms.get_chemical_formula()
    if isinstance(error, MemoryError):
        return [
            f"{what} has no labels: the memory is too small.",
            "Every worker needs memory of its own.",
            "Use fewer --workers, or a smaller basis; then --retry-failed.",
        ]
    return [
        f"{what} has no labels: {reason_of(error, with_kind=True)}.",
        "Expected an energy.",
        "Check the structure and the settings of the engine; then --retry-failed.",
    ]


def _read_questions(
    channel: TextIO, questions: "queue.SimpleQueue[str]", folder: str
) -> None:
    """Pass questions on, and end process and folder where there will be no more."""
    try:
        for line in channel:
            questions.put(line)
        with contextlib.suppress(StorageError):  # the program may write now
            remove_folder(Path(folder))
    finally:
        os.killpg(os.getpid(), signal.SIGKILL)  # and those that the program started


def _own_channels() -> tuple[TextIO, TextIO]:
    """Return what were standard input and output: nothing, and the log, from now on."""
    asked = os.fdopen(os.dup(0), encoding="utf-8")
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return asked, told


def _send(channel: TextIO, answer: Document) -> None:
    channel.write(json.dumps(answer) + "\n")
    channel.flush()


def main(maker: str, folder: str) -> None:
    """Answer questions until there are no more.

    Parameters
    ----------
    maker
        ``module:function`` of a :data:`ComputeMaker`. The first line of standard input
        is its settings.
    folder
        In which the program runs; removed when whoever asked is gone.
    """
    asked, channel = _own_channels()
    settings = json.loads(asked.readline())
    questions: queue.SimpleQueue[str] = queue.SimpleQueue()
    reader = (asked, questions, folder)
    threading.Thread(target=_read_questions, args=reader, daemon=True).start()
    module, _, name = maker.partition(":")
    try:
        compute: Compute = getattr(importlib.import_module(module), name)(settings)
    except Exception as error:  # noqa: BLE001 - a program may raise anything, and it is told
        parts = [
            f"The program could not be started: {reason_of(error, with_kind=True)}.",
            "Expected settings that it accepts.",
            "Correct 'settings' in the spec file.",
        ]
        if isinstance(error, AtomgraftError):
            parts = [error.came, error.needed, error.remedy]
        _send(channel, {"failure": parts})
        return
    _send(channel, READY)
    while True:
        question = json.loads(questions.get())
        answer = answered(compute, question["atoms"])
        _send(channel, answer | {"number": question["number"]})


if __name__ == "__main__":
    main(*sys.argv[1:])
