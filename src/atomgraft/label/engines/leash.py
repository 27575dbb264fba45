"""Run a command that ends with whoever started it, however that one ended.

This file is run as a script, ``python -I leash.py FOLDER COMMAND...``, and imports the
standard library alone. Its standard input is a pipe that its starter holds open. When
the pipe is closed, the command is killed and the folder is removed, so that a killed
worker leaves neither a process nor files behind.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading

PATIENCE = 1.0
"""s; a signal that killed the command may have killed the starter at this moment."""


def main(folder: str, *command: str) -> int:
    """Run a command in a folder, and return its exit code.

    Parameters
    ----------
    folder
        Where it runs; removed when the starter is gone.
    command
        The program and its arguments.
    """
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, start_new_session=True
    )
    is_left = threading.Event()

    def kill() -> None:
        with contextlib.suppress(ProcessLookupError):  # it may end at this moment
            os.killpg(process.pid, signal.SIGKILL)  # and those that it has started

    def watch() -> None:
        os.read(0, 1)  # returns when the pipe is closed; sys.stdin has a lock
        is_left.set()
        kill()
        process.wait()
        shutil.rmtree(folder)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: kill())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    code = process.wait()
    watcher.join(None if is_left.is_set() else PATIENCE * (code < 0))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) % 256)
