"""How often intervals hold the truth, by simulation: ours beside percentile bootstrap.

    python benchmarks/intervals.py

draws test sets whose mean error is known, gives each its 95 % interval and counts. A
change without any truth in it (its mean is zero) that comes out "better" is the costly
mistake: 2.5 of 100 are promised. Writes ``results/intervals.json`` and ``.md``; some
minutes on one core, the seed is inside.
"""

import dataclasses
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from atomgraft.metrics.intervals import mean_interval

STEM = Path(__file__).parent / "results" / "intervals"

SEED = 20
N_TRIALS, N_OLD_TRIALS, N_RESAMPLES = 4000, 1000, 1000
SIZES = (5, 10, 20, 50)
LONG = (100, 200, 500)

Ends = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Shape:
    """A distribution of errors, or of changes, made from standard normal numbers."""

    name: str
    of: Callable[[np.ndarray, np.ndarray], np.ndarray]
    mean: float
    is_signed: bool = False


def _exponential(z: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (z**2 + other**2) / 2


SHAPES = (
    Shape("errors, normal (sd 0.3)", lambda z, _: 1 + 0.3 * z, 1.0),
    Shape("errors, lognormal 0.5", lambda z, _: np.exp(0.5 * z), np.exp(0.125)),
    Shape("errors, lognormal 1", lambda z, _: np.exp(z), np.exp(0.5)),
    Shape("errors, gamma (exponential)", _exponential, 1.0),
    Shape("change, normal", lambda z, _: z, 0.0, is_signed=True),
    Shape(
        "change, of lognormals 0.5",
        lambda z, other: np.exp(0.5 * z) - np.exp(0.5 * other),
        0.0,
        is_signed=True,
    ),
    Shape(
        "change, of lognormals 1",
        lambda z, other: np.exp(z) - np.exp(other),
        0.0,
        is_signed=True,
    ),
    Shape(
        "change, skewed (lognormal 0.5)",
        lambda z, _: np.exp(0.5 * z) - np.exp(0.125),
        0.0,
        is_signed=True,
    ),
)

CORRELATED = (SHAPES[4], SHAPES[1], SHAPES[6])


def autoregressive(rng: np.random.Generator, n: int, memory: float) -> np.ndarray:
    """Return standard normal numbers, each `memory` times the one before and news."""
    noise = rng.normal(size=n)
    series = [noise[0]]
    for one in noise[1:]:
        series.append(memory * series[-1] + np.sqrt(1 - memory**2) * one)
    return np.array(series)


def percentile_interval(values: np.ndarray, rng: np.random.Generator) -> Ends:
    """Return what atomgraft gave before: the percentile bootstrap over frames."""
    drawn = rng.integers(len(values), size=(N_RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def trajectories(n_frames: int, n_runs: int) -> list[Sequence[int]]:
    """Return the frames of runs of equal length."""
    bounds = np.arange(n_runs + 1) * n_frames // n_runs
    return [range(a, b) for a, b in itertools.pairwise(bounds.tolist())]


def draws(
    shape: Shape, n: int, n_trials: int, *, memory: float | None, n_runs: int
) -> Iterator[tuple[np.ndarray, np.random.Generator]]:
    """Yield test sets of `n` frames: independent, or runs with a memory."""
    for trial in range(n_trials):
        rng = np.random.default_rng([SEED, n, n_runs, trial])
        runs = [n] if memory is None else map(len, trajectories(n, n_runs))
        parts = [
            [autoregressive(rng, size, memory or 0.0) for size in (one, one)]
            for one in runs
        ]
        z, other = (np.concatenate(one) for one in zip(*parts, strict=True))
        yield shape.of(z, other), rng


def count(truth: float, found: Sequence[Ends | None]) -> dict[str, float]:
    """Return shares of intervals that are given, that cover, and that miss."""
    given = [one for one in found if one is not None]
    n = len(found)
    return {
        "trials": n,
        "given": len(given) / n,
        "cover": float(np.mean([low <= truth <= high for low, high in given]))
        if given
        else float("nan"),
        "too_high": sum(bool(low > truth) for low, _ in given) / n,
        "too_low": sum(bool(high < truth) for _, high in given) / n,
        "width": float(np.median([high - low for low, high in given]))
        if given
        else float("nan"),
    }


def judge(
    shape: Shape, n: int, *, memory: float | None = None, n_runs: int = 1
) -> dict[str, Any]:
    """Return how both methods do on test sets of one kind."""
    clusters = None if memory is None else trajectories(n, n_runs)
    many = N_TRIALS if n <= max(SIZES) or n_runs > 1 else N_TRIALS // 4
    new = [
        mean_interval(values, np.ones(n), clusters, is_signed=shape.is_signed).interval
        for values, _ in draws(shape, n, many, memory=memory, n_runs=n_runs)
    ]
    old = [
        percentile_interval(*one)
        for one in draws(
            shape, n, many * N_OLD_TRIALS // N_TRIALS, memory=memory, n_runs=n_runs
        )
    ]
    return {
        "shape": shape.name,
        "n": n,
        "memory": memory,
        "n_runs": n_runs,
        "new": count(shape.mean, new),
        "old": count(shape.mean, old),
    }


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of each table."""
    for shape in SHAPES:
        for n in SIZES:
            yield "independent", judge(shape, n)
    for shape in CORRELATED:
        for n_runs in SIZES:
            yield "runs", judge(shape, 10 * n_runs, memory=0.9, n_runs=n_runs)
    for shape in CORRELATED:
        for n in (*SIZES, *LONG):
            yield "one run", judge(shape, n, memory=0.9)
    for n in (*SIZES, *LONG):
        yield "one run", judge(CORRELATED[0], n, memory=0.5)


TITLES = {
    "independent": "Independent frames",
    "runs": "Trajectories of ten frames, each frame 0.9 of the one before",
    "one run": "One trajectory",
}


def lines_of(title: str, rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a table in Markdown."""
    yield from (f"## {TITLES[title]}", "")
    yield (
        "| errors | frames | trajectories | memory | given | covers | truth below "
        "| truth above | width | old: covers | truth below | truth above | width |"
    )
    yield "|---" * 13 + "|"
    for row in rows:
        cells = [row["shape"], str(row["n"])]
        cells += ["–" if row["memory"] is None else str(row["n_runs"])]
        cells += ["–" if row["memory"] is None else f"{row['memory']:g}"]
        cells += [f"{row['new']['given']:.1%}"]
        for method in ("new", "old"):
            found = row[method]
            shares = [found[key] for key in ("cover", "too_high", "too_low")]
            cells += ["–" if np.isnan(one) else f"{one:.1%}" for one in shares]
            width = found["width"]
            cells += ["–" if np.isnan(width) else f"{width:.2f}"]
        yield f"| {' | '.join(cells)} |"
    yield ""


HEAD = """# How often 95 % intervals hold the truth

Made by `python benchmarks/intervals.py`; all numbers are in `intervals.json`. Each row
has {n} simulated test sets of ours and {old} of the percentile bootstrap over frames,
which atomgraft gave before. `covers` is the share of the intervals that were given;
`truth below` and `truth above` are shares of all test sets, and 2.5 % of each are
promised. For a change, `truth above` is a model that is called better and is not.
One standard error of a coverage of 95 % is {error:.1%}. Rows of one trajectory of 100
frames and more have a quarter of the test sets.
"""

READ = """## What to take from it

- Independent frames: within two points of 95 % for all shapes but two. Errors that
  scatter lognormally by a factor of e (lognormal 1) are covered in 90 to 92 of 100
  cases up to 20 frames, because the largest ones are not in the sample; the bootstrap
  covers 68 to 84, and none of the other methods that were tried reaches 93. Changes
  of such errors are covered in 98 of 100 cases at five frames, on the safe side.
- The two sides share what is missed evenly for symmetric changes. Where changes are
  skewed, one side is missed more often: a model that spoils a few frames badly is
  called better by mistake in 6 of 100 cases at five frames, if the sample holds none
  of these.
- Trajectories count as one each; the frames in them do not matter.
- One trajectory whose frames have a memory of 0.9, which leaves one independent frame
  in 19: practically no interval up to 50 frames, and one in most cases from 500 on,
  which covers in 93 to 95 of 100. In between few test sets have one: those whose
  memory looks short by chance, and they cover less often. Of all test sets no more
  than promised are called better by mistake, or 3.2 % at most.
- What cannot be seen is a slow change of the errors that hides under fast noise
  within 50 frames. Several runs are the only remedy.
"""


def main() -> None:
    """Simulate all cases, and write the committed results."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for title, row in cases():
        tables.setdefault(title, []).append(row)
        print(title, row["shape"], row["n"], row["memory"], row["new"], flush=True)
    document = {"command": "intervals.py", "seed": SEED, "tables": tables}
    text = json.dumps(document, indent=1).replace("NaN", "null")
    STEM.with_suffix(".json").write_text(text + "\n")
    head = HEAD.format(
        n=f"{N_TRIALS:,}",
        old=f"{N_OLD_TRIALS:,}",
        error=(0.95 * 0.05 / N_TRIALS) ** 0.5,
    )
    lines = [line for title, rows in tables.items() for line in lines_of(title, rows)]
    STEM.with_suffix(".md").write_text("\n".join([head, *lines, READ]))


if __name__ == "__main__":
    sys.exit(main())
