"""How often the interval of the mean survival time contains the true mean.

Five runs of an exponential law, cut at 10 ps; failures are known at once, or only at
the end of a window of 0.5 ps, as those of structure and coordination are::

    python benchmarks/survival.py

writes benchmarks/results/survival_coverage.json and .md.
"""

import json
from pathlib import Path

import numpy as np

from atomgraft.core.provenance import package_versions
from atomgraft.metrics.survival import restricted_mean

RESULTS = Path(__file__).parent / "results"
N_RUNS, N_TRIALS, HORIZON, WINDOW, SEED = 5, 2000, 10.0, 0.5, 0
MEANS = (1.0, 2.0, 5.0, 20.0, 100.0)
"""Of the law, ps."""


def covered(mean: float, window: float) -> tuple[float, float]:
    """Return the share of intervals that contain the mean, and the bias, ps."""
    rng = np.random.default_rng(SEED)
    truth = mean * (1 - np.exp(-HORIZON / mean))
    hits, values = 0, []
    for _ in range(N_TRIALS):
        times = rng.exponential(mean, N_RUNS)
        if window:
            times = np.ceil(times / window) * window
        found = restricted_mean(np.minimum(times, HORIZON), times < HORIZON, HORIZON)
        low, high = found.interval
        hits += low <= truth <= high
        values.append(found.value)
    return hits / N_TRIALS, float(np.mean(values)) - truth


def main() -> None:
    """Simulate, and write the table."""
    rows = [
        {"mean": mean, "window": window, "covered": share, "late": bias}
        for mean in MEANS
        for window in (0.0, WINDOW)
        for share, bias in [covered(mean, window)]
    ]
    document = {
        "command": "python benchmarks/survival.py",
        "seed": SEED,
        "runs": N_RUNS,
        "trials": N_TRIALS,
        "horizon": HORIZON,
        "versions": package_versions(),
        "rows": rows,
    }
    (RESULTS / "survival_coverage.json").write_text(
        json.dumps(document, indent=1) + "\n"
    )
    lines = [
        "# Coverage of the interval of the mean survival time",
        "",
        "Made by `python benchmarks/survival.py`: 2,000 trials of five runs, cut at"
        " 10 ps.",
        "",
        "| mean of the law, ps | known after, ps | intervals that contain the mean |"
        " mean is late by, ps |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {one['mean']:g} | {one['window']:g} | {one['covered']:.1%} |"
        f" {one['late']:.2f} |"
        for one in rows
    ]
    (RESULTS / "survival_coverage.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
