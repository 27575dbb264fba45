"""Running a cell in the environment of its framework, in a separate process.

SevenNet and MACE cannot live in one environment, and one comparison may hold both. What
needs the framework that is not here is asked of the Python that has it: a request goes
in as one line of JSON, the answer comes back in a file.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from atomgraft.core import errors
from atomgraft.core.environments import variables_for
from atomgraft.core.errors import AtomgraftError, LostProcessError
from atomgraft.core.storage import write_atomically

MAX_TOLD = 400
"""Characters of a foreign failure that are passed on."""

Document = dict[str, Any]


def call_elsewhere(
    python: Path, function: str, request: Document, *, n_threads: int = 1
) -> Document:
    """Call a function of atomgraft in another environment.

    The other process ends with this one, however this one ends: it watches the pipe
    through which it was asked.

    Parameters
    ----------
    python
        Interpreter of an environment with the same atomgraft.
    function
        ``module:name`` inside atomgraft; takes a request and returns a document.
    request
        What JSON can hold.
    n_threads
        Of torch.

    Raises
    ------
    AtomgraftError
        What the function raised, as what it was.
    LostProcessError
        The other process died.
    """
    variables = variables_for(python) | {"OMP_NUM_THREADS": str(n_threads)}
    with tempfile.TemporaryDirectory(prefix="atomgraft-") as folder:
        answer = Path(folder) / "answer.json"
        command = [str(python), "-P", "-m", __name__, function, str(answer)]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=variables,
        ) as process:
            assert process.stdin is not None  # as it was asked for
            assert process.stderr is not None
            with contextlib.suppress(BrokenPipeError):  # it may be gone already
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
            told = process.stderr.read()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        if not answer.exists():
            last = (told.strip().splitlines() or ["it gave no message"])[-1]
            raise LostProcessError(
                f"The process of {python} ended without a result: {last[:MAX_TOLD]}.",
                "Expected an environment with the same atomgraft, and enough memory.",
                "Run the same command again; 'atomgraft env list' shows environments.",
            )
        document = json.loads(answer.read_text())
    if "error" in document:
        kind, parts = document["error"]
        raise getattr(errors, kind)(*parts)
    return document["answer"]


def answer_request(function: str, request: Document) -> Document:
    """Call a function and return its answer, or its failure, as a document.

    Parameters
    ----------
    function
        ``module:name`` inside atomgraft.
    request
        Its argument.

    Examples
    --------
    >>> answer_request("study.processes:repeated", {"n": 1})
    {'answer': {'n': 1}}
    """
    module, _, name = function.partition(":")
    try:
        return {
            "answer": getattr(importlib.import_module(f"atomgraft.{module}"), name)(
                request
            )
        }
    except AtomgraftError as error:
        parts = [error.came, error.needed, error.remedy]
        kind = type(error).__name__
        return {"error": [kind if hasattr(errors, kind) else "AtomgraftError", parts]}


def repeated(request: Document) -> Document:
    """Return the request, to see whether anybody is there."""
    return request


def _end_with_parent() -> None:
    """End at once when the pipe of whoever asked is closed."""
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Answer the one request that comes through standard input."""
    function, answer = sys.argv[1:]
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    document = answer_request(function, request)
    write_atomically(Path(answer), json.dumps(document))
    os._exit(0)  # the watching thread waits for ever


if __name__ == "__main__":
    main()
