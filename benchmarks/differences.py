"""How often the interval of a difference in motion contains the true difference.

Distributions of five or ten runs of a model and of a reference are drawn around true
ones that are the same, a little apart, or far apart, with noise in each bin. For each
kind of difference of the suite ``motion``: the share of the 95 % intervals that contain
the true difference, and how often the two are called different::

    python benchmarks/differences.py

writes benchmarks/results/differences.json and .md; about two minutes.
"""

import json
from pathlib import Path

import numpy as np

from atomgraft.core.provenance import package_versions
from atomgraft.metrics.differences import (
    difference,
    overlap_error,
    radial_error,
    relative_error,
)

RESULTS = Path(__file__).parent / "results"

N_TRIALS = 500
RUNS = (5, 10)
NOISE = 0.05
"""Relative, of each bin in each run."""

SHIFTS = (0.0, 0.02, 0.1, 0.5)
"""Of the model's peak, in its widths; relative, of a number."""

X = np.linspace(-3, 3, 60)


def truth(kind: str, shift: float) -> np.ndarray:
    """Return the true distribution of a model."""
    if kind == "number":
        return np.array([1.0 + shift])
    return 0.2 + np.exp(-((X - shift) ** 2))


DISTANCES = {
    "density": overlap_error,
    "radial distribution": radial_error,
    "number": relative_error,
}


def trial(kind: str, shift: float, n: int, rng: np.random.Generator) -> tuple:
    """Return whether the interval holds the truth, and what is called different."""
    distance = DISTANCES[kind]
    ours, theirs = truth(kind, shift), truth(kind, 0.0)
    drawn = [
        one * (1 + NOISE * rng.normal(size=(n, len(one)))) for one in (ours, theirs)
    ]
    found = difference(*drawn, distance)
    low, high = found.interval or (np.nan, np.nan)
    return low <= distance(ours, theirs) <= high, found.is_distinguishable


def main() -> None:
    """Simulate, and write the table."""
    rows = []
    for kind in DISTANCES:
        for n in RUNS:
            for shift in SHIFTS:
                rng = np.random.default_rng(0)
                found = [trial(kind, shift, n, rng) for _ in range(N_TRIALS)]
                covered, different = np.mean(found, axis=0)
                row = {
                    "kind": kind,
                    "runs": n,
                    "shift": shift,
                    "true": DISTANCES[kind](truth(kind, shift), truth(kind, 0.0)),
                    "covered": float(covered),
                    "different": float(different),
                }
                rows.append(row)
                print(row, flush=True)
    document = {
        "command": "python benchmarks/differences.py",
        "trials": N_TRIALS,
        "noise": NOISE,
        "versions": package_versions(),
        "rows": rows,
    }
    text = json.dumps(document, indent=1)
    (RESULTS / "differences.json").write_text(text + "\n")
    lines = [
        "# Intervals of differences in motion",
        "",
        f"Made by `python benchmarks/differences.py`: {N_TRIALS} simulations each. Runs"
        f" differ by {100 * NOISE:g} % in each bin. Share of 95 % intervals that"
        " contain the true difference, and share called different (p < 0.05).",
        "",
        "| what | runs of each | true difference, % | covered, % | different, % |",
        "|---|---|---|---|---|",
        *(
            f"| {row['kind']} | {row['runs']} | {row['true']:.2f}"
            f" | {100 * row['covered']:.0f} | {100 * row['different']:.0f} |"
            for row in rows
        ),
        "",
    ]
    (RESULTS / "differences.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
