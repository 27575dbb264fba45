"""Molecular dynamics of eight replicas: in one batch, against one by one.

Silicon, 64 atoms, 300 K, velocity Verlet with a step of 2 fs, 7net-0 in float32. One by
one is the framework's own ASE calculator with ASE's integrator, as most people run it;
and our own integrator with one replica at a time, which shows what the batch alone
brings. All in turn in one process; the paths and the energies must agree::

    OMP_NUM_THREADS=1 python benchmarks/elements/md_speed.py

writes benchmarks/results/md_speed.json and .md in about three minutes. Seconds depend
on the machine and what else it does; the ratios are of rounds in turn.
"""

import json
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
from ase import units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet

from atomgraft.dynamics.mover import BatchedMover
from atomgraft.dynamics.replicas import Replica, heated, kinetic_energies

RESULTS = Path(__file__).parent.parent / "results"

N_REPLICAS, N_STEPS, N_ROUNDS = 8, 4, 3
TIMESTEP, TEMPERATURE = 2.0, 300.0

WAYS = ("ASE, one by one", "ours, one by one", "ours, batched")


def by_ase(calculator, replicas):  # noqa: ANN001, ANN201
    """Return positions and total energies after the run, one replica at a time."""
    positions, energies = [], []
    for one in replicas:
        atoms = one.atoms.copy()
        atoms.calc = calculator
        VelocityVerlet(atoms, TIMESTEP * units.fs).run(N_STEPS)
        positions.append(atoms.positions)
        energies.append(atoms.get_total_energy())
    return np.concatenate(positions), np.array(energies)


def by_us(movers):  # noqa: ANN001, ANN201
    """Return the same, by each mover in turn."""
    positions, energies = [], []
    for mover in movers:
        state = mover.advance(mover.start(), N_STEPS)
        positions.append(state.positions)
        energies.append(state.energies + kinetic_energies(mover.replicas, state))
    return np.concatenate(positions), np.concatenate(energies)


def measured() -> dict:
    """Return times of all ways, round by round, and how far their results differ."""
    from sevenn.calculator import SevenNetCalculator

    from atomgraft.models.loading import load_potential

    crystal = bulk("Si", cubic=True) * 2
    replicas = [
        Replica(atoms=heated(crystal, 2 * TEMPERATURE, seed), seed=seed)
        for seed in range(N_REPLICAS)
    ]
    ours, theirs = load_potential("7net-0"), SevenNetCalculator("7net-0", device="cpu")

    def mover(some):  # noqa: ANN001, ANN202
        return BatchedMover(some, ours, timestep=TIMESTEP, max_atoms=512)

    ways = {
        WAYS[0]: lambda: by_ase(theirs, replicas),
        WAYS[1]: lambda: by_us([mover([one]) for one in replicas]),
        WAYS[2]: lambda: by_us([mover(replicas)]),
    }
    by_ase(theirs, replicas[:1])
    by_us([mover(replicas[:1])])
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found = {}
    for _ in range(N_ROUNDS):
        for name, way in ways.items():
            start = time.perf_counter()
            found[name] = way()
            seconds[name].append(time.perf_counter() - start)
    moved, energies = zip(*found.values(), strict=True)
    return {
        "n_replicas": N_REPLICAS,
        "n_atoms": len(crystal),
        "n_steps": N_STEPS,
        "seconds": seconds,
        "largest_difference_of_positions": float(np.ptp(moved, axis=0).max()),
        "largest_difference_of_energies": float(np.ptp(energies, axis=0).max()),
        "drift": drifts(theirs, mover(replicas[:1])),
    }


def drifts(calculator, mover, n_steps: int = 50) -> dict[str, float]:  # noqa: ANN001
    """Return the change of the total energy of one replica, meV per atom, by both."""
    [replica] = mover.replicas
    atoms = replica.atoms.copy()
    atoms.calc = calculator
    first = atoms.get_total_energy()
    VelocityVerlet(atoms, TIMESTEP * units.fs).run(n_steps)
    theirs = atoms.get_total_energy() - first
    before = mover.start()
    after = mover.advance(before, n_steps)
    own = [s.energies + kinetic_energies([replica], s) for s in (before, after)]
    scale = 1000 / len(atoms)
    return {
        "n_steps": n_steps,
        "ASE": scale * theirs,
        "ours": scale * float((own[1] - own[0])[0]),
    }


def ratios(seconds: dict[str, list[float]], slow: str) -> list[float]:
    """Return how many times faster the batch was, in each round."""
    return [a / b for a, b in zip(seconds[slow], seconds[WAYS[2]], strict=True)]


def main() -> None:
    """Measure, and write the committed results."""
    import torch

    from atomgraft.core.provenance import machine, package_versions
    from atomgraft.models.memory import keep_freed_buffers

    warnings.simplefilter("ignore")
    keep_freed_buffers()
    row = measured()
    document = {
        "command": "python benchmarks/elements/md_speed.py",
        "n_threads": torch.get_num_threads(),
        "machine": machine(),
        "versions": package_versions(),
        **row,
    }
    lines = ["| way | s per step of 8 replicas | batch is faster by |", "|---|---|---|"]
    for name in WAYS:
        each = statistics.median(row["seconds"][name]) / (N_STEPS + 1)
        found = ratios(row["seconds"], name)
        low, high = min(found), max(found)
        said = f"{statistics.median(found):.2f} [{low:.2f}, {high:.2f}]"
        lines.append(f"| {name} | {each:.2f} | {'' if name == WAYS[2] else said} |")
    drift = row["drift"]
    lines.append(
        f"\nSilicon, {row['n_atoms']} atoms, 7net-0, float32, "
        f"{torch.get_num_threads()} thread(s); medians and ranges of {N_ROUNDS} rounds "
        "in turn. Positions differ by up to "
        f"{row['largest_difference_of_positions']:.1e} Å. In {drift['n_steps']} steps "
        f"of {TIMESTEP:g} fs without a thermostat the total energy changes by "
        f"{drift['ours']:.4f} meV/atom, with ASE by {drift['ASE']:.4f}."
    )
    stem = RESULTS / "md_speed"
    stem.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    stem.with_suffix(".md").write_text("\n".join([*lines, ""]))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
