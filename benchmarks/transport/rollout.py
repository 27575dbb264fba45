"""Autoregressive motion: the baseline that generates a trajectory to know its MSD.

A network of two rounds of messages gets a frame, the displacements of the last interval
and the sites of the structure, and returns a normal distribution of each displacement
in the next one. It learns from the trajectories of ``trajectories.py`` by likelihood,
and moves crystals of families that it never saw, frame by frame from their structure.
Whole families are held out, five folds of them::

    python benchmarks/transport/trajectories.py run --out FOLDER
    python benchmarks/transport/rollout.py run --trajectories FOLDER
    python benchmarks/transport/rollout.py table

Inputs in training carry noise that the target takes back, so that errors do not pile up
(Sanchez-Gonzalez and others, ICML 2020, arXiv 2002.09405). Finished folds are in
results/transport_rollout.json. Both the generated and the recorded runs are judged by
the displacement between the mean positions of their first and last fifth, the drift of
the framework removed.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import torch
from matscipy.neighbours import neighbour_list

from atomgraft.core.provenance import machine, package_versions
from atomgraft.core.seeding import torch_generator
from atomgraft.dynamics.trajectories import read_trajectory, unwrapped
from atomgraft.label.labelling.record import LABELS
from atomgraft.transport.features.elements import properties

RESULT = Path(__file__).parents[1] / "results" / "transport_rollout.json"

CUTOFF, N_RADIAL, WIDTH = 5.0, 8, 32
"""Å; functions of the distance, and features of an atom."""

STEPS, RATE, NOISE = 4000, 3e-3, 0.03
"""Of training: one frame a step; Å."""

N_FOLDS = 5
FIFTH = 5
SMALLEST = 1e-3
"""Å²; smaller mean square displacements are this."""

CHOSEN = ("ionic radius", "electronegativity", "highest charge")
SCALE = {"ionic radius": 1.0, "electronegativity": 3.0, "highest charge": 4.0}


@dataclasses.dataclass(frozen=True)
class Run:
    """A recorded run.

    Parameters
    ----------
    name, family
        Of the material.
    temperature
        K
    symbols, cell
        Of its atoms.
    positions
        Å, unwrapped, the drift of the framework removed; frames, atoms, 3.
    is_mobile
        Atoms of the ion.
    cpu_seconds
        That its simulation took.
    """

    name: str
    family: str
    temperature: float
    symbols: tuple[str, ...]
    cell: np.ndarray
    positions: np.ndarray
    is_mobile: np.ndarray
    cpu_seconds: float

    @property
    def sites(self) -> np.ndarray:
        """Mean positions of the framework, and first positions of the ions."""
        mean = self.positions.mean(axis=0)
        return np.where(self.is_mobile[:, None], self.positions[0], mean)


def runs_in(folder: Path) -> list[Run]:
    """Read the runs that came to their end with a whole framework."""
    cards = {
        one["name"]: one for one in json.loads((folder / "materials.json").read_text())
    }
    found: list[Run] = []
    for place in sorted(folder.glob("motion-*")):
        if not LABELS.is_at(place):
            continue
        for job in LABELS.read(place).jobs:
            if job.status != "done" or job.path is None:
                continue
            frames = read_trajectory(place / job.path)
            symbols = tuple(frames[0].symbols)
            card = cards[job.material]
            is_mobile = np.array([one == card["ion"] for one in symbols])
            positions = unwrapped(frames)
            drift = positions[:, ~is_mobile].mean(axis=1, keepdims=True)
            found.append(
                Run(
                    name=job.material,
                    family=card["family"],
                    temperature=job.temperature or 0.0,
                    symbols=symbols,
                    cell=frames[0].cell.array,
                    positions=(positions - drift + drift[0]).astype(np.float32),
                    is_mobile=is_mobile,
                    cpu_seconds=job.cpu_seconds or 0.0,
                )
            )
    return found


class Stepper(torch.nn.Module):
    """From a frame and the last displacements to those of the next interval."""

    def __init__(self) -> None:
        super().__init__()
        n_atom = len(CHOSEN) + 3
        n_edge = N_RADIAL + 2 * n_atom
        self.first = _layers(n_edge, WIDTH)
        self.edges = _layers(2 * WIDTH + N_RADIAL, 2)
        self.atoms = _layers(WIDTH + n_atom, 3)

    def forward(self, frame: "Frame") -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean displacements, and logarithms of their standard deviations."""
        i, j, rays, distances = frame.edges()
        cut = 0.5 * (1 + torch.cos(np.pi * distances / CUTOFF))[:, None]
        centres = torch.linspace(0.8, CUTOFF, N_RADIAL)
        radial = torch.exp(-(((distances[:, None] - centres) / 0.6) ** 2))
        told = frame.told
        n = len(told)
        messages = cut * self.first(torch.cat([radial, told[i], told[j]], 1))
        seen = torch.zeros(n, WIDTH).index_add(0, i, messages) / 10
        weights = cut * self.edges(torch.cat([radial, seen[i], seen[j]], 1))
        pushed = weights[:, :1] * rays + weights[:, 1:] * frame.last[j]
        own = self.atoms(torch.cat([seen, told], 1))
        back = torch.where(frame.is_mobile[:, None], 0.0, frame.sites - frame.positions)
        mean = torch.zeros(n, 3).index_add(0, i, pushed)
        mean = mean + own[:, :1] * frame.last + own[:, 1:2] * back
        return mean, own[:, 2] - 2.0


