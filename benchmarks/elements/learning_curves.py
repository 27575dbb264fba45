"""Learning curves of an element that starts from another one, and of its rivals.

Three settings (``--setting``):

- ``ge``: silicon to germanium with SevenNet, frames of 12 to 96 atoms;
- ``ge-mace``: silicon to germanium with MACE, the shipped cells of 8 atoms;
- ``sn``: silicon to grey tin with SevenNet, cells of 8 atoms (``tin.py``).

A model trained on the donor alone takes up the element in several ways, learns from n
labelled frames of the element, and is tested on frames it never saw. Rivals: fresh
weights of the same architecture with five times the steps; the same weights with random
numbers for the element; the closed-form readout. Frames are drawn five times, each draw
trained with several seeds; learning rates were chosen on frames of neither set::

    python benchmarks/elements/learning_curves.py base  # not for ge: starts.py
    python benchmarks/elements/learning_curves.py tune
    python benchmarks/elements/learning_curves.py run
    python benchmarks/elements/learning_curves.py table

``tune`` and ``run`` can be stopped and started: finished rows are in
benchmarks/results/element_curves_*.json, which refuses another base. ``--seed`` and
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
from starts import BASE_FOLDER, RESULTS, data, keep_weights

SIZES = (1, 2, 5, 10, 20, 50, 100, 200)
N_DRAWS = 5
SEEDS = (0, 1, 2)
BATCH = 2
NOT_FITTED = ("energy scale", "A scale is to be fitted")
"""In the message where a frame does not determine the scales."""

BASE_STEPS = 4000
STEPS, SCRATCH_STEPS = 300, 1500
"""Fresh weights get five times the steps."""

N_VALIDATION = 25
"""Frames of the training file that are kept to choose learning rates."""

TUNED_AT = (5, 1)
"""Numbers of frames at which rates are chosen; the last is for 1 and 2 frames."""


WITH_FORCES = 0.1
"""eV/Å, root mean square."""

HERE = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Setting:
    """Two elements, a framework and their frames.

    Parameters
    ----------
    name
        As it is typed.
    framework
        Of the model.
    base
        Folder of the model of the donor.
    element
        That is learned.
    lattice
        Its lattice constant over that of the donor.
    sources
        Frames of the donor, where the base is trained here.
    train, test
        Frames of the element.
    title
        Of the table.
    """

    name: str
    framework: str
    base: Path
    element: str
    lattice: float
    sources: str
    train: str
    test: str
    title: str

    @property
    def result(self) -> Path:
        """The file of finished rows."""
        return RESULTS / f"element_curves_{self.name.replace('-', '_')}.json"

    def words(self, scales: str = "") -> str:
        """Return an element map."""
        return f"Si:{self.element}{scales}"


SETTINGS = {
    one.name: one
    for one in (
        Setting(
            "ge",
            "sevennet",
            BASE_FOLDER,
            "Ge",
            5.66 / 5.43,
            "",
            "data:ge-train.extxyz",
            "data:ge-test.extxyz",
            "Silicon to germanium, SevenNet",
        ),
        Setting(
            "ge-mace",
            "mace",
            HERE / "si-mini-mace",
            "Ge",
            5.66 / 5.43,
            "shipped:si-train",
            "shipped:ge-train",
            "shipped:ge-test",
            "Silicon to germanium, MACE, cells of 8 atoms",
        ),
        Setting(
            "sn",
            "sevennet",
            HERE / "si-mini-8",
            "Sn",
            6.49 / 5.43,
            "shipped:si-train",
            str(HERE / "sn-train.extxyz"),
            str(HERE / "sn-test.extxyz"),
            "Silicon to grey tin, SevenNet, cells of 8 atoms",
        ),
    )
}


def place_of(name: str) -> str:
    """Return a source of frames as it is read."""
    return data(name.removeprefix("data:")) if name.startswith("data:") else name


@dataclasses.dataclass(frozen=True)
class Arm:
    """A way to a model of the element.

    Parameters
    ----------
    name
        In tables.
    recipe
        Of the adaptation.
    scales
        Of the element map; none where there is no map.
    rates
        Learning rates to choose from; one is not chosen.
    is_random
        The element's own numbers are random, the others those of the base.
    """

    name: str
    recipe: str
    scales: str | None = None
    rates: tuple[float, ...] = (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3)
    is_random: bool = False

    @property
    def is_trained(self) -> bool:
        """Whether steps are taken; else the readout is solved in closed form."""
        return self.recipe not in {"ridge", "linear"}


SCALED = "@fit@fit"
ARMS = (
    Arm("fresh weights", "scratch", rates=(5e-3, 1e-2, 2e-2, 4e-2)),
    Arm("random row", "full", rates=(3e-3, 9e-3, 2.7e-2, 8e-2), is_random=True),
    Arm("map", "full", "", rates=(1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)),
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
    setting
        What is learned.
    """

    def __init__(self, setting: Setting) -> None:
        from atomgraft.data.readers import read_structures
        from atomgraft.run.inputs import load_base

        self.setting = setting
        self.model = load_base(str(setting.base))
        frames = read_structures([place_of(setting.train)])
        order = np.random.default_rng(1234).permutation(len(frames))
        n_kept = N_VALIDATION if len(frames) > 4 * N_VALIDATION else len(frames) // 4
        self.validation = [frames[i] for i in order[:n_kept]]
        self.pool = [frames[i] for i in sorted(order[n_kept:])]
        self.test = read_structures([place_of(setting.test)])
        self.document = read(setting)
        known = self.document["base"] = (
            self.document["base"] or self.model.weights_hash()
        )
        if known != self.model.weights_hash():
            raise SystemExit(f"{setting.result} has rows of another base.")

    def chosen(self, n: int, draw: int) -> list[Atoms]:
        """Return the frames of a draw; smaller numbers are parts of larger ones.

        The first frame is the first one with forces: strained crystals have none.
        """
        order = np.random.default_rng(draw).permutation(len(self.pool)).tolist()
        sizes = [float(np.std(self.pool[i].arrays["REF_forces"])) for i in order]
        first = next(i for i, size in enumerate(sizes) if size > WITH_FORCES)
        order.insert(0, order.pop(first))
        return [self.pool[i] for i in order[:n]]

    def trained(self, arm: Arm, n: int, draw: int, seed: int, rate: float):  # noqa: ANN201
        """Train a model and return it with the seconds it took."""
        import atomgraft as ag
        from atomgraft.core.errors import BadInputError
        from atomgraft.run.inputs import merged_run

        with tempfile.TemporaryDirectory() as place:
            base = str(self.setting.base)
            if arm.is_random:
                grown = random_row(self.model, self.setting.element, seed)
                base = ag.load(grown.export(Path(place) / "random"), trust=True)
            if arm.recipe == "scratch":
                base = f"{self.setting.framework}:mini:{self.setting.element}"
            settings = {}
            if arm.scales is not None:
                settings["map"] = self.setting.words(arm.scales)
            if arm.is_trained:
                is_fresh = arm.recipe == "scratch"
                settings["steps"] = SCRATCH_STEPS if is_fresh else STEPS
                settings["batch_size"] = min(BATCH, n)
                settings["lr"] = rate
            start = time.perf_counter()
            if arm.is_random:  # its forces agree with nothing
                settings["accept"] = ["forces-disagrees"]
            settings |= {
                "train": [atoms.copy() for atoms in self.chosen(n, draw)],
                "recipe": arm.recipe,
                "seed": seed,
                "out": Path(place) / "run",
                "progress": False,
            }
            try:
                run = ag.adapt(base, **settings)
            except BadInputError as error:
                if not any(one in str(error) for one in NOT_FITTED):
                    raise
                words = self.setting.words(f"@{self.setting.lattice:.3f}")
                run = ag.adapt(base, **{**settings, "map": words})
            seconds = time.perf_counter() - start
            return merged_run(run.folder, trust=run.trust), seconds

    def keep(self, kind: str, row: dict) -> None:
        """Add a finished row to the file."""
        self.document[kind].append(row)
        self.setting.result.write_text(json.dumps(self.document, indent=0) + "\n")


