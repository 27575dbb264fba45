"""Adapt with atomgraft; runs in an environment with atomgraft and mace-torch.

The schedule of the learning rate ends with the run, so a run cut short is no run of
ours. The curve is therefore made of whole runs of 50, 150 and 400 steps, each from the
start, imports and set-up paid each time; the last has as many steps as fit the budget.
"""

import argparse
import subprocess
import sys
from pathlib import Path

RECIPES = ("full", "lora", "l2sp", "replay")
STEPS = (50, 150, 400)
MARGIN = 0.97
"""Of the budget: steps do not all take the same."""


def adapt_once(arguments: argparse.Namespace) -> None:
    """Do one run and keep its merged model."""
    from snapshots import Snapshots

    kept = Snapshots(arguments.out)

    from atomgraft.core.trust import trust_in
    from atomgraft.run.adapt import adapt
    from atomgraft.run.inputs import load_base
    from atomgraft.run.spec import parse_spec

    spec = parse_spec(
        {
            "base": arguments.base,
            "train": str(arguments.data / "train.xyz"),
            "validation": str(arguments.data / "valid.xyz"),
            "recipe": arguments.method,
            "seed": arguments.seed,
            "device": "cpu",
            "training": {"steps": arguments.steps},
        }
        | ({"learning_rate": arguments.rate} if arguments.rate else {}),
        "benchmark",
    )
    folder = arguments.out / "work" / str(arguments.steps)
    trust = trust_in([arguments.base])
    curve = adapt(spec, folder, trust=trust).training.curve
    errors = [point.validation["forces"] for point in curve if point.validation]
    kept.keep(
        lambda path: load_base(str(folder), trust=trust).export(path).rename(path),
        validation=min(errors),
    )


def main() -> None:
    """Run one number of steps, or all that fit the budget, in fresh processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=RECIPES)
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--budget", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--rate", type=float)
    arguments = parser.parse_args()
    if arguments.steps:
        adapt_once(arguments)
        return
    for steps in STEPS:
        run(steps)
    times = sorted(float(one.stem) for one in arguments.out.glob("*.model"))
    first, last = times[0], times[-1]
    pace = (last - first) / (STEPS[-1] - STEPS[0])
    run(STEPS[-1] + int((MARGIN * arguments.budget - last) / pace))


def run(steps: int) -> None:
    """Do a run of so many steps in a process of its own."""
    subprocess.run([sys.executable, *sys.argv, "--steps", str(steps)], check=True)


if __name__ == "__main__":
    main()
