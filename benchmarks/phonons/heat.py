"""Does a potential know heat: conductivity beside DFT, expansion beside experiment.

Conductivity: NaCl and MgO, with DFT forces on randomly displaced supercells (phono3py;
second order from 512 atoms, third from 64, Born charges). The potential is asked for
its forces on exactly these supercells at the DFT geometry; one least squares, one mesh,
the same charges for both. SRE and SRME at 300 K are those of arXiv 2408.00755.

Expansion: quasi-harmonic, at the potential's own volume, without charges; the measured
coefficients stand beside it for the order of magnitude: a functional has an error of
its own.

Needs the data folder (``$ATOMGRAFT_DATA`` or ``../shared/data``) and phono3py::

    python benchmarks/phonons/heat.py run --out runs/heat
    python benchmarks/phonons/heat.py run --out runs/heat --model RUN --materials NaCl
    python benchmarks/phonons/heat.py table --out runs/heat

``run`` can be stopped and started; ``--model`` takes a name, a file or the folder of a
finished run; ``table`` writes benchmarks/results/phonon_heat.json and .md.
"""

import argparse
import hashlib
import json
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from public_data import phonon_data

RESULTS = Path(__file__).parent.parent / "results"

FILES = {
    "NaCl": "phono3py_params_NaCl.yaml.xz",
    "MgO": "phono3py_params_MgO-222rd-444rd.yaml.xz",
}
"""Where DFT's forces are. The set of silicon in eight atoms leaves third-order force
constants undetermined and is refused."""

MESH = (11, 11, 11)

CRYSTALS = {
    "NaCl": ("rocksalt", 5.64),
    "MgO": ("rocksalt", 4.21),
    "Si": ("diamond", 5.43),
}
"""Structures whose expansion is computed, and lattice constants to start from, Å."""

MEASURED = {
    "NaCl": (118.0, "Anderson and Isaak, AGU Reference Shelf 2, 64 (1995)"),
    "MgO": (31.2, "Anderson and Isaak, AGU Reference Shelf 2, 64 (1995)"),
    "Si": (7.7, "Okada and Tokumaru, J. Appl. Phys. 56, 314 (1984)"),
}
"""Volumetric coefficient at 300 K, 1e-6/K; silicon's is three times the linear one."""

TEMPERATURES = (0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0)
ROOM = 300.0


def conduct(potential: Any, material: str) -> dict[str, Any]:  # noqa: ANN401
    """Return the conductivity of DFT and of a potential, like with like."""
    from atomgraft.lattice.conductivity import conductivity_of
    from atomgraft.lattice.third_order_reference import (
        anharmonic_on_reference,
        read_third_order,
    )
    from atomgraft.phonons.heat import compare_conductivities, conductivity_record

    reference = read_third_order(f"{phonon_data(FILES[material])}")
    start = time.process_time()
    crystal = anharmonic_on_reference(potential, reference)
    seconds = time.process_time() - start
    ours, theirs = (
        conductivity_record(conductivity_of(one, MESH), one)
        for one in (crystal, reference.anharmonic)
    )
    errors = compare_conductivities(ours, theirs)
    modes = {"mode_frequencies", "mode_conductivity", "q_weights"}
    return {
        "data": reference.third.content,
        "model": ours.model_dump(mode="json", exclude=modes),
        "reference": theirs.model_dump(mode="json", exclude=modes),
        "room": [float(np.sum(one.mode_conductivity)) for one in (ours, theirs)],
        "relative": errors.relative,
        "sre": errors.sre,
        "srme": errors.srme,
        "force_seconds": seconds,
    }


def expand(potential: Any, material: str) -> dict[str, Any]:  # noqa: ANN401
    """Return the quasi-harmonic expansion of a crystal under a potential."""
    from ase.build import bulk

    from atomgraft.lattice.quasiharmonic import QuasiharmonicSettings, quasiharmonic
    from atomgraft.phonons.heat import expansion_record

    lattice, constant = CRYSTALS[material]
    settings = QuasiharmonicSettings(
        supercell=np.diag([2, 2, 2]),
        mesh=(15, 15, 15),
        temperatures=TEMPERATURES,
    )
    crystal = bulk(material, lattice, a=constant, cubic=True)
    found = quasiharmonic(potential, crystal, settings)
    record = expansion_record(found, settings)
    room = record.temperatures.index(ROOM) if ROOM in record.temperatures else None
    return {
        "expansion": record.model_dump(mode="json"),
        "room": None if room is None else record.expansion[room],
        "bulk_modulus": None if room is None else record.bulk_modulus[room],
    }


TASKS = {
    **{f"conductivity-{one}": (conduct, one) for one in FILES},
    **{f"expansion-{one}": (expand, one) for one in CRYSTALS},
}


def label_of(model: str) -> str:
    """Return a name for a table: that of the model, or the last folder of its path."""
    return Path(model).name if Path(model).exists() else model