def read(setting: Setting) -> dict:
    """Return what is finished."""
    from atomgraft.core.provenance import package_versions

    if setting.result.is_file():
        return json.loads(setting.result.read_text())
    return {
        "command": f"learning_curves.py base, tune, run --setting {setting.name}",
        "versions": package_versions(),
        "base": "",
        "tuning": [],
        "rows": [],
    }


def forget_other_rates(bench: "Bench") -> None:
    """Drop rows whose rate is not the one that was chosen."""
    arms = {arm.name: arm for arm in ARMS}
    kept = [
        row
        for row in bench.document["rows"]
        if "rate" not in row
        or row["rate"] == best_rate(bench.document, arms[row["arm"]], row["n"])
    ]
    print(f"{len(bench.document['rows']) - len(kept)} rows of other rates dropped")
    bench.document["rows"] = kept


def is_there(rows: Sequence[dict], **wanted: object) -> bool:
    """Tell whether a row is finished."""
    return any(all(row[key] == one for key, one in wanted.items()) for row in rows)


def tune(bench: Bench) -> None:
    """Measure every rate of every arm on the validation frames."""
    for n in TUNED_AT:
        for arm in ARMS:
            for rate in arm.rates if len(arm.rates) > 1 else ():
                key = {"arm": arm.name, "rate": rate, "n": n}
                if is_there(bench.document["tuning"], **key):
                    continue
                model, _ = bench.trained(arm, n, draw=100, seed=100, rate=rate)
                found = errors(model, bench.validation)["all"]
                bench.keep("tuning", {**key, "force_mae": found})
                print(key, f"{found:.4f}", flush=True)


