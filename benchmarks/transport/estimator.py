"""How often intervals of diffusivities hold the truth, where the truth is known.

    python benchmarks/transport/estimator.py [walks | files]

draws random walks whose diffusivity follows in closed form, and counts how often the
68 % and 95 % intervals hold it: of the default estimator, of kinisi, of a weighted fit
that ignores correlations, of the scatter between ions, and of the scatter between five
blocks of the run. Then ions that hop between the sites of a vibrating, drifting crystal
are written to files and read by the whole of `atomgraft diffusivity`. Writes
``results/transport_estimator.json`` and ``.md``; about ten minutes on one core, the
seed is inside. kinisi is needed (extra ``transport``). With
``walks`` or ``files``, the other part is kept as it is.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from scipy import stats

from atomgraft.core.provenance import package_versions
from atomgraft.transport.diffusivity.judge import judged
from atomgraft.transport.diffusivity.kinisi_fit import kinisi_samples
from atomgraft.transport.diffusivity.regression import Line, Regression
from atomgraft.transport.diffusivity.spec import DiffusivitySpec
from atomgraft.transport.diffusivity.windows import displacements_of
from atomgraft.transport.diffusivity.work import diffusivity

STEM = Path(__file__).parents[1] / "results" / "transport_estimator"

SEED = 7
N_WALKS, N_KINISI, N_FILES = 120, 30, 40
N_BLOCKS = 5
STEP = 0.1
"""ps between frames."""
SPACING = 3.0
"""Å; length of hops."""
LEVELS = (0.68, 0.95)

SPEC = DiffusivitySpec(
    files=("walk",), mobile=("Li",), temperature=(600.0,), n_samples=1000
)

HEAD = """# How often intervals of diffusivities hold the truth

Made by `python benchmarks/transport/estimator.py`; all numbers are in
`transport_estimator.json`. Every walk has a diffusivity known in closed form. `scatter`
is the standard deviation of the estimates over walks, `half width` half of the 68 %
interval; both relative to the truth. `given` counts walks with a number: the others
have an upper limit. One standard error of a coverage of 68 % is {points:.1f} points for
{n} walks.
"""

Walk = Callable[[np.random.Generator], np.ndarray]


def brownian(n_ions: int, n_frames: int) -> Walk:
    """Return a walk with a variance of 1 Å² along each axis in a frame."""

    def walk(rng: np.random.Generator) -> np.ndarray:
        return np.cumsum(rng.normal(size=(n_frames, n_ions, 3)), axis=0)

    return walk


def hops(
    n_ions: int,
    n_frames: int,
    rate: float,
    *,
    vibration: float = 0.0,
    memory: float = 0,
) -> Walk:
    """Return hops along six directions, each at `rate` a frame, with vibrations.

    Vibrations have `vibration` Å along each axis, and keep the share `memory` of their
    displacement from frame to frame: what an ion does within its cage.
    """

    def walk(rng: np.random.Generator) -> np.ndarray:
        counts = rng.poisson(rate, size=(n_frames, n_ions, 3, 2))
        path = np.cumsum(SPACING * (counts[..., 0] - counts[..., 1]), axis=0)
        moves = vibration * rng.normal(size=path.shape)
        for i in range(1, n_frames):
            moves[i] = memory * moves[i - 1] + (1 - memory**2) ** 0.5 * moves[i]
        return path + moves

    return walk


def of_rate(rate: float) -> float:
    """Return the slope of the MSD over time of hops, Å²/ps."""
    return 6 * rate * SPACING**2 / STEP


CASES: dict[str, tuple[Walk, float, float | None]] = {
    "Brownian, 32 ions, 500 frames": (brownian(32, 501), 3 / STEP, None),
    "Brownian, 64 ions, 500 frames": (brownian(64, 501), 3 / STEP, None),
    "Brownian, 8 ions, 500 frames": (brownian(8, 501), 3 / STEP, None),
    "Brownian, 32 ions, 100 frames": (brownian(32, 101), 3 / STEP, None),
    "Brownian, 32 ions, 500 frames, windows from 20 frames": (
        brownian(32, 501),
        3 / STEP,
        20 * STEP,
    ),
    "hops, 64 ions, 500 frames": (hops(64, 501, 0.01), of_rate(0.01), None),
    "about 100 hops, 64 ions, 500 frames": (
        hops(64, 501, 0.0005),
        of_rate(0.0005),
        None,
    ),
    "hops and vibrations, 32 ions, 500 frames": (
        hops(32, 501, 0.005, vibration=0.3),
        of_rate(0.005),
        None,
    ),
    "hops and slow cages, 32 ions, 500 frames": (
        hops(32, 501, 0.01, vibration=1.0, memory=0.8),
        of_rate(0.01),
        None,
    ),
}
"""Walk, slope of its MSD over time (Å²/ps), and shortest window (ps) where given."""

Ends = tuple[float, float]
Answer = tuple[float, dict[float, Ends]]
"""Slope and its interval at each level."""


def of_samples(samples: np.ndarray) -> Answer:
    """Return median and central intervals."""
    ends = {
        level: tuple(
            map(float, np.quantile(samples, (0.5 - level / 2, 0.5 + level / 2)))
        )
        for level in LEVELS
    }
    return float(np.median(samples)), ends  # pyright: ignore[reportReturnType]


def of_scatter(values: np.ndarray) -> Answer:
    """Return the mean with Student's interval."""
    mean, error = float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)
    ends = {}
    for level in LEVELS:
        reach = float(stats.t.ppf(0.5 + level / 2, len(values) - 1)) * error
        ends[level] = (mean - reach, mean + reach)
    return mean, ends