def _layers(n_in: int, n_out: int) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.Linear(n_in, WIDTH), torch.nn.SiLU(), torch.nn.Linear(WIDTH, n_out)
    )


@dataclasses.dataclass(frozen=True)
class Frame:
    """What the network sees; tensors of float32."""

    told: torch.Tensor
    is_mobile: torch.Tensor
    sites: torch.Tensor
    cell: np.ndarray
    positions: torch.Tensor
    last: torch.Tensor

    def edges(self) -> tuple[torch.Tensor, ...]:
        """Return pairs, unit vectors and distances up to the cutoff."""
        i, j, d, vectors = neighbour_list(
            "ijdD",
            positions=self.positions.numpy().astype(float),
            cell=self.cell,
            pbc=[True] * 3,
            cutoff=CUTOFF,
        )
        d = np.maximum(d, 1e-6)
        rays = torch.from_numpy((vectors / d[:, None]).astype(np.float32))
        return (
            torch.from_numpy(i.astype(np.int64)),
            torch.from_numpy(j.astype(np.int64)),
            rays,
            torch.from_numpy(d.astype(np.float32)),
        )


def told_of(run: Run) -> torch.Tensor:
    """Return what is known of each atom, temperature included."""
    from atomgraft.transport.features.elements import PROPERTIES

    rows = []
    for symbol, is_mobile in zip(run.symbols, run.is_mobile, strict=True):
        values = dict(zip(PROPERTIES, properties(symbol), strict=True))
        chosen = [values[one] / SCALE[one] for one in CHOSEN]
        rows.append(
            [*chosen, float(is_mobile), float(symbol == "O"), run.temperature / 2000]
        )
    return torch.tensor(rows, dtype=torch.float32)


def trained(runs: list[Run], seed: int) -> Stepper:
    """Return a network that has learned from runs, each material as often."""
    model = Stepper()
    generator = torch_generator(seed, "rollout")
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear):
            bound = layer.in_features**-0.5
            torch.nn.init.uniform_(layer.weight, -bound, bound, generator)
            torch.nn.init.zeros_(layer.bias)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, STEPS)
    rng = np.random.default_rng(seed)
    told = [told_of(one) for one in runs]
    for _ in range(STEPS):
        k = int(rng.integers(len(runs)))
        run = runs[k]
        t = int(rng.integers(1, len(run.positions) - 1))
        before, now, after = (
            torch.from_numpy(run.positions[t + step]) for step in (-1, 0, 1)
        )
        noisy = now + NOISE * torch.from_numpy(
            rng.standard_normal(now.shape).astype(np.float32)
        )
        mean, spread = model(
            Frame(
                told[k],
                torch.from_numpy(run.is_mobile),
                torch.from_numpy(run.sites.astype(np.float32)),
                run.cell,
                noisy,
                noisy - before,
            )
        )
        wrong = ((after - noisy - mean) ** 2).sum(dim=1)
        loss = (0.5 * wrong * torch.exp(-2 * spread) + 3 * spread).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def generated(model: Stepper, run: Run, seed: int) -> np.ndarray:
    """Return positions of a generated run, from the sites of a structure."""
    generator = torch.Generator().manual_seed(seed)
    sites = torch.from_numpy(run.sites.astype(np.float32))
    told, is_mobile = told_of(run), torch.from_numpy(run.is_mobile)
    now, last = sites, torch.zeros_like(sites)
    frames = [now.numpy()]
    for _ in range(len(run.positions) - 1):
        mean, spread = model(Frame(told, is_mobile, sites, run.cell, now, last))
        noise = torch.randn(mean.shape, generator=generator)
        last = mean + torch.exp(spread)[:, None] * noise
        last = last - last[~is_mobile].mean(dim=0)
        if not torch.isfinite(last).all() or last.abs().max() > CUTOFF:
            break
        now = now + last
        frames.append(now.numpy())
    return np.array(frames)


