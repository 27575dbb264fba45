"""Learning curves of an element that starts from another one, and of its rivals.

A model trained on the donor alone takes up the element in several ways, learns from n
labelled frames of the element, and is tested on frames it never saw. Rivals: fresh
weights of the same architecture with five times the steps; the same weights with random
numbers for the element; the closed-form readout. Frames are drawn five times, each draw
trained with several seeds; learning rates were chosen on frames of neither set::

    python benchmarks/elements/learning_curves.py tune
    python benchmarks/elements/learning_curves.py run
    python benchmarks/elements/learning_curves.py table

``tune`` and ``run`` can be stopped and started: finished rows are in
benchmarks/results/element_curves.json, which refuses another base. ``--seed`` and
``--size`` do a part. Needs the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``).
"""

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from starts import BASE_FOLDER, LATTICE, data

RESULT = Path(__file__).parent.parent / "results" / "element_curves.json"

SIZES = (1, 2, 5, 10, 20, 50, 100, 200)
N_DRAWS = 5
SEEDS = (0, 1, 2)
BATCH = 2
STEPS, SCRATCH_STEPS = 300, 1500
"""Fresh weights get five times the steps."""

N_VALIDATION = 25
"""Frames of the training file that are kept to choose learning rates."""

TUNED_AT = 5
"""Number of frames at which rates are chosen."""


@dataclasses.dataclass(frozen=True)
class Arm:
    """A way to a model of the element.

    Parameters
    ----------
    name
        In tables.
    recipe
        Of the adaptation.
    words
        The element map; empty where the base is none that is mapped.
    rates
        Learning rates to choose from; one is not chosen.
    is_random
        The element's own numbers are random, the others those of the base.
    """

    name: str
    recipe: str
    words: str = ""
    rates: tuple[float, ...] = (5e-4, 1e-3, 2e-3)
    is_random: bool = False

    @property
    def is_trained(self) -> bool:
        """Whether steps are taken; else the readout is solved in closed form."""
        return self.recipe not in {"ridge", "linear"}


SCALED = "Si:Ge@fit@fit"
ARMS = (
    Arm("fresh weights", "scratch", rates=(1e-2, 2e-2, 4e-2)),
    Arm("random row", "full", rates=(1e-3, 3e-3, 9e-3), is_random=True),
    Arm("map", "full", "Si:Ge"),
    Arm("map and scales", "full", SCALED),
    Arm("map and scales, ridge", "ridge", SCALED, rates=(3e-2,)),
    Arm("map and scales, linear", "linear", SCALED, rates=(3e-2,)),
)


def random_row(base, element: str, seed: int):  # noqa: ANN001, ANN201
    """Return the base with room for an element whose own numbers are random.

    They are those of a model with fresh weights of the same architecture.
    """
    import torch
    from ase.data import atomic_numbers

    number = atomic_numbers[element]
    grown = base.with_more_elements([number])
    fresh = grown.clone(device=grown.device)
    fresh.draw_weights(torch.Generator().manual_seed(seed))
    drawn = dict(fresh.module.named_parameters())
    with torch.no_grad():
        for name, parameter in grown.module.named_parameters():
            for block in grown.blocks(name):
                own, other = block.matrix(parameter), block.matrix(drawn[name])
                rows = [i for i, key in enumerate(block.row_keys) if key == number]
                own[rows] = other[rows]
                columns = [
                    i for i, key in enumerate(block.column_keys) if key == number
                ]
                own[:, columns] = other[:, columns]
    donor = min(base.elements)
    for name, places in grown.element_places().items():
        if number in places:  # scales and shifts are no weights that are drawn
            flat = grown.module.get_parameter(name).data.view(-1)
            flat[list(places[number])] = flat[list(places[donor])]
    return grown


