"""Tables of the learning curves: errors by number of frames, and their ratios."""

from collections.abc import Sequence

import numpy as np
from arms import FRESH, TRANSFERRED


def by_draw(rows: Sequence[dict], key: str) -> np.ndarray:
    """Return the error of each draw, a mean over its seeds."""
    draws = sorted({row["draw"] for row in rows})
    return np.array(
        [
            np.mean([row["errors"][key] for row in rows if row["draw"] == draw])
            for draw in draws
        ]
    )


def with_interval(values: np.ndarray, digits: int) -> str:
    """Return the geometric mean and its 95 % interval over draws."""
    from atomgraft.metrics.intervals import student_interval

    ends = student_interval(np.log(values))
    low, high = np.exp(ends) if ends else (0.0, 0.0)
    spread = f" [{low:.{digits}f}, {high:.{digits}f}]" if ends else ""
    return f"{np.exp(np.log(values).mean()):.{digits}f}{spread}"


def of(rows: Sequence[dict], arm: str, n: int) -> list[dict]:
    """Return the rows of an arm at a number of frames."""
    return [row for row in rows if (row["arm"], row["n"]) == (arm, n)]


def errors_table(rows: Sequence[dict]) -> list[str]:
    """Return force and energy errors of every arm."""
    lines = [
        "| frames | arm | models | force MAE, eV/Å | energy MAE, meV/atom |",
        "|---|---|---|---|---|",
    ]
    for n in sorted({row["n"] for row in rows}):
        for arm in dict.fromkeys(row["arm"] for row in rows):
            if found := of(rows, arm, n):
                force = with_interval(by_draw(found, "all"), 4)
                energy = with_interval(by_draw(found, "energy"), 1)
                lines.append(f"| {n} | {arm} | {len(found)} | {force} | {energy} |")
    return [*lines, ""]


def complete(rows: Sequence[dict]) -> list[dict]:
    """Return the rows of draws and seeds that every arm has finished."""
    arms = {row["arm"] for row in rows}
    found: dict[tuple[int, int, int], set[str]] = {}
    for row in rows:
        found.setdefault(_model(row), set()).add(row["arm"])
    return [row for row in rows if found[_model(row)] == arms]


def _model(row: dict) -> tuple[int, int, int]:
    return row["n"], row["draw"], row["seed"]


def ratio_table(rows: Sequence[dict], *, is_by_pair: bool = False) -> list[str]:
    """Return errors of rivals over those of map and scales, on the same draws.

    Parameters
    ----------
    rows
        Finished ones.
    is_by_pair
        Compare a rival on all draws that it shares with map and scales. Else on those
        that all arms have finished.
    """
    lines = [
        "Force error of a rival over that of *map and scales*, on the same draws and"
        " seeds: the geometric mean with its interval, and of how many models the rival"
        " is worse.",
        "",
        "| frames | rival | ratio | worse |",
        "|---|---|---|---|",
    ]
    trained = [row for row in rows if row["n"]]
    arms = dict.fromkeys(row["arm"] for row in trained)
    finished = complete(trained)
    for arm in arms:
        if arm == TRANSFERRED:
            continue
        if is_by_pair:
            pair = {arm, TRANSFERRED}
            finished = complete([row for row in trained if row["arm"] in pair])
        lines += ratio_lines(finished, arm)
    if not is_by_pair:
        lines += ["", caught_up(finished)]
    return [*lines, ""]


def ratio_lines(rows: Sequence[dict], arm: str) -> list[str]:
    """Return a line for each number of frames at which an arm has finished draws."""
    from atomgraft.metrics.intervals import student_interval

    lines = []
    for n in sorted({row["n"] for row in rows if row["arm"] == arm}):
        mine, theirs = of(rows, TRANSFERRED, n), of(rows, arm, n)
        logs = np.log(by_draw(theirs, "all") / by_draw(mine, "all"))
        ends = student_interval(logs)
        spread = f" [{np.exp(ends[0]):.2f}, {np.exp(ends[1]):.2f}]" if ends else ""
        own = {(row["draw"], row["seed"]): row["errors"]["all"] for row in mine}
        pairs = [
            row["errors"]["all"] > own[row["draw"], row["seed"]]
            for row in theirs
            if (row["draw"], row["seed"]) in own
        ]
        lines.append(
            f"| {n} | {arm} | {np.exp(logs.mean()):.2f}{spread}"
            f" | {sum(pairs)} of {len(pairs)} |"
        )
    return lines


def caught_up(rows: Sequence[dict]) -> str:
    """Return where fresh weights catch up with map and scales."""
    from atomgraft.compare.crossings import catches_up

    sizes = sorted({row["n"] for row in rows if row["arm"] == FRESH})
    if not sizes:
        return "No draw is finished."
    draws = [{row["draw"] for row in of(rows, FRESH, n)} for n in sizes]
    whole = set.intersection(*draws)
    if not whole:
        return "No draw is finished at all numbers of frames."
    kept = [row for row in rows if row["draw"] in whole]
    errors = [
        [by_draw(of(kept, arm, n), "all") for n in sizes]
        for arm in (TRANSFERRED, FRESH)
    ]
    points = [
        catches_up(sizes, *([one[i] for one in arm] for arm in errors))
        for i in range(len(whole))
    ]
    middle = np.median(points)
    caught = f"{middle:.0f}" if np.isfinite(middle) else f"more than {sizes[-1]}"
    n_caught = int(np.isfinite(points).sum())
    return (
        f"Fresh weights catch up at {caught} frames (median over {len(points)} draws;"
        f" in {n_caught} they do so by {sizes[-1]} frames)."
    )


def group_table(rows: Sequence[dict], groups: Sequence[str]) -> list[str]:
    """Return force errors by group of test frames."""
    lines = [
        "Force MAE by group of test frames, eV/Å:",
        "",
        "| frames | arm | " + " | ".join(groups) + " |",
        "|---" * (2 + len(groups)) + "|",
    ]
    for n in sorted({row["n"] for row in rows}):
        for arm in dict.fromkeys(row["arm"] for row in rows):
            if found := of(rows, arm, n):
                cells = [f"{by_draw(found, group).mean():.4f}" for group in groups]
                lines.append(f"| {n} | {arm} | {' | '.join(cells)} |")
    return [*lines, ""]