def moved(positions: np.ndarray, atoms: np.ndarray) -> float:
    """Return the mean square displacement between the first and last fifth, Å²."""
    n = max(1, len(positions) // FIFTH)
    apart = positions[-n:, atoms].mean(axis=0) - positions[:n, atoms].mean(axis=0)
    return float((apart**2).sum(axis=1).mean())


def run_folds(folder: Path) -> None:
    """Train on all other families, and generate the runs of each."""
    from sklearn.model_selection import GroupKFold

    runs = runs_in(folder)
    families = np.array([one.family for one in runs])
    n_folds = min(N_FOLDS, len(set(families)))
    folds = GroupKFold(n_folds, shuffle=True, random_state=0)
    for k, (known, held) in enumerate(folds.split(runs, groups=families)):
        document = read()
        if any(one["fold"] == k for one in document["rows"]):
            continue
        start = time.process_time()
        model = trained([runs[i] for i in known], k)
        seconds = time.process_time() - start
        rows = [{"fold": k, **judged(model, runs[i])} for i in held]
        document["rows"] += rows
        document["training"].append({"fold": k, "cpu_seconds": round(seconds, 1)})
        RESULT.write_text(json.dumps(document, indent=0) + "\n")
        print(f"fold {k}: {seconds:.0f} s of training, {len(rows)} runs", flush=True)


def judged(model: Stepper, run: Run) -> dict:
    """Return what a generated run says of its material, and what it cost."""
    start = time.process_time()
    found = generated(model, run, 0)
    seconds = time.process_time() - start
    return {
        "material": run.name,
        "family": run.family,
        "temperature": run.temperature,
        "n_atoms": len(run.symbols),
        "n_frames": len(run.positions),
        "n_generated": len(found),
        "msd": moved(run.positions, run.is_mobile),
        "generated_msd": moved(found, run.is_mobile),
        "framework_msd": moved(found, ~run.is_mobile),
        "cpu_seconds": round(seconds, 2),
        "simulation_cpu_seconds": run.cpu_seconds,
    }


def read() -> dict:
    """Return what is finished."""
    if RESULT.is_file():
        return json.loads(RESULT.read_text())
    return {
        "command": "rollout.py run",
        "versions": package_versions(),
        "machine": machine(),
        "training": [],
        "rows": [],
    }


def table(document: dict) -> str:
    """Return errors by temperature, beside the median of the other families."""
    from atomgraft.metrics.intervals import student_interval

    rows = document["rows"]
    lines = [
        "# Autoregressive motion",
        "",
        "Made by `python benchmarks/transport/rollout.py`. Mean absolute errors of the"
        " decimal logarithm of the mean square displacement of the ion, families held"
        " out, with 95 % intervals over families. Constant: the median of the other"
        " families at the same temperature. Broken: generated runs that ended early.",
        "",
        "| K | runs | generated | constant | broken | framework MSD over 1 Å²"
        " | CPU-s, generated | CPU-s, simulated |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for T in sorted({one["temperature"] for one in rows}):
        some = [one for one in rows if one["temperature"] == T]
        wanted = np.log10([max(one["msd"], SMALLEST) for one in some])
        told = np.log10([max(one["generated_msd"], SMALLEST) for one in some])
        families = np.array([one["family"] for one in some])
        constant = np.array([np.median(wanted[families != one]) for one in families])
        cells = [f"{T:g}", str(len(some))]
        for found in (told, constant):
            wrong = np.abs(found - wanted)
            by_family = [wrong[families == one].mean() for one in sorted(set(families))]
            ends = student_interval(np.array(by_family))
            spread = f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else ""
            cells.append(f"{wrong.mean():.2f}{spread}")
        n_broken = sum(one["n_generated"] < one["n_frames"] for one in some)
        n_molten = sum(one["framework_msd"] > 1 for one in some)
        cells += [str(n_broken), str(n_molten)]
        for key in ("cpu_seconds", "simulation_cpu_seconds"):
            cells.append(f"{np.median([one[key] for one in some]):.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("run", "table"))
    parser.add_argument("--trajectories", type=Path, default=Path("runs/pmmcs"))
    given = parser.parse_args()
    if given.verb == "table":
        RESULT.with_suffix(".md").write_text(table(read()))
    else:
        torch.set_num_threads(1)
        run_folds(given.trajectories)
