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
``--size`` do a part. Two options have result files of their own, and are repeated for
``table``: ``--arm`` runs further arms (``arms.py``), beside which the table shows those
of the main file; ``--without-temperature`` takes one temperature of the germanium runs
(``temperatures.py``) out of training and of the choice of rates, and tests on all
frames of it. Needs the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``).
"""

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from arms import ARMS, BY_NAME, FRESH, MORE_ARMS, TRANSFERRED, Arm
from ase import Atoms
from curve_tables import errors_table, group_table, ratio_table
from starts import BASE_FOLDER, RESULTS, data, keep_weights
from temperatures import TEMPERATURES, temperatures_of

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
    without
        Temperature that is not learned, K; only it is tested. None: all.
    is_more
        For arms that are run on request.
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
    without: int | None = None
    is_more: bool = False

    @property
    def result(self) -> Path:
        """The file of finished rows."""
        end = "_more" if self.is_more else ""
        if self.without is not None:
            end += f"_without_{self.without}K"
        return RESULTS / f"element_curves_{self.name.replace('-', '_')}{end}.json"

    @property
    def options(self) -> str:
        """As they are typed."""
        words = f"--setting {self.name}"
        if self.is_more:
            words += " --arm ..."
        if self.without is not None:
            words += f" --without-temperature {self.without}"
        return words

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


def left_out(
    frames: Sequence[Atoms], without: int | None, *, as_test: bool
) -> list[bool]:
    """Return which frames are of the temperature that is not learned.

    Where all are learned these are none, and all of a file of test frames.
    """
    if without is None:
        return [as_test] * len(frames)
    return [one == without for one in temperatures_of(frames)]


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
        test = read_structures([place_of(setting.test)])
        is_out, is_test = (
            left_out(one, setting.without, as_test=one is test)
            for one in (frames, test)
        )
        order = np.random.default_rng(1234).permutation(len(frames))
        n_kept = N_VALIDATION if len(frames) > 4 * N_VALIDATION else len(frames) // 4
        self.validation = [frames[i] for i in order[:n_kept] if not is_out[i]]
        self.pool = [frames[i] for i in sorted(order[n_kept:]) if not is_out[i]]
        self.test = [one for one, is_in in zip(test, is_test, strict=True) if is_in]
        self.test += [one for one, is_in in zip(frames, is_out, strict=True) if is_in]
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
        from atomgraft.run.inputs import merged_run

        with tempfile.TemporaryDirectory() as place:
            base = arm.base or str(self.setting.base)
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
            ratio = self.setting.words(f"@{self.setting.lattice:.3f}")
            run = adapted(base, ratio, **settings)
            seconds = time.perf_counter() - start
            return merged_run(run.folder, trust=run.trust), seconds

    def keep(self, kind: str, row: dict) -> None:
        """Add a finished row to the file."""
        self.document[kind].append(row)
        self.setting.result.write_text(json.dumps(self.document, indent=0) + "\n")


def adapted(base, ratio: str, **settings):  # noqa: ANN001, ANN003, ANN201
    """Return a run; its map is `ratio` where a frame does not determine scales."""
    import atomgraft as ag
    from atomgraft.core.errors import BadInputError

    try:
        return ag.adapt(base, **settings)
    except BadInputError as error:
        if not any(one in str(error) for one in NOT_FITTED):
            raise
        return ag.adapt(base, **{**settings, "map": ratio})


def read(setting: Setting) -> dict:
    """Return what is finished."""
    from atomgraft.core.provenance import package_versions

    if setting.result.is_file():
        return json.loads(setting.result.read_text())
    return {
        "command": f"learning_curves.py base, tune, run {setting.options}",
        "versions": package_versions(),
        "base": "",
        "tuning": [],
        "rows": [],
    }


def forget_other_rates(bench: "Bench") -> None:
    """Drop rows whose rate is not the one that was chosen."""
    kept = [
        row
        for row in bench.document["rows"]
        if "rate" not in row
        or row["rate"] == best_rate(bench.document, BY_NAME[row["arm"]], row["n"])
    ]
    print(f"{len(bench.document['rows']) - len(kept)} rows of other rates dropped")
    bench.document["rows"] = kept


def is_there(rows: Sequence[dict], **wanted: object) -> bool:
    """Tell whether a row is finished."""
    return any(all(row[key] == one for key, one in wanted.items()) for row in rows)


def tune(bench: Bench, arms: Sequence[Arm] = ARMS) -> None:
    """Measure every rate of every arm on the validation frames."""
    for n in TUNED_AT:
        for arm in arms:
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


def run(
    bench: Bench,
    sizes: Sequence[int],
    seeds: Sequence[int],
    arms: Sequence[Arm] = ARMS,
) -> None:
    """Train and test what is missing."""
    forget_other_rates(bench)
    if bench.setting.is_more:
        test_bases(bench, arms)
    else:
        test_maps(bench)
    for seed in seeds:
        for n in [one for one in sizes if one <= len(bench.pool)]:
            for draw in range(N_DRAWS):
                for arm in arms:
                    if not arm.is_trained and seed != SEEDS[0]:
                        continue  # no random number
                    one_row(bench, arm, n, draw, seed)


def test_bases(bench: Bench, arms: Sequence[Arm]) -> None:
    """Test published models as they are."""
    from atomgraft.models.loading import load_potential

    for name in {arm.base for arm in arms if arm.base}:
        key = {"arm": name, "n": 0}
        if not is_there(bench.document["rows"], **key):
            found = errors(load_potential(name), bench.test)
            bench.keep("rows", {**key, "draw": 0, "seed": 0, "errors": found})


def test_maps(bench: Bench) -> None:
    """Test the model of the donor as it takes up the element, before training."""
    from atomgraft.adaptation.axes import ElementMap
    from atomgraft.adaptation.element_maps import decide_map

    for scales in ("", f"@{bench.setting.lattice:.3f}"):
        words = bench.setting.words(scales)
        key = {"arm": f"map {words}", "n": 0}
        if not is_there(bench.document["rows"], **key):
            wanted = ElementMap.model_validate(words)
            mapped = decide_map(wanted, bench.model, bench.test).apply(bench.model)
            row = {**key, "draw": 0, "seed": 0, "errors": errors(mapped, bench.test)}
            bench.keep("rows", row)


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


def tables(setting: Setting) -> str:
    """Return the tables of a setting, Markdown."""
    rows = read(setting)["rows"]
    if setting.is_more:
        others = read(dataclasses.replace(setting, is_more=False))["rows"]
        rows = [row for row in others if row["arm"] in {TRANSFERRED, FRESH}] + rows
    title = setting.title
    if setting.without is not None:
        title += f", tested on {setting.without} K, which was not learned"
    lines = [
        f"# {title}: errors by number of frames",
        "",
        "Made by `python benchmarks/elements/learning_curves.py"
        f" {setting.options}`. The model of silicon (`benchmarks/elements/"
        f"{setting.base.name}`) takes up {setting.element} and learns from n frames in"
        f" {STEPS} steps of {BATCH} frames; fresh weights of the same architecture get"
        f" {SCRATCH_STEPS} steps. Rates were chosen on others, at n = 5 and n = 1."
        " Where scales cannot be fitted to the forces of a frame, the ratio of lattice"
        " constants is taken. Mean absolute errors on test frames: geometric means over"
        " draws of the training frames with 95 % intervals (of each draw the mean over"
        " its seeds).",
        "",
        *errors_table(rows),
        *ratio_table(rows, is_by_pair=setting.is_more),
    ]
    groups = [one for one in rows[0]["errors"] if one not in {"all", "energy"}]
    if len(groups) > 1:
        lines += group_table(rows, groups)
    return "\n".join(lines)


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
    parser.add_argument("--arm", choices=[a.name for a in MORE_ARMS], action="append")
    parser.add_argument("--without-temperature", type=int, choices=TEMPERATURES)
    given = parser.parse_args()
    setting = dataclasses.replace(
        SETTINGS[given.setting],
        without=given.without_temperature,
        is_more=bool(given.arm),
    )
    arms = [BY_NAME[name] for name in given.arm or ()] or [
        arm for arm in ARMS if not (arm.is_random and setting.framework == "mace")
    ]  # random numbers in MACE make forces that the check of units refuses
    if given.verb == "base":
        train_base(setting)
    elif given.verb == "tune":
        tune(Bench(setting), arms)
    elif given.verb == "run":
        run(Bench(setting), given.size or SIZES, given.seed or SEEDS, arms)
    else:
        setting.result.with_suffix(".md").write_text(tables(setting))
