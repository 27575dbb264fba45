"""From the runs to the results: peers.json, peers.md and peers.svg.

    python benchmarks/peers/table.py --work FOLDER

Runs on seed 0 are pilots, where other learning rates were tried; the table is of the
other seeds. Our best recipe is the one with the lower error on the validation frames.
What ours takes to a peer's error is read off whole runs, without interpolation.
"""

import argparse
import json
import re
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from figure import svg

from atomgraft.metrics.intervals import mean_interval

RESULTS = Path(__file__).parent.parent / "results"
PILOT = 0
COMMAND = "python benchmarks/peers/table.py --work FOLDER"

BUDGET = 60.0
"""Seconds of processor time that every tool has had; see ``run.py``."""

STEP_GOAL = 1.3

Curve = list[dict[str, Any]]

TITLES = {
    "mace-naive": ("mace_run_train", "naive"),
    "mace-lora": ("mace_run_train", "LoRA"),
    "mace-multihead": ("mace_run_train", "multi-head replay"),
    "equitrain-full": ("Equitrain", "full"),
    "equitrain-lora": ("Equitrain", "LoRA"),
    "equitrain-l2tsp": ("Equitrain", "L2-TSP, its paper's"),
    "franken-multiscale": ("franken", "random features, 512"),
    "atomgraft-full": ("atomgraft", "full"),
    "atomgraft-lora": ("atomgraft", "lora"),
    "atomgraft-l2sp": ("atomgraft", "l2sp"),
    "atomgraft-replay": ("atomgraft", "replay"),
}


def read_runs(work: Path) -> dict[str, dict[int, Curve]]:
    """Return the curves by contender and seed."""
    runs: dict[str, dict[int, Curve]] = {}
    for path in sorted((work / "runs").glob("*/curve.json")):
        name, _, seed = path.parent.name.rpartition("-")
        runs.setdefault(name, {})[int(seed)] = json.loads(path.read_text())
    return runs


def method_of(name: str) -> str:
    """Return the contender without its learning rate."""
    return re.sub(r"-[0-9.e-]+$", "", name)


def final(curve: Curve, seconds: float = 0.0) -> dict[str, Any]:
    """Return what a tool has at a time, at least the budget; its first if it is late.

    Parameters
    ----------
    curve
        Points in order of time, the base first.
    seconds
        The time, s.
    """
    models = [point for point in curve if point["seconds"] > 0]
    limit = max(BUDGET, seconds)
    return [one for one in models if one["seconds"] <= limit or one is models[0]][-1]


def judged(runs: dict[str, dict[int, Curve]], name: str) -> dict[int, Curve]:
    """Return the curves of all seeds but the pilot's."""
    return {seed: curve for seed, curve in runs[name].items() if seed != PILOT}


def time_to(curve: Curve, target: float) -> float | None:
    """Return when a curve first has an error of at most `target`, s."""
    times = [p["seconds"] for p in curve if p["forces"] <= target and p["seconds"] > 0]
    return min(times, default=None)


def span(values: Sequence[float | None], digits: int = 3) -> str:
    """Return the mean over seeds [smallest, largest]."""
    known = [one for one in values if one is not None]
    if not known:
        return "–"
    if len(known) == 1:
        return f"{known[0]:.{digits}g}"
    low, high = min(known), max(known)
    return f"{statistics.mean(known):.{digits}g} [{low:.{digits}g}, {high:.{digits}g}]"


def excess(
    pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]],
) -> list[float | None]:
    """Return how much larger errors are than ours: mean and 95 % interval, meV/Å.

    Frame by frame, the mean over the seeds; the interval is over frames.

    Parameters
    ----------
    pairs
        For each seed, what a tool ends with, and ours.
    """
    by_frame = [[one["forces_by_frame"] for one in pair] for pair in pairs]
    by_seed = [[a - b for a, b in zip(*pair, strict=True)] for pair in by_frame]
    frames = np.array([statistics.mean(one) for one in zip(*by_seed, strict=True)])
    found = mean_interval(frames, np.ones(len(frames)), is_signed=True)
    return [float(frames.mean()), *(found.interval or (None, None))]


def drift_of(point: dict[str, Any]) -> float | None:
    """Return the force drift on crystals without germanium, meV/Å."""
    drift = point["drift"]
    return drift["far"] if isinstance(drift, dict) else None


def row(name: str, curves: dict[int, Curve], ours: dict[int, Curve]) -> dict[str, Any]:
    """Return the numbers of one contender, by seed."""
    seeds = sorted(set(curves) & set(ours))
    ends = [final(curves[seed]) for seed in seeds]
    same = [final(ours[s], end["seconds"]) for s, end in zip(seeds, ends, strict=True)]
    reached = [
        time_to(ours[seed], end["forces"])
        for seed, end in zip(seeds, ends, strict=True)
    ]
    return {
        "name": name,
        "seeds": seeds,
        "forces": [end["forces"] for end in ends],
        "excess": excess(list(zip(ends, same, strict=True))),
        "ours_forces": [one["forces"] for one in same],
        "ours_drift_far": [drift_of(one) for one in same],
        "energy": [end["energy"] for end in ends],
        "energy_aligned": [end["energy_aligned"] for end in ends],
        "drift_far": [drift_of(end) for end in ends],
        "seconds": [end["seconds"] for end in ends],
        "ours_reaches_after": reached,
        "times_shorter": [
            end["seconds"] / one if one else None
            for one, end in zip(reached, ends, strict=True)
        ],
    }


