"""Judge kept models through the ASE calculator of the framework they belong to.

    ENV/bin/python benchmarks/peers/judge.py --base small.model --data FOLDER RUN...

The judge knows files and no method: ``SECONDS.model`` is a plain MACE model, and
``SECONDS.franken`` names a model of franken. Of each it takes errors on the test frames
and the mean force drift from the base on the crystals, and writes them to
``curve.json``. Time spent here belongs to nobody.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read

MILLI = 1000.0


def calculator(path: Path) -> Any:  # noqa: ANN401 - an ASE calculator
    """Return the ASE calculator of a kept model, in float64."""
    if path.suffix == ".franken":
        from franken.calculators import FrankenCalculator

        return FrankenCalculator(path.read_text().strip(), device="cpu")
    import torch
    from mace.calculators import MACECalculator

    model = torch.load(path, map_location="cpu", weights_only=False).double()
    heads = getattr(model, "heads", None) or ["Default"]
    return MACECalculator(
        models=[model], device="cpu", default_dtype="float64", head=heads[-1]
    )


def predict(judged: Any, frames: list[Atoms]) -> list[tuple[float, np.ndarray]]:  # noqa: ANN401
    """Return energies (eV) and forces (eV/Å)."""
    answers = []
    for frame in frames:
        atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
        atoms.calc = judged
        answers.append((float(atoms.get_potential_energy()), atoms.get_forces()))
    return answers


def errors(judged: Any, tests: list[Atoms]) -> dict[str, Any]:  # noqa: ANN401
    """Return mean absolute errors: forces meV/Å, energies meV/atom, by frame too."""
    forces, energies = [], []
    for atoms, (energy, force) in zip(tests, predict(judged, tests), strict=True):
        forces.append(np.abs(force - atoms.arrays["REF_forces"]) * MILLI)
        energies.append((energy - atoms.info["REF_energy"]) / len(atoms) * MILLI)
    return {
        "forces": float(np.mean(np.concatenate(forces))),
        "forces_by_frame": [round(float(one.mean()), 3) for one in forces],
        "energy": float(np.mean(np.abs(energies))),
        "energy_aligned": float(np.mean(np.abs(energies - np.mean(energies)))),
    }


def drift(
    judged: Any,  # noqa: ANN401
    start: list[tuple[float, np.ndarray]],
    crystals: list[Atoms],
) -> dict[str, float] | str:
    """Return the mean force drift (meV/Å) on crystals with and without germanium."""
    try:
        answers = predict(judged, crystals)
    except (KeyError, RuntimeError, ValueError, IndexError) as error:
        return f"cannot see the other elements: {type(error).__name__}"
    groups: dict[str, list[np.ndarray]] = {"near": [], "far": []}
    for atoms, (_, one), (_, other) in zip(crystals, answers, start, strict=True):
        group = "near" if "Ge" in atoms.symbols else "far"
        groups[group].append(np.abs(one - other).ravel() * MILLI)
    return {name: float(np.concatenate(g).mean()) for name, g in groups.items()}


def judge(run: Path, base: Path, data: Path, n_points: int) -> None:
    """Write ``curve.json`` of one run."""
    tests, crystals = read(data / "test.xyz", ":"), read(data / "crystals.xyz", ":")
    for atoms in tests:
        atoms.calc = None
    judged = calculator(base)
    start = predict(judged, crystals)
    points = [{"seconds": 0.0, **errors(judged, tests), "drift": None}]
    for path in thinned(run, n_points):
        judged = calculator(path)
        point = {"seconds": float(path.stem), **errors(judged, tests)}
        points.append({**point, "drift": drift(judged, start, crystals)})
    (run / "curve.json").write_text(json.dumps(points, indent=1) + "\n")
    print(run.name, [(p["seconds"], round(p["forces"], 1)) for p in points], flush=True)


def thinned(run: Path, n_points: int) -> list[Path]:
    """Return kept models about evenly spaced in log time, the last among them."""
    paths = sorted([*run.glob("*.model"), *run.glob("*.franken")])
    if len(paths) <= n_points:
        return paths
    times = np.log([float(path.stem) for path in paths])
    grid = np.linspace(times[0], times[-1], n_points)
    return [paths[i] for i in sorted({int(np.abs(times - t).argmin()) for t in grid})]


def main() -> None:
    """Judge runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--points", type=int, default=6)
    arguments = parser.parse_args()
    for run in arguments.runs:
        judge(run, arguments.base, arguments.data, arguments.points)


if __name__ == "__main__":
    main()
