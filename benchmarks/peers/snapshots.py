"""What a contender keeps while it trains, and when: the same for every tool.

A launcher starts the tool's own training function and hooks the place where the tool
itself keeps a model. The clock is the processor time of the whole process on one
thread, imports and set-up included: the wall time of a machine that does nothing else,
and far less disturbed than wall time on one that does. The time a copy takes is taken
off; nothing else is changed.
"""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

CLOCK = "clock.jsonl"


class Snapshots:
    """Writes models as ``SECONDS.SUFFIX`` into a folder.

    Parameters
    ----------
    folder
        Made if it is not there.
    suffix
        Of the files.
    """

    def __init__(self, folder: Path, suffix: str = "model") -> None:
        self._folder, self._suffix = folder, suffix
        self._wall = time.time()
        self._own = 0.0
        folder.mkdir(parents=True, exist_ok=True)

    def seconds(self) -> float:
        """Return the processor time that the tool itself has used, s."""
        return time.process_time() - self._own

    def keep(self, write: Callable[[Path], object], **notes: float) -> None:
        """Write what the tool kept just now.

        Parameters
        ----------
        write
            Writes it to a path.
        notes
            Stand beside the time.
        """
        start, seconds = time.process_time(), self.seconds()
        part = self._folder / "part"
        write(part)
        part.rename(self._folder / f"{seconds:08.2f}.{self._suffix}")
        record = {"seconds": seconds, "wall_since_import": time.time() - self._wall}
        record |= notes
        with (self._folder / CLOCK).open("a") as file:
            file.write(json.dumps(record) + "\n")
        self._own += time.process_time() - start

    def stop_after(self, budget: float) -> None:
        """End the process when `budget` seconds are used."""

        def stop(*_: object) -> None:
            left = budget - self.seconds()
            if left <= 0:
                raise SystemExit(0)
            signal.setitimer(signal.ITIMER_PROF, left)

        signal.signal(signal.SIGPROF, stop)
        stop()
