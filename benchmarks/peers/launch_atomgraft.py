"""Adapt with atomgraft; runs in an environment with atomgraft and mace-torch.

The schedule of the learning rate ends with the run, so a run cut short is no run of
ours. The curve is therefore made of whole runs of 25, 50, 100 ... steps, each from the
start, imports and set-up paid each time.
"""

import argparse
import subprocess
import sys
from pathlib import Path

RECIPES = ("full", "lora", "l2sp")
STEPS = (25, 50, 100, 200, 400, 800, 1600, 3200)


def adapt_once(arguments: argparse.Namespace) -> None:
    """Do one run and keep its merged model."""
    from snapshots import Snapshots

    kept = Snapshots(arguments.out)

    from atomgraft.experiments.adapt import adapt
    from atomgraft.experiments.inputs import load_base
    from atomgraft.experiments.spec import parse_spec

    spec = parse_spec(
        {
            "base": arguments.base,
            "train": str(arguments.data / "train.xyz"),
            "validation": str(arguments.data / "valid.xyz"),
            "recipe": arguments.method,
            "seed": arguments.seed,
            "device": "cpu",
            "training": {"steps": arguments.steps},
        },
        "benchmark",
    )
    folder = arguments.out / "work" / str(arguments.steps)
    adapt(spec, folder, trust=True)
    kept.keep(
        lambda path: load_base(str(folder), trust=True).export(path).rename(path)
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
    arguments = parser.parse_args()
    if arguments.steps:
        adapt_once(arguments)
        return
    spent: list[float] = []
    for steps in STEPS:
        if len(spent) > 1 and 3 * spent[-1] - 2 * spent[-2] > arguments.budget:
            return  # time is linear in steps, and steps double
        command = [sys.executable, *sys.argv, "--steps", str(steps)]
        subprocess.run(command, check=True)
        spent = sorted(float(path.stem) for path in arguments.out.glob("*.model"))


if __name__ == "__main__":
    main()
