"""Does a student learn from motion that it will not see? Trajectories under PMMCS.

    python benchmarks/transport/teaching.py features --runs FOLDER
    python benchmarks/transport/teaching.py run
    python benchmarks/transport/teaching.py table

``features`` reads the runs of ``trajectories.py`` that are there, of parts that are not
finished too, and writes what is kept of them beside this file (``pmmcs-set.npz`` and
``.json``): features of structure and motion of at most twelve kinds of ions a material,
and the mean square displacement, which is the target (log10, Å²). ``run`` compares
methods with whole hosts, ions or families held out, five seeds, and with fewer
materials to learn from; it goes on where it was stopped, and writes
``results/teaching.json``. ``table`` writes ``teaching.md`` beside it. Needs the extra
``transport``.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from atomgraft.core.provenance import file_fingerprint, machine, package_versions
from atomgraft.core.seeding import numpy_generator
from atomgraft.data.structure_files import read_frames
from atomgraft.label.labelling.framework import Displacements
from atomgraft.metrics.intervals import mean_interval
from atomgraft.run.inputs import load_base
from atomgraft.transport.distil.judge import answer_of, clusters_of
from atomgraft.transport.distil.trajectories import read_run
from atomgraft.transport.features.invariants import Invariants
from atomgraft.transport.features.ions import IonTable, ions_of
from atomgraft.transport.features.motion import COLUMNS
from atomgraft.transport.features.table import FeatureTable, describe
from atomgraft.transport.materials import Material
from atomgraft.transport.predictors.choice import Examples, folds, learned
from atomgraft.transport.predictors.methods import METHODS

SET = Path(__file__).parent / "pmmcs-set.npz"
STEM = Path(__file__).parents[1] / "results" / "teaching"

BLOCKS = ("composition", "lattice", "temperature", "packing", "sites")
MODEL = "7net-0"
MOST_IONS = 12
MOLTEN = 1.0
"""Å²; of every element of the framework."""

SEEDS = range(5)
SIZES = (20, 40, 80, 0)
"""Materials that are learned from; zero is all."""

N_FOLDS = 5
DIRECT = (
    "constant",
    "composition forest",
    "ridge",
    "gaussian process",
    "trees",
)
FEW = ("constant", "ridge")
"""With fewer materials."""

STUDENTS = (
    "kim2026",
    "taught",
    "from scratch",
    "structure start",
    "shuffled motion",
    "taught by the label",
)
TEACHER = "teacher (sees motion)"
KEY = ("features", "split", "size", "seed", "fold")
"""What tells a row of the results from others."""

SPLITS = ("host", "ion", "family")


def features(runs: Path) -> None:
    """Write what is kept of the runs that are there."""
    cards = {
        one["name"]: one for one in json.loads((runs / "materials.json").read_text())
    }
    counts = {"done": 0, "molten": 0, "failed": 0}
    rows: list[dict[str, Any]] = []
    materials: list[Material] = []
    for cell in sorted(runs.glob("motion-*/cells/*/cell.json")):
        found = one_run(cell, cards, runs / "structures")
        if isinstance(found, str):
            counts[found] += 1
            continue
        counts["done"] += 1
        row, material = found
        rows.append(row)
        materials.append(material)
        print(f"{len(rows)}: {row['name']} at {row['temperature']} K", flush=True)
    table = describe(materials, BLOCKS)
    ions = fewer(ions_of(materials))
    seen = fewer(ions_of(materials, model=Invariants(load_base(MODEL))))
    np.savez_compressed(
        SET,
        table=table.rows.astype(np.float32),
        rows=ions.rows.astype(np.float32),
        owner=ions.owner.astype(np.int16),
        share=ions.share.astype(np.float32),
        motion=ions.motion.astype(np.float32),
        model_rows=seen.rows.astype(np.float16),
        model_owner=seen.owner.astype(np.int16),
        model_share=seen.share.astype(np.float16),
        model_motion=seen.motion.astype(np.float16),
        targets=np.log10([one["msd"] for one in rows]).astype(np.float32),
    )
    label = next(runs.glob("motion-*/label.yaml")).read_text()
    document = {
        "rows": rows,
        "counts": counts,
        "columns": list(ions.columns),
        "motion_columns": list(COLUMNS["all"]),
        "table_columns": list(table.columns),
        "blocks": {k: [v.start, v.stop] for k, v in table.blocks.items()},
        "settings": label[label.index("md:") :].splitlines(),
    }
    SET.with_suffix(".json").write_text(json.dumps(document, indent=0) + "\n")
    print(counts, f"{SET.stat().st_size / 1e6:.2f} MB")


def one_run(
    cell: Path, cards: Mapping[str, Mapping[str, str]], structures: Path
) -> tuple[dict[str, Any], Material] | str:
    """Return a run as a row and a material, or what became of it."""
    outcome = json.loads(cell.read_text())["outcome"]
    if outcome["status"] != "done":
        return "failed"
    found = outcome["document"]
    moved = Displacements(
        mobile=tuple(found["mobile"]),
        framework=found["framework_msd"],
        by_element=found["msd"],
    )
    if moved.is_molten(MOLTEN):
        return "molten"
    name, temperature = cell.parent.name.rsplit("-", 3)[:2]
    card, kelvin = cards[name], float(temperature.removesuffix("K"))
    [atoms] = read_frames(structures / f"{name}.extxyz", slice(0, 1))
    ion = card["ion"]
    run = read_run(cell.parent / found["path"], ion, kelvin, is_unwrapped=True)
    counts = {one: float(n) for one, n in atoms.symbols.formula.count().items()}
    material = Material(
        name=name,
        amounts=counts,
        mobile=ion,
        cell=tuple(atoms.cell.cellpar().tolist()),
        structures=(atoms,),
        temperature=kelvin,
        motion=run.features(atoms, "all"),
    )
    row = {
        **{key: card[key] for key in ("name", "family", "ion", "formula")},
        "host": host_of(card["family"], counts, ion),
        "temperature": kelvin,
        "n_atoms": found["n_atoms"],
        "msd": found["msd"][ion],
        "framework_msd": found["framework_msd"],
        "cpu_seconds": found["cpu_seconds"],
    }
    return row, material


def host_of(family: str, counts: Mapping[str, float], ion: str) -> str:
    """Return what a material is apart from its ion."""
    rest = "".join(f"{one}{n:g}" for one, n in sorted(counts.items()) if one != ion)
    return f"{family}:{rest}"


def fewer(ions: IonTable) -> IonTable:
    """Keep the kinds of ions with the largest shares, and their shares of one."""
    kept: list[int] = []
    for k in range(len(ions)):
        places = np.flatnonzero(ions.owner == k)
        order = np.argsort(-ions.share[places], kind="stable")
        kept += sorted(places[order[:MOST_IONS]].tolist())
    share = ions.share[kept]
    total = np.bincount(ions.owner[kept], weights=share)
    return dataclasses.replace(
        ions,
        rows=ions.rows[kept],
        owner=ions.owner[kept],
        share=share / total[ions.owner[kept]],
        motion=ions.motion[kept],
    )


def known(which: str, split: str) -> tuple[Examples, list[dict[str, Any]]]:
    """Return the set with groups of a split, and its cards.

    Parameters
    ----------
    which
        ``sites``: distances and bond valence around ions; ``model``: 7net-0.
    split
        What is held out.
    """
    about = json.loads(SET.with_suffix(".json").read_text())
    arrays = {k: v.astype(float) for k, v in np.load(SET).items()}
    prefix = "model_" if which == "model" else ""
    rows = arrays[f"{prefix}rows"]
    columns = about["columns"]
    if which == "model":
        columns = [f"model feature {k}" for k in range(rows.shape[1])]
    cards = about["rows"]
    ions = IonTable(
        rows=rows,
        columns=tuple(columns),
        owner=arrays[f"{prefix}owner"].astype(np.int64),
        share=arrays[f"{prefix}share"],
        temperature=np.array([one["temperature"] for one in cards]),
        motion=arrays[f"{prefix}motion"],
    )
    names = [one["name"] for one in cards]
    counts = {one: names.count(one) for one in names}
    keys = [one[split] for one in cards]
    examples = Examples(
        table=FeatureTable(
            rows=arrays["table"],
            columns=tuple(about["table_columns"]),
            blocks={k: slice(*v) for k, v in about["blocks"].items()},
            ions=ions,
        ),
        targets=arrays["targets"],
        groups=np.unique(keys, return_inverse=True)[1],
        weights=np.array([1.0 / counts[one] for one in names]),
        is_limit=np.zeros(len(names), dtype=bool),
    )
    return examples, cards


def divisions(split: str, examples: Examples, seed: int) -> Iterator[tuple]:
    """Yield rows for training and rows held out."""
    if split == "host":
        yield from folds(examples.groups, N_FOLDS, seed)
        return
    for one in np.unique(examples.groups):
        held = examples.groups == one
        yield np.flatnonzero(~held), np.flatnonzero(held)


def plan(n_seeds: int) -> Iterator[tuple[str, str, int, int]]:
    """Yield features, split, size and seed, in the order of their worth."""
    for seed in range(n_seeds):
        yield "sites", "host", 0, seed
        yield "sites", "ion", 0, seed
        yield "sites", "family", 0, seed
        for size in SIZES[:-1]:
            yield "sites", "host", size, seed
        yield "model", "host", 0, seed


def run(n_seeds: int) -> None:
    """Do what is not done yet."""
    torch.set_num_threads(1)
    document = stored()
    done = {key_of(one) for one in document["rows"]}
    for which, split, size, seed in plan(n_seeds):
        examples, cards = known(which, split)
        # settings are chosen with whole hosts held out, whatever the split
        inner, _ = known(which, "host")
        for k, (train, held) in enumerate(divisions(split, examples, seed)):
            key = (which, split, size, seed, k)
            if key in done:
                continue
            began = time.perf_counter()
            if size >= len({cards[i]["name"] for i in train}):
                continue  # there are no more
            part = some_of(train, cards, size, seed)
            row: dict[str, Any] = dict(zip(KEY, key, strict=True))
            row |= {"n_train": len({cards[i]["name"] for i in part})}
            row["held"] = held.tolist()
            direct = FEW if size else DIRECT
            names = (*direct, *STUDENTS)
            row["errors"] = errors(inner.take(part), inner.take(held), names, seed)
            row["seconds"] = round(time.perf_counter() - began, 1)
            document["rows"].append(row)
            write(document)
            taught = np.mean(row["errors"]["taught"])
            print(*key, f"{row['seconds']:.0f} s, taught {taught:.3f}", flush=True)


def some_of(
    train: np.ndarray, cards: Sequence[Mapping[str, Any]], size: int, seed: int
) -> np.ndarray:
    """Return rows of some of the materials."""
    names = sorted({cards[i]["name"] for i in train})
    if not size or size >= len(names):
        return train
    generator = numpy_generator(seed, "materials", str(size))
    kept = {names[i] for i in generator.permutation(len(names))[:size]}
    return np.array([i for i in train if cards[i]["name"] in kept])


def errors(
    part: Examples, rest: Examples, names: Sequence[str], seed: int
) -> dict[str, list[float]]:
    """Return absolute errors of methods on the rows that are held out."""
    found: dict[str, list[float]] = {}
    for name in names:
        fitted = learned(METHODS[name], part, scale="plain", seed=seed)
        apart = np.abs(fitted.predict(rest.table) - rest.targets)
        found[name] = apart.round(4).tolist()
        if name == "taught":
            told = fitted.model.predict_seeing(rest.table.ions)
            found[TEACHER] = np.abs(told - rest.targets).round(4).tolist()
    return found


def key_of(row: Mapping[str, Any]) -> tuple:
    """Return what tells a row from others."""
    return tuple(row[one] for one in KEY)


def stored() -> dict[str, Any]:
    """Return rows of the present set; those of another set are not used."""
    path = STEM.with_suffix(".json")
    identity = file_fingerprint(SET)
    if path.is_file():
        document = json.loads(path.read_text())
        if document["set"] == identity:
            return document
    return {
        "set": identity,
        "rows": [],
        "versions": package_versions(),
        "machine": machine(),
    }


def write(document: Mapping[str, Any]) -> None:
    """Write the rows, one a line."""
    head = json.dumps({k: v for k, v in document.items() if k != "rows"}, indent=0)
    rows = ",\n".join(json.dumps(one) for one in document["rows"])
    text = f'{head[:-2]},\n"rows": [\n{rows}\n]\n}}\n'
    STEM.with_suffix(".json").write_text(text)


def table() -> None:
    """Write the tables."""
    document = stored()
    about = json.loads(SET.with_suffix(".json").read_text())
    cards = about["rows"]
    n_materials = len({one["name"] for one in cards})
    cpu = sum(one["cpu_seconds"] for one in cards)
    settings = ", ".join(
        one.strip()
        for one in about["settings"]
        if one.strip().startswith(("time:", "settle:", "atoms:", "timestep:", "every:"))
    )
    lines = [
        "# Teaching motion to a student that sees structure",
        "",
        "Made by `python benchmarks/transport/teaching.py`. Trajectories under PMMCS:"
        f" {n_materials} materials, {len(cards)} runs ({settings}; ps, fs),"
        f" {about['counts']['molten']} molten and {about['counts']['failed']} failed"
        " runs left out;"
        f" {cpu:.0f} s of CPU time. The target is log10 of the mean square displacement"
        " of the ion between the first and the last fifth of a run, Å². Mean absolute"
        " errors with 95 % intervals over the groups that are held out; errors of seeds"
        " are averaged first.",
    ]
    for which in ("sites", "model"):
        for split in SPLITS:
            lines += section(document["rows"], cards, which, split)
    lines += by_size(document["rows"], cards)
    STEM.with_suffix(".md").write_text("\n".join([*lines, ""]))
    print(STEM.with_suffix(".md").read_text())


def collected(
    rows: Sequence[Mapping[str, Any]], n: int, which: str, split: str, size: int
) -> tuple[dict[str, np.ndarray], list[int]]:
    """Return errors of each run by method, the mean over finished seeds, and these."""
    chosen = [
        one
        for one in rows
        if (one["features"], one["split"], one["size"]) == (which, split, size)
    ]
    held: dict[int, int] = {}
    for one in chosen:
        held[one["seed"]] = held.get(one["seed"], 0) + len(one["held"])
    seeds = sorted(seed for seed, count in held.items() if count == n)
    found: dict[str, np.ndarray] = {}
    for one in chosen:
        if one["seed"] in seeds:
            for name, wrong in one["errors"].items():
                total = found.setdefault(name, np.zeros(n))
                total[one["held"]] += np.array(wrong) / len(seeds)
    return found, seeds


def with_interval(
    wrong: np.ndarray, groups: np.ndarray, *, is_signed: bool = False
) -> tuple[float, tuple[float, float] | None]:
    """Return a mean and its interval over groups."""
    found = mean_interval(
        wrong, np.ones(len(wrong)), clusters_of(groups), is_signed=is_signed
    )
    return float(wrong.mean()), found.interval


def text_of(found: tuple[float, tuple[float, float] | None]) -> str:
    """Return a mean and its interval as text."""
    mean, interval = found
    if interval is None:
        return f"{mean:.3f}"
    return f"{mean:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def section(
    rows: Sequence[Mapping[str, Any]],
    cards: Sequence[Mapping[str, Any]],
    which: str,
    split: str,
) -> list[str]:
    """Return the table of a split; nothing where no seed is finished."""
    found, seeds = collected(rows, len(cards), which, split, 0)
    if not seeds:
        return []
    groups = np.unique([one[split] for one in cards], return_inverse=True)[1]
    mixed, taught = found["shuffled motion"], found["taught"]
    gain = with_interval(mixed - taught, groups, is_signed=True)
    answer = answer_of(gain[1], float(mixed.mean()))
    said = {"host": "Hosts", "ion": "Ions", "family": "Families"}[split]
    how = "7net-0 around ions" if which == "model" else "distances and bond valence"
    lines = [
        "",
        f"## {said} held out, {how}",
        "",
        f"{groups.max() + 1} groups, {len(seeds)} seeds. Does the trajectory help"
        f" beyond a shuffled one: **{answer}**; gain {text_of(gain)}.",
        "",
        "| method | error, decades | better than shuffled motion by |",
        "|---|---|---|",
    ]
    for name in sorted(found, key=lambda one: found[one].mean()):
        better = with_interval(mixed - found[name], groups, is_signed=True)
        last = "" if name == "shuffled motion" else text_of(better)
        lines.append(
            f"| {name} | {text_of(with_interval(found[name], groups))} | {last} |"
        )
    return lines


def by_size(
    rows: Sequence[Mapping[str, Any]], cards: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return errors by the number of materials that are learned from."""
    groups = np.unique([one["host"] for one in cards], return_inverse=True)[1]
    lines = [
        "",
        "## Materials that are learned from",
        "",
        "Hosts held out, distances and bond valence.",
        "",
        "| materials | seeds | taught | shuffled motion | from scratch | "
        "gain over shuffled | helps |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in SIZES:
        found, seeds = collected(rows, len(cards), "sites", "host", size)
        if not seeds:
            continue
        gain = with_interval(
            found["shuffled motion"] - found["taught"], groups, is_signed=True
        )
        answer = answer_of(gain[1], float(found["shuffled motion"].mean()))
        n_train = [
            one["n_train"]
            for one in rows
            if (one["features"], one["split"], one["size"]) == ("sites", "host", size)
        ]
        means = " | ".join(
            f"{found[one].mean():.3f}"
            for one in ("taught", "shuffled motion", "from scratch")
        )
        lines.append(
            f"| {np.mean(n_train):.0f} | {len(seeds)} | {means} | {text_of(gain)} |"
            f" {answer} |"
        )
    return lines


def main() -> None:
    """Do one step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("step", choices=("features", "run", "table"))
    parser.add_argument("--runs", type=Path, help="folder of trajectories.py")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    given = parser.parse_args()
    if given.step == "features":
        features(given.runs)
    elif given.step == "run":
        run(given.seeds)
    else:
        table()


if __name__ == "__main__":
    main()
