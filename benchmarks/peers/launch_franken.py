"""Fit franken's random features on a frozen MACE; in an environment with franken.

One closed-form fit with the tool's search over penalty and force weight. Two kernels:
``multiscale``, which needs no search over length scales, and ``gaussian`` with the
tool's default search over ten of them.
"""

import argparse
import sys
from pathlib import Path

METHODS = {
    "multiscale": ["--rf=ms-gaussian", "--ms-gaussian.num-rf=512"],
    "gaussian": ["--rf=gaussian", "--gaussian.num-rf=512"],
}


def main() -> None:
    """Fit, and note when it was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()

    from franken.autotune.script import cli_entry_point
    from snapshots import Snapshots

    kept = Snapshots(arguments.out, suffix="franken")
    sys.argv = [
        "franken.autotune",
        *METHODS[arguments.method],
        "--backbone=mace",
        f"--mace.path-or-id={arguments.base}",
        f"--train-path={arguments.data / 'franken' / 'train.xyz'}",
        f"--val-path={arguments.data / 'franken' / 'valid.xyz'}",
        f"--run-dir={arguments.out / 'work'}",
        f"--seed={arguments.seed}",
        "--save-fmaps",
    ]
    cli_entry_point()
    (best,) = (arguments.out / "work").glob("*/best_ckpt.pt")
    kept.keep(lambda path: path.write_text(f"{best}\n"))


if __name__ == "__main__":
    main()