def errors(model, structures: Sequence[Atoms]) -> dict[str, float]:  # noqa: ANN001
    """Return mean absolute errors: forces in eV/Å, in all and by group; energies.

    Energies are in meV/atom, after the mean error of all structures is subtracted.
    """
    from atomgraft.models.prediction import predict_structures

    found: dict[str, list[np.ndarray]] = {}
    energies = []
    told = predict_structures(model, structures)
    for atoms, one in zip(structures, told, strict=True):
        wrong = np.abs(one.forces - atoms.arrays["REF_forces"]).ravel()
        for group in ("all", str(atoms.info["config_type"])):
            found.setdefault(group, []).append(wrong)
        energies.append((one.energy - atoms.info["REF_energy"]) / len(atoms))
    centred = np.array(energies) - np.mean(energies)
    means = {key: float(np.concatenate(one).mean()) for key, one in found.items()}
    return {**means, "energy": float(1000 * np.abs(centred).mean())}


class Bench:
    """Frames, base and finished rows.

    Parameters
    ----------
    base
        Folder of the run that made the base.
    """

    def __init__(self, base: Path) -> None:
        from atomgraft.data.readers import read_structures
        from atomgraft.run.inputs import load_base

        self.base = base
        model = load_base(str(base))
        frames = read_structures([data("ge-train.extxyz")])
        order = np.random.default_rng(1234).permutation(len(frames))
        self.validation = [frames[i] for i in order[:N_VALIDATION]]
        self.pool = [frames[i] for i in sorted(order[N_VALIDATION:])]
        self.test = read_structures([data("ge-test.extxyz")])
        self.framework = model.card.framework
        self.model = model
        self.document = read()
        known = self.document["bases"].setdefault(self.framework, model.weights_hash())
        if known != model.weights_hash():
            raise SystemExit(f"{RESULT} has rows of another base.")

    def chosen(self, n: int, draw: int) -> list[Atoms]:
        """Return the frames of a draw; smaller numbers are parts of larger ones."""
        order = np.random.default_rng(draw).permutation(len(self.pool))
        return [self.pool[i] for i in order[:n]]

    def trained(self, arm: Arm, n: int, draw: int, seed: int, rate: float):  # noqa: ANN201
        """Train a model and return it with the seconds it took."""
        import atomgraft as ag
        from atomgraft.run.inputs import merged_run

        with tempfile.TemporaryDirectory() as place:
            base = str(self.base)
            if arm.is_random:
                grown = random_row(self.model, "Ge", seed)
                base = ag.load(grown.export(Path(place) / "random"), trust=True)
            if arm.recipe == "scratch":
                base = f"{self.framework}:mini:Ge"
            settings = {"map": arm.words} if arm.words else {}
            if arm.is_trained:
                is_fresh = arm.recipe == "scratch"
                settings["steps"] = SCRATCH_STEPS if is_fresh else STEPS
                settings["batch_size"] = min(BATCH, n)
                settings["lr"] = rate
            start = time.perf_counter()
            if arm.is_random:  # its forces agree with nothing
                settings["accept"] = ["forces-disagrees"]
            run = ag.adapt(
                base,
                train=[atoms.copy() for atoms in self.chosen(n, draw)],
                recipe=arm.recipe,
                seed=seed,
                out=Path(place) / "run",
                progress=False,
                **settings,
            )
            seconds = time.perf_counter() - start
            return merged_run(run.folder, trust=run.trust), seconds

    def keep(self, kind: str, row: dict) -> None:
        """Add a finished row to the file."""
        self.document[kind].append(row)
        RESULT.write_text(json.dumps(self.document, indent=0) + "\n")


def read() -> dict:
    """Return what is finished."""
    from atomgraft.core.provenance import package_versions

    if RESULT.is_file():
        return json.loads(RESULT.read_text())
    return {
        "command": "starts.py base; learning_curves.py tune; learning_curves.py run",
        "versions": package_versions(),
        "bases": {},
        "tuning": [],
        "rows": [],
    }


def is_there(rows: Sequence[dict], **wanted: object) -> bool:
    """Tell whether a row is finished."""
    return any(all(row[key] == one for key, one in wanted.items()) for row in rows)


