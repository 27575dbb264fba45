"""How fast and how right is motion that is generated step by step? A baseline.

    python benchmarks/transport/rollout.py run --runs FOLDER
    python benchmarks/transport/rollout.py table

A network predicts the next displacement of an ion, over one interval of the recording,
from its place, its last displacement d and its distance u from where it started:
d' = a d + b u + s n with n normal in three directions. a, b and log s are functions of
features of the structure, of the lengths of d and u and of the temperature, so that the
prediction turns with the frame; b is never positive, so that rollouts stay finite. It
is trained by likelihood on runs of ``trajectories.py`` and rolled out for as many
frames as a run has, for hosts that it has not seen. The mean square displacement is
taken from the rollout as from a run.
``table`` compares its error and its time with those of the student ``taught`` on the
same rows and the same machine, and with the molecular dynamics. Needs the extra
``transport``.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from teaching import SET, collected, known, one_run
from teaching import STEM as TEACHING
from torch import Tensor
from torch.nn.functional import silu

from atomgraft.core.provenance import machine, package_versions
from atomgraft.transport.distil.trajectories import read_run
from atomgraft.transport.features.ions import ions_of
from atomgraft.transport.materials import Material
from atomgraft.transport.predictors.choice import folds, learned
from atomgraft.transport.predictors.methods import METHODS
from atomgraft.transport.predictors.networks import Scaling, expanded

STEM = Path(__file__).parents[1] / "results" / "teaching_rollout"

WIDTH, STEPS, BATCH, RATE = 32, 1500, 2048, 0.005
FRAMES = 40
"""Of each ion, drawn for training."""

PART = 5
"""The first and the last fifth of a run, between whose mean positions ions move."""

N_FOLDS = 5


def paths_of(runs: Path) -> list[dict[str, Any]]:
    """Return the runs of the set of ``teaching.py``, with the paths of ions, Å."""
    kept = {
        (one["name"], one["temperature"])
        for one in json.loads(SET.with_suffix(".json").read_text())["rows"]
    }
    cards = {
        one["name"]: one for one in json.loads((runs / "materials.json").read_text())
    }
    found: list[dict[str, Any]] = []
    for cell in sorted(runs.glob("motion-*/cells/*/cell.json")):
        read = one_run(cell, cards, runs / "structures")
        if isinstance(read, str):
            continue
        row, material = read
        if (row["name"], row["temperature"]) not in kept:
            continue
        document = json.loads(cell.read_text())["outcome"]["document"]
        run = read_run(
            cell.parent / document["path"],
            row["ion"],
            row["temperature"],
            is_unwrapped=True,
        )
        path = run.motion.of(row["ion"])
        found.append(row | {"path": path - path[0], "material": material})
    return found


class Walker:
    """Predicts displacements; trained on some runs.

    Parameters
    ----------
    width
        Of the features of structure.
    seed
        Of weights and draws.
    """

    def __init__(self, width: int, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.weights = {
            name: (torch.randn(shape, generator=self.generator) / shape[0] ** 0.5)
            for name, shape in (
                ("a", (width + 2, WIDTH)),
                ("c", (WIDTH, WIDTH)),
                ("e", (WIDTH, 3)),
            )
        } | {
            "b": torch.zeros(WIDTH),
            "d": torch.zeros(WIDTH),
            "f": torch.tensor([0.0, 0.0, -1.5]),
        }

    def __call__(self, x: Tensor, d: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the width of the next displacement."""
        w = self.weights
        lengths = [torch.log(one.norm(dim=1, keepdim=True) + 0.01) for one in (d, u)]
        h = torch.cat([x, *lengths], dim=1)
        h = silu(silu(h @ w["a"] + w["b"]) @ w["c"] + w["d"]) @ w["e"] + w["f"]
        # what pulls back may be weak, and never pushes: rollouts stay finite
        back = torch.sigmoid(h[:, 1:2] - 3.0)
        return torch.tanh(h[:, :1]) * d - back * u, h[:, 2]

    def train(self, x: Tensor, d: Tensor, u: Tensor, wanted: Tensor) -> None:
        """Maximise the likelihood of displacements."""
        weights = [one.requires_grad_() for one in self.weights.values()]
        optimiser = torch.optim.Adam(weights, lr=RATE)
        for step in range(STEPS):
            for group in optimiser.param_groups:
                group["lr"] = RATE * (1 - step / STEPS)
            some = torch.randint(len(x), (BATCH,), generator=self.generator)
            mean, log_width = self(x[some], d[some], u[some])
            apart = ((wanted[some] - mean) ** 2).sum(dim=1)
            loss = (3 * log_width + 0.5 * apart * torch.exp(-2 * log_width)).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    @torch.no_grad()
    def walk(self, x: Tensor, n_frames: int, n_copies: int) -> np.ndarray:
        """Return paths of ions and their copies, frames first, Å."""
        x = x.repeat(n_copies, 1)
        u = torch.zeros(len(x), 3)
        d = torch.zeros(len(x), 3)
        path = [u]
        for _ in range(n_frames - 1):
            mean, log_width = self(x, d, u)
            drawn = torch.randn(u.shape, generator=self.generator)
            d = mean + log_width.exp()[:, None] * drawn
            u = u + d
            path.append(u)
        return torch.stack(path).numpy()


