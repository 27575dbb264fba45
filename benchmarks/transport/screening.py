"""Speed and memory of a screen.

Structures of 40 to 60 atoms from the public set of migration barriers, each distorted
in a different way, are written as CIF files and given to ``atomgraft screen`` with two
worker processes of one thread: first without kept features, then in another folder with
those that were kept. One predictor reads geometry alone, the other features of a
pretrained potential as well. Memory is the largest sum over the command and its
workers (proportional set size)::

    python benchmarks/transport/screening.py run --out runs/screening
    python benchmarks/transport/screening.py table --out runs/screening

For memory, the number of structures is 1,000 and 10,000, of 2 atoms each: features take
less time, and what is kept of a structure has the same size. The time of molecular
dynamics is that of steps of the same potential on the same structures, times the steps
of 100 ps. Needs the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``).
"""

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import write

sys.path.insert(0, str(Path(__file__).parent))
from barriers import frame, records

RESULTS = Path(__file__).parent.parent / "results"
MODEL = "7net-0"
GEOMETRY = ("composition", "packing", "sites", "pathways")
PREDICTORS = {"geometry": GEOMETRY, "geometry and 7net-0": (*GEOMETRY, "invariants")}
N_LEARNED = 60
SIZES = (40, 60)
N_SPEED = 1000
N_MEMORY = (1000, 10_000)
N_FEATURES = 30
N_WORKERS = 2
KINDS = ("each", "speed", "memory")
MD_STEPS = 10
MD_TIME, MD_STEP = 100e3, 2.0
"""fs"""
SMALL = ("LiF", "LiCl", "LiBr", "LiI")


def distorted(atoms: Atoms, seed: int, amplitude: float = 0.02) -> Atoms:
    """Return a copy with other positions and a slightly different cell."""
    rng = np.random.default_rng(seed)
    found = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    found.set_cell(found.cell * rng.uniform(0.99, 1.01), scale_atoms=True)
    found.rattle(amplitude, rng=rng)
    return found


def fifty(n: int, folder: Path) -> Path:
    """Write n structures of about 50 atoms with lithium, as CIF files."""
    place = folder / f"cifs-{n}"
    if place.is_dir():
        return place
    frames = [frame(one, "train") for one in records("train")]
    frames = [one for one in frames if one.info["ion"] == "Li"]
    frames = [one for one in frames if SIZES[0] <= len(one) <= SIZES[1]]
    new = folder / f"new-{n}"
    new.mkdir(parents=True, exist_ok=True)
    for k in range(n):
        write(new / f"{k:05d}.cif", distorted(frames[k % len(frames)], k))
    return new.rename(place)


def small(n: int, folder: Path) -> Path:
    """Write n structures of 2 atoms as one file of extended XYZ."""
    path = folder / f"small-{n}.extxyz"
    if not path.is_file():
        salts = [bulk(one, "rocksalt", a=5.1) for one in SMALL]
        frames = [distorted(salts[k % 4], k, 0.1) for k in range(n)]
        write(path, frames, format="extxyz")
    return path


def predictor(name: str, folder: Path) -> Path:
    """Make a predictor of barriers from few materials: its cost is what matters."""
    import atomgraft as ag

    place = folder / name.replace(" ", "-")
    if not (place / "predictor.json").is_file():
        frames = [frame(one, "train") for one in records("train")]
        frames = [one for one in frames if one.info["ion"] == "Li"]
        for one in frames:
            one.info = {key: one.info[key] for key in ("name", "barrier", "ion")}
        frames = sorted(frames, key=len)[:N_LEARNED]
        write(folder / "learned.extxyz", frames, format="extxyz")
        ag.distil(
            folder / "learned.extxyz",
            "barrier",
            "ion",
            unit="eV",
            features=PREDICTORS[name],
            model=MODEL if "invariants" in PREDICTORS[name] else "",
            methods=["kernel ridge"],
            folds=4,
            out=place,
        )
    return place