def weighted_fit(regression: Regression, line: Line) -> Answer:
    """Return a fit by inverse variances, as if the MSD of windows were independent."""
    data = regression.data
    kept = slice(line.first, None)
    n_samples = data.n_particles[0] * (data.n_frames[0] - 1) / data.windows[kept]
    errors = np.sqrt(data.spread[kept] / n_samples)
    found, covariance = np.polyfit(
        data.times[kept], data.mean[kept], 1, w=1 / errors, cov="unscaled"
    )
    error = float(np.sqrt(covariance[0, 0]))
    ends = {
        level: tuple(found[0] + error * np.array(stats.norm.interval(level)))
        for level in LEVELS
    }
    return float(found[0]), ends


def blocks(path: np.ndarray, line: Line) -> Answer | None:
    """Return the scatter of slopes between blocks of the run."""
    slopes = []
    for one in np.array_split(path, N_BLOCKS):
        regression = Regression(displacements_of([one], STEP))
        if line.first > len(regression.data.windows) - 3:
            return None
        slopes.append(regression.line(line.first).slope)
    return of_scatter(np.array(slopes))


def answers(
    walk: Walk, start: float | None, trial: int, number: int
) -> dict[str, Answer | None]:
    """Return what each estimator says of one walk."""
    rng = np.random.default_rng([SEED, number, trial])
    path = walk(rng)
    regression = Regression(displacements_of([path], STEP))
    spec = SPEC.model_copy(update={"start": start})
    found = judged(regression, spec, number, trial)
    if found.samples is None or found.line is None:
        return {"ours": None}
    line = found.line
    scattered = line.weights @ regression.data.by_particle[line.first :]
    said: dict[str, Answer | None] = {
        "ours": of_samples(found.samples * 6 * 1e4),
        "weighted fit": weighted_fit(regression, line),
        "between ions": of_scatter(scattered),
        "five blocks": blocks(path, line),
    }
    if trial < N_KINISI:
        samples = kinisi_samples(regression.data, line.first, 1000, rng)
        said["kinisi"] = of_samples(samples)
    return said


def counted(truth: float, found: list[Answer | None]) -> dict[str, Any]:
    """Return how often the truth is held, bias, scatter and width."""
    given = [one for one in found if one is not None]
    if not given:
        return {"trials": len(found), "given": 0}
    slopes = np.array([one[0] for one in given]) / truth
    row: dict[str, Any] = {
        "trials": len(found),
        "given": len(given),
        "bias": float(slopes.mean() - 1),
        "scatter": float(slopes.std()),
    }
    for level in LEVELS:
        ends = [one[1][level] for one in given]
        row[f"cover_{100 * level:.0f}"] = float(
            np.mean([low <= truth <= high for low, high in ends])
        )
    half = [(one[1][LEVELS[0]][1] - one[1][LEVELS[0]][0]) / 2 for one in given]
    row["half_width"] = float(np.median(half) / truth)
    return row


def walks() -> Iterator[dict[str, Any]]:
    """Yield a row for each kind of walk."""
    for number, (name, (walk, truth, start)) in enumerate(CASES.items()):
        found = [answers(walk, start, trial, number) for trial in range(N_WALKS)]
        methods = dict.fromkeys(key for one in found for key in one)
        yield {
            "case": name,
            "methods": {
                key: counted(truth, [one[key] for one in found if key in one])
                for key in methods
            },
        }


