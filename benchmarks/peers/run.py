"""Beside the peers: every tool from the same small MACE, on the same frames.

    python benchmarks/peers/run.py --work FOLDER --mace-python ENV/bin/python \
        --equitrain-python ... --franken-python ... --atomgraft-python ...

``environments.md`` says how the environments are made. FOLDER holds what
``pretrain.py`` and ``split.py`` wrote, and gets one folder for each run, judged by
``judge.py``; what is there already is not run again. One process at a time on one
thread. Then ``table.py`` writes the results.
"""

import argparse
import dataclasses
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
TOOLS = ("mace", "equitrain", "franken", "atomgraft")
N_TRAIN = 16


@dataclasses.dataclass(frozen=True)
class Contender:
    """A tool and a method of it.

    Parameters
    ----------
    tool
        Names the environment and the launcher.
    method
        As its launcher calls it.
    rate
        Learning rate; none is the tool's default.
    """

    tool: str
    method: str
    rate: float | None = None

    @property
    def name(self) -> str:
        """Return the name of its folders."""
        rate = "" if self.rate is None else f"-{self.rate:g}"
        return f"{self.tool}-{self.method}{rate}"


CONTENDERS = (
    Contender("mace", "naive", 1e-2),
    Contender("mace", "lora", 1e-2),
    Contender("equitrain", "full", 1e-2),
    Contender("equitrain", "lora", 1e-2),
    Contender("atomgraft", "full"),
    Contender("atomgraft", "lora"),
    Contender("mace", "multihead"),
    Contender("franken", "multiscale"),
    Contender("equitrain", "l2tsp", 1e-2),
    Contender("atomgraft", "l2sp"),
)
"""At the rates their tools have as defaults; mace's multi-head mode sets its own."""

ALTERNATIVES = (
    Contender("mace", "naive", 1e-3),
    Contender("mace", "lora", 1e-3),
    Contender("mace", "multihead", 1e-3),
    Contender("equitrain", "full", 1e-3),
    Contender("equitrain", "lora", 1e-3),
    Contender("atomgraft", "full", 1e-2),
    Contender("atomgraft", "replay", 1e-2),
    Contender("atomgraft", "lora", 2e-2),
)
"""Other rates, to be tried on the pilot seed by name."""

DEFAULT = tuple(one.name for one in CONTENDERS)


def environment() -> dict[str, str]:
    """Return the environment of every process: one thread, as all share the clock."""
    return os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def launch(contender: Contender, seed: int, arguments: argparse.Namespace) -> None:
    """Run one contender once and judge it, unless that was done before."""
    out = arguments.work / "runs" / f"{contender.name}-{seed}"
    if (out / "curve.json").exists():
        return
    python = getattr(arguments, f"{contender.tool}_python")
    data = arguments.work / "data"
    base = arguments.work / "pretrained" / "small.model"
    command = [python, str(HERE / f"launch_{contender.tool}.py"), contender.method]
    command += ["--base", str(base), "--out", str(out), "--seed", str(seed)]
    command += ["--data", str(data / f"seed-{seed}")]
    if contender.tool != "franken":
        command += ["--budget", str(arguments.budget)]
    if contender.tool == "mace":
        command += ["--replay", str(data / "replay")]
    if contender.rate is not None:
        command += ["--rate", str(contender.rate)]
    if not (out / "seconds.json").exists():
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        start = time.time()
        with (out / "log").open("w") as log:
            done = subprocess.run(
                command, stdout=log, stderr=log, env=environment(), check=False
            )
        if done.returncode or not list(out.glob("[0-9]*.*")):
            reason = (out / "log").read_text().strip().splitlines()[-1:]
            print(contender.name, seed, "failed:", *reason, flush=True)
            return
        wall = {"wall": time.time() - start}
        (out / "seconds.json").write_text(json.dumps(wall))
    judge_python = python if contender.tool == "franken" else arguments.mace_python
    judge = [judge_python, str(HERE / "judge.py"), str(out)]
    judge += ["--base", str(base), "--data", str(data)]
    with (out / "judge.log").open("w") as log:
        subprocess.run(judge, env=environment(), stderr=log, check=False)


def prepare(seed: int, arguments: argparse.Namespace) -> None:
    """Write Equitrain's own data files, which is not timed."""
    folder = arguments.work / "data" / f"seed-{seed}"
    if (folder / "equitrain" / "train.h5").exists():
        return
    script = str(HERE / "launch_equitrain.py")
    command = [arguments.equitrain_python, script, "prepare", "--data", str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=environment())


VERSIONS = """
import importlib.metadata as known, json
names = "ase atomgraft e3nn equitrain franken mace-torch numpy torch".split()
found = {one.metadata["Name"].lower(): one.version for one in known.distributions()}
print(json.dumps({name: found[name] for name in names if name in found}))
"""


def write_meta(arguments: argparse.Namespace) -> None:
    """Write what the results say about where they come from."""
    versions = {}
    for tool in TOOLS:
        command = [getattr(arguments, f"{tool}_python"), "-c", VERSIONS]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        versions[tool] = json.loads(done.stdout)
    meta = {
        "budget": arguments.budget,
        "n_train": N_TRAIN,
        "threads": 1,
        "machine": {"system": platform.system(), "cores": os.cpu_count()},
        "versions": versions,
    }
    (arguments.work / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")


def main() -> None:
    """Run what has not been run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    for tool in TOOLS:
        parser.add_argument(f"--{tool}-python", default=sys.executable)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--budget", type=float, default=60.0, help="seconds")
    parser.add_argument("--only", nargs="+", help="names of contenders")
    arguments = parser.parse_args()
    write_meta(arguments)
    for seed in arguments.seeds:
        prepare(seed, arguments)
        for contender in (*CONTENDERS, *ALTERNATIVES):
            if contender.name in (arguments.only or DEFAULT):
                launch(contender, seed, arguments)


if __name__ == "__main__":
    main()