def table_lines(rows: Sequence[dict[str, Any]], base: dict[str, Any]) -> list[str]:
    """Return the table, the base first."""
    lines = [
        "| tool | method | seeds | forces MAE, meV/Å | above our best"
        " | energy MAE, meV/atom | the same, aligned | forgetting, meV/Å"
        " | last gain after, s | ours is there after, s | × |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        f"| base, as it is | | | {base['forces']:.3g} | | {base['energy']:.3g} | "
        f"{base['energy_aligned']:.3g} | 0 | | | |",
    ]
    for one in rows:
        tool, method = TITLES[method_of(one["name"])]
        rate = one["name"].removeprefix(method_of(one["name"])).lstrip("-")
        keys = ("forces", "energy", "energy_aligned", "drift_far", "seconds")
        cells = [span(one[key]) for key in keys]
        above = excess_text(one["excess"])
        cells[1:1] = [above]
        if tool == "atomgraft":
            cells += ["", ""]
        else:
            cells += [reached(one), span(one["times_shorter"], 2)]
        method += f", rate {rate}" if rate else ""
        lines.append(
            f"| {tool} | {method} | {len(one['seeds'])} | {' | '.join(cells)} |"
        )
    return lines


def excess_text(excess: Sequence[float | None]) -> str:
    """Return how much larger errors are than ours; nothing for our own."""
    middle, low, high = excess
    if not any(excess):
        return ""
    if low is None or high is None:
        return f"{middle:.1f}"
    return f"{middle:.1f} [{low:.1f}, {high:.1f}]"


def reached(one: dict[str, Any]) -> str:
    """Return when ours was as good, and on how many seeds."""
    n_reached = sum(time is not None for time in one["ours_reaches_after"])
    text = span(one["ours_reaches_after"])
    n_seeds = len(one["seeds"])
    return text if n_reached == n_seeds else f"{text} ({n_reached} of {n_seeds} seeds)"


