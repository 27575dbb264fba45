"""Properties of germanium from ten frames: transfer, fresh weights, and 7net-0.

Models learn from the same ten frames of the learning curves (``learning_curves.py``):
fresh weights, and the silicon model with map and both scales, at the rates chosen
there; and 7net-0 with ``lora``. 7net-0 as it is stands beside them. References are DFT
labels where they tell a property, and else a model that was trained on all frames of
the pool. That one started from silicon too (``hot_md.py reference``), which makes it
akin to the model with map and scales: its properties have a table of their own::

    python benchmarks/elements/hot_md.py reference --out runs/hot
    python benchmarks/elements/properties.py run --out runs/hot
    python benchmarks/elements/properties.py table

Finished parts are in benchmarks/results/element_properties.json. ``--draw`` takes other
frames, ``--model`` and ``--part`` do a part. Needs matcalc (the extra ``bulk``) and the
data folder.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import measuring
from learning_curves import ARMS, FRESH, SETTINGS, TRANSFERRED, Bench, best_rate
from starts import RESULTS, data

RESULT = RESULTS / "element_properties.json"

N_FRAMES = 10
LABELS, REFERENCE = "DFT", "reference"
FOUNDATION, ADAPTED = "7net-0", "7net-0 adapted"
MODELS = (REFERENCE, TRANSFERRED, FRESH, ADAPTED, FOUNDATION)
OF_A_DRAW = (TRANSFERRED, FRESH, ADAPTED)
PARTS = ("frames", "crystal", "vacancy", "motion", "melt")
SLOW = {
    (ADAPTED, "melt"),
    (FOUNDATION, "vacancy"),
    (FOUNDATION, "motion"),
    (FOUNDATION, "melt"),
}
"""Left out unless they are asked for: hours of 7net-0 on one core."""

RECIPE, STEPS, BATCH = "lora", 100, 2
"""Of 7net-0; it knows germanium, and gets fewer steps than the small models."""

REPLICAS, FEW_REPLICAS = 5, 2
"""Runs of molecular dynamics of the small models, and of 7net-0."""


class Models:
    """The models of the table, each loaded or trained once.

    Parameters
    ----------
    out
        Folder of the reference and of trained models.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.bench = Bench(SETTINGS["ge"])
        self.found: dict[tuple[str, int | None], object] = {}

    def of(self, name: str, draw: int | None):  # noqa: ANN201
        """Return a model of a draw."""
        if (name, draw) not in self.found:
            self.found[name, draw] = self._loaded(name, draw)
        return self.found[name, draw]

    def _loaded(self, name: str, draw: int | None):  # noqa: ANN202
        from atomgraft.models.loading import load_potential
        from atomgraft.run.inputs import load_base

        if name == REFERENCE:
            return load_base(str(self.out / "reference"))
        if name == FOUNDATION:
            return load_potential(FOUNDATION)
        assert draw is not None
        if name == ADAPTED:
            return self._adapted(draw)
        folder = self.out / "properties" / f"{name.replace(' ', '-')}-{draw}"
        kept = sorted(folder.glob("model*"))
        if kept:
            return load_potential(str(kept[0]), trust=True)
        [arm] = [one for one in ARMS if one.name == name]
        rate = best_rate(self.bench.document, arm, N_FRAMES)
        model, _ = self.bench.trained(arm, N_FRAMES, draw, 0, rate)
        folder.mkdir(parents=True, exist_ok=True)
        model.export(folder / "model")
        return model

    def _adapted(self, draw: int):  # noqa: ANN202
        import atomgraft as ag
        from atomgraft.run.inputs import merged_run

        run = ag.adapt(
            FOUNDATION,
            train=[one.copy() for one in self.bench.chosen(N_FRAMES, draw)],
            recipe=RECIPE,
            steps=STEPS,
            batch_size=BATCH,
            seed=draw,
            out=self.out / "properties" / f"7net-0-{draw}",
            progress=False,
        )
        return merged_run(run.folder)


def run(out: Path, draws: Sequence[int], names: list[str], parts: list[str]) -> None:
    """Compute what is missing, quick parts of all models first."""
    labels = measuring.read_labels([data(f"ge-{one}.extxyz") for one in LISTS])
    models = Models(out)
    for part in parts or PARTS:
        of_labels(labels, part)
        for name in names or MODELS:
            if (name, part) in SLOW and not (names and parts):
                continue
            for draw in draws if name in OF_A_DRAW else (None,):
                key = {"model": name, "draw": draw, "part": part}
                if find(read()["rows"], **key) is None:
                    model = models.of(name, draw)
                    keep(key, lambda m=model, k=key: measured(m, labels, k))


LISTS = ("train", "test")


def of_labels(labels: measuring.Labels, part: str) -> None:
    """Compute a part of the labels themselves, where they have it."""
    compute = {
        "frames": lambda: measuring.label_frames(labels),
        "motion": lambda: measuring.label_motion(labels, is_melt=False),
        "melt": lambda: measuring.label_motion(labels, is_melt=True),
    }
    key = {"model": LABELS, "draw": None, "part": part}
    if part in compute and find(read()["rows"], **key) is None:
        keep(key, compute[part])


def measured(model, labels: measuring.Labels, key: dict) -> dict:  # noqa: ANN001
    """Return a part of a model; in float64 where it has to come to rest."""
    import torch

    part, name = key["part"], key["model"]
    if part == "frames":
        return measuring.frames(model, labels)
    if part in {"crystal", "vacancy"}:
        exact = model.clone(dtype=torch.float64)
        return getattr(measuring, part)(exact, labels)
    n_replicas = FEW_REPLICAS if name in {FOUNDATION, ADAPTED} else REPLICAS
    seed = 1000 if key["draw"] is None else key["draw"]
    return measuring.motion(model, labels, n_replicas, seed, is_melt=part == "melt")


def keep(key: dict, compute) -> None:  # noqa: ANN001
    """Add a row; a model under which a part cannot be computed has none of it."""
    from atomgraft.core.errors import AtomgraftError

    start = time.process_time()
    try:
        values = compute()
    except AtomgraftError as error:
        values = {"failed": error.came}
    seconds = round(time.process_time() - start, 1)
    document = read()
    document["rows"].append({**key, "seconds": seconds, "values": values})
    RESULT.write_text(json.dumps(document, indent=0) + "\n")
    told = {k: v for k, v in values.items() if isinstance(v, float)}
    print(*key.values(), told, f"{seconds} s", values.get("failed", ""), flush=True)


def read() -> dict:
    """Return what is finished."""
    from atomgraft.core.provenance import package_versions

    if RESULT.is_file():
        return json.loads(RESULT.read_text())
    return {
        "command": "hot_md.py reference; properties.py run",
        "settings": {
            "frames": N_FRAMES,
            ADAPTED: [RECIPE, STEPS, BATCH],
            "replicas": [REPLICAS, FEW_REPLICAS],
        },
        "versions": package_versions(),
        "rows": [],
    }


def find(rows: Sequence[dict], **key: object) -> dict | None:
    """Return a finished row."""
    return next((r for r in rows if all(r[k] == v for k, v in key.items())), None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("run", "table"))
    parser.add_argument("--out", type=Path, default=Path("runs/hot"))
    parser.add_argument("--draw", type=int, action="append")
    parser.add_argument("--model", action="append", choices=MODELS)
    parser.add_argument("--part", action="append", choices=PARTS)
    given = parser.parse_args()
    if given.verb == "run":
        run(given.out, given.draw or [0], given.model or [], given.part or [])
    else:
        from property_tables import tables

        RESULT.with_suffix(".md").write_text(tables(read()))