def tune(bench: Bench) -> None:
    """Measure every rate of every arm on the validation frames."""
    for arm in ARMS:
        for rate in arm.rates if len(arm.rates) > 1 else ():
            key = {"framework": bench.framework, "arm": arm.name, "rate": rate}
            if is_there(bench.document["tuning"], **key):
                continue
            model, _ = bench.trained(arm, TUNED_AT, draw=100, seed=100, rate=rate)
            found = errors(model, bench.validation)["all"]
            bench.keep("tuning", {**key, "n": TUNED_AT, "force_mae": found})
            print(key, f"{found:.4f}", flush=True)


def best_rate(document: dict, framework: str, arm: Arm) -> float:
    """Return the rate with the smallest validation error."""
    if len(arm.rates) == 1:
        return arm.rates[0]
    rows = [
        row
        for row in document["tuning"]
        if (row["framework"], row["arm"]) == (framework, arm.name)
    ]
    if len(rows) < len(arm.rates):
        raise SystemExit("Choose the learning rates first: learning_curves.py tune")
    return min(rows, key=lambda row: row["force_mae"])["rate"]


def run(bench: Bench, sizes: Sequence[int], seeds: Sequence[int]) -> None:
    """Train and test what is missing."""
    from atomgraft.adaptation.axes import ElementMap
    from atomgraft.adaptation.element_maps import decide_map

    for words in ("Si:Ge", LATTICE):
        key = {"framework": bench.framework, "arm": words, "n": 0}
        if not is_there(bench.document["rows"], **key):
            wanted = ElementMap.model_validate(words)
            mapped = decide_map(wanted, bench.model, bench.test).apply(bench.model)
            row = {**key, "draw": 0, "seed": 0, "errors": errors(mapped, bench.test)}
            bench.keep("rows", row)
    for seed in seeds:
        for n in sizes:
            for draw in range(N_DRAWS):
                for arm in ARMS:
                    if not arm.is_trained and seed != SEEDS[0]:
                        continue  # no random number
                    one_row(bench, arm, n, draw, seed)


def one_row(bench: Bench, arm: Arm, n: int, draw: int, seed: int) -> None:
    """Train and test one model, unless it is there."""
    key = {
        "framework": bench.framework,
        "arm": arm.name,
        "n": n,
        "draw": draw,
        "seed": seed,
    }
    if is_there(bench.document["rows"], **key):
        return
    rate = best_rate(bench.document, bench.framework, arm)
    model, seconds = bench.trained(arm, n, draw, seed, rate)
    found = errors(model, bench.test)
    bench.keep("rows", {**key, "rate": rate, "seconds": seconds, "errors": found})
    print(n, draw, seed, arm.name, f"{found['all']:.4f} {seconds:.0f} s", flush=True)


GROUPS = ("AIMD-NVT", "Vacancy", "Elastic", "Surface")

TRANSFERRED, FRESH = "map and scales", "fresh weights"


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
    """Return mean and 95 % interval over draws."""
    from atomgraft.metrics.intervals import student_interval

    ends = student_interval(values)
    spread = f" [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]" if ends else ""
    return f"{values.mean():.{digits}f}{spread}"


def tables(document: dict) -> str:
    """Return the tables of every framework, Markdown."""
    lines = [
        "# Germanium from silicon: errors by number of germanium frames",
        "",
        "Made by `python benchmarks/elements/learning_curves.py`. The silicon model"
        " (19,620 weights, `benchmarks/elements/si-mini`) takes up germanium and learns"
        f" from n frames in {STEPS} steps of {BATCH} frames; fresh weights of the same"
        f" architecture get {SCRATCH_STEPS} steps. Rates were chosen on"
        f" {N_VALIDATION} other frames at n = {TUNED_AT}. Mean absolute errors on the"
        " 25 frames of `ge-test.extxyz`: means over draws of the training frames, with"
        " 95 % intervals over draws (of each draw the mean over its seeds).",
        "",
    ]
    for framework in document["bases"]:
        rows = [row for row in document["rows"] if row["framework"] == framework]
        lines += errors_table(framework, rows)
        lines += ratio_table(rows)
        lines += group_table(rows)
    return "\n".join(lines)


