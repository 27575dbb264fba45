"""The command line as a process of its own, to be killed and starved."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import yaml
from safetensors.torch import load_file

from tests.trials import same_bits

PROGRAM = Path(sys.executable).with_name("atomgraft")

QUIET = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def spec_file(folder, **changes):
    """Write a run of a fast potential; nested keys of the plan under `training`."""
    training = {"steps": 60, "batch_size": 2, "checkpoint_every": 7}
    training |= changes.pop("training", {})
    document = {
        "base": "pair:sw-si",
        "train": "shipped:si-train@:8",
        "validation": "shipped:si-train@8:10",
        "recipe": "full",
        "training": training,
        **changes,
    }
    path = Path(folder) / "run.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def start(*arguments, **options):
    """Start the program; its standard error is kept."""
    return subprocess.Popen(
        [str(PROGRAM), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | QUIET,
        **options,
    )


def call(*arguments, **options):
    """Run the program; return exit code, standard output and standard error."""
    with start(*arguments, **options) as process:
        printed, errors = process.communicate(timeout=300)
    return process.returncode, printed, errors


def nursery():
    """Return a maker of processes that have torch in memory before they begin."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["atomgraft.run.adapt", "lightning_fabric"])
    return context


def run_command(arguments):
    """Run the program in this process, which is a child, and end it."""
    from atomgraft.cli import main

    sys.argv = ["atomgraft", *arguments]
    main.main()


def raise_quickly(context, *arguments):
    """Start the program as a child of the nursery."""
    process = context.Process(target=run_command, args=([*map(str, arguments)],))
    process.start()
    return process


def same_tensors(one, other):
    name = "graft.safetensors"
    return same_bits(load_file(Path(one) / name), load_file(Path(other) / name))