def msd_of(path: np.ndarray) -> float:
    """Return the mean square displacement between the ends of a run, Å²."""
    n = max(1, len(path) // PART)
    moved = path[-n:].mean(axis=0) - path[:n].mean(axis=0)
    return float((moved**2).sum(axis=1).mean())


def samples(
    runs: Sequence[Mapping[str, Any]], features: Sequence[np.ndarray]
) -> tuple[Tensor, ...]:
    """Return features, last displacements, distances and next displacements."""
    rng = np.random.default_rng(0)
    parts: list[tuple[np.ndarray, ...]] = []
    for one, x in zip(runs, features, strict=True):
        path = one["path"]
        n_ions = path.shape[1]
        frames = rng.integers(1, len(path) - 1, size=(FRAMES, n_ions))
        ions = np.tile(np.arange(n_ions), (FRAMES, 1))
        here, before, after = (path[frames + k, ions] for k in (0, -1, 1))
        rows = x[np.arange(n_ions) % len(x)][ions.ravel()]
        moved = (here - before, here, after - here)
        parts.append((rows, *(part.reshape(-1, 3) for part in moved)))
    return tuple(
        torch.from_numpy(np.concatenate(part)).float()
        for part in zip(*parts, strict=True)
    )


def ion_features(material: Material) -> np.ndarray:
    """Return features of each ion of the structure, in the order of its atoms."""
    n = material.structures[0].get_chemical_symbols().count(material.mobile)
    # a number for each ion, to find it among those that are alike
    table = ions_of([dataclasses.replace(material, motion=np.eye(n))])
    return expanded(table)[table.motion.argmax(axis=0)]


def run(runs: Path) -> None:
    """Roll out every run by a walker that has not seen its host."""
    torch.set_num_threads(1)
    found = paths_of(runs)
    raw = [ion_features(one["material"]) for one in found]
    hosts = np.unique([one["host"] for one in found], return_inverse=True)[1]
    rows: list[dict[str, Any]] = [{} for _ in found]
    for train, held in folds(hosts, N_FOLDS, 0):
        every = np.concatenate([raw[i] for i in train])
        scaling = Scaling.of(every, np.ones(len(every)))
        features = [scaling(one) for one in raw]
        walker = Walker(every.shape[1], seed=0)
        walker.train(*samples([found[i] for i in train], [features[i] for i in train]))
        for i in held:
            rows[i] = rolled(walker, found[i], scaling) | {"fold_size": len(train)}
        print(f"{len(held)} runs rolled out", flush=True)
    student = timed_student(found)
    document = {"rows": rows, "student_seconds": student}
    document |= {"versions": package_versions(), "machine": machine()}
    STEM.with_suffix(".json").write_text(json.dumps(document, indent=0) + "\n")


def rolled(walker: Walker, one: Mapping[str, Any], scaling: Scaling) -> dict[str, Any]:
    """Return the MSD of a rollout, and its time with that of the features."""
    began = time.perf_counter()
    features = torch.from_numpy(scaling(ion_features(one["material"]))).float()
    n_copies = one["path"].shape[1] // len(features)
    path = walker.walk(features, len(one["path"]), n_copies)
    seconds = time.perf_counter() - began
    return {
        "name": one["name"],
        "temperature": one["temperature"],
        "msd": one["msd"],
        "rolled": msd_of(path),
        "seconds": seconds,
        "cpu_seconds": one["cpu_seconds"],
    }


def timed_student(found: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return seconds of a student for a structure: features, and prediction."""
    examples, _ = known("sites", "host")
    fitted = learned(METHODS["taught"], examples, scale="plain", seed=0)
    materials = [one["material"] for one in found]
    began = time.perf_counter()
    table = ions_of(materials)
    described = time.perf_counter()
    fitted.model.predict(table.without_motion())
    predicted = time.perf_counter()
    n = len(materials)
    return {
        "features": (described - began) / n,
        "prediction": (predicted - described) / n,
    }


def table() -> None:
    """Write errors and times."""
    document = json.loads(STEM.with_suffix(".json").read_text())
    rows, student = document["rows"], document["student_seconds"]
    told = np.array([one["rolled"] for one in rows])
    is_told = np.isfinite(told) & (told > 0)
    true = np.array([one["msd"] for one in rows])
    wrong = np.abs(np.log10(told[is_told] / true[is_told]))
    seconds = float(np.mean([one["seconds"] for one in rows]))
    dynamics = float(np.mean([one["cpu_seconds"] for one in rows]))
    whole = sum(student.values())
    results = json.loads(TEACHING.with_suffix(".json").read_text())["rows"]
    n = max((max(one["held"]) + 1 for one in results), default=0)
    taught = collected(results, n, "sites", "host", 0)[0].get("taught")
    lines = [
        "# Motion generated step by step, against a student that generates none",
        "",
        f"{len(rows)} runs, each rolled out by a network that has not seen its host"
        " (`python benchmarks/transport/rollout.py`). Times are for one structure on"
        " one thread of a machine that was busy with other work.",
        "",
        "| way to the MSD | error, decades | s a structure | faster than dynamics |",
        "|---|---|---|---|",
        f"| molecular dynamics (PMMCS) | 0 | {dynamics:.3g} | 1 |",
        f"| rollout, features included | {np.mean(wrong):.3f} | {seconds:.3g} |"
        f" {dynamics / seconds:.0f} |",
        f"| student, features included | {_mean(taught)} | {whole:.3g} |"
        f" {dynamics / whole:.0f} |",
        f"| student, features kept | {_mean(taught)} | {student['prediction']:.2g} |"
        f" {dynamics / student['prediction']:.0f} |",
        "",
        f"{int((~is_told).sum())} rollouts diverged and are left out of its error. The"
        f" student is {seconds / whole:.1f} times faster than the rollout with"
        f" features, and {seconds / student['prediction']:.0f} times with features that"
        " are kept (the rollout would then save its features too).",
    ]
    STEM.with_suffix(".md").write_text("\n".join([*lines, ""]))
    print(STEM.with_suffix(".md").read_text())


def _mean(wrong: np.ndarray | None) -> str:
    return "" if wrong is None else f"{wrong.mean():.3f}"


def main() -> None:
    """Do one step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("step", choices=("run", "table"))
    parser.add_argument("--runs", type=Path, help="folder of trajectories.py")
    given = parser.parse_args()
    if given.step == "run":
        run(given.runs)
    else:
        table()


if __name__ == "__main__":
    main()