def below(pid: int) -> list[int]:
    """Return a process and all that it started."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        for thread in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                todo += [int(child) for child in thread.read_text().split()]
    return found


def memory(pid: int) -> dict[int, float]:
    """Return the proportional set size of a process and those below it, MB."""
    found = {}
    for one in below(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        [kb] = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
        found[one] = kb / 1e3
    return found


def screened(source: Path, told_by: Path, out: Path, cache: Path) -> dict:
    """Run the command, and return its time, its memory and what it wrote."""
    words = [sys.executable, "-m", "atomgraft", "screen", str(source)]
    words += ["--predictor", str(told_by), "--mobile", "Li", "--out", str(out)]
    words += ["--cache", str(cache), "--workers", str(N_WORKERS), "--best", "lowest"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    begin, before = time.monotonic(), os.times()
    process = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
    most, main = 0.0, 0.0
    over = threading.Event()

    def watch() -> None:
        nonlocal most, main
        while not over.wait(1.0):
            sizes = memory(process.pid)
            most = max(most, sum(sizes.values()))
            main = max(main, sizes.get(process.pid, 0.0))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    seconds = time.monotonic() - begin
    over.set()
    watcher.join()
    after = os.times()
    if code:
        sys.exit(f"atomgraft screen ended with {code}: {' '.join(words)}")
    result = json.loads((out / "screen.json").read_text())
    cpu = (
        after.children_user
        + after.children_system
        - (before.children_user + before.children_system)
    )
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "memory_mb": most,
        "memory_of_command_mb": main,
        "n_ranked": len(result["ranked"]),
        "n_left_out": sum(one["n"] for one in result["left_out"]),
        "n_from_cache": result["n_from_cache"],
        "list_sha256": hashlib.sha256((out / "screen.csv").read_bytes()).hexdigest(),
    }


def seconds_of_md(folder: Path) -> float:
    """Return the time of a step of molecular dynamics for a structure, s."""
    import torch
    from ase.io import read

    from atomgraft.core.trust import NO_TRUST
    from atomgraft.models.prediction import predict_structures
    from atomgraft.run.inputs import load_base

    torch.set_num_threads(1)
    potential = load_base(MODEL, trust=NO_TRUST)
    frames = [read(one) for one in sorted(folder.glob("*.cif"))[:MD_STEPS]]
    list(predict_structures(potential, frames[:1]))
    begin = time.process_time()
    for one in frames:
        list(predict_structures(potential, [one]))
    return (time.process_time() - begin) / len(frames)


def seconds_of_features(folder: Path, told_by: Path) -> float:
    """Return the CPU time of the features of a structure in one process, s."""
    import torch

    from atomgraft.data.structure_streams import Exclusions, structures_of
    from atomgraft.transport.predictors.stored import PREDICTOR
    from atomgraft.transport.screening.describing import Describer

    torch.set_num_threads(1)
    card = PREDICTOR.read(told_by)
    described = Describer(
        ion="Li",
        blocks=tuple(card.columns),
        model=card.model,
        model_hash=card.model_hash,
    )
    files = [str(one) for one in sorted(folder.glob("*.cif"))[: N_FEATURES + 1]]
    found = [one.structure for one in structures_of(files, Exclusions())]
    described(found[0])
    begin = time.process_time()
    for one in found[1:]:
        described(one)
    return (time.process_time() - begin) / (len(found) - 1)


def run(out: Path, kinds: tuple[str, ...]) -> None:
    """Measure what is not measured yet."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "measured.json"
    found = json.loads(file.read_text()) if file.is_file() else {}
    if "each" in kinds:
        for name in PREDICTORS:
            key = f"each, {name}"
            each = seconds_of_features(fifty(N_SPEED, out), predictor(name, out))
            found.setdefault(key, {"seconds": each})
        found.setdefault(
            "md", {"seconds_of_a_step": seconds_of_md(fifty(N_SPEED, out))}
        )
        file.write_text(json.dumps(found, indent=1))
    plan = [("speed", N_SPEED, name) for name in PREDICTORS]
    plan += [("memory", n, "geometry") for n in N_MEMORY]
    for kind, n, name in [one for one in plan if one[0] in kinds]:
        key = f"{kind}, {n}, {name}"
        if key in found:
            continue
        source = fifty(n, out) if kind == "speed" else small(n, out)
        told_by = predictor(name, out)
        place = out / key.replace(", ", "-").replace(" ", "-")
        cache = place / "kept"
        first = screened(source, told_by, place / "first", cache)
        again = screened(source, told_by, place / "again", cache)
        found[key] = {
            "kind": kind,
            "n": n,
            "predictor": name,
            "first": first,
            "again": again,
            "load": os.getloadavg(),
        }
        file.write_text(json.dumps(found, indent=1))


