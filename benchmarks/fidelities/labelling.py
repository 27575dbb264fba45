"""Labels from engines under fire, and their throughput.

200 geometries of ethanol are labelled with two worker processes. In ``killed`` the
command is killed twice (SIGKILL, its workers left to themselves) and started again:
every frame must be labelled once, none lost, and labels must be those of a run that
nobody disturbed. ``speed`` compares the time of the whole command, and that between the
first and the last label, with two processes that call the program directly on half of
the frames each, on the same machine, one after the other::

    python benchmarks/fidelities/labelling.py killed --engine xtb --out runs/labelling
    python benchmarks/fidelities/labelling.py speed --engine xtb --out runs/labelling
    python benchmarks/fidelities/labelling.py table

``--engine`` is ``xtb`` or ``pyscf``; ``--frames`` takes fewer. Results are in
benchmarks/results/fidelity_labelling.json. Needs the data folder (``$ATOMGRAFT_DATA``
or ``../shared/data``), the extras ``xtb`` and ``pyscf``, and nothing else running.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.io import read, write

RESULT = Path(__file__).parent.parent / "results" / "fidelity_labelling.json"
ENGINES = {"xtb": "xtb:GFN2", "pyscf": "pyscf:PBE/def2-SVP"}
N_WORKERS = 2
N_FRAMES = 200
KILLED_AT = (0.25, 0.6)
"""Shares of the frames that are labelled when the command is killed."""
PATIENCE = 3600.0
"""s"""


def geometries(n: int) -> list[Atoms]:
    """Return the first n geometries of the training file, without labels."""
    folder = Path(os.environ.get("ATOMGRAFT_DATA", "../shared/data"))
    frames = read(folder / "fidelity" / "ethanol-pbe-train.xyz", f":{n}")
    return [Atoms(one.numbers, one.positions) for one in frames]


def command(engine: str, out: Path, frames: Path) -> list[str]:
    """Return the command that labels."""
    program = str(Path(sys.executable).with_name("atomgraft"))
    workers = ("--workers", str(N_WORKERS), "--out", str(out))
    return [program, "label", str(frames), "--engine", ENGINES[engine], *workers]


def n_done(out: Path) -> int:
    """Return how many jobs are finished."""
    return len(list(out.glob("cells/*/cell.json")))


def killed(engine: str, n: int, place: Path) -> dict:
    """Label with two kills, and compare with a run that nobody disturbed."""
    frames = place / "ethanol.extxyz"
    write(frames, geometries(n))
    out, whole = place / "killed", place / "whole"
    seen = []
    for share in KILLED_AT:
        process = subprocess.Popen(command(engine, out, frames))
        deadline = time.monotonic() + PATIENCE
        while n_done(out) < share * n and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(5)  # workers see that they are alone
        seen.append(n_done(out))
    subprocess.run(command(engine, out, frames), check=True)
    subprocess.run(command(engine, whole, frames), check=True)
    logs = [path.read_text() for path in out.glob("cells/*/job.log")]
    n_finished = [text.count("done in") for text in logs]
    ours, theirs = (read(one / "labels.extxyz", ":") for one in (out, whole))
    return {
        "engine": ENGINES[engine],
        "frames": n,
        "labelled_when_killed": seen,
        "labelled": len(ours),
        "computed_twice": sum(one > 1 for one in n_finished),
        "begun_again": sum(text.count(ENGINES[engine]) > 1 for text in logs),
        "largest_difference": max(map(difference, ours, theirs)),
    }


def difference(a: Atoms, b: Atoms) -> float:
    """Return the largest difference of labels, eV and eV/Å; geometries are the same."""
    if not np.array_equal(a.positions, b.positions):
        return float("inf")
    energy = abs(a.info["REF_energy"] - b.info["REF_energy"])
    forces = np.abs(a.arrays["REF_forces"] - b.arrays["REF_forces"]).max()
    return float(max(energy, forces))


def with_xtb(atoms: Atoms) -> float:
    """Call tblite directly, and return the energy, eV."""
    from tblite.interface import Calculator

    calculator = Calculator("GFN2-xTB", atoms.numbers, atoms.positions / units.Bohr)
    calculator.set("verbosity", 0)
    result = calculator.singlepoint()
    result["gradient"]
    return float(result["energy"]) * units.Hartree


def with_pyscf(atoms: Atoms) -> float:
    """Call PySCF directly, and return the energy, eV."""
    from pyscf import dft, gto

    rows = list(zip(atoms.get_chemical_symbols(), atoms.positions, strict=True))
    field = dft.RKS(gto.M(atom=rows, basis="def2-SVP", verbose=0), xc="PBE")
    field.run()
    field.nuc_grad_method().run()
    return float(field.e_tot) * units.Hartree


DIRECT: dict[str, Callable[[Atoms], float]] = {"xtb": with_xtb, "pyscf": with_pyscf}


def bare(engine: str, frames: list[Atoms]) -> None:
    """Compute frames one after the other."""
    for atoms in frames:
        DIRECT[engine](atoms)


def speed(engine: str, n: int, place: Path) -> dict:
    """Time the command against two processes of the program alone."""
    os.environ["OMP_NUM_THREADS"] = "1"
    given = geometries(n)
    frames = place / "ethanol.extxyz"
    write(frames, given)
    context = multiprocessing.get_context("spawn")
    halves = [
        context.Process(target=bare, args=(engine, given[i::N_WORKERS]))
        for i in range(N_WORKERS)
    ]
    started = time.perf_counter()
    for one in halves:
        one.start()
    for one in halves:
        one.join()
    alone = time.perf_counter() - started
    out = place / "speed"
    shutil.rmtree(out, ignore_errors=True)
    started = time.perf_counter()
    subprocess.run(command(engine, out, frames), check=True)
    whole = time.perf_counter() - started
    labelled = read(out / "labels.extxyz", ":")
    ends = [written(path) for path in out.glob("cells/*/job.log")]
    return {
        "engine": ENGINES[engine],
        "frames": n,
        "alone": alone,
        "command": whole,
        "between_labels": max(ends) - min(ends),
        "in_engine": sum(float(one.info["engine_seconds"]) for one in labelled),
        "energy_difference": abs(
            DIRECT[engine](given[0]) - labelled[0].info["REF_energy"]
        ),
    }


def written(log: Path) -> float:
    """Return when a job ended, s; logs have whole seconds."""
    stamp, _, _ = log.read_text().strip().splitlines()[-1].partition(" ")
    return datetime.fromisoformat(stamp).timestamp()


def read_results() -> dict:
    """Return what is finished."""
    from atomgraft.core.provenance import package_versions

    if RESULT.is_file():
        return json.loads(RESULT.read_text())
    return {
        "command": "labelling.py killed; labelling.py speed",
        "versions": package_versions(),
        "killed": [],
        "speed": [],
    }


def table(document: dict) -> str:
    """Return the tables, Markdown."""
    lines = [
        "# Labels from engines: killed commands, and throughput",
        "",
        "Made by `python benchmarks/fidelities/labelling.py`. Geometries of ethanol,"
        " two worker processes of one thread.",
        "",
        "The command was killed twice and started again; begun again: jobs that were"
        " under way when it was killed. Difference: largest of a label to a run that"
        " was not disturbed.",
        "",
        "| engine | frames | labelled at the kills | labelled | computed twice |"
        " begun again | difference, eV or eV/Å |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in document["killed"]:
        seen = ", ".join(map(str, row["labelled_when_killed"]))
        lines.append(
            f"| {row['engine']} | {row['frames']} | {seen} | {row['labelled']} |"
            f" {row['computed_twice']} | {row['begun_again']} |"
            f" {row['largest_difference']:.1g} |"
        )
    lines += [
        "",
        "Time of the command against two processes that call the program directly. In"
        " engine: seconds of all labels over two processes. Between labels: from the"
        " first finished job to the last.",
        "",
        "| engine | frames | program alone, s | in engine, s | between labels, s |"
        " command, s | command / alone |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['engine']} | {row['frames']} | {row['alone']:.1f} |"
        f" {row['in_engine'] / N_WORKERS:.1f} | {row['between_labels']:.0f} |"
        f" {row['command']:.1f} | {row['command'] / row['alone']:.2f} |"
        for row in document["speed"]
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("killed", "speed", "table"))
    parser.add_argument("--engine", choices=ENGINES, default="xtb")
    parser.add_argument("--frames", type=int, default=N_FRAMES)
    parser.add_argument("--out", type=Path, default=Path("runs/labelling"))
    given = parser.parse_args()
    if given.verb == "table":
        RESULT.with_suffix(".md").write_text(table(read_results()))
    else:
        place = given.out / given.engine
        place.mkdir(parents=True, exist_ok=True)
        measure = killed if given.verb == "killed" else speed
        row = measure(given.engine, given.frames, place)
        print(row, flush=True)
        document = read_results()
        document[given.verb].append(row)
        RESULT.write_text(json.dumps(document, indent=0) + "\n")
