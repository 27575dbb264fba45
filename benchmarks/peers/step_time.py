"""How long a training step on the same MACE takes: ours beside ``mace_run_train``'s.

    ENV/bin/python benchmarks/peers/step_time.py --work FOLDER

ENV has atomgraft and mace-torch. Each contender runs in a process of its own, on one
thread, set up by its own code from the same file and frames; in five rounds they take
turns, after a warm-up. Writes step_time.json into the work folder; ``table.py`` puts it
into the results.
"""

import argparse
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
N_FRAMES = 16
BATCHES = (1, 2)
"""Structures of about 64 atoms a step; 1 is our default for 16 frames, 2 mace's
documented one."""

CONTENDERS = (
    "mace_run_train",
    "mace_run_train, elements of the target alone",
    "mace_run_train, float64",
    "atomgraft full",
    "atomgraft lora",
)
ROUNDS, WARM_UP = 5, 3

Step = Callable[[], None]


class Ready(Exception):  # noqa: N818 - no error: it carries what was set up
    """Carries what ``mace_run_train`` was about to train."""


def mace_step(name: str, work: Path, batch_size: int) -> Step:
    """Return a step as ``mace_run_train`` does it, set up by its own ``run``."""
    from launch_mace import COMMON, METHODS
    from mace import tools
    from mace.cli.run_train import run
    from mace.tools.train import train_one_epoch

    def stop(**given: Any) -> None:  # noqa: ANN401 - what the tool passes
        raise Ready(given)

    tools.train = stop
    options = [one for one in COMMON if not one.startswith("--batch_size")]
    if name.endswith("alone"):
        options.remove("--foundation_model_elements=True")
    options += METHODS["naive"]
    options += [
        "--name=step",
        f"--batch_size={batch_size}",
        f"--foundation_model={work / 'pretrained' / 'small.model'}",
        f"--train_file={work / 'data' / 'seed-1' / 'train.xyz'}",
        f"--valid_file={work / 'data' / 'seed-1' / 'valid.xyz'}",
        f"--work_dir={tempfile.mkdtemp()}",
        f"--default_dtype={'float64' if name.endswith('64') else 'float32'}",
    ]
    if name.endswith("64"):  # estimating them fails on a base in float32
        options[options.index("--E0s=estimated")] = "--E0s=foundation"
    try:
        run(tools.build_default_arg_parser().parse_args(options))
    except Ready as ready:
        (given,) = ready.args
    loader = given["train_loader"]
    stream = itertools.chain.from_iterable(itertools.repeat(loader))
    kept = ("model", "loss_fn", "optimizer", "output_args", "ema", "logger", "device")
    kept += ("max_grad_norm", "distributed")

    def step() -> None:
        train_one_epoch(
            data_loader=itertools.islice(stream, 1),
            epoch=0,
            **{key: given[key] for key in kept},
        )

    return step


class Clock:
    """Notes wall and processor seconds of each step of our loop."""

    def __init__(self) -> None:
        self.times: list[tuple[float, float]] = []
        self._last = (0.0, 0.0)

    def start(self) -> None:
        """Begin."""
        self._last = (time.perf_counter(), time.process_time())

    def take(self) -> None:
        """Note the time since the last step."""
        now = (time.perf_counter(), time.process_time())
        self.times.append((now[0] - self._last[0], now[1] - self._last[1]))
        self._last = now

    def on_start(self, step: int, n_steps: int) -> None:
        """Begin."""
        self.start()

    def on_step(self, record: dict[str, Any]) -> None:
        """Note a step."""
        self.take()

    def on_notice(self, text: str) -> None:
        """Do nothing."""


def mace_times(name: str, work: Path, batch_size: int) -> Callable[[int], Clock]:
    """Return a function that does so many steps of mace's."""
    step = mace_step(name, work, batch_size)

    def steps(n: int) -> Clock:
        clock = Clock()
        clock.start()
        for _ in range(n):
            step()
            clock.take()
        return clock

    return steps


def our_times(recipe: str, work: Path, batch_size: int) -> Callable[[int], Clock]:
    """Return a function that does so many steps of our loop, as users run it."""
    from atomgraft.adaptation.base import adapt_potential
    from atomgraft.adaptation.recipes import RECIPES
    from atomgraft.data.readers import read_structures
    from atomgraft.models.loading import load_potential
    from atomgraft.training.devices import make_fabric
    from atomgraft.training.loop import Job, fit
    from atomgraft.training.plan import Plan

    base = load_potential(str(work / "pretrained" / "small.model"), trust=True)
    frames = read_structures([work / "data" / "seed-1" / "train.xyz"])
    chosen = RECIPES[recipe]
    adapted = adapt_potential(base, chosen.axes, reference_shifts={}, seed=0)

    def steps(n: int) -> Clock:
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder:
            job = Job(
                adapted=adapted,
                train=frames,
                validation=(),
                plan=Plan(steps=n, batch_size=batch_size, checkpoint_every=10**9),
                learning_rate=chosen.learning_rate,
                seed=0,
                folder=Path(folder),
                pins={},
            )
            fit(job, make_fabric("cpu"), clock)
        return clock

    return steps


def serve(name: str, work: Path, batch_size: int) -> None:
    """Do as many steps as each line of the input asks for."""
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        import torch

        torch.set_num_threads(1)
        make = mace_times if name.startswith("mace") else our_times
        steps = make(name.removeprefix("atomgraft "), work, batch_size)
        steps(WARM_UP)
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            times = steps(int(line)).times
            print(json.dumps(times), file=answers, flush=True)


def measure(work: Path, batch_size: int, n_steps: int) -> dict[str, Any]:
    """Return mean wall and processor milliseconds of a step, round by round."""
    processes = {}
    for name in CONTENDERS:
        command = [sys.executable, __file__, "--work", str(work), "--serve", name]
        processes[name] = subprocess.Popen(
            [*command, "--batch", str(batch_size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )
        if processes[name].stdout.readline() != "ready\n":
            sys.exit(f"{name} ended early")
    rounds = {name: {"wall": [], "processor": []} for name in CONTENDERS}
    for _, (name, process) in itertools.product(range(ROUNDS), processes.items()):
        process.stdin.write(f"{n_steps}\n")
        process.stdin.flush()
        times = json.loads(process.stdout.readline())
        for i, clock in enumerate(("wall", "processor")):
            mean = sum(one[i] for one in times) / len(times)
            rounds[name][clock].append(1000 * mean)
    for process in processes.values():
        process.communicate()
    return rounds


def main() -> None:
    """Measure, or serve one contender."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--serve", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=6, help="in a round")
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, arguments.work, arguments.batch)
        return
    result = {
        str(size): measure(arguments.work, size, arguments.steps) for size in BATCHES
    }
    text = json.dumps({"rounds": ROUNDS, "steps_a_round": arguments.steps, **result})
    (arguments.work / "step_time.json").write_text(text + "\n")
    for size, rounds in result.items():
        for name, clocks in rounds.items():
            print(size, name, [round(one, 1) for one in clocks["processor"]])


if __name__ == "__main__":
    main()
