"""How long a training step takes, beside SevenNet's own trainer, in one run.

    python benchmarks/speed/training_step.py

Same model (7net-0), frames, batch, threads and precision (float32); each contender
in a process of its own, five rounds in turn, each a block of steps, after a warm-up.
The table gives the median over rounds of the mean step, the ratio round by round, and
the peak memory of each whole process. Predictions beside SevenNet's ASE calculator,
``atomgraft --help`` and the start of ``adapt`` are timed too. Writes
benchmarks/results/speed.json and speed.md. NaCl needs the data folder
(``$ATOMGRAFT_DATA`` or ``../shared/data``) and is left out without it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from worker import DATA, Worker

RESULTS = Path(__file__).parent.parent / "results"
TRAINERS = ("sevenn", "atomgraft full", "atomgraft lora")
PREDICTORS = ("sevenn calculator", "atomgraft predictions")
CASES = ("Si 1 x 64 atoms", "Si 8 x 8 atoms", "NaCl 1 x 64 atoms")
MEASURES = ("wall", "processor", "peak_mib")
ROUNDS = 5

Rounds = dict[str, dict[str, list[float]]]
"""By contender and measure."""


def timed(
    names: Sequence[str],
    case: str,
    n_threads: int,
    n_steps: int,
    module: str = "contenders",
) -> Rounds:
    """Return what each round of each contender took, interleaved."""
    workers = {name: Worker(name, case, n_threads, module) for name in names}
    answers = [
        (name, workers[name].do(n_steps)) for _ in range(ROUNDS) for name in names
    ]
    for worker in workers.values():
        worker.end()
    return {
        name: {
            measure: [answer[measure] for other, answer in answers if other == name]
            for measure in MEASURES
        }
        for name in names
    }


def wall_seconds(command: list[str]) -> float:
    """Return the time a command takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def first_step() -> dict[str, float]:
    """Return wall and processor seconds from calling ``adapt`` to its first step."""
    with tempfile.TemporaryDirectory() as folder:
        metrics = Path(folder) / "run" / "metrics.jsonl"
        start = time.perf_counter()
        command = f"adapt --base 7net-0 --train shipped:si-train@:13 --out {folder}/run"
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "atomgraft"), *command.split()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not (metrics.exists() and metrics.stat().st_size):
            time.sleep(0.02)
            if process.poll() is not None:
                sys.exit("adapt ended before its first step")
        wall = time.perf_counter() - start
        process.kill()
        _, _, used = os.wait4(process.pid, 0)
    return {"wall": wall, "processor": used.ru_utime + used.ru_stime}


def measure(n_steps: int, thread_counts: Sequence[int]) -> dict[str, Any]:
    """Measure everything."""
    from atomgraft.core.provenance import machine, now, package_versions

    cases = [case for case in CASES if case.startswith("Si") or DATA.is_dir()]
    if len(cases) < len(CASES):
        print(f"No data at {DATA}: NaCl is left out.")
    started, load = now(), os.getloadavg()[0]
    training = {
        label(case, n): timed(TRAINERS, case, n, n_steps)
        for n in thread_counts
        for case in cases
    }
    prediction = {
        label(CASES[0], n): timed(PREDICTORS, CASES[0], n, n_steps)
        for n in thread_counts
    }
    atomgraft = str(Path(sys.executable).parent / "atomgraft")
    return {
        "command": " ".join(
            ["python benchmarks/speed/training_step.py", *sys.argv[1:]]
        ),
        "started": started,
        "load_at_start": load,
        "versions": package_versions(),
        "machine": machine(),
        "rounds": ROUNDS,
        "steps_a_round": n_steps,
        "training": training,
        "prediction": prediction,
        "help_seconds": [wall_seconds([atomgraft, "--help"]) for _ in range(ROUNDS)],
        "first_step": [first_step() for _ in range(ROUNDS)],
    }


def label(case: str, n_threads: int) -> str:
    """Return the name of a row."""
    return f"{case}, {n_threads} thread{'s' * (n_threads > 1)}"


def lines_of(result: dict[str, Any]) -> list[str]:
    """Return the tables for people."""
    return [
        "# Speed on a CPU",
        "",
        f"Made by `{result['command']}`; every round is in `speed.json`.",
        f"Milliseconds, median of {ROUNDS} rounds; ratios are SevenNet's over ours,",
        "the median round by round [smallest, largest]: above 1 ours is faster.",
        "`processor` counts the time of all threads, which a busy machine disturbs",
        "less; `memory` is the peak of the whole process, MiB.",
        "",
        *table(result["training"], TRAINERS, "A training step"),
        *table(result["prediction"], PREDICTORS, "A prediction"),
        f"`atomgraft --help`: {statistics.median(result['help_seconds']):.2f} s. "
        "From calling `adapt` to the end of the first step (13 silicon frames): "
        f"{median_of(result['first_step'], 'wall'):.1f} s "
        f"({median_of(result['first_step'], 'processor'):.1f} s of processor).",
    ]


def median_of(answers: Sequence[dict[str, float]], measure: str) -> float:
    """Return the median of one measure."""
    return statistics.median(one[measure] for one in answers)


def table(cases: dict[str, Rounds], names: Sequence[str], title: str) -> list[str]:
    """Return a table with the first contender as the measure of the others."""
    lines = [
        f"| {title} | | wall | processor | ratio of wall | of processor | memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for case, rounds in cases.items():
        for name in names:
            one, first = rounds[name], rounds[names[0]]
            cells = [f"{1000 * statistics.median(one[m]):.0f}" for m in MEASURES[:2]]
            cells += [ratio(first[m], one[m]) for m in MEASURES[:2]]
            cells.append(f"{one['peak_mib'][-1]:.0f}")
            lines.append(f"| {case} | {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def ratio(theirs: list[float], ours: list[float]) -> str:
    """Return the median ratio and its range."""
    ratios = sorted(a / b for a, b in zip(theirs, ours, strict=True))
    return f"{statistics.median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}]"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=10, help="in a round")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder")
    arguments = parser.parse_args()
    result = measure(arguments.steps, arguments.threads)
    text = "\n".join(lines_of(result)) + "\n"
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "speed.json").write_text(json.dumps(result, indent=1) + "\n")
    (arguments.out / "speed.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