def table(out: Path) -> None:
    """Write the tables."""
    from atomgraft.core.provenance import machine, package_versions

    found = json.loads((out / "measured.json").read_text())
    rows = [one for one in found.values() if "kind" in one]
    lines = [
        "# Speed and memory of a screen",
        "",
        "Made by `python benchmarks/transport/screening.py`. Two worker processes of"
        " one thread. CPU time is that of the command and all its processes; other"
        " programs ran on the same two cores, so that the time on a clock is longer"
        " than on an idle machine.",
        "",
        "## 1,000 structures of 40 to 60 atoms",
        "",
        "| features | structures | CPU, s | clock, s | features kept: CPU, s |"
        " clock, s | same list |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in rows:
        if one["kind"] != "speed":
            continue
        first, again = one["first"], one["again"]
        same = first["list_sha256"] == again["list_sha256"]
        lines.append(
            f"| {one['predictor']} | {first['n_ranked']} | {first['cpu_seconds']:.0f} |"
            f" {first['seconds']:.0f} | {again['cpu_seconds']:.1f} |"
            f" {again['seconds']:.1f} | {'yes' if same else 'no'} |"
        )
    step = found["md"]["seconds_of_a_step"]
    whole = step * MD_TIME / MD_STEP
    lines += [
        "",
        "## Features of a structure, and molecular dynamics",
        "",
        f"CPU time in one process of one thread. A step of {MODEL} takes {step:.3f} s"
        f" for such a structure, and 100 ps ({MD_TIME / MD_STEP:,.0f} steps)"
        f" {whole:,.0f} s.",
        "",
        "| features | a structure, s | 1,000 structures by 2 workers, s | 100 ps of"
        " molecular dynamics take |",
        "|---|---|---|---|",
    ]
    for name in PREDICTORS:
        each = found[f"each, {name}"]["seconds"]
        lines.append(
            f"| {name} | {each:.3f} | {1000 * each / N_WORKERS:.0f} |"
            f" {whole / each:,.0f} times as long |"
        )
    lines += [
        "",
        "## Memory",
        "",
        "Structures of 2 atoms, features of geometry.",
        "",
        "| structures | command, MB | with workers, MB | features kept: command, MB |",
        "|---|---|---|---|",
    ]
    for one in rows:
        if one["kind"] == "memory":
            first, again = one["first"], one["again"]
            lines.append(
                f"| {one['n']:,} | {first['memory_of_command_mb']:.0f} |"
                f" {first['memory_mb']:.0f} | {again['memory_of_command_mb']:.0f} |"
            )
    text = "\n".join([*lines, ""])
    (RESULTS / "transport_screening.md").write_text(text)
    about = {"machine": machine(), "versions": package_versions()}
    document = json.dumps(found | about, indent=1)
    (RESULTS / "transport_screening.json").write_text(document + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("verb", choices=("run", "table"))
    parser.add_argument("--out", type=Path, default=Path("runs/screening"))
    parser.add_argument("--kind", choices=KINDS, action="append")
    given = parser.parse_args()
    kinds = tuple(given.kind or KINDS)
    run(given.out, kinds) if given.verb == "run" else table(given.out)
