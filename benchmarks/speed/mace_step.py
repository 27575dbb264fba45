"""How long a training step of a MACE model takes, beside mace-torch's own, in one run.

    python benchmarks/speed/mace_step.py

Same model (the architecture of MACE-MP-0b3), frames, batch, threads and precision
(float32), and everything else as in `training_step.py`; run it where MACE is
installed. Writes benchmarks/results/speed_mace.json and speed_mace.md.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from training_step import CASES, RESULTS, ROUNDS, label, table, timed
from worker import DATA

TRAINERS = ("mace", "atomgraft full", "atomgraft lora")
PREDICTORS = ("mace calculator", "atomgraft predictions")


def measure(n_steps: int) -> dict[str, Any]:
    """Measure on one thread."""
    from atomgraft.core.provenance import machine, now, package_versions

    cases = [case for case in CASES if case.startswith("Si") or DATA.is_dir()]
    started, load = now(), os.getloadavg()[0]
    module = "mace_contenders"
    return {
        "command": " ".join(["python benchmarks/speed/mace_step.py", *sys.argv[1:]]),
        "started": started,
        "load_at_start": load,
        "versions": package_versions(),
        "machine": machine(),
        "rounds": ROUNDS,
        "steps_a_round": n_steps,
        "training": {
            label(case, 1): timed(TRAINERS, case, 1, n_steps, module) for case in cases
        },
        "prediction": {
            label(CASES[0], 1): timed(PREDICTORS, CASES[0], 1, n_steps, module)
        },
    }


def lines_of(result: dict[str, Any]) -> list[str]:
    """Return the tables for people."""
    return [
        "# Speed of MACE models on a CPU",
        "",
        f"Made by `{result['command']}`; every round is in `speed_mace.json`.",
        "The model has the architecture of MACE-MP-0b3 and fresh weights.",
        f"Milliseconds, median of {ROUNDS} rounds; ratios are MACE's over ours,",
        "the median round by round [smallest, largest]: above 1 ours is faster.",
        "`processor` counts the time of all threads, which a busy machine disturbs",
        "less; `memory` is the peak of the whole process, MiB.",
        "",
        *table(result["training"], TRAINERS, "A training step"),
        *table(result["prediction"], PREDICTORS, "A prediction"),
    ]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=2, help="in a round")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder")
    arguments = parser.parse_args()
    result = measure(arguments.steps)
    text = "\n".join(lines_of(result))
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "speed_mace.json").write_text(json.dumps(result, indent=1) + "\n")
    (arguments.out / "speed_mace.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
