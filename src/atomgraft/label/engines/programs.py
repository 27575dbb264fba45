"""Running a program to its end in a folder, killed with whoever started it."""

import dataclasses
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from atomgraft.label.engines import leash
from atomgraft.label.engines.base import took_too_long

POLL = 0.2
"""s, between two looks at a running process."""

LOUD = 5.0
"""s, between two calls of `watch`."""

N_LAST = 300
"""Characters of what a program prints that a message repeats."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ended:
    """A program that came to its end.

    Parameters
    ----------
    code
        Its exit code.
    printed
        Everything that it wrote to its standard output and error.
    """

    code: int
    printed: str

    @property
    def last_words(self) -> str:
        """The end of what it printed, in one line."""
        return last_words(self.printed)


def last_words(printed: str) -> str:
    r"""Return the end of what a program has printed, in one line.

    Parameters
    ----------
    printed
        All of it.

    Examples
    --------
    >>> last_words("one\ntwo")
    'one two'
    """
    return " ".join(printed.split())[-N_LAST:] or "it printed nothing"


def run_program(
    command: Sequence[str],
    folder: Path,
    what: str,
    *,
    variables: Mapping[str, str],
    wall_time: float | None = None,
    watch: Callable[[], None] | None = None,
) -> Ended:
    """Run a program in a temporary folder to its end.

    Parameters
    ----------
    command
        The program and its arguments.
    folder
        Where it runs; removed if this process is killed.
    what
        Is computed, for messages.
    variables
        Its environment.
    wall_time
        s, after which it is killed.
    watch
        Called every few seconds.

    Raises
    ------
    EngineFailureError
        It took longer than its wall time.
    """
    with (
        tempfile.TemporaryFile() as printed,
        subprocess.Popen(
            (sys.executable, "-I", leash.__file__, str(folder), *command),
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=printed,
            env=dict(variables),
            start_new_session=True,  # signals of a terminal are for this process
        ) as process,
    ):
        assert process.stdin is not None  # as it was asked for
        started = told = time.monotonic()
        while not _has_ended(process):
            now = time.monotonic()
            if wall_time is not None and now - started > wall_time:
                process.stdin.close()  # the leash kills it
                process.wait()
                raise took_too_long(what, wall_time)
            if watch is not None and now - told > LOUD:
                told = now
                watch()
        process.stdin.close()
        printed.seek(0)
        text = printed.read().decode(errors="replace")
    return Ended(code=process.returncode, printed=text)


def _has_ended(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(POLL)
    except subprocess.TimeoutExpired:
        return False
    return True
