"""Forces on displaced supercells: all in few calls, against one by one.

The displaced supercells of one crystal, evaluated by atomgraft in batches, and by the
framework's own ASE calculator one after the other, as phonopy users do; same weights,
same precision (float32), same threads, in turn in one process. Needs the data folder
(``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    OMP_NUM_THREADS=1 python benchmarks/phonons/speed.py
    OMP_NUM_THREADS=2 python benchmarks/phonons/speed.py

write benchmarks/results/phonon_speed.json and .md, and those of two threads beside
them. Seconds depend on the machine and what else it does; the ratio is of rounds in
turn.
"""

import json
import os
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent.parent / "results"
N_ROUNDS = 5

CRYSTALS = {
    "BaTiO3, Amm2": "ladders/mp-5777-Ba2O6Ti2-sg38.yaml.xz",
    "Cs2PtCl6": "phonondb/mp-23406-Cl24Cs8Pt4.yaml.xz",
    "CdGa2O4": "phonondb/mp-3443-Cd8Ga16O32.yaml.xz",
}


def one_by_one(calculator, cells):  # noqa: ANN001, ANN201
    """Return forces by the framework's own calculator."""
    forces = []
    for atoms in cells:
        atoms.calc = calculator
        forces.append(atoms.get_forces())
        atoms.calc = None
    return np.array(forces)


def measured(name: str, path: Path) -> dict:
    """Return times of both, round by round."""
    from sevenn.calculator import SevenNetCalculator

    from atomgraft.lattice.forces import forces_of_supercells
    from atomgraft.lattice.reference import read_reference
    from atomgraft.lattice.supercells import displaced_supercells, ideal_supercell
    from atomgraft.models.loading import load_potential
    from atomgraft.models.memory import batch_capacity

    phonon = read_reference(path).phonon
    cells = [ideal_supercell(phonon), *displaced_supercells(phonon)]
    ours, theirs = load_potential("7net-0"), SevenNetCalculator("7net-0", device="cpu")
    one_by_one(theirs, cells[:1])
    room = batch_capacity(ours, cells[0])
    seconds: dict[str, list[float]] = {"batched": [], "one by one": []}
    for _ in range(N_ROUNDS):
        start = time.perf_counter()
        mine = forces_of_supercells(ours, cells)
        seconds["batched"].append(time.perf_counter() - start)
        start = time.perf_counter()
        plain = one_by_one(theirs, cells)
        seconds["one by one"].append(time.perf_counter() - start)
    ratios = [a / b for a, b in zip(*reversed(seconds.values()), strict=True)]
    return {
        "crystal": name,
        "n_supercells": len(cells),
        "n_atoms": len(cells[0]),
        "atoms_a_call": room,
        "largest_difference": float(np.abs(mine - plain).max()),
        "seconds": seconds,
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
    }


def main() -> None:
    """Measure, and write the committed results."""
    import torch

    from atomgraft.core.provenance import machine, package_versions
    from atomgraft.models.memory import keep_freed_buffers

    warnings.simplefilter("ignore")
    keep_freed_buffers()
    root = Path(os.environ.get("ATOMGRAFT_DATA", "../shared/data")) / "phonons"
    if not root.is_dir():
        sys.exit(f"No data at {root}: set ATOMGRAFT_DATA.")
    rows = [measured(name, root / file) for name, file in CRYSTALS.items()]
    document = {
        "command": "python benchmarks/phonons/speed.py",
        "n_threads": torch.get_num_threads(),
        "machine": machine(),
        "versions": package_versions(),
        "rows": rows,
    }
    lines = [
        "| crystal | supercells | atoms | one by one, s | batched, s | times faster |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        slow, fast = (
            statistics.median(row["seconds"][key]) for key in ("one by one", "batched")
        )
        low, high = row["ratio_range"]
        lines.append(
            f"| {row['crystal']} | {row['n_supercells']} | {row['n_atoms']} | "
            f"{slow:.2f} | {fast:.2f} | {row['ratio']:.2f} [{low:.2f}, {high:.2f}] |"
        )
    lines.append(
        f"\nMedians and ranges of {N_ROUNDS} rounds in turn, "
        f"{torch.get_num_threads()} thread(s), float32."
    )
    n_threads = torch.get_num_threads()
    ending = "" if n_threads == 1 else f"_{n_threads}_threads"
    stem = RESULTS / f"phonon_speed{ending}"
    stem.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    stem.with_suffix(".md").write_text("\n".join([*lines, ""]))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