def run(arguments: argparse.Namespace) -> None:
    """Run what has no row yet."""
    import torch

    from atomgraft.core.provenance import machine, now, package_versions
    from atomgraft.run.inputs import load_base

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    potential = load_base(arguments.model).clone(dtype=torch.float64)
    rows = arguments.out / "rows"
    rows.mkdir(parents=True, exist_ok=True)
    label = label_of(arguments.model)
    mark = hashlib.sha256(potential.weights_hash().encode()).hexdigest()[:8]
    for name, (task, material) in TASKS.items():
        file = rows / f"{label}-{mark}-{name}.json"
        if file.exists() or material not in arguments.materials:
            continue
        start, started = time.process_time(), now()
        try:
            found = task(potential, material)
        except Exception:  # noqa: BLE001 - one failed material must not cost the table
            print(name, "failed", traceback.format_exc())
            continue
        row = {
            "model": label,
            "weights": potential.weights_hash(),
            "kind": name.partition("-")[0],
            "material": material,
            **{
                f"{key}_record" if key == "model" else key: v
                for key, v in found.items()
            },
            "provenance": {
                "command": f"heat.py run --model {label} --out FOLDER",
                "started": started,
                "cpu_seconds": time.process_time() - start,
                "versions": package_versions() | phonon_versions(),
                "machine": machine(),
                "n_threads": 1,
                "dtype": "float64",
            },
        }
        file.write_text(json.dumps(row))
        print(name, f"{row['provenance']['cpu_seconds']:.0f} s", flush=True)


def phonon_versions() -> dict[str, str]:
    """Return the versions of what decides the numbers besides the framework."""
    from importlib.metadata import version

    return {one: version(one) for one in ("phonopy", "phono3py", "symfc", "spglib")}


def table(arguments: argparse.Namespace) -> None:
    """Write the rows and the tables made of them."""
    files = sorted((arguments.out / "rows").glob("*.json"))
    rows = [json.loads(file.read_text()) for file in files]
    if not rows:
        sys.exit(f"No rows in {arguments.out}: run first.")
    lines = [*conductivity_lines(rows), "", *expansion_lines(rows)]
    (RESULTS / "phonon_heat.md").write_text("\n".join(lines) + "\n")
    text = ",\n".join(json.dumps(row) for row in rows)
    (RESULTS / "phonon_heat.json").write_text(f"[\n{text}\n]\n")
    print("\n".join(lines))


def conductivity_lines(rows: list[dict]) -> list[str]:
    """Return the table of conductivities."""
    lines = [
        "Lattice thermal conductivity at 300 K (relaxation times, mesh 11x11x11), on "
        "DFT's own supercells:",
        "",
        "| material | model | supercells | κ DFT, W/m/K | κ model, W/m/K | error | SRE "
        "| SRME | CPU s for forces and fit |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in order(rows, "conductivity", FILES):
        ours, theirs = row["room"]
        lines.append(
            f"| {row['material']} | {row['model']} "
            f"| {row['reference']['n_supercells']} of "
            f"{row['reference']['n_atoms_supercell']} atoms | {theirs:.2f} "
            f"| {ours:.2f} | {row['relative']:+.1%} | {row['sre']:.3f} "
            f"| {row['srme']:.3f} | {row['force_seconds']:.0f} |"
        )
    return lines


def expansion_lines(rows: list[dict]) -> list[str]:
    """Return the table of expansions."""
    lines = [
        "Volumetric thermal expansion at 300 K (quasi-harmonic, nine volumes, 64 atoms,"
        " no charges):",
        "",
        "| material | model | expansion, 1e-6/K | measured | bulk modulus, GPa | "
        "volume at 300 K, Å³ per atom | CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in order(rows, "expansion", CRYSTALS):
        measured, source = MEASURED[row["material"]]
        found = row["expansion"]
        cells = ["none", "none", "none"]
        if row["room"] is not None:
            volume = found["equilibrium_volumes"][found["temperatures"].index(ROOM)]
            cells = [
                f"{row['room']:.1f}",
                f"{row['bulk_modulus']:.1f}",
                f"{volume:.3f}",
            ]
        lines.append(
            f"| {row['material']} | {row['model']} | {cells[0]} | {measured:g} "
            f"({source}) | {cells[1]} | {cells[2]} "
            f"| {row['provenance']['cpu_seconds']:.0f} |"
        )
    return lines + [
        f"\n{row['material']}, {row['model']}: {row['expansion']['note']}"
        for row in order(rows, "expansion", CRYSTALS)
        if row["expansion"]["note"]
    ]


def order(rows: list[dict], kind: str, materials: Any) -> list[dict]:  # noqa: ANN401
    """Return the rows of one kind by material, models side by side."""
    names = list(materials)
    chosen = [row for row in rows if row["kind"] == kind]
    return sorted(chosen, key=lambda row: (names.index(row["material"]), row["model"]))


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--out", type=Path, default=Path("runs/heat"))
    parser.add_argument("--model", default="7net-0")
    names = sorted({*FILES, *CRYSTALS})
    parser.add_argument("--materials", nargs="+", default=names, choices=names)
    arguments = parser.parse_args()
    {"run": run, "table": table}[arguments.what](arguments)


if __name__ == "__main__":
    main()