def frames_of(rate: float, trial: int) -> list[Atoms]:
    """Return a crystal of oxygen in which 24 ions hop, which vibrates and drifts."""
    rng = np.random.default_rng([SEED, 99, trial])
    sites = SPACING * np.array(list(np.ndindex(5, 5, 5)), dtype=float)
    ions = sites[rng.permutation(len(sites))[:24]] + hops(24, 301, rate)(rng)
    oxygen = np.broadcast_to(sites + SPACING / 2, (301, *sites.shape))
    paths = np.concatenate([ions, oxygen], axis=1)
    paths = paths + 0.15 * rng.normal(size=paths.shape)
    paths[..., 0] += 0.02 * np.arange(301)[:, None]
    frames = []
    for positions in paths:
        atoms = Atoms(f"Li24O{len(sites)}", positions, cell=[15.0] * 3, pbc=True)
        atoms.wrap()
        frames.append(atoms)
    return frames


def whole(rate: float, trial: int, folder: Path) -> dict[str, Answer | None]:
    """Return what the whole command says of one file."""
    path = folder / f"{trial}.traj"
    ase.io.write(path, frames_of(rate, trial))
    spec = SPEC.model_copy(update={"files": (str(path),), "step": (1000 * STEP,)})
    result = diffusivity(spec, folder / str(trial))
    path.unlink()
    [at] = result.temperatures
    [ion] = at.ions
    said = {
        "D*": ion.diffusivity,
        "D along x": ion.axes[0],
        "collective": at.conduction.diffusivity,
    }
    return {key: of_bound(one) for key, one in said.items()}


def of_bound(bound: Any) -> Answer | None:  # noqa: ANN401 - a record
    """Return a number of the record, or none where there is a limit."""
    one = bound.value
    if one is None:
        return None
    return one.median, {0.68: (one.low68, one.high68), 0.95: (one.low95, one.high95)}


def files() -> Iterator[dict[str, Any]]:
    """Yield a row for trajectories that went through files and the whole command."""
    for name, rate in (
        ("hops in a crystal, files", 0.003),
        ("cages alone, files", 0.0),
    ):
        n = N_FILES if rate else N_FILES // 4
        with tempfile.TemporaryDirectory() as folder:
            found = [whole(rate, trial, Path(folder)) for trial in range(n)]
        truth = rate * SPACING**2 / STEP * 1e-4
        yield {
            "case": name,
            "methods": {
                key: counted(truth or 1.0, [one[key] for one in found])
                for key in found[0]
            },
        }


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return a Markdown table."""
    head = ("case", "estimator", "trials", "given", "68 % holds", "95 % holds")
    head = (*head, "bias", "scatter", "half width")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        for method, one in row["methods"].items():
            cells = [row["case"], method, str(one["trials"]), str(one["given"])]
            if one["given"]:
                cells += [f"{100 * one[f'cover_{n}']:.0f} %" for n in (68, 95)]
                cells += [
                    f"{100 * one['bias']:+.1f} %",
                    f"{100 * one['scatter']:.1f} %",
                ]
                cells.append(f"{100 * one['half_width']:.1f} %")
            else:
                cells += ["–"] * 5
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def pooled(rows: list[dict[str, Any]], method: str) -> str:
    """Return the coverage of one estimator over all walks, in a sentence."""
    found = [row["methods"][method] for row in rows if method in row["methods"]]
    n = sum(one["given"] for one in found)
    covers = [
        sum(one["given"] * one.get(key, 0) for one in found) / n
        for key in ("cover_68", "cover_95")
    ]
    return f"| {method} | {n} | {100 * covers[0]:.1f} % | {100 * covers[1]:.1f} % |"


def write(document: dict[str, Any]) -> None:
    """Write the numbers and their tables."""
    STEM.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    rows = document["walks"]
    methods = dict.fromkeys(key for row in rows for key in row["methods"])
    text = [
        HEAD.format(points=100 * (0.68 * 0.32 / N_WALKS) ** 0.5, n=N_WALKS),
        "## All walks together",
        "",
        "| estimator | numbers | 68 % holds | 95 % holds |",
        "|---|---|---|---|",
        *(pooled(rows, one) for one in methods),
        "",
        "## Each kind of walk",
        "",
        *table(rows),
        "",
    ]
    if document["files"]:
        text += [
            "## Files, through the whole command",
            "",
            *table(document["files"]),
            "",
        ]
    STEM.with_suffix(".md").write_text("\n".join(text))


def main() -> None:
    """Run all or one part, and write after each case."""
    known = STEM.with_suffix(".json")
    parts = {"walks": walks, "files": files}
    asked = sys.argv[1:] or list(parts)
    for key in asked:
        rows: list[dict[str, Any]] = []
        for row in parts[key]():
            rows.append(row)
            kept = json.loads(known.read_text()) if known.exists() else {}
            document = {
                "command": "transport/estimator.py",
                "seed": SEED,
                "versions": package_versions(),
                **{one: kept.get(one, []) for one in parts},
                key: rows,
            }
            write(document)
            sys.stderr.write(f"{row['case']}\n")


if __name__ == "__main__":
    main()
