"""Classical data before DFT: do they help silicon, and germanium from silicon.

A small SevenNet learns Stillinger-Weber silicon from 300 cells of 8 atoms (rattled,
strained and hot), as cheap labels would be made in thousands. It is the start for n
shipped DFT silicon cells, and by map and scales for n shipped DFT germanium cells.
Beside it: fresh weights with five times the steps, and for germanium also a start from
DFT silicon (100 cells) that was trained from fresh weights, or on top of the classical
model. Where scales cannot be fitted to the forces of a frame, the ratio of lattice
constants is taken::

    python benchmarks/elements/ladder.py sources --out runs/ladder
    python benchmarks/elements/ladder.py tune --out runs/ladder
    python benchmarks/elements/ladder.py run --out runs/ladder
    python benchmarks/elements/ladder.py table

Finished rows are in benchmarks/results/element_ladder.json.
"""

import argparse
import dataclasses
import itertools
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from curve_tables import by_draw, of, with_interval
from learning_curves import adapted, errors, is_there
from starts import LATTICE, RESULTS

RESULT = RESULTS / "element_ladder.json"
sys.path.append(str(Path(__file__).parents[2] / "scripts" / "shipped_set"))

SIZES = (1, 10)
N_DRAWS = 5
SEEDS = (0, 1, 2)
SOURCE_STEPS = 4000
STEPS, SCRATCH_STEPS = 300, 1500
BATCH = 2
AMPLITUDE = 0.0024
"""Å and K: displacements of AMPLITUDE √T, each coordinate by itself, have about the
potential energy of a harmonic crystal at T, 3/2 kT an atom."""
PRESET = "sevennet:mini"
CLASSICAL, DFT, BOTH = "classical", "dft", "classical-dft"
"""Sources: Stillinger-Weber silicon, DFT silicon, DFT on top of Stillinger-Weber."""


@dataclasses.dataclass(frozen=True)
class Way:
    """A way to a model of an element.

    Parameters
    ----------
    element
        What is learned.
    source
        The model it starts from; empty for fresh weights.
    """

    element: str
    source: str

    @property
    def name(self) -> str:
        """In tables."""
        return self.source or "fresh weights"

    @property
    def rates(self) -> tuple[float, ...]:
        """Learning rates to choose from."""
        return (5e-4, 1e-3, 2e-3, 4e-3) if self.source else (5e-3, 1e-2, 2e-2, 4e-2)


WAYS = tuple(
    Way(element, source)
    for element, sources in (
        ("Si", ("", CLASSICAL)),
        ("Ge", ("", CLASSICAL, DFT, BOTH)),
    )
    for source in sources
)


def classical_frames() -> list[Atoms]:
    """Return silicon cells with the labels of Stillinger and Weber."""
    from structures import rattled, strained

    from atomgraft.data.labels import set_labels
    from atomgraft.models.loading import load_potential
    from atomgraft.models.prediction import predict_structures

    rng = np.random.default_rng(0)
    perfect = bulk("Si", "diamond", a=5.431, cubic=True)
    frames = [*rattled(perfect, 150, rng), *strained(perfect, 100, rng)]
    for temperature in np.linspace(300, 1500, 50):
        atoms = perfect.copy()
        amplitude = AMPLITUDE * temperature**0.5
        atoms.positions += rng.normal(scale=amplitude, size=atoms.positions.shape)
        atoms.info["config_type"] = "hot"
        frames.append(atoms)
    law = load_potential("pair:sw-si")
    for atoms, one in zip(frames, predict_structures(law, frames), strict=True):
        set_labels(atoms, energy=one.energy, forces=one.forces, stress=one.stress)
    return frames


def train_sources(out: Path) -> None:
    """Train the models that others start from, or go on with them."""
    import atomgraft as ag

    settings = {"steps": SOURCE_STEPS, "batch_size": 8, "seed": 1}
    for name, base, train, recipe, rate in (
        (CLASSICAL, f"{PRESET}:Si", classical_frames(), "scratch", 2e-2),
        (DFT, f"{PRESET}:Si", "shipped:si-train", "scratch", 2e-2),
        (BOTH, str(out / CLASSICAL), "shipped:si-train", "full", 2e-3),
    ):
        ag.adapt(base, train=train, recipe=recipe, lr=rate, out=out / name, **settings)


def trained(way: Way, out: Path, n: int, draw: int, seed: int, rate: float):  # noqa: ANN201
    """Return a model that has learned n frames of a draw."""
    from atomgraft.run.inputs import merged_run

    base = str(out / way.source) if way.source else f"{PRESET}:{way.element}"
    is_mapped = way.source and way.element != "Si"
    with tempfile.TemporaryDirectory() as place:
        run = adapted(
            base,
            LATTICE,
            train=[atoms.copy() for atoms in pools(way.element)[0][draw][:n]],
            recipe="full" if way.source else "scratch",
            steps=STEPS if way.source else SCRATCH_STEPS,
            batch_size=min(BATCH, n),
            lr=rate,
            seed=seed,
            out=Path(place) / "run",
            progress=False,
            **({"map": f"Si:{way.element}@fit@fit"} if is_mapped else {}),
        )
        return merged_run(run.folder)


def pools(element: str) -> tuple[dict[int, list[Atoms]], list[Atoms], list[Atoms]]:
    """Return the frames of each draw, those that choose rates, and the test."""
    from atomgraft.data.readers import read_structures

    frames = read_structures([f"shipped:{element.lower()}-train"])
    kept, pool = frames[:20], frames[20:]
    draws = {
        draw: [pool[i] for i in np.random.default_rng(draw).permutation(len(pool))]
        for draw in (*range(N_DRAWS), 100)
    }
    return draws, kept, read_structures([f"shipped:{element.lower()}-test"])


