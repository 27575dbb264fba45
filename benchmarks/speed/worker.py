"""One contender in a process of its own, so that none profits from another's settings.

It builds the contender, warms up, says so, and then does as many steps as each line
of its input asks for, answering with the mean wall and processor seconds of a step.
The threads of every contender wait without spinning, as our command line sets it:
spinning would time the machine's other work.
"""

import argparse
import contextlib
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("ATOMGRAFT_DATA", "../shared/data"))
WARM_UP = 3


class Worker:
    """A contender's process, seen from outside.

    Parameters
    ----------
    name, case
        Of `module`.
    n_threads
        Of torch.
    module
        Where the contenders are defined.
    """

    def __init__(self, name: str, case: str, n_threads: int, module: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, name, case, str(n_threads), module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ
            | {"OMP_NUM_THREADS": str(n_threads), "OMP_WAIT_POLICY": "PASSIVE"},
            text=True,
        )
        self._answer()

    def do(self, n_steps: int) -> dict[str, float]:
        """Do so many steps; return the mean seconds of one, and the peak memory."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{n_steps}\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """Let the process end."""
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(map(str, self._process.args))} ended early")
        return json.loads(line)


def main() -> None:
    """Serve one contender until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("case")
    parser.add_argument("n_threads", type=int)
    parser.add_argument("module")
    arguments = parser.parse_args()
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        import torch

        contenders = importlib.import_module(arguments.module)
        torch.set_num_threads(arguments.n_threads)
        frames = contenders.make_frames(arguments.case, DATA)
        steps = contenders.make_steps(arguments.name, *frames)
        steps(WARM_UP)
        print(json.dumps({}), file=answers, flush=True)
        for line in sys.stdin:
            seconds = steps(int(line))
            answer = {
                "wall": statistics.mean(wall for wall, _ in seconds),
                "processor": statistics.mean(processor for _, processor in seconds),
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