def of(rows: Sequence[dict], arm: str, n: int) -> list[dict]:
    """Return the rows of an arm at a number of frames."""
    return [row for row in rows if (row["arm"], row["n"]) == (arm, n)]


def errors_table(framework: str, rows: Sequence[dict]) -> list[str]:
    """Return force and energy errors of every arm."""
    lines = [
        f"## {framework}",
        "",
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


def ratio_table(rows: Sequence[dict]) -> list[str]:
    """Return fresh weights over map and scales, paired, and where they catch up."""
    from atomgraft.compare.crossings import catches_up
    from atomgraft.metrics.intervals import student_interval

    lines = [
        "Force error of a rival over that of *map and scales*, on the same draws: the"
        " geometric mean with its interval, and of how many models the rival is worse.",
        "",
        "| frames | rival | ratio | worse |",
        "|---|---|---|---|",
    ]
    sizes = sorted({row["n"] for row in rows if row["arm"] == FRESH})
    errors: dict[str, list[np.ndarray]] = {}
    for arm in dict.fromkeys(row["arm"] for row in rows if row["n"]):
        for n in sizes:
            mine, theirs = of(rows, TRANSFERRED, n), of(rows, arm, n)
            errors.setdefault(arm, []).append(by_draw(theirs, "all"))
            if arm == TRANSFERRED or not theirs:
                continue
            logs = np.log(by_draw(theirs, "all") / by_draw(mine, "all"))
            ends = student_interval(logs)
            spread = ""
            if ends:
                spread = f" [{np.exp(ends[0]):.2f}, {np.exp(ends[1]):.2f}]"
            own = {(row["draw"], row["seed"]): row["errors"]["all"] for row in mine}
            pairs = [
                row["errors"]["all"] > own[row["draw"], row["seed"]] for row in theirs
            ]
            lines.append(
                f"| {n} | {arm} | {np.exp(logs.mean()):.2f}{spread}"
                f" | {sum(pairs)} of {len(pairs)} |"
            )
    points = [
        catches_up(sizes, *([one[draw] for one in errors[arm]] for arm in pair))
        for pair in [(TRANSFERRED, FRESH)]
        for draw in range(min(map(len, errors[FRESH])))
    ]
    middle = np.median(points)
    caught = f"{middle:.0f}" if np.isfinite(middle) else f"more than {sizes[-1]}"
    n_caught = int(np.isfinite(points).sum())
    lines += [
        "",
        f"Fresh weights catch up at {caught} frames (median over {len(points)} draws;"
        f" in {n_caught} they do so by {sizes[-1]} frames).",
    ]
    return [*lines, ""]


def group_table(rows: Sequence[dict]) -> list[str]:
    """Return force errors by group of test frames."""
    lines = [
        "Force MAE by group of test frames, eV/Å:",
        "",
        "| frames | arm | " + " | ".join(GROUPS) + " |",
        "|---" * (2 + len(GROUPS)) + "|",
    ]
    for n in sorted({row["n"] for row in rows}):
        for arm in dict.fromkeys(row["arm"] for row in rows):
            if found := of(rows, arm, n):
                cells = [f"{by_draw(found, group).mean():.4f}" for group in GROUPS]
                lines.append(f"| {n} | {arm} | {' | '.join(cells)} |")
    return [*lines, ""]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("tune", "run", "table"))
    parser.add_argument("--base", type=Path, default=BASE_FOLDER)
    parser.add_argument("--size", type=int, action="append")
    parser.add_argument("--seed", type=int, action="append")
    given = parser.parse_args()
    if given.verb == "table":
        RESULT.with_suffix(".md").write_text(tables(read()))
        raise SystemExit
    bench = Bench(given.base)
    if given.verb == "tune":
        tune(bench)
    else:
        run(bench, given.size or SIZES, given.seed or SEEDS)