def tune(out: Path) -> None:
    """Measure every rate of every way and size on frames that are kept for it."""
    for way, n in itertools.product(WAYS, SIZES):
        for rate in way.rates:
            key = {"arm": way.name, "element": way.element, "n": n, "rate": rate}
            document = read()
            if is_there(document["tuning"], **key):
                continue
            model = trained(way, out, n, 100, 100, rate)
            found = errors(model, pools(way.element)[1])["all"]
            document["tuning"].append({**key, "force_mae": found})
            write(document)
            print(key, f"{found:.4f}", flush=True)


def best_rate(document: dict, way: Way, n: int) -> float:
    """Return the rate with the smallest error on kept frames."""
    rows = [
        row
        for row in document["tuning"]
        if (row["arm"], row["element"], row["n"]) == (way.name, way.element, n)
    ]
    return min(rows, key=lambda row: row["force_mae"])["rate"]


def run(out: Path) -> None:
    """Train and test what is missing, all of a seed before the next."""
    for seed, way, n in itertools.product(SEEDS, WAYS, SIZES):
        rate = best_rate(read(), way, n)
        test = pools(way.element)[2]
        for draw in range(N_DRAWS):
            key = {
                "arm": way.name,
                "element": way.element,
                "n": n,
                "draw": draw,
                "seed": seed,
            }
            document = read()
            if is_there(document["rows"], **key):
                continue
            found = errors(trained(way, out, n, draw, seed, rate), test)
            document["rows"].append({**key, "rate": rate, "errors": found})
            write(document)
            print(*key.values(), f"{found['all']:.4f}", flush=True)
        measure_sources(out)


def measure_sources(out: Path) -> None:
    """Test the sources on silicon, once."""
    from atomgraft.run.inputs import load_base

    document = read()
    if "sources" in document:
        return
    document["sources"] = {
        one: errors(load_base(str(out / one)), pools("Si")[2])
        for one in (CLASSICAL, DFT, BOTH)
    }
    write(document)


def read() -> dict:
    """Return what is finished."""
    from atomgraft.core.provenance import package_versions

    if RESULT.is_file():
        return json.loads(RESULT.read_text())
    return {
        "command": "ladder.py sources, tune, run",
        "versions": package_versions(),
        "tuning": [],
        "rows": [],
    }


def write(document: dict) -> None:
    """Keep what is finished."""
    RESULT.write_text(json.dumps(document, indent=0) + "\n")


def table(document: dict) -> str:
    """Return the table, Markdown."""
    from atomgraft.metrics.intervals import student_interval

    seeds = [row["seed"] for row in document["rows"]]
    n_all = len(WAYS) * len(SIZES) * N_DRAWS
    whole = {one for one in seeds if seeds.count(one) == n_all}
    rows_of_all = [row for row in document["rows"] if row["seed"] in whole]
    n_seeds = len(whole)
    told = ", ".join(
        f"{name} {one['all']:.4f}" for name, one in document["sources"].items()
    )
    lines = [
        "# Classical data before DFT",
        "",
        "Made by `python benchmarks/elements/ladder.py`. `classical`: trained on 300"
        " cells of Stillinger-Weber silicon; `dft`: on 100 DFT cells of silicon;"
        " `classical-dft`: on one after the other. Germanium starts by map with both"
        " scales fitted, or by the ratio of lattice constants where a frame does not"
        f" determine them. {STEPS} steps, fresh weights {SCRATCH_STEPS}; rates chosen"
        " for each number of frames, on 20 other frames. Mean absolute errors on 50"
        f" snapshots of molecular dynamics, {N_DRAWS} draws of the training frames,"
        f" {n_seeds} seed{'s' * (n_seeds > 1)}; 95 % intervals over draws, whose"
        " geometric means are given. Force errors of the sources on DFT silicon, eV/Å: "
        f"{told}.",
        "",
        "| element | frames | start | force MAE, eV/Å | energy MAE, meV/atom"
        " | force error, fresh weights over this |",
        "|---|---|---|---|---|---|",
    ]
    for element in ("Si", "Ge"):
        for n in SIZES:
            rows = [row for row in rows_of_all if row["element"] == element]
            fresh = by_draw(of(rows, "fresh weights", n), "all")
            for way in [one for one in WAYS if one.element == element]:
                own = of(rows, way.name, n)
                logs = np.log(fresh / by_draw(own, "all"))
                ends = student_interval(logs)
                spread = ""
                if ends and way.source:
                    spread = f" [{np.exp(ends[0]):.2f}, {np.exp(ends[1]):.2f}]"
                ratio = f"{np.exp(logs.mean()):.2f}{spread}" if way.source else ""
                lines.append(
                    f"| {element} | {n} | {way.name}"
                    f" | {with_interval(by_draw(own, 'all'), 4)}"
                    f" | {with_interval(by_draw(own, 'energy'), 1)} | {ratio} |"
                )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("sources", "tune", "run", "table"))
    parser.add_argument("--out", type=Path, default=Path("runs/ladder"))
    given = parser.parse_args()
    if given.verb == "table":
        RESULT.with_suffix(".md").write_text(table(read()))
    else:
        {"sources": train_sources, "tune": tune, "run": run}[given.verb](given.out)