def best_rate(document: dict, arm: Arm, n: int) -> float:
    """Return the rate with the smallest validation error."""
    if len(arm.rates) == 1:
        return arm.rates[0]
    at = TUNED_AT[-1] if n < TUNED_AT[0] else TUNED_AT[0]
    rows = [
        row
        for row in document["tuning"]
        if (row["arm"], row["n"]) == (arm.name, at) and row["rate"] in arm.rates
    ]
    if len(rows) < len(arm.rates):
        raise SystemExit("Choose the learning rates first: learning_curves.py tune")
    return min(rows, key=lambda row: row["force_mae"])["rate"]


def run(bench: Bench, sizes: Sequence[int], seeds: Sequence[int]) -> None:
    """Train and test what is missing."""
    from atomgraft.adaptation.axes import ElementMap
    from atomgraft.adaptation.element_maps import decide_map

    forget_other_rates(bench)
    for scales in ("", f"@{bench.setting.lattice:.3f}"):
        words = bench.setting.words(scales)
        key = {"arm": f"map {words}", "n": 0}
        if not is_there(bench.document["rows"], **key):
            wanted = ElementMap.model_validate(words)
            mapped = decide_map(wanted, bench.model, bench.test).apply(bench.model)
            row = {**key, "draw": 0, "seed": 0, "errors": errors(mapped, bench.test)}
            bench.keep("rows", row)
    for seed in seeds:
        for n in [one for one in sizes if one <= len(bench.pool)]:
            for draw in range(N_DRAWS):
                for arm in ARMS:
                    if not arm.is_trained and seed != SEEDS[0]:
                        continue  # no random number
                    one_row(bench, arm, n, draw, seed)


def one_row(bench: Bench, arm: Arm, n: int, draw: int, seed: int) -> None:
    """Train and test one model, unless it is there."""
    key = {
        "arm": arm.name,
        "n": n,
        "draw": draw,
        "seed": seed,
    }
    if is_there(bench.document["rows"], **key):
        return
    rate = best_rate(bench.document, arm, n)
    model, seconds = bench.trained(arm, n, draw, seed, rate)
    found = errors(model, bench.test)
    bench.keep("rows", {**key, "rate": rate, "seconds": seconds, "errors": found})
    print(n, draw, seed, arm.name, f"{found['all']:.4f} {seconds:.0f} s", flush=True)


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
    """Return the geometric mean and its 95 % interval over draws."""
    from atomgraft.metrics.intervals import student_interval

    ends = student_interval(np.log(values))
    low, high = np.exp(ends) if ends else (0.0, 0.0)
    spread = f" [{low:.{digits}f}, {high:.{digits}f}]" if ends else ""
    return f"{np.exp(np.log(values).mean()):.{digits}f}{spread}"


def tables(setting: Setting) -> str:
    """Return the tables of a setting, Markdown."""
    document = read(setting)
    rows = document["rows"]
    lines = [
        f"# {setting.title}: errors by number of frames",
        "",
        "Made by `python benchmarks/elements/learning_curves.py --setting"
        f" {setting.name}`. The model of silicon (`benchmarks/elements/"
        f"{setting.base.name}`) takes up {setting.element} and learns from n frames in"
        f" {STEPS} steps of {BATCH} frames; fresh weights of the same architecture get"
        f" {SCRATCH_STEPS} steps. Rates were chosen on others, at n = 5 and n = 1."
        " Where scales cannot be fitted to the forces of a frame, the ratio of lattice"
        " constants is taken. Mean absolute errors on test frames: geometric means over"
        " draws of the training frames with 95 % intervals (of each draw the mean over"
        " its seeds).",
        "",
        *errors_table(rows),
        *ratio_table(rows),
    ]
    groups = [one for one in rows[0]["errors"] if one not in {"all", "energy"}]
    if len(groups) > 1:
        lines += group_table(rows, groups)
    return "\n".join(lines)


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
    """Return the rows of draws that every arm has finished."""
    trained = [row for row in rows if row["n"]]
    arms = {row["arm"] for row in trained}
    found: dict[tuple[int, int], set[str]] = {}
    for row in trained:
        found.setdefault((row["n"], row["draw"]), set()).add(row["arm"])
    return [row for row in trained if found[row["n"], row["draw"]] == arms]


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
    rows = complete(rows)
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


def train_base(setting: Setting) -> None:
    """Train the model of silicon on the shipped frames, and keep its weights."""
    import atomgraft as ag

    with tempfile.TemporaryDirectory() as place:
        run = ag.adapt(
            f"{setting.framework}:mini:Si",
            train=setting.sources,
            recipe="scratch",
            steps=BASE_STEPS,
            batch_size=8,
            seed=1,
            out=Path(place) / "run",
        )
        keep_weights(run.folder, setting.base)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("base", "tune", "run", "table"))
    parser.add_argument("--setting", choices=SETTINGS, default="ge")
    parser.add_argument("--size", type=int, action="append")
    parser.add_argument("--seed", type=int, action="append")
    given = parser.parse_args()
    setting = SETTINGS[given.setting]
    if given.verb == "base":
        train_base(setting)
    elif given.verb == "tune":
        tune(Bench(setting))
    elif given.verb == "run":
        run(Bench(setting), given.size or SIZES, given.seed or SEEDS)
    else:
        setting.result.with_suffix(".md").write_text(tables(setting))
