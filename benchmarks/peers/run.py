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
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


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


PEERS = (
    Contender("mace", "naive", 1e-2),
    Contender("mace", "naive", 1e-3),
    Contender("mace", "lora", 1e-2),
    Contender("mace", "lora", 1e-3),
    Contender("mace", "multihead"),
    Contender("mace", "multihead", 1e-3),
    Contender("equitrain", "full", 1e-2),
    Contender("equitrain", "full", 1e-3),
    Contender("equitrain", "lora", 1e-2),
    Contender("equitrain", "lora", 1e-3),
    Contender("equitrain", "l2tsp", 1e-2),
    Contender("franken", "multiscale"),
)
OURS = (
    Contender("atomgraft", "full"),
    Contender("atomgraft", "lora"),
    Contender("atomgraft", "l2sp"),
)


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
    out.mkdir(parents=True, exist_ok=True)
    start = time.time()
    with (out / "log").open("w") as log:
        done = subprocess.run(
            command, stdout=log, stderr=log, env=environment(), check=False
        )
    print(contender.name, seed, f"{time.time() - start:.0f} s", flush=True)
    judge_python = python if contender.tool == "franken" else arguments.mace_python
    judge = [judge_python, str(HERE / "judge.py"), str(out)]
    judge += ["--base", str(base), "--data", str(data)]
    if done.returncode == 0 and list(out.glob("[0-9]*.*")):
        with (out / "judge.log").open("w") as log:
            subprocess.run(judge, env=environment(), stderr=log, check=False)
    else:
        reason = (out / "log").read_text().strip().splitlines()[-1:]
        failed = {"returncode": done.returncode, "reason": reason}
        (out / "failed.json").write_text(json.dumps(failed))
        print(contender.name, seed, "left nothing:", *reason, flush=True)


def prepare(seed: int, arguments: argparse.Namespace) -> None:
    """Write Equitrain's own data files, which is not timed."""
    folder = arguments.work / "data" / f"seed-{seed}"
    if (folder / "equitrain" / "train.h5").exists():
        return
    script = str(HERE / "launch_equitrain.py")
    command = [arguments.equitrain_python, script, "prepare", "--data", str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=environment())


def main() -> None:
    """Run what has not been run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    for tool in ("mace", "equitrain", "franken", "atomgraft"):
        parser.add_argument(f"--{tool}-python", default=sys.executable)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--budget", type=float, default=60.0, help="seconds")
    parser.add_argument("--only", nargs="+", help="names of contenders")
    arguments = parser.parse_args()
    for seed in arguments.seeds:
        prepare(seed, arguments)
        for contender in (*PEERS, *OURS):
            if not arguments.only or contender.name in arguments.only:
                launch(contender, seed, arguments)


if __name__ == "__main__":
    main()