def verdicts(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return target by target whether it was met."""
    peers = [one for one in rows if not one["name"].startswith("atomgraft")]
    mean = statistics.mean
    worse = [p["name"] for p in peers if mean(p["forces"]) <= mean(p["ours_forces"])]
    forgets = [
        p["name"]
        for p in peers
        if None not in p["drift_far"]
        and mean(p["drift_far"]) < mean(p["ours_drift_far"])
    ]
    slow = [
        p["name"]
        for p in peers
        if any(one is None or one < 2 for one in p["times_shorter"])
    ]
    close = [
        p["name"]
        for p in peers
        if p["name"] not in worse and not (p["excess"][1] or 0) > 0
    ]
    lower = target("lower force MAE than every peer at equal time", worse)
    if close:
        lower += f" The interval of the difference holds zero for {', '.join(close)}."
    return [
        lower,
        target("forgetting no worse than any peer's", forgets),
        target("at each peer's final MAE in at most half its time, all seeds", slow),
    ]


def rows_beside(runs: dict[str, dict[int, Curve]], ours: str) -> list[dict[str, Any]]:
    """Return the rows on the seeds of one of our recipes, the most exact first."""
    curves = judged(runs, ours)
    rows = [
        row(name, seeds, curves)
        for name in runs
        if set(seeds := judged(runs, name)) & set(curves)
    ]
    return sorted(rows, key=lambda one: statistics.mean(one["forces"]))


def targets(
    runs: dict[str, dict[int, Curve]], recipes: Sequence[str], best: str
) -> list[str]:
    """Return what was met and missed, recipe by recipe, the best first."""
    lines = []
    for name in sorted(recipes, key=lambda one: one != best):
        rows = rows_beside(runs, name)
        seeds = ", ".join(map(str, sorted(judged(runs, name))))
        word = " (our best, by its error on the validation frames)" * (name == best)
        rate = "" if re.search(r"[0-9]$", name) else ", shipped rate"
        lines += [f"Targets with {name}{rate}{word}, seeds {seeds}:", ""]
        lines += [*verdicts(rows), ""]
    return lines[:-1]


def target(what: str, exceptions: Sequence[str]) -> str:
    """Return one line on a target."""
    if not exceptions:
        return f"- {what}: met."
    return f"- {what}: missed against {', '.join(exceptions)}."


def step_lines(work: Path) -> tuple[list[str], dict[str, Any] | None]:
    """Return the table of step times and the numbers."""
    path = work / "step_time.json"
    if not path.exists():
        return ["Step times were not measured."], None
    result = json.loads(path.read_text())
    lines = [
        "| structures a step | trainer | wall, ms | processor, ms | mace's over it |",
        "|---|---|---|---|---|",
    ]
    ratio: dict[str, float] = {}
    for size, rounds in result.items():
        if not size.isdigit():
            continue
        first = rounds["mace_run_train"]["processor"]
        for name, clocks in rounds.items():
            ratios = [a / b for a, b in zip(first, clocks["processor"], strict=True)]
            wall, processor = (statistics.median(clocks[key]) for key in clocks)
            middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
            if name == "atomgraft full":
                ratio[size] = middle
            lines.append(
                f"| {size} | {name} | {wall:.0f} | {processor:.0f} | "
                f"{middle:.2f} [{low:.2f}, {high:.2f}] |"
            )
    slowest = min(ratio.values())
    word = "met" if slowest >= 1.0 else "missed"
    goal = "met" if slowest >= STEP_GOAL else "missed"
    lines += [
        "",
        f"A step no slower than mace's: {word}; {STEP_GOAL} x faster: {goal}.",
    ]
    return lines, result


def validation_error(work: Path, name: str, seeds: Sequence[int]) -> float:
    """Return the mean validation force MAE of the last runs of one of our recipes."""
    errors = []
    for seed in seeds:
        text = (work / "runs" / f"{name}-{seed}" / "clock.jsonl").read_text()
        runs = [json.loads(line) for line in text.splitlines()]
        in_time = [one for one in runs if one["seconds"] <= BUDGET]
        errors.append(in_time[-1]["validation"])
    return statistics.mean(errors)


def introduction(n_train: int, seeds: Sequence[int]) -> list[str]:
    """Return what was done, in words."""
    return [
        f"Made by `{COMMAND}`",
        "from the runs of `run.py`; points, versions and seeds are in `peers.json`,",
        "the environments in `benchmarks/peers/environments.md`. All start from one",
        "small MACE (32x0e+32x1o, two layers, 27 elements, float32; `pretrain.py`),",
        f"see the same germanium frames (PBE, about 64 atoms; {n_train} to train on, 4",
        f"to choose weights by, 25 held out) and get {BUDGET:g} s of processor time on",
        "one thread, start-up included: the wall time of a machine that does nothing",
        "else. franken's fit cannot be cut short and takes what it takes. Models are",
        "judged by mace's (franken's) ASE calculator, outside that time. Forgetting:",
        "mean force drift from the base on the shipped crystals without germanium.",
        f"Mean over seeds {', '.join(map(str, seeds))} [smallest, largest]. Peers use",
        "their documented examples and default rates, each its own reference energies.",
        "`above our best`: with a 95 % interval over the held-out frames, on the same",
        "seeds. `last gain`: when the tool last kept better weights.",
    ]


def rates_tried(runs: dict[str, dict[int, Curve]]) -> list[str]:
    """Return the errors on the pilot seed."""
    tried = [
        f"{name.replace('-', ' ', 1)} {final(seeds[PILOT])['forces']:.3g}"
        for name, seeds in runs.items()
        if PILOT in seeds
    ]
    return [f"Forces MAE on the pilot seed: {'; '.join(tried)}."] if tried else []


def main() -> None:
    """Write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    work = parser.parse_args().work
    runs = read_runs(work)
    names = [name for name in runs if judged(runs, name)]
    meta = json.loads((work / "meta.json").read_text())
    recipes = [name for name in names if name.startswith("atomgraft")]
    shared = set.intersection(*(set(judged(runs, name)) for name in recipes))
    best = min(recipes, key=lambda name: validation_error(work, name, sorted(shared)))
    ours = judged(runs, best)
    rows = rows_beside(runs, best)
    steps, step_times = step_lines(work)
    base = next(iter(ours.values()))[0]
    document = {
        "command": COMMAND,
        **meta,
        "best_recipe": best,
        "rows": rows,
        "step_times": step_times,
        "curves": runs,
    }
    lines = [
        "# Beside the peers",
        "",
        *introduction(meta["n_train"], sorted(ours)),
        "",
        *table_lines(rows, base),
        "",
        *rates_tried(runs),
        "",
        *targets(runs, recipes, best),
        "",
        "The same step, timed in turns in one run (`step_time.py`):",
        "",
        *steps,
        "",
        (Path(__file__).parent / "notes.md").read_text().strip(),
    ]
    write(document, lines, rows, runs)
    sys.stdout.write("\n".join(lines) + "\n")


def label(name: str) -> str:
    """Return what the figure calls a contender."""
    rate = name.removeprefix(method_of(name)).lstrip("-")
    ours = name.startswith("atomgraft")
    return ", ".join(TITLES[method_of(name)]) + (
        f", rate {rate}" if rate and ours else ""
    )


def write(
    document: dict[str, Any],
    lines: Sequence[str],
    rows: Sequence[dict[str, Any]],
    runs: dict[str, dict[int, Curve]],
) -> None:
    """Write the three files."""
    text = json.dumps(document, separators=(",", ":"))
    (RESULTS / "peers.json").write_text(text + "\n")
    (RESULTS / "peers.md").write_text("\n".join(lines) + "\n")
    curves = {label(one["name"]): judged(runs, one["name"]) for one in rows}
    base = next(iter(judged(runs, rows[0]["name"]).values()))[0]["forces"]
    (RESULTS / "peers.svg").write_text(svg(curves, base))


if __name__ == "__main__":
    main()
